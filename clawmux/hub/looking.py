"""Looks at what living agents write about themselves and at their screens, for ever. Decides nothing of what it means.

All of them three times a second: a screen is fetched only when something was written to it, all of them in one command; records
are read in one thread, one agent after the other.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clawmux.adapters import processes
from clawmux.adapters.runtimes.hooks import Hooks
from clawmux.adapters.runtimes.manifest import Runtime as Manifest
from clawmux.adapters.runtimes.records import Records
from clawmux.adapters.runtimes.screens import read_sign
from clawmux.adapters.tmux import Tmux
from clawmux.core.state import AgentState
from clawmux.core.work import Work
from clawmux.hub.joining import Joining
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.signs import Observation, Sign

log = logging.getLogger(__name__)

# Two looks that agree are needed against a hook, and a change is to be known within 2 s, also by a machine that is busy.
LOOK_SECONDS = 0.3
# With so many agents that a look takes long, looks are rarer: they may take a sixth of the time.
REST_PER_LOOK = 5.0
MOST_LOOK_SECONDS = 1.0
# tmux tells the second of a pane's last output: in the one that has just passed there may have been more after our look.
OUTPUT_SECONDS = 1.5


@dataclass(slots=True, eq=False)
class Watched:
    """One living agent, and what it is watched with."""

    session_id: str
    state: AgentState
    manifest: Manifest | None
    pane_id: str = ""
    records: Records | None = None
    hooks: Hooks = field(default_factory=Hooks)
    work: Work = field(default_factory=Work)
    in_mode: bool = False
    last_output: float = 0.0
    """Unix seconds."""
    captured: float = 0.0
    """When its screen was fetched last; unix seconds."""
    screen: str = ""
    sign: Sign | None = None
    """What that screen said."""
    asked: str = ""
    """What its dialog asks, as the pages were told."""


class Looking:
    def __init__(
        self,
        hub: Joining,
        tmux: Tmux,
        watched: Callable[[], list[Watched]],
        take: Callable[[Watched, Iterable[Observation]], None],
        looked: Callable[[Watched], None],
    ) -> None:
        """``take``: is given what was seen; ``looked``: hears of each agent when a look is over."""
        self._hub = hub
        self._tmux = tmux
        self._watched = watched
        self._take = take
        self._looked = looked
        self.sees_screens = True
        """False while tmux does not answer."""

    async def watch(self) -> None:
        """Look at all of them, for ever."""
        took = 0.0
        while True:
            await asyncio.sleep(max(LOOK_SECONDS, min(REST_PER_LOOK * took, MOST_LOOK_SECONDS)))
            began = self._hub.now
            try:
                await self.look()
            except ClawMuxError as error:
                log.warning("looking at the agents: %s", error.text)
            except Exception:
                # Whatever it was, the next look is for all the others.
                log.exception("looking at the agents failed")
            took = self._hub.now - began

    async def look(self) -> None:
        """One look at every agent's records and, where something was written, at its screen."""
        watched = self._watched()
        readers = [(w, w.records) for w in watched if w.records is not None]
        if readers:
            seen = await asyncio.to_thread(look_all, [records for _, records in readers])
            for (one, _), observed in zip(readers, seen, strict=True):
                self._take(one, observed)
        if self.sees_screens:
            await self._look_at_screens([w for w in watched if w.manifest is not None and w.manifest.screens])
        for one in watched:
            self._looked(one)

    async def _look_at_screens(self, watched: list[Watched]) -> None:
        now = time.time()
        written = [w for w in watched if may_be_new(w.captured, w.last_output, now)]
        screens = await self._tmux.captures([w.pane_id for w in written]) if written else {}
        for one in written:
            text = screens.get(one.pane_id)
            if text is None:
                continue
            one.captured = now
            if text != one.screen and one.manifest is not None:
                one.screen, one.sign = text, read_sign(one.manifest.screens, text)
                self._bring_back(one.session_id, one.manifest, text)
                await asyncio.sleep(0)  # rules take up to a millisecond; others get their turn between two agents
        for one in watched:
            if one.sign is not None:
                self._take(one, [one.sign])

    def _bring_back(self, session_id: str, manifest: Manifest, screen: str) -> None:
        """Whoever presses Ctrl-Z at its terminal has no shell there; till it is brought back it neither draws nor reads."""
        session = self._hub.agents.alive(session_id)
        if session and session.pid and manifest.suspended and re.search(manifest.suspended, screen):
            log.info("%s was suspended at its terminal; brought back", session_id)
            processes.go_on(session.pid)


def may_be_new(captured: float, last_output: float, now: float) -> bool:
    """Whether a screen may have changed since it was fetched; a clock that was set back since says nothing about that."""
    return not 0 < captured <= now or last_output >= captured - OUTPUT_SECONDS


def look_all(records: list[Records]) -> list[list[Observation]]:
    return [_look(one) for one in records]


def _look(records: Records) -> list[Observation]:
    try:
        return records.look()
    except Exception:
        # What one program has written must not keep the hub from looking at the others.
        log.exception("the records of an agent cannot be read")
        return []
