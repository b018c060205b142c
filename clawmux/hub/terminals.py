"""The agents' terminals as pages look at them: one view for each page, and for each agent one page that types.

A page looks through a tmux client of its own and tells which frames it has drawn; a few may be on their way, so a flood in
the terminal fills no queue here and none in the browser. Who may type is decided in ``core.keyboards``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from clawmux.adapters.terminal import Viewer, Window
from clawmux.adapters.tmux import Tmux
from clawmux.core.keyboards import IDLE_SECONDS, Keyboards
from clawmux.hub.agents import Agents
from clawmux.hub.pages import Page
from clawmux.wire import browser as wire
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.frames import FIRST, TERMINAL_OUT, Frame, encode_frame

log = logging.getLogger(__name__)

# So many frames may be sent and not drawn: 256 KiB at most, and at 100 ms of way to the page still 80 frames a second.
FRAMES_AHEAD = 8
# How late a view follows when somebody else changes the size of the window.
LOOK_SECONDS = 1.0
# A view ends with its tmux client, which is killed when it does not go by itself.
STOP_SECONDS = 3.0
# Pieces of input that wait for tmux. Nobody types so much; a program that does is refused.
INPUTS_WAITING = 256
# One piece of typing or pasting; tmux takes it as one line of a command.
INPUT_LIMIT_BYTES = 32 * 1024

# What a page shows of what has gone off the top: enough to read up, and no more than it takes well. Of very colourful lines less.
EARLIER_LINES = 1000
EARLIER_BYTES = 512 * 1024

# A paste may not end the brackets that it is put between, nor bring other commands of a terminal.
_NOT_PASTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class _Input:
    text: str
    is_paste: bool


@dataclass(slots=True, eq=False)
class _View:
    page: Page
    session_id: str
    pane_id: str
    slot: int
    viewer: Viewer | None = None
    sent: int = 0
    seen: int = -1
    inputs: asyncio.Queue[_Input] = field(default_factory=lambda: asyncio.Queue(INPUTS_WAITING))
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_looking_back: bool = False

    @property
    def is_full(self) -> bool:
        return self.sent - 1 - self.seen >= FRAMES_AHEAD

    def output(self, data: bytes) -> None:
        """To the page, now."""
        flags = FIRST if self.sent == 0 else 0
        frame = Frame(TERMINAL_OUT, flags, self.slot, self.sent & 0xFFFFFFFF, time.monotonic() * 1000, data)
        self.sent += 1
        self.page.send_frame(encode_frame(frame))
        if self.is_full and self.viewer is not None:
            self.viewer.pause()


class Terminals:
    def __init__(self, agents: Agents, tmux: Tmux, now: Callable[[], float]) -> None:
        self._agents = agents
        self._tmux = tmux
        self._now = now
        self._keyboards = Keyboards()
        self._views: dict[Page, _View] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slot = 0

    def is_taken(self, session_id: str) -> bool:
        """Whether somebody types into this agent from a page."""
        return self._keyboards.holder(session_id) is not None

    # -- what pages ask --

    def open(self, page: Page, message: wire.TermOpen) -> None:
        session = self._agents.get(message.session_id)
        self._close(page)
        self._slot = self._slot % 0xFFFF + 1
        view = _View(page, session.id, session.pane_id, self._slot)
        self._views[page] = view
        self._start(self._show(view), f"show the terminal of {session.id}")

    def close(self, page: Page, message: wire.TermClose) -> None:
        if self._view(page, message.slot) is not None:
            self._close(page)

    def take(self, page: Page, message: wire.TermTake) -> None:
        view = self._view(page, message.slot)
        if view is None:
            return
        if message.on:
            self._keyboards.take(view.session_id, page.client, self._now())
        else:
            self._keyboards.give_back(view.session_id, page.client)
        self._tell_keyboard(view.session_id)

    def seen(self, page: Page, message: wire.TermSeen) -> None:
        view = self._view(page, message.slot)
        if view is None:
            return
        if not 0 <= message.seq < view.sent:
            raise ClawMuxError("usage", f"message 'term_seen': field 'seq' is {message.seq}; no such frame was sent.")
        view.seen = max(view.seen, message.seq)
        if not view.is_full and view.viewer is not None:
            view.viewer.resume()

    def look_back(self, page: Page, message: wire.TermEarlier) -> None:
        view = self._view(page, message.slot)
        if view is not None and not view.is_looking_back:
            view.is_looking_back = True
            self._start(self._look_back(view), f"look back in the terminal of {view.session_id}")

    def paste(self, page: Page, message: wire.TermPaste) -> None:
        self._input(page, message.slot, _NOT_PASTED.sub("", message.text.replace("\r\n", "\n").replace("\r", "\n")), True)

    def keys(self, page: Page, frame: Frame) -> None:
        """What the user types, a frame of kind 4."""
        try:
            text = frame.payload.decode()
        except UnicodeDecodeError:
            raise ClawMuxError("usage", "terminal input is not valid UTF-8.") from None
        # tmux's buffers end at a NUL.
        self._input(page, frame.slot, text.replace("\0", ""), False)

    def page_left(self, page: Page) -> None:
        self._close(page)

    async def stop(self) -> None:
        for page in list(self._views):
            self._close(page)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- one view --

    def _view(self, page: Page, slot: int) -> _View | None:
        """None for one that was closed while the message was on its way."""
        view = self._views.get(page)
        return view if view is not None and view.slot == slot else None

    def _close(self, page: Page) -> None:
        view = self._views.pop(page, None)
        if view is None:
            return
        view.over.set()
        if self._keyboards.give_back(view.session_id, page.client):
            self._tell_keyboard(view.session_id)

    async def _show(self, view: _View) -> None:
        why, text = "closed", ""
        viewer = self._tmux.viewer(view.output, view.over.set)
        typing = asyncio.create_task(self._type(view), name=f"type into the terminal of {view.session_id}")
        try:
            window = await self._tmux.window(view.pane_id)
            await viewer.open(window)
            view.viewer = viewer
            view.page.send({"type": "term_opened", "session_id": view.session_id, "slot": view.slot})
            self._tell_size(view, window)
            view.page.send(self._keyboard(view.session_id))
            await self._follow(view, viewer, window)
        except ClawMuxError as error:
            why, text = ("ended" if error.code == "not_found" else "failed"), error.text
        except OSError as error:
            log.exception("no terminal for %s", view.session_id)
            why, text = "failed", f"The hub can open no terminal: {error.strerror}."
        except Exception:
            # Whatever it was: a page that is told nothing shows a terminal that stands still.
            log.exception("the terminal of %s failed", view.session_id)
            why, text = "failed", "The hub's log has the reason."
        finally:
            typing.cancel()
            await asyncio.gather(typing, viewer.close(), return_exceptions=True)
        if self._views.get(view.page) is view:
            self._close(view.page)
            if self._agents.alive(view.session_id) is None:
                why = "ended"
            view.page.send({"type": "term_closed", "session_id": view.session_id, "slot": view.slot, "why": why, "text": text})

    async def _follow(self, view: _View, viewer: Viewer, window: Window) -> None:
        """Until it is over: keep to the size of the window, and look for keyboards that somebody forgot."""
        while not view.over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(view.over.wait(), LOOK_SECONDS)
                return
            for session_id, _ in self._keyboards.forgotten(self._now()):
                self._tell_keyboard(session_id, f"Nothing was typed for {IDLE_SECONDS / 60:.0f} minutes.")
            with contextlib.suppress(TimeoutError):
                now = await self._tmux.window(view.pane_id)
                viewer.resize(now)
                if now != window:
                    window = now
                    self._tell_size(view, window)

    def _tell_size(self, view: _View, window: Window) -> None:
        size = {"cols": window.cols, "rows": window.rows, "above": window.above, "below": window.below}
        view.page.send({"type": "term_size", "slot": view.slot, **size})

    async def _look_back(self, view: _View) -> None:
        try:
            lines = await self._tmux.earlier_lines(view.pane_id, EARLIER_LINES)
        except ClawMuxError as error:
            view.page.send(error.to_wire())
            lines = []
        finally:
            view.is_looking_back = False
        view.page.send({"type": "term_earlier", "slot": view.slot, "lines": _newest(lines, EARLIER_BYTES)})

    # -- typing --

    def _input(self, page: Page, slot: int, text: str, is_paste: bool) -> None:
        view = self._view(page, slot)
        if view is None or not text:
            return
        if not self._keyboards.touch(view.session_id, page.client, self._now()):
            raise ClawMuxError("conflict", "this page does not have the agent's keyboard.", "Take it first.")
        if len(text.encode()) > INPUT_LIMIT_BYTES:
            raise ClawMuxError("too_large", f"terminal input is over {INPUT_LIMIT_BYTES} bytes at once.", "Use a file.")
        try:
            view.inputs.put_nowait(_Input(text, is_paste))
        except asyncio.QueueFull:
            raise ClawMuxError("too_many", "the terminal does not take input so fast; this was dropped.", "Wait.") from None

    async def _type(self, view: _View) -> None:
        while True:
            first = await view.inputs.get()
            try:
                if first.is_paste:
                    await self._tmux.paste(view.pane_id, first.text)
                else:
                    await self._tmux.type_keys(view.pane_id, first.text)
            except ClawMuxError as error:
                view.page.send(error.to_wire())
            except Exception:
                # What is typed next is to arrive all the same.
                log.exception("typing into the terminal of %s failed", view.session_id)
                view.page.send(ClawMuxError("internal", "what you typed did not arrive.", "The hub's log has more.").to_wire())

    def _keyboard(self, session_id: str, why: str = "") -> dict[str, object]:
        client = self._keyboards.holder(session_id)
        device = next((page.device for page in self._views if page.client == client), None)
        return {"type": "term_keyboard", "session_id": session_id, "client": client, "device": device, "why": why}

    def _tell_keyboard(self, session_id: str, why: str = "") -> None:
        for view in self._views.values():
            if view.session_id == session_id:
                view.page.send(self._keyboard(session_id, why))


def _newest(lines: list[str], most_bytes: int) -> list[str]:
    """As many of the last lines as take no more than so many bytes."""
    taken = 0
    for count, line in enumerate(reversed(lines)):
        taken += len(line.encode(errors="replace")) + 1
        if taken > most_bytes:
            return lines[len(lines) - count :]
    return lines
