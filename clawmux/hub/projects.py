"""The settings of each session: the user's, with what the clawmux.toml of its folder decides. Looks anew at every use.

What is refused of such a file is told to the user in the session's conversation, once for each state of the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from clawmux.hub.agents import Agents
from clawmux.project_file import for_project
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError

REMEDY = "Your own settings serve instead."


class Projects:
    def __init__(self, settings: Callable[[], Settings], agents: Agents, tell: Callable[[str, str, str, str], None]) -> None:
        self._settings = settings
        self._agents = agents
        self._tell = tell
        """Takes session, level, text and remedy of a notice."""
        self._told: dict[str, tuple[str, ...]] = {}

    def settings_of(self, session_id: str) -> Settings:
        """In force for a session; for one that has ended, the user's."""
        try:
            folder = self._agents.get(session_id).directory
        except ClawMuxError:
            self._told.pop(session_id, None)
            return self._settings()
        settings, notes = for_project(self._settings(), Path(folder))
        if notes != self._told.get(session_id, ()):
            # Later: whoever asks may be in the middle of performing something else.
            for note in notes:
                asyncio.get_running_loop().call_soon(self._tell, session_id, "warn", note, REMEDY)
        self._told[session_id] = notes
        return settings

    def listens_by_itself(self, session_id: str) -> bool:
        """False where the project wants no microphone that opens unasked. It cannot open one that the user keeps closed:
        the page's own switch has the last word, so a setting of the user's that is off says nothing here.
        """
        return self.settings_of(session_id).speech_auto_listen or not self._settings().speech_auto_listen
