"""A pane of an agent as tmux tells it: what is asked for, and how the answer is read. Asks nothing."""

from __future__ import annotations

import signal
from dataclasses import dataclass

# A printable separator: newer tmux writes control characters of an answer as escapes.
BETWEEN = "\N{SYMBOL FOR UNIT SEPARATOR}"
FORMAT = BETWEEN.join(
    f"#{{{name}}}"
    for name in (
        "pane_id", "pane_pid", "pane_dead", "pane_dead_status", "pane_dead_signal", "pane_in_mode", "@clawmux_id",
        "@clawmux_pane", "window_activity",
    )
)  # fmt: skip
FORMAT_WITH_COMMAND = f"{FORMAT}{BETWEEN}#{{pane_current_command}}"


@dataclass(frozen=True, slots=True)
class Pane:
    """One agent's pane, as tmux saw it at one moment."""

    pane_id: str
    pid: int
    session_id: str
    dead: bool
    exit_status: int | None
    """-N when signal N ended it, as in subprocess. None while it lives, and for a moment after, until tmux knows."""
    command: str
    """What runs in it in front; empty when it was not asked for."""
    in_mode: bool
    """Somebody scrolls in it (copy mode)."""
    last_output: float = 0.0
    """Unix seconds, whole: when something was last written to it."""


def read_pane(line: str) -> Pane | None:
    """None for a pane that is no agent's own."""
    fields = line.split(BETWEEN, 9)
    if len(fields) < 9:
        return None
    pane_id, pid, dead, status, by_signal, in_mode, session_id, marked, activity, *command = fields
    if not session_id or marked != pane_id:
        return None
    exit_status = -_signal_number(by_signal) if by_signal else int(status) if status.isdigit() else None
    is_in_mode = in_mode not in ("", "0")
    return Pane(pane_id, int(pid), session_id, dead == "1", exit_status, "".join(command), is_in_mode, float(activity or 0))


def _signal_number(text: str) -> int:
    """tmux writes a number where the system has no table of names, else KILL or SIGKILL."""
    if text.isdigit():
        return int(text)
    try:
        return signal.Signals["SIG" + text.upper().removeprefix("SIG")].value
    except KeyError:
        return signal.SIGKILL.value
