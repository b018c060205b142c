"""Messages between agents as the store keeps them and as pages and scripts see them. Decides nothing.

A row is the message; its steps are what ``trace`` shows. What is read here is settled: it is older than the broker's memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clawmux.adapters.store import Store
from clawmux.core.broker import TRIES
from clawmux.core.message import Delivery, Message
from clawmux.hub.journal import Journal
from clawmux.wire.words import MessageState


@dataclass(slots=True)
class Kept:
    """One message with what the broker has no use for."""

    delivery: Delivery
    sender_name: str
    recipient_name: str
    created: float
    """Unix seconds."""
    changed: float
    request: str = ""
    """Id of the command that sent it, which may come again after a broken connection."""
    held: str = ""
    """Why it waits; empty: it does not, or only for its turn."""
    stored: tuple[Any, ...] = ()
    """What of it changes, as it was handed to the store; empty: it was not yet."""
    noted: dict[str, str] = field(default_factory=dict)
    """Steps since it was last typed, with their details: each is written once, however often it is looked whether it can be."""
    is_new: bool = False
    """Made by this hub, which has not begun to type it yet: no screen can show it."""
    batch: str = ""
    """Shared by those that were sent to everybody at once; empty: sent to some by name."""
    is_saved: bool = True
    """False while the disk has refused it."""

    @property
    def message(self) -> Message:
        return self.delivery.message

    def view(self) -> dict[str, Any]:
        """The message as pages and scripts see it; times in Unix seconds."""
        delivery, message = self.delivery, self.delivery.message
        return {
            "id": message.id,
            "from": message.sender,
            "to": message.recipient,
            "from_name": self.sender_name,
            "to_name": self.recipient_name,
            "text": message.text,
            "state": delivery.state.value,
            "tries": delivery.tries,
            "expects_response": message.expects_response,
            "re": message.re,
            "hops": message.hops,
            "batch": self.batch,
            "reply": delivery.reply,
            "reason": delivery.reason,
            "held": self.held if delivery.state is MessageState.QUEUED else "",
            "created": self.created,
            "changed": self.changed,
        }


_COLUMNS = (
    "id", "request", "sender", "recipient", "sender_name", "recipient_name", "text", "expects_response", "re", "hops", "created",
    "batch",
    "state", "tries", "taken", "owed", "reply", "reason", "held", "changed",
)  # fmt: skip
_CHANGING = _COLUMNS[12:]
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM messages"
# Whole each time: what follows a write that the disk has refused puts all of it right.
_SAVE = (
    f"INSERT INTO messages ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _CHANGING)}"
)
_SEARCHED = ("text", "reply", "id", "sender_name", "recipient_name")
_STEP = "INSERT INTO message_steps (id, ts, step, detail) VALUES (?, ?, ?, ?)"


def keep(journal: Journal, kept: Kept, now: float) -> bool:
    """Put what is new of a message, and the steps that led there, among what is to be committed; False: nothing is new.

    ``now``: Unix seconds.
    """
    fresh, before = _changing(kept), kept.stored
    if before == fresh and kept.is_saved:
        return False
    kept.stored, kept.changed, kept.is_saved = fresh, now, True
    message = kept.message
    fixed = (
        message.id, kept.request, message.sender, message.recipient, kept.sender_name, kept.recipient_name, message.text,
        message.expects_response, message.re, message.hops, kept.created, kept.batch,
    )  # fmt: skip
    journal.statement(_SAVE, *fixed, *fresh, now)
    if before and before[1] != kept.delivery.tries:
        kept.noted.clear()
    for step, detail in _steps(before, kept):
        if kept.noted.get(step) != detail:
            kept.noted[step] = detail
            journal.statement(_STEP, message.id, now, step, detail)
    return True


def _changing(kept: Kept) -> tuple[Any, ...]:
    d = kept.delivery
    return (d.state.value, d.tries, int(d.is_taken), int(d.owed), d.reply, d.reason, kept.held)


def _steps(before: tuple[Any, ...], kept: Kept) -> Iterable[tuple[str, str]]:
    """What has happened since: (step, detail) in words of the state, and ``taken``, ``held`` besides."""
    delivery = kept.delivery
    state, tries, taken, _, _, _, held = before or ("", 0, 0, 0, "", "", "")
    if not before and delivery.state is not MessageState.QUEUED:
        yield MessageState.QUEUED.value, ""
    if delivery.is_taken and not taken and delivery.is_living:
        yield "taken", "Its program has it."
    if kept.held and kept.held != held:
        yield "held", kept.held
    if delivery.state.value != state and not (kept.held and delivery.state is MessageState.QUEUED):
        yield delivery.state.value, _detail(delivery, tries)


def _detail(delivery: Delivery, tries_before: int) -> str:
    if delivery.state is MessageState.INJECTING:
        return "A reminder." if delivery.is_taken else f"Try {delivery.tries + 1} of {TRIES}."
    if delivery.state is MessageState.PENDING and delivery.tries != tries_before:
        return f"Typed, {delivery.tries} of {TRIES}."
    if delivery.state is MessageState.RESPONDED:
        return delivery.reply
    return delivery.reason


class MessageStore:
    """Reads messages back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self) -> list[Kept]:
        """Those whose way is not at its end, and those whose sender has not been told of it; oldest first."""
        return self._read("WHERE state IN ('queued', 'injecting', 'pending') OR owed ORDER BY n")

    def get(self, message_id: str) -> Kept | None:
        return next(iter(self._read("WHERE id = ?", message_id)), None)

    def of_request(self, request: str) -> list[Kept]:
        """What one command has sent."""
        return self._read("WHERE request = ? AND request <> '' ORDER BY n", request)

    def replies_to(self, message_id: str, sender: str) -> list[Kept]:
        return self._read("WHERE sender = ? AND re = ? ORDER BY n", sender, message_id)

    def newest(self, limit: int, *, side: str = "", since: float = 0.0, peer: str = "", before: str = "") -> list[Kept]:
        """The newest first: those that ``side`` has sent or got after ``since``, with ``peer`` on the other side, sent before the
        message ``before``. Empty and 0: whatever."""
        return [kept_of(row) for row in self._store.rows(*_newest(limit, side, since, peer, before))]

    async def search(self, words: str, limit: int, *, peer: str = "", before: str = "") -> list[Kept]:
        """The newest of those that have these words in their text, reply, id or names, whatever their case."""
        wheres, values = (
            [f"({' OR '.join(f'instr(lower({column}), ?)' for column in _SEARCHED)})"],
            [words.lower()] * len(_SEARCHED),
        )
        return [kept_of(row) for row in await self._store.search(*_newest(limit, "", 0.0, peer, before, wheres, values))]

    def steps(self, message_id: str) -> list[dict[str, Any]]:
        rows = self._store.rows("SELECT ts, step, detail FROM message_steps WHERE id = ? ORDER BY rowid", (message_id,))
        return [{"ts": ts, "step": step, "detail": detail} for ts, step, detail in rows]

    def failed_count(self) -> int:
        return int(self._store.rows("SELECT count(*) FROM messages WHERE owed AND state <> 'responded'")[0][0])

    def _read(self, rest: str, *values: Any) -> list[Kept]:
        return [kept_of(row) for row in self._store.rows(f"{_SELECT} {rest}", values)]


def _newest(
    limit: int, side: str, since: float, peer: str, before: str, wheres: Sequence[str] = (), values: Sequence[Any] = ()
) -> tuple[str, list[Any]]:
    """A query that reads no more rows than it must: each index in its order, and what they give together once more."""
    wheres, values = list(wheres), list(values)
    if since:
        wheres.append("created >= ?")
        values.append(since)
    if before:
        wheres.append("n < (SELECT n FROM messages WHERE id = ?)")
        values.append(before)
    either = [(one, other) for one, other in ((side, peer), (peer, side)) if one or other] if side or peer else []
    if not either:
        return f"{_SELECT} WHERE {' AND '.join(wheres) or '1'} ORDER BY n DESC LIMIT ?", [*values, limit]
    parts: list[str] = []
    all_values: list[Any] = []
    for sender, recipient in either:
        pair = [(column, who) for column, who in (("sender", sender), ("recipient", recipient)) if who]
        conditions = [*(f"{column} = ?" for column, _ in pair), *wheres]
        parts.append(f"SELECT n FROM (SELECT n FROM messages WHERE {' AND '.join(conditions)} ORDER BY n DESC LIMIT ?)")
        all_values += [*(who for _, who in pair), *values, limit]
    return f"{_SELECT} WHERE n IN ({' UNION '.join(parts)}) ORDER BY n DESC LIMIT ?", [*all_values, limit]


def kept_of(row: tuple[Any, ...]) -> Kept:
    column = dict(zip(_COLUMNS, row, strict=True))
    message = Message(
        id=column["id"],
        sender=column["sender"],
        recipient=column["recipient"],
        text=column["text"],
        expects_response=bool(column["expects_response"]),
        re=column["re"],
        hops=column["hops"],
    )
    delivery = Delivery(
        message,
        state=MessageState(column["state"]),
        tries=column["tries"],
        is_taken=bool(column["taken"]),
        reply=column["reply"],
        reason=column["reason"],
        owed=bool(column["owed"]),
    )
    kept = Kept(
        delivery,
        sender_name=column["sender_name"],
        recipient_name=column["recipient_name"],
        created=column["created"],
        changed=column["changed"],
        request=column["request"],
        held=column["held"],
        batch=column["batch"],
    )
    kept.stored = _changing(kept)
    return kept
