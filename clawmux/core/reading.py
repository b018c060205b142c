"""Whether an agent reads what is typed to it, from what is known of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from clawmux.core.message import Reading
from clawmux.core.state import Doing
from clawmux.wire.words import Kind, SessionState, Stage


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the recipient."""

    state: SessionState
    stage: Stage | None = None
    """Of its open `converse` call."""
    doing: Doing | None = None
    in_mode: bool = False
    """Somebody scrolls in its pane."""
    can_type: bool = True
    """Its program takes typed text at all."""
    mid_turn: bool = True
    """It takes it in the middle of a turn, too."""
    always: bool = False
    """It reads also while a `converse` call of its is open."""


_DIALOGS = {
    Kind.PERMISSION: "asks for a permission",
    Kind.QUESTION: "asks a question at its terminal",
    Kind.TRUST: "asks whether its folder is trusted",
    Kind.LOGIN: "asks for a login",
}


def reading_of(known: Known) -> tuple[Reading, str]:
    """With the reason, for people, why it does not read now."""
    if not known.can_type:
        return Reading.CLOSED, "nothing is typed into its program; clawmux inbox shows it there"
    if known.state is SessionState.STARTING:
        return Reading.CLOSED, "is starting"
    if known.in_mode:
        return Reading.CLOSED, "its pane is in copy mode"
    if known.doing is not None and known.doing.is_dialog:
        return Reading.CLOSED, _DIALOGS.get(known.doing.kind, "asks something at its terminal")
    if known.stage is not None and not known.always:
        return Reading.CLOSED, "is talking with the user"
    if known.doing is not None and known.doing.is_busy:
        return (Reading.BUSY, "") if known.mid_turn else (Reading.CLOSED, "is in the middle of a turn")
    return Reading.OPEN, ""
