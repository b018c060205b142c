"""Who a message is for, and who of them may have it now. Sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clawmux.core.broker import Broker
from clawmux.core.message import EVERYBODY
from clawmux.core.session import Session
from clawmux.hub.agents import Agents
from clawmux.wire.errors import ClawMuxError


@dataclass(frozen=True, slots=True)
class Recipients:
    admitted: list[tuple[Session, int]]
    """Each with the hops that a message to it has."""
    left_out: tuple[str, ...] = ()
    """Of everybody, those who get none, each with the reason: ``echo (too many messages wait for it already)``."""


def named(agents: Agents, sender: str, to: Sequence[str]) -> list[Session]:
    """The sessions that are meant, each once. Raises ``unknown_recipient`` or ``usage``."""
    living = agents.living
    found: dict[str, Session] = {}
    for name in to:
        if name == EVERYBODY:
            found.update({session.id: session for session in living if session.id != sender})
            continue
        session = agents.alive(name) or next((s for s in living if s.name == name), None)
        if session is None:
            known = ", ".join(s.name for s in living if s.id != sender) or "none"
            raise ClawMuxError("unknown_recipient", f"--to: there is no agent {name!r:.80}.", f"Living agents: {known}.")
        if session.id == sender:
            raise ClawMuxError("usage", "--to: this message is to its own sender.", "Name another agent.")
        found[session.id] = session
    if not found:
        raise ClawMuxError("unknown_recipient", "--to: no other agent lives.", "`clawmux status --all` lists them.")
    return list(found.values())


def admitted(meant: Sequence[Session], broker: Broker, guard: Callable[[Session], int], *, to_all: bool) -> Recipients:
    """Those with room for it that ``guard`` lets have it, which says with how many hops. Raises ``too_many`` before anything
    is sent: when all are refused, or one of those who were named."""
    full = [session for session in meant if broker.is_full(session.id)]
    if full and (not to_all or len(full) == len(meant)):
        raise ClawMuxError(
            "too_many",
            f"--to: too many messages wait for {full[0].name} already; nothing was sent.",
            "Send it when some of them are acknowledged.",
        )
    having: list[tuple[Session, int]] = []
    left_out = [f"{session.name} (too many messages wait for it already)" for session in full]
    refused: ClawMuxError | None = None
    for session in meant:
        if session in full:
            continue
        try:
            having.append((session, guard(session)))
        except ClawMuxError as error:
            if not to_all:
                raise
            refused = error
            left_out.append(f"{session.name} ({error.text.rstrip('.')})")
    if refused is not None and not having:
        raise refused
    return Recipients(having, tuple(left_out))
