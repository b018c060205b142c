"""What stands behind each agent verb: one handler for each request of ``wire.cli``, in a table.

A handler gets the door it was called through and the request, and returns what the command prints. It raises ClawMuxError
for everything that went otherwise.
"""

from __future__ import annotations

from typing import Any

from clawmux.core.message import USER
from clawmux.hub import message_verbs, state_verbs
from clawmux.hub.auth import Role
from clawmux.hub.converse import Call, converse
from clawmux.hub.door import Door, Handler, Said, checked_request_id
from clawmux.wire import cli, in_words
from clawmux.wire.errors import ClawMuxError

__all__ = ["HANDLERS", "USER", "Door", "Handler", "Said", "carry_out", "checked_request_id"]


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
    words, error = "", None
    try:
        words = await converse(door.runtime, call, door.page_url)
    except ClawMuxError as failure:
        error = failure
    # stdout is the user's words alone.
    messages = door.runtime.messages
    owed = messages.owed(call.session_id)
    note = "".join(f"clawmux: {in_words.owed_line(view)}\n" for view in message_verbs.owed_views(door.runtime, owed))
    messages.told(owed)
    return Said(f"{words}\n" if words else "", error, note)


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
    cli.CancelConverse: _cancel_converse,
    cli.Help: _help,
    **message_verbs.HANDLERS,
    **state_verbs.HANDLERS,
}


async def carry_out(door: Door, said: cli.Request) -> Said:
    """Do what the request says. An agent that calls is up, and alive."""
    handler = HANDLERS.get(type(said))
    if handler is None:
        raise ClawMuxError("usage", "this hub does not know that command.", "Install the hub and the command from one version.")
    if door.caller.role is Role.AGENT and not isinstance(said, cli.Hook):  # those are many, and nothing is stored for them
        door.runtime.agents.contacted(door.session_id)
    return await handler(door, said)
