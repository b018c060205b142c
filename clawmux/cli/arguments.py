"""Argument parsing for the owner's commands: argparse, with its complaints as ClawMux errors."""

from __future__ import annotations

import argparse
from typing import NoReturn

from clawmux.wire.errors import ClawMuxError


class Arguments(argparse.ArgumentParser):
    """``Arguments("spawn", "Start an agent.")``; ``--json`` is always there, and read by clawmux.cli.render."""

    def __init__(self, command: str, description: str, example: str = "") -> None:
        super().__init__(
            prog=f"clawmux {command}",
            description=description,
            epilog=f"example: {example}" if example else None,
            allow_abbrev=False,
        )
        self.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    def error(self, message: str) -> NoReturn:
        command = self.prog.removeprefix("clawmux ")  # the program's name stands before every error
        raise ClawMuxError("usage", f"{command}: {message}.", f"See `{self.prog} --help`.")
