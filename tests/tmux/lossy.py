"""The lossy program in a pane of its own, and what it has made of what was typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawmux.adapters.screen import InputRules
from clawmux.adapters.tmux import Tmux
from tests.waiting import until_answer

PROGRAM = Path(__file__).parent.parent / "stand_ins" / "lossy_tui.py"
RULES = InputRules(
    prompt=r"^❯\s?", frame=r"^\s*─{8}", dialogs=("Esc to cancel",), stash_key="\x13", settle_ms=60, chunk_pause_ms=10
)


@dataclass(frozen=True, slots=True)
class Lossy:
    pane_id: str
    pid: int
    log: Path

    def told(self) -> list[dict[str, Any]]:
        """Everything that it has written down, in order."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def all(self, word: str) -> list[Any]:
        return [entry[word] for entry in self.told() if word in entry]


async def start(tmux: Tmux, folder: Path, name: str = "lossy", *arguments: str, program: Sequence[str] = ()) -> Lossy:
    """Returns when its box is on the screen."""
    log = folder / f"{name}.log"
    argv = [*program, sys.executable, "-I", "-S", str(PROGRAM), "--log", str(log), *arguments]
    pane = await tmux.spawn(name, argv, folder, {})

    async def is_up() -> bool:
        return "? for shortcuts" in await tmux.capture(pane.pane_id)

    await until_answer(is_up, 10)
    return Lossy(pane.pane_id, pane.pid, log)
