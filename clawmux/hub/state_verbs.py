"""The commands about what agents do: ``report``, ``approve``, ``deny``, ``interrupt``, and what their programs' hooks say."""

from __future__ import annotations

from typing import Any

from clawmux.adapters.runtimes.hooks import decision
from clawmux.adapters.runtimes.own_commands import asks_for_own
from clawmux.hub.door import Door, Handler, Said, checked_request_id
from clawmux.hub.interrupt import interrupt
from clawmux.hub.permissions import Decision, check_seen
from clawmux.hub.runtime import Runtime
from clawmux.wire import cli
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.text import undisguised


async def report(door: Door, said: cli.Report) -> Said:
    door.runtime.agents.reported(door.session_id, said.text)
    return Said()


async def decide(door: Door, said: cli.Decide) -> Said:
    _owner_only(door)
    asked = await decide_on(door.runtime, said.name, said.request, Decision(said.allow, said.text))
    return Said(f"{'approved' if said.allow else 'denied'}: {undisguised(asked)}\n")


async def decide_on(runtime: Runtime, name: str, request: str, wish: Decision) -> str:
    """Answer the permission that this agent asks for; ``request``: the one that is meant, empty: the one that stands.

    What it has asked for. Raises ``conflict`` when that question stands no more, or is answered at the terminal only.
    """
    session = runtime.agents.find(name)
    doing = runtime.states.doing(session.id)
    if runtime.states.permissions.current(session.id) is None and doing.is_dialog:
        if not doing.request or not runtime.typist.decides(session.id):
            asks = f"{session.name} asks this at its terminal only: {doing.detail or doing.kind.value}"
            raise ClawMuxError("conflict", f"{asks.rstrip('.')}.", f"Run `clawmux attach {session.name}` and answer.")
        if request in ("", doing.request):
            check_seen(session.name, request, doing.since, runtime.now)
            await runtime.typist.decide(session.id, doing.request, wish.allow, wish.text)
            return doing.detail
    return runtime.states.permissions.decide(session.id, session.name, request, wish, runtime.now).sign.detail


async def interrupt_turn(door: Door, said: cli.InterruptTurn) -> Said:
    _owner_only(door)
    runtime = door.runtime
    session = runtime.agents.find(said.name)
    was_busy = await interrupt(session, runtime.agents.runtime_of(session), runtime.tmux, runtime.states)
    return Said(f"{session.name} {'is idle' if was_busy else 'was idle already'}\n")


async def hook(door: Door, said: cli.Hook) -> Said:
    """Silent, but for a permission that is decided here: that hook waits as long as its question stands. An agent's own commands
    are no question."""
    runtime = door.runtime
    session_id = door.session_id
    runtime.agents.came_up(session_id)
    if asks_for_own(said.body):
        return Said(decision(allow=True))
    question = runtime.states.hook(session_id, said.body, checked_request_id(door.request_id))
    if question is None:
        return Said()
    try:
        wish = await question.answer
    finally:
        runtime.states.permissions.drop(question)
    return Said(decision(wish.allow, wish.text) if wish is not None else "")


def _owner_only(door: Door) -> None:
    if not door.is_owner:
        raise ClawMuxError("forbidden", "an agent may not do that to an agent.", "Ask the user: clawmux converse")


HANDLERS: dict[type[Any], Handler] = {
    cli.Report: report,
    cli.Decide: decide,
    cli.InterruptTurn: interrupt_turn,
    cli.Hook: hook,
}
