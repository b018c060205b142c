"""Where agents live: tmux, its version, and with ``--deep`` a message typed into a real pane by the product's own adapter."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from clawmux.adapters.control import Refused
from clawmux.adapters.screen import InputRules
from clawmux.adapters.tmux_server import find_tmux
from clawmux.checks import programs
from clawmux.checks.scene import Scene
from clawmux.checks.scratch import scratch
from clawmux.finding import Finding, Verdict
from clawmux.wire.errors import ClawMuxError

# new-session -e, by which an agent gets its environment, came with 3.2.
GOOD_FROM = (3, 2)
VERSION_SECONDS = 2.0
BOX_SECONDS = 10.0

# Several lines, a long one, blanks at a line's start, and letters beyond ASCII: what a terminal is likely to spoil.
MESSAGE = (
    "First line: quotes ' \" ` and $HOME, a backslash \\ and a # sign.\n"
    "  Second line, after two blanks: Gr\u00fc\u00dfe, \u4e16\u754c, \u041f\u0440\u0438\u0432\u0435\u0442.\n"
    + "Third line, a long one: " + "the words go on and on, " * 12 + "to the end."
)  # fmt: skip
RULES = InputRules(prompt=r"^>\s?", settle_ms=50)


def tmux_version(scene: Scene) -> Iterable[Finding]:
    program = find_tmux()
    ran = programs.run([program, "-V"], scene.environ, VERSION_SECONDS)
    if ran.status != 0:
        ended = "did not tell its version in time" if ran.status is None else programs.how_it_ended(ran.status)
        return [Finding(Verdict.FAIL, "tmux", f"{program} -V: {ended}. {ran.first_line}".strip(), "Install tmux anew.")]
    return [judge_version(ran.first_line, program)]


def judge_version(told: str, program: str) -> Finding:
    numbers = re.search(r"(\d+)\.(\d+)", told)
    version = (int(numbers[1]), int(numbers[2])) if numbers else None
    # "tmux openbsd-7.4" is numbered after its system, "tmux master" not at all: both are newer than what matters here.
    if "openbsd" not in told and version is not None and version < GOOD_FROM:
        remedy = "Update tmux to 3.2 or later; `clawmux doctor --deep` tries whether this one does."
        return Finding(Verdict.WARN, "tmux", f"{told}, {program}; ClawMux is made for 3.2 and later.", remedy)
    return Finding(Verdict.OK, "tmux", f"{told}, {program}.")


def typing(scene: Scene) -> Iterable[Finding]:
    """A message through a private tmux server into a throw-away pane, and what has arrived there, byte for byte."""
    with scratch() as (folder, at_end):
        at_end(lambda: _end_server(folder / "tmux.sock", scene))
        try:
            return [asyncio.run(_type_into(folder))]
        except ClawMuxError as error:
            if error.code == "missing_program":
                return [Finding(Verdict.SKIP, "typing", "There is no tmux to type into.")]
            return [Finding(Verdict.FAIL, "typing", f"In a throw-away pane of a private tmux: {error.text}", error.remedy)]
        except Refused as error:
            remedy = "Update tmux, and report this with the output of `tmux -V`."
            return [Finding(Verdict.FAIL, "typing", f"A private tmux refused what agents need: {error}.", remedy)]


def _end_server(socket: Path, scene: Scene) -> None:
    """By a client of its own, whatever has become of ours."""
    if socket.exists():
        programs.run([find_tmux(), "-S", str(socket), "kill-server"], scene.environ, VERSION_SECONDS)


async def _type_into(folder: Path) -> Finding:
    from clawmux.adapters.tmux import Tmux

    reader = Path(__file__).with_name("input_box.py")
    arrived = folder / "arrived"
    async with Tmux(folder / "tmux.sock") as tmux:
        pane = await tmux.spawn("doctor", [sys.executable, "-I", "-S", str(reader), str(arrived)], folder, {})
        deadline = time.monotonic() + BOX_SECONDS
        while not (await tmux.capture(pane.pane_id)).startswith(">"):
            if time.monotonic() > deadline:
                raise ClawMuxError("timeout", f"a program did not show itself within {BOX_SECONDS:.0f} s.", "Try again.")
            await asyncio.sleep(0.02)
        began = time.monotonic()
        await tmux.inject(pane.pane_id, MESSAGE, RULES)
        took = time.monotonic() - began
    return judge_arrived(arrived.read_text(encoding="utf-8") if arrived.exists() else "", took)


def judge_arrived(text: str, seconds: float) -> Finding:
    lines = MESSAGE.count("\n") + 1
    if text.removesuffix(" ") != MESSAGE:
        same = next((n for n, (a, b) in enumerate(zip(text, MESSAGE, strict=False)) if a != b), min(len(text), len(MESSAGE)))
        detail = f"A message of {len(MESSAGE)} characters reached a throw-away pane changed from character {same} on."
        remedy = "Update tmux, and report this with the output of `tmux -V`."
        return Finding(Verdict.FAIL, "typing", f"{detail} There stood: {text[same : same + 40]!r}.", remedy)
    return Finding(
        Verdict.OK,
        "typing",
        f"A message of {lines} lines and {len(MESSAGE)} characters was typed into a throw-away pane and arrived exactly, "
        f"in {seconds:.1f} s.",
    )
