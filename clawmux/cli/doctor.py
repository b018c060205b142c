"""``clawmux doctor``: gathers what the checks may look at, has them look, shows what came of it. Checks nothing itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clawmux import settings as declared
from clawmux.cli import owner
from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result
from clawmux.paths import Paths, locate
from clawmux.wire.errors import ClawMuxError

if TYPE_CHECKING:
    from clawmux.checks.scene import Hub, Scene
    from clawmux.doctor.examination import Report

# A hub that is well answers within milliseconds.
ASK_SECONDS = 3.0


def main(argv: list[str]) -> Result:
    parser = Arguments(
        "doctor",
        "Look at this machine and this installation: what is well, what is not, and what to do. Changes nothing. "
        "Exit code 0: all is well; 1: there are warnings; 2: something is broken.",
        "clawmux doctor --deep",
    )
    parser.add_argument(
        "--deep",
        action="store_true",
        help="also type into a throw-away pane, read every model, load the engines, speak a sentence and understand it; "
        "takes a minute",
    )
    deep = parser.parse_args(argv).deep
    from clawmux.doctor import examination

    with _Progress() as progress:
        report = examination.examine(_scene(locate(), deep), progress.tell)
    as_json = "--json" in argv
    return Result(report.to_json(), text="" if as_json else _page(report), exit_code=report.exit_code)


def _scene(paths: Paths, deep: bool) -> Scene:
    from clawmux import hardware
    from clawmux.checks.scene import Scene
    from clawmux.doctor.examination import beside

    probing = beside(lambda: hardware.probe(deep=deep))
    settings, settings_fault = declared.Settings(), None
    try:
        settings = declared.load(paths.config_file)
    except ClawMuxError as error:
        settings_fault = error
    hub, hub_fault = _hub(paths)
    return Scene(paths, settings, os.environ, probing, deep, hub, _asking(paths), settings_fault, hub_fault)


def _hub(paths: Paths) -> tuple[Hub | None, ClawMuxError | None]:
    from clawmux.checks.scene import Hub
    from clawmux.hub import lock

    try:
        holder = lock.running(paths)
    except ClawMuxError as error:
        return None, error
    return Hub(holder.pid, holder.url) if holder else None, None


def _asking(paths: Paths) -> Any:
    return lambda path: owner.call("GET", path, socket_file=paths.hub_socket, timeout=ASK_SECONDS)


def _page(report: Report) -> str:
    from clawmux.doctor import page

    if sys.stdout.isatty():
        with suppress(ImportError):  # rich is a convenience
            return page.rich_page(report)
    return page.plain(report)


class _Progress:
    """Who is still looking, on stderr: one line that changes on a terminal, else a line for each that is new."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._told: frozenset[str] = frozenset()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._told and self._is_terminal:
            self._write("\r\x1b[K")

    def tell(self, names: Sequence[str]) -> None:
        if self._is_terminal:
            self._write(f"\r\x1b[K{_still(names)}"[:200] if names else "\r\x1b[K")
        elif not self._told.issuperset(names):
            self._write(f"{_still(names)}\n")
        self._told |= frozenset(names)

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _still(names: Sequence[str]) -> str:
    return f"Still looking at: {', '.join(names)}"
