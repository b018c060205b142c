"""What an agent program writes about itself while it runs: its status file, its transcript, its stream of events.

Reads only, and never more than a bounded piece at a look. Each reader knows one program; the manifest's key ``records`` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clawmux.adapters.runtimes.claude_records import ClaudeRecords
from clawmux.adapters.runtimes.codex_records import CodexRecords
from clawmux.adapters.runtimes.opencode_records import OpenCodeRecords
from clawmux.wire.signs import Observation, Place


@dataclass(frozen=True, slots=True)
class Program:
    """One running agent program."""

    pid: int
    """Of the pane's first process."""
    directory: Path
    """Where it works."""
    folder: Path
    """The session's own folder."""
    environ: Mapping[str, str]
    """What it was started with: HOME, and what moves its files."""


class Records(Protocol):
    def look(self) -> list[Observation]:
        """What is to be seen now: what was taken since the last look, and the state. The same state again says: still so.

        May read files: call it in a thread, a few times a second. Raises nothing.
        """
        ...

    def placed(self, place: Place) -> None:
        """A hook has said where the program keeps its transcript now."""
        ...

    def close(self) -> None: ...


READERS: dict[str, Callable[[Program], Records]] = {
    "claude": lambda program: ClaudeRecords(program.pid, program.environ),
    "codex": lambda program: CodexRecords(program.pid),
    "opencode": lambda program: OpenCodeRecords(program.pid, program.directory, program.folder),
}


def open_records(reader: str, program: Program) -> Records | None:
    """The reader of that name for this program; None when there is none of that name."""
    make = READERS.get(reader)
    return make(program) if make else None
