"""The commands about messages: ``send``, ``ack``, ``reply``, ``messages``, ``trace``, ``cancel``, ``inbox``, and ``status``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from clawmux.core.message import USER, Delivery
from clawmux.hub.auth import Role
from clawmux.hub.door import Door, Handler, Said, checked_request_id
from clawmux.hub.message_store import Kept
from clawmux.hub.runtime import Runtime
from clawmux.hub.waiters import Wait
from clawmux.wire import cli, in_words
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.text import json_line
from clawmux.wire.words import MessageState

DEFAULT_SECONDS: dict[Wait, float] = {"ack": 30.0, "response": 120.0}
# A runtime that ends long commands must not end this one before it has printed the ids.
BEFORE_LIMIT_SECONDS = 5.0
RECENT_MESSAGES = 10
INBOX_NOTE = "Read one whole: clawmux inbox show ID. Then: clawmux ack ID, or clawmux reply ID TEXT\n"

_CODES = {
    MessageState.FAILED: "message_failed",
    MessageState.UNDELIVERABLE: "undeliverable",
    MessageState.CANCELLED: "cancelled",
}


# -- sending --


async def send(door: Door, said: cli.Send) -> Said:
    messages = door.runtime.messages
    request = checked_request_id(door.request_id)
    given = await messages.send(door.sender, said.to, said.text, expects=said.wait == "response", request=request)
    sent, left_out = given.messages, [given.note] if given.note else []
    ids = "".join(f"{kept.message.id}\n" for kept in sent)
    if not said.wait:
        waiting = filter(None, (in_words.waiting_note(kept.view()) for kept in sent))
        return Said(ids, note=_in_lines([*left_out, *waiting]))
    seconds = _limited(door, said.timeout_seconds or DEFAULT_SECONDS[said.wait])
    sent_ids = [kept.message.id for kept in sent]
    done = await messages.wait(sent_ids, said.wait, seconds)
    answers = "".join(_answer(kept, done.get(kept.message.id), len(sent) > 1) for kept in sent)
    error = _what_went_wrong(door.sender, sent, done, said.wait, seconds)

    def handed_over(is_there: bool) -> None:
        messages.answers.command_went(sent_ids, done.values() if is_there else ())

    return Said(ids + answers, error, _in_lines(left_out), handed_over)


def _in_lines(notes: Sequence[str]) -> str:
    return "".join(f"clawmux: {note}\n" for note in notes)


def _limited(door: Door, seconds: float) -> float:
    """As long as the runtime lets a command run."""
    if door.sender == USER:
        return seconds
    runtime = door.runtime.agents.runtime_of(door.runtime.agents.get(door.sender))
    limit = runtime.converse_limit_seconds if runtime else 0.0
    return min(seconds, max(1.0, limit - BEFORE_LIMIT_SECONDS)) if limit else seconds


def _answer(kept: Kept, done: Delivery | None, is_one_of_many: bool) -> str:
    if done is None or done.state in _CODES:
        return ""
    words = done.reply if done.state is MessageState.RESPONDED else done.state.value
    # Each line, so that none of an answer can look like another's.
    return "".join(f"{kept.recipient_name}: {line}\n" for line in words.split("\n")) if is_one_of_many else f"{words}\n"


def _what_went_wrong(
    sender: str, sent: Sequence[Kept], done: dict[str, Delivery], wait: Wait, seconds: float
) -> ClawMuxError | None:
    for kept in sent:
        delivery = done.get(kept.message.id)
        if delivery is not None and delivery.state in _CODES:
            reason = delivery.reason or "It was taken back."
            return ClawMuxError(
                _CODES[delivery.state], f"message {kept.message.id} to {kept.recipient_name} did not arrive. {reason}",
                f"See `clawmux trace {kept.message.id}`.",
            )  # fmt: skip
    silent = [kept for kept in sent if kept.message.id not in done]
    if not silent:
        return None
    names = ", ".join(kept.recipient_name for kept in silent)
    missing = "acknowledgment" if wait == "ack" else "reply"
    if wait == "ack":
        later = "It goes on by itself"
    else:
        later = "A later reply is shown on the page" if sender == USER else "A later reply is typed to you"
    notes = filter(None, (in_words.waiting_note(kept.view()) for kept in silent))
    return ClawMuxError(
        "timeout",
        " ".join([f"no {missing} from {names} within {seconds:g} s.", *notes]),
        f"{later}; `clawmux trace {silent[0].message.id}` shows how far it is.",
    )


# -- answering --


async def ack(door: Door, said: cli.Ack) -> Said:
    for message_id in said.ids:
        await door.runtime.messages.ack(message_id, door.sender)
    return Said()


async def reply(door: Door, said: cli.Reply) -> Said:
    await door.runtime.messages.reply(said.id, door.sender, said.text)
    return Said()


async def cancel(door: Door, said: cli.Cancel) -> Said:
    await door.runtime.messages.cancel(said.id, "" if door.sender == USER else door.sender)
    return Said()


# -- reading --


async def messages(door: Door, said: cli.Messages) -> Said:
    side, since = _own(door)
    peer = _peer(door, said.with_name) if said.with_name else ""
    found = door.runtime.messages.kept.newest(said.limit, side=side, since=since, peer=peer)
    views = [kept.view() for kept in reversed(found)]
    if said.json:
        return Said(json_line("messages", {"result": {"messages": views}}) + "\n")
    return Said("".join(f"{in_words.message_line(view)}\n" for view in views) or "no messages yet\n")


async def trace(door: Door, said: cli.Trace) -> Said:
    view = await door.runtime.messages.traced(_readable(door, said.id).message.id)
    if said.json:
        return Said(json_line("trace", {"result": view}) + "\n")
    return Said("\n".join([*in_words.message_lines(view), *map(in_words.step_line, view["steps"])]) + "\n")


async def inbox(door: Door, said: cli.Inbox) -> Said:
    """The text alone, byte for byte; or what waits to be read."""
    if said.id:
        kept = _readable(door, said.id)
        if said.json:
            return Said(json_line("inbox", {"result": kept.view()}) + "\n")
        return Said(f"{kept.message.text}\n")
    waiting = [kept.view() for kept in door.runtime.messages.unread(door.session_id)]
    if said.json:
        return Said(json_line("inbox", {"result": {"messages": waiting}}) + "\n")
    if not waiting:
        return Said("nothing waits for you\n")
    return Said("".join(f"{in_words.message_line(view)}\n" for view in waiting), note=INBOX_NOTE)


async def status(door: Door, said: cli.Status) -> Said:
    """The caller's own session, or the one that is named, or all; and what the caller was not told yet."""
    runtime, caller = door.runtime, door.sender
    owed = runtime.messages.owed(caller)
    if said.all or (caller == USER and not said.name):
        # Whom an agent could write to; the owner sees whom there was, too.
        sessions = [*runtime.agents.living, *(runtime.agents.ended() if said.all and caller == USER else [])]
    else:
        sessions = [runtime.agents.find(said.name) if said.name else runtime.agents.get(caller)]
    views = [runtime.session_view(session) for session in sessions]
    told = owed_views(runtime, owed)
    runtime.messages.told(owed)
    if said.json:
        return Said(json_line("status", {"result": {"sessions": views, "owed": told}}) + "\n")
    if said.all:
        lines = [in_words.session_line(view, time.time()) for view in views]
    else:
        lines = [line for view in views for line in in_words.session_lines(view, time.time())]
        lines += [*_hub_lines(door), *(line for session in sessions for line in _recent(door, session.id, session.created))]
    return Said("\n".join([*lines, *map(in_words.owed_line, told)]) + "\n")


def owed_views(runtime: Runtime, owed: Sequence[Delivery]) -> list[dict[str, Any]]:
    """What a sender is told once, with the next answer they get."""
    return [runtime.messages.get(delivery.message.id).view() for delivery in owed]


def _hub_lines(door: Door) -> list[str]:
    runtime = door.runtime
    return [
        f"page: {'connected' if len(runtime.pages) else 'none connected'}",
        f"speech: {runtime.speech.view()['state'].replace('_', ' ')}",
    ]


def _recent(door: Door, session_id: str, created: float) -> list[str]:
    """The last messages of a session, for itself and for the owner."""
    if door.sender not in (USER, session_id):
        return []
    recent = door.runtime.messages.kept.newest(RECENT_MESSAGES, side=session_id, since=created)
    return ["last messages:", *(f"  {in_words.message_line(kept.view())}" for kept in reversed(recent))] if recent else []


def _own(door: Door) -> tuple[str, float]:
    """Whose messages the caller may see, and since when; the owner sees all."""
    if door.caller.role is not Role.AGENT:
        return "", 0.0
    session = door.runtime.agents.get(door.session_id)
    return session.id, session.created


def _peer(door: Door, name: str) -> str:
    return USER if name == USER else door.runtime.agents.find_ever(name).id


def _readable(door: Door, message_id: str) -> Kept:
    side, _ = _own(door)
    return door.runtime.messages.seen_by(message_id, side) if side else door.runtime.messages.get(message_id)


HANDLERS: dict[type[Any], Handler] = {
    cli.Send: send,
    cli.Ack: ack,
    cli.Reply: reply,
    cli.Cancel: cancel,
    cli.Messages: messages,
    cli.Trace: trace,
    cli.Inbox: inbox,
    cli.Status: status,
}
