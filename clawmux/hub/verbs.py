"""What stands behind each agent verb: one handler for each request of ``wire.cli``, in a table.

A handler gets the door it was called through and the request, and returns what the command prints. It raises ClawMuxError
for everything that went otherwise.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from clawmux.core.message import USER
from clawmux.hub.auth import Caller, Role
from clawmux.hub.converse import Call, converse
from clawmux.hub.runtime import Runtime
from clawmux.wire import cli
from clawmux.wire.errors import ClawMuxError

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command prints and exits with; ``error`` goes to stderr and gives the exit code."""

    out: str = ""
    error: ClawMuxError | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """One call: who calls, known from the socket, and for which session."""

    runtime: Runtime
    caller: Caller
    hint: str
    """The session named in the path; counts for the owner only. ``-``: none."""
    request_id: str
    """Chosen by the client, the same when it asks again after a broken connection; empty: it chose none."""
    page_url: str

    @property
    def session_id(self) -> str:
        """The session that speaks: the caller's own, or for the owner the one in the path."""
        if self.caller.role is Role.AGENT:
            return self.runtime.agents.get(self.caller.session_id or "").id
        if self.hint == "-":
            raise ClawMuxError("usage", "this shell belongs to no agent session.", "Set CLAWMUX_SESSION_ID, or use the page.")
        return self.runtime.agents.find(self.hint).id

    @property
    def is_owner(self) -> bool:
        """Not an agent: a person at a shell or a page, or a script of theirs."""
        return self.caller.role is not Role.AGENT

    @property
    def sender(self) -> str:
        """Who sends messages through this door: a session's id, or ``user``."""
        return USER if self.is_owner and self.hint == "-" else self.session_id


Handler = Callable[[Door, Any], Coroutine[Any, Any, Said]]


async def _converse(door: Door, said: cli.Converse) -> Said:
    call = Call(
        id=said.resume or checked_request_id(door.request_id),
        session_id=door.session_id,
        text=said.text,
        listen=said.listen,
        goodbye=said.goodbye,
        timeout_seconds=said.timeout_seconds,
        resume=bool(said.resume),
    )
    words = await converse(door.runtime, call, door.page_url)
    return Said(f"{words}\n" if words else "")


async def _status(door: Door, said: cli.Status) -> Said:
    runtime = door.runtime
    view = runtime.session_view(runtime.agents.get(door.session_id))
    pages = len(runtime.pages)
    lines = [
        f"{view['name']}: {view['state']}, {view['activity'].replace('_', ' ')}",
        f"voice: {view['voice']}",
        f"page: {'connected' if pages else 'none connected'}",
        f"speech: {runtime.speech.view()['state'].replace('_', ' ')}",
    ]
    return Said("\n".join(lines) + "\n")


async def _cancel_converse(door: Door, said: cli.CancelConverse) -> Said:
    runtime = door.runtime
    question = runtime.conversation.questions.get(said.id)
    if question is not None and question.request.session_id == door.session_id:
        runtime.perform(runtime.conversation.cancel(said.id, runtime.now))
    return Said()


async def _help(door: Door, said: cli.Help) -> Said:
    raise ClawMuxError("usage", "help is printed by the client.", "Run `clawmux --help`.")


HANDLERS: dict[type[Any], Handler] = {
    cli.Converse: _converse,
    cli.Status: _status,
    cli.CancelConverse: _cancel_converse,
    cli.Help: _help,
}


async def carry_out(door: Door, said: cli.Request) -> Said:
    """Do what the request says. An agent that calls is up, and alive."""
    handler = HANDLERS.get(type(said))
    if handler is None:
        raise ClawMuxError("usage", "this hub does not know that command.", "Install the hub and the command from one version.")
    if door.caller.role is Role.AGENT:
        door.runtime.agents.contacted(door.session_id)
    return await handler(door, said)


def checked_request_id(text: str) -> str:
    if not text:
        return secrets.token_hex(16)
    if not _REQUEST_ID.fullmatch(text):
        raise ClawMuxError("usage", f"request id {text[:70]!r} must be 8 to 64 letters, digits, - and _.")
    return text
