"""Stopping an agent's turn as a person would, by a key at its terminal, and being sure that it has stopped."""

from __future__ import annotations

from clawmux.adapters.runtimes.manifest import Runtime as Manifest
from clawmux.adapters.tmux import Tmux
from clawmux.core.session import Session
from clawmux.core.state import Doing
from clawmux.hub.states import States
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Activity, Kind

# Records and screen are looked at twice a second, and two looks have to agree.
CONFIRM_SECONDS = 5.0
# Whatever still works after so long, by looks that came after the key, has not heard of it.
AGAIN_SECONDS = 2.5


async def interrupt(session: Session, manifest: Manifest | None, tmux: Tmux, states: States) -> bool:
    """True when its turn was stopped, False when it rested already; no key is pressed where nobody knows what it would do.

    Raises ``conflict`` with the reason, ``timeout`` when nothing shows within 5 s that it has come to rest.
    """
    doing = states.doing(session.id)
    if doing.is_resting:
        return False
    look = f"Look at it: clawmux attach {session.name}"
    if manifest is None or not manifest.interrupt_key:
        raise ClawMuxError("conflict", f"no key is known that stops {session.name}'s program.", look)
    if doing.activity is Activity.UNKNOWN or doing.kind in (Kind.TRUST, Kind.LOGIN):
        raise ClawMuxError("conflict", f"nobody can tell from here what {session.name} would stop; no key was pressed.", look)
    await tmux.press(session.pane_id, manifest.interrupt_key, manifest.interrupt_presses)
    if await states.until(session.id, _rests, AGAIN_SECONDS):
        return True
    if states.doing(session.id).is_busy:  # a program that draws just then may miss a key
        await tmux.press(session.pane_id, manifest.interrupt_key, manifest.interrupt_presses)
    if not await states.until(session.id, _rests, CONFIRM_SECONDS - AGAIN_SECONDS):
        if not states.knows(session.id):
            raise ClawMuxError("conflict", f"{session.name} has ended.", "`clawmux status --all` tells why.")
        raise ClawMuxError("timeout", f"{session.name} was interrupted, but does not rest after {CONFIRM_SECONDS:g} s.", look)
    return True


def _rests(doing: Doing) -> bool:
    return doing.is_resting
