"""One input on its way into one pane: looking, typing, pressing Enter, and the proof that it was taken.

Everything goes in by paste-buffer, which also reaches a pane in which somebody scrolls (copy mode). Every paste stands in an
if-shell of the same command list that asks first whether the pane is alive, because a paste into a dead pane ends tmux 3.3a;
and whether a dialog is open, because Enter in a permission dialog approves it. The Enter asks as well whether our own words
are on the screen still.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from clawmux.adapters import headers
from clawmux.adapters.drafts import is_begun, is_made_of, pieces_in, same_words, stands_in
from clawmux.adapters.screen import REFUSALS, Box, InputRules, Screen, chunks, read_screen
from clawmux.wire.errors import ClawMuxError

MOST_ENTERS = 3
# A busy screen shows a paste or takes an Enter within half a second; 8 KB of text were measured to take 2.5 s.
SHOWN_SECONDS = 3.0
# A program may be drawing its screen just when it is read.
DRAWN_SECONDS = 0.5
LOOK_AGAIN_SECONDS = 0.02
# What a hub that has ended since has typed is shown by then.
LEFT_SECONDS = 0.5
# Many programs need less for it, so the first looks follow each other faster: so long, twice as long, and so on.
LOOK_SOON_SECONDS = 0.002
# Whoever has touched a key in the pane so recently may touch the next one while we type.
TYPING_SECONDS = 3.0
# So many lines above the screen are searched for messages that were sent.
HISTORY_LINES = 1000
# Lines of a box that are taken back at most: a line that is wrapped on the screen may count as several, and its end as one.
MOST_CLEARS = 150

MIXED = "somebody has typed into the message that stands in its input box"

_BETWEEN = "\N{SYMBOL FOR UNIT SEPARATOR}"
_LOOK_FORMAT = _BETWEEN.join(
    ["#{pane_dead}", "#{pane_in_mode}", "#{?session_attached,#{session_activity},0}", "#{pane_width}", "#{pane_height}"]
)


class Held(ClawMuxError):
    """Nothing of it is submitted, or only what ``sent`` names; to be tried again later."""

    def __init__(self, reason: str, sent: Collection[str] = ()) -> None:
        super().__init__("conflict", f"nothing was typed into the agent: {reason}.", "Try again when it is ready for text.")
        self.reason = reason
        """A few words for people: "somebody scrolls in its terminal"."""
        self.sent = frozenset(sent)
        """Ids of messages that stand on its screen as sent."""


class Drafted(Held):
    """Somebody's draft stands in the box, and stays there: nothing of ours has come into it."""

    def __init__(self, draft: str) -> None:
        super().__init__("somebody has typed into its input box")
        self.draft = draft


class Server(Protocol):
    async def command(self, *commands: Sequence[str]) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a pane."""

    dead: bool
    in_mode: bool
    """Somebody scrolls in it, or chooses something of tmux's own."""
    touched: float
    """Unix seconds, whole: the last key of whoever is attached to it; 0 when nobody is."""
    text: str
    screen: Screen


class Pasting:
    """One input on its way into one pane, through a buffer of its own."""

    def __init__(self, server: Server, pane_id: str, rules: InputRules, message: str = "", over_scrolling: bool = False) -> None:
        """``message``: what the box may hold of ours already."""
        self._message = message
        self._server = server
        self._pane_id = pane_id
        self._rules = rules
        self._over_scrolling = over_scrolling
        self._buffer = f"clawmux-{secrets.token_hex(6)}"
        self.width, self.height = 0, 0
        """Of the pane, as it was seen last."""
        self._text = ""
        """The screen as it was when its box was last seen open."""
        self._complete: Seen | None = None
        """The look at the box with our message in it and nothing else; None once anything may have happened since."""

    async def look(self, history: bool = True) -> Screen:
        """The screen with its open box, which nobody is about to change; raises when there is none."""
        deadline = time.monotonic() + DRAWN_SECONDS
        before: Screen | None = None
        pauses = _pauses()
        while True:
            seen = await self.read(history)
            self._check(seen)
            screen = seen.screen
            if screen.box is Box.OPEN and (not self._rules.steady_ms or (before and before.draft == screen.draft)):
                self._text = seen.text
                return screen
            if time.monotonic() > deadline:
                raise Held(REFUSALS.get(screen.box, "somebody is typing into its input box"))
            before = screen if screen.box is Box.OPEN else None
            await asyncio.sleep(self._rules.steady_ms / 1000 if before else next(pauses))

    def _check(self, seen: Seen) -> None:
        if seen.dead:
            raise Held("its program has ended")
        if seen.in_mode and not self._over_scrolling:
            raise Held("somebody scrolls in its terminal")
        # A key of a time that is still to come was pressed before the clock was set back.
        if abs(time.time() - seen.touched) < TYPING_SECONDS and not self._over_scrolling:
            raise Held("somebody is typing in its terminal")
        if seen.screen.box in (Box.DIALOG, Box.CLOSED):
            raise Held(REFUSALS[seen.screen.box])

    async def type(self, screen: Screen, message: str, known: Sequence[str]) -> None:
        """Put the message into the box, which looks like ``screen``; ``known``: lines of ours that it may hold already."""
        self._message = message
        pieces = chunks(message + (" " if self._rules.trailing_space else ""), self._rules)
        done = 0
        # A hub that was ended, or an Enter that was not taken, has left ours in the box.
        if not same_words(screen.draft, message):
            if self._is_ours(screen.draft, [message, *known]):
                done = await self._finished(screen.draft, pieces) or await self._clear()
            elif self._was_put_back(screen):
                await self._clear()
            elif screen.draft:
                await self._stash(screen.draft)
            await self._paste_all(pieces[done:])
        if self._rules.settle_ms:
            self._complete = None
            await asyncio.sleep(self._rules.settle_ms / 1000)

    async def send(self, ids: Sequence[str]) -> frozenset[str]:
        """Press Enter until it is taken. Answers the ids that then stand on the screen as sent."""
        for _ in range(MOST_ENTERS):
            await self._enter()
            taken = await self.wait(lambda screen: screen.box is Box.OPEN and not same_words(screen.draft, self._message))
            if taken is not None:
                return await self._proof(ids, taken.screen)
            # The box may be gone because our message has opened a dialog.
            if shown := await self._shown(ids):
                return shown
        raise Held("it did not take the Enter; the message stands in its input box")

    def _is_ours(self, draft: str, texts: Sequence[str]) -> bool:
        """Raises when somebody has added to ours. A message that we know no more was put back into the box by an Escape: it is
        a draft as any other."""
        if not headers.is_ours(draft):
            return False
        if is_begun(draft, texts) or is_made_of(draft, texts):
            return True
        # A message of the last batch may have been settled since; what we still know of it has to be as we typed it.
        wanted = headers.ids_in(headers.batch(texts))
        lines = headers.apart("\n".join(line.strip() for line in draft.split("\n")))
        still = [line for line in lines if set(headers.ids_in(line)).intersection(wanted)]
        if still and not is_made_of("\n".join(still), texts):
            raise Held(MIXED)
        return bool(still)

    def _was_put_back(self, screen: Screen) -> bool:
        """Whether the box holds a message of ours that was sent before, as it stands above still: an Escape has put it back
        there. Only where nothing can be put away."""
        ours = headers.is_ours(screen.draft) and set(headers.ids_in(screen.draft)) <= set(headers.ids_in(screen.above))
        return ours and not self._rules.stash_key and stands_in(screen.draft, screen.above)

    async def _stash(self, draft: str) -> None:
        """Put the draft away. Never on an empty box: there the same key brings an old draft back."""
        if not self._rules.stash_key:
            raise Drafted(draft)
        await self.paste(self._rules.stash_key, "-r")
        if not await self.wait(_is_empty):
            raise Held("the half-typed text in its input box could not be put away")

    async def _finished(self, draft: str, pieces: Sequence[str]) -> int:
        """How many of the pieces are there for sure, when nothing more of what the last hub typed comes to them; else 0."""
        await asyncio.sleep(LEFT_SECONDS)
        if (await self.look()).draft != draft:
            return 0
        count = pieces_in(draft, pieces) or 0
        # Where a message ends that hub may have ended its input, with a blank that no screen shows.
        rest = "".join(pieces[count:]).removeprefix("\n")
        has_blank = headers.is_ours(rest) and self._rules.trailing_space
        return 0 if has_blank and self._rules.clear_key else count

    async def _clear(self) -> int:
        """Take back what we have typed before, line by line: of keys that come in one piece some programs take only one."""
        if not self._rules.clear_key:
            raise Held("a message that was typed before stands in its input box")
        for _ in range(MOST_CLEARS):
            await self.paste(self._rules.clear_key, "-r")
            await asyncio.sleep(self._rules.chunk_pause_ms / 1000)
            if _is_empty((await self.read(history=False)).screen):
                break
        if not await self.wait(_is_empty):
            raise Held("a message that was typed before could not be taken out of its input box")
        return 0

    async def _paste_all(self, pieces: Sequence[str]) -> None:
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(self._rules.chunk_pause_ms / 1000)
            await self.paste(piece, "-p", "-r")
        self._complete = await self.wait(lambda screen: screen.box is Box.OPEN and same_words(screen.draft, self._message))
        if self._complete is None:
            raise Held("its input box does not show the message")

    async def _enter(self) -> None:
        """Only while the box shows our message, and it alone: by the look that has just seen it there, or by a new one when there
        was a pause since."""
        seen, self._complete = self._complete, None
        if seen is not None:
            self._check(seen)
            self._text = seen.text
        elif not same_words((await self.look(history=False)).draft, self._message):
            raise Held(MIXED)
        ours = [f"id:{id}" for id in headers.ids_in(self._message) if f"id:{id}" in self._text]
        await self.paste("\r", "-r", only_with=ours[:1])

    async def wait(self, happened: Callable[[Screen], bool]) -> Seen | None:
        """The look by which it has come to be so, and has stayed so for a moment; None when it does not."""
        deadline = time.monotonic() + SHOWN_SECONDS
        is_second = not self._rules.steady_ms
        pauses = _pauses()
        while True:
            seen = await self.read(history=False)
            if happened(seen.screen):
                if is_second:
                    return seen
                is_second = True
                await asyncio.sleep(self._rules.steady_ms / 1000)
                continue
            is_second = not self._rules.steady_ms
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(next(pauses))

    async def _proof(self, ids: Sequence[str], screen: Screen) -> frozenset[str]:
        """Mostly ``screen`` shows it all, in which the message is gone from the box. But a program may draw its empty box before
        what it has taken out of it."""
        if set(ids).issubset(headers.ids_in(screen.above)):
            return frozenset(ids)
        deadline = time.monotonic() + DRAWN_SECONDS
        pauses = _pauses()
        while True:
            shown = await self._shown(ids)
            if len(shown) == len(set(ids)) or time.monotonic() > deadline:
                return shown
            await asyncio.sleep(next(pauses))

    async def known(self, sent: frozenset[str]) -> frozenset[str]:
        """Those of what was sent that the program does not only hold back: what it then shows among what was said. What is in
        its queue when a dialog opens may be gone when the dialog is refused, and nothing on the screen tells of it."""
        if not sent or not self._rules.queued:
            return sent
        screen = (await self.read()).screen
        return sent.intersection(headers.ids_in(screen.above)).difference(headers.ids_in(screen.queued))

    async def _shown(self, ids: Sequence[str]) -> frozenset[str]:
        """What has scrolled off already costs a look at a thousand lines."""
        wanted = frozenset(ids)
        shown = wanted.intersection(headers.ids_in((await self.read(history=False)).screen.above))
        if shown != wanted:
            shown |= wanted.intersection(headers.ids_in((await self.read()).screen.above))
        return shown

    async def read(self, history: bool = True) -> Seen:
        look = ["display-message", "-p", "-t", self._pane_id, _LOOK_FORMAT]
        capture = ["capture-pane", "-p", "-t", self._pane_id, *(["-S", str(-HISTORY_LINES)] if history else [])]
        first, *lines = await self._server.command(look, capture)
        dead, in_mode, touched, width, height = first.split(_BETWEEN)
        self.width, self.height = int(width), int(height)
        above, text = "\n".join(lines[: -self.height]), "\n".join(lines[-self.height :])
        screen = read_screen(text, self._rules, self._message, above)
        return Seen(dead != "0", in_mode not in ("", "0"), float(touched or 0), text, screen)

    async def paste(self, data: str, *options: str, only_with: Sequence[str] = ()) -> None:
        refused = "#{pane_dead}" if self._over_scrolling else "#{||:#{pane_dead},#{pane_in_mode}}"
        for words in self._rules.dialogs:
            # What stood on the screen beside an open box is only talk of dialogs, and so is what we type.
            if words not in self._text and words not in self._message:
                refused = f"#{{||:{refused},#{{C:{_escaped(words)}}}}}"
        for words in only_with:
            refused = f"#{{||:{refused},#{{==:#{{C:{_escaped(words)}}},0}}}}"
        answer = await self._server.command(
            ["set-buffer", "-b", self._buffer, "--", data],
            [
                *("if-shell", "-F", "-t", self._pane_id, refused),
                f"delete-buffer -b {self._buffer} ; display-message -p refused",
                f"paste-buffer -d {' '.join(options)} -b {self._buffer} -t {self._pane_id}",
            ],
        )
        if answer:
            raise Held("its program has ended, has opened a dialog, or somebody scrolls in its terminal")


def _pauses() -> Iterator[float]:
    """Seconds between one look and the next, without end."""
    pause = LOOK_SOON_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, LOOK_AGAIN_SECONDS)


def _is_empty(screen: Screen) -> bool:
    return screen.box is Box.OPEN and not screen.draft


def _escaped(words: str) -> str:
    return words.replace("#", "##").replace(",", "#,").replace("}", "#}")
