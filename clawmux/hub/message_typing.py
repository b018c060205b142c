"""The broker's typing effects, carried out: each becomes a task, and its end an input of the broker. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from clawmux.adapters import headers
from clawmux.adapters.pasting import Drafted, Held
from clawmux.core.broker import Broker
from clawmux.core.message import Effect, Inject, LookFor, Remind
from clawmux.hub.joining import Joining
from clawmux.hub.message_store import Kept
from clawmux.hub.typist import Typist
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState

log = logging.getLogger(__name__)

# A tmux that does not answer yet is asked again.
LOOK_AGAIN_SECONDS = 1.0
# What is not on its screen any more may be in what the program writes about itself, which is read by then.
RECORDS_SECONDS = 1.5


class MessageTyping:
    def __init__(
        self,
        hub: Joining,
        broker: Broker,
        typist: Typist,
        living: Mapping[str, Kept],
        stored: Callable[[str], Kept | None],
    ) -> None:
        """``stored``: finds any message by its id, also one that is settled."""
        self._hub = hub
        self._broker = broker
        self._typist = typist
        self._living = living
        self._stored = stored
        self.performers: dict[type[Any], Callable[[Any], None]] = {
            Inject: lambda e: self._type(e, _line),
            Remind: lambda e: self._type(e, _reminder),
            LookFor: lambda e: hub.start_task(self._looking_for(e), f"look for {e.id}"),
        }

    def _type(self, effect: Inject | Remind, compose: Callable[[Kept], str]) -> None:
        """Not before it is stored that it may have been typed."""

        def start() -> None:
            self._hub.start_task(self._typing(effect, compose), f"type to {effect.recipient}")

        self._hub.journal.then(start, lambda error: self._held(effect, "the disk does not take it"))

    async def _typing(self, effect: Inject | Remind, compose: Callable[[Kept], str]) -> None:
        # One may have been acknowledged meanwhile, from the inbox.
        waiting = [kept for i in effect.ids if (kept := self._living.get(i))]
        lines = [compose(kept) for kept in waiting if kept.delivery.state is MessageState.INJECTING]
        is_new = all(kept.is_new for kept in waiting)
        for kept in waiting:
            kept.is_new = False
        try:
            sent = await self._typed(effect.recipient, headers.batch(lines), is_new) if lines else ()
        except Held as held:
            self._held(effect, held.reason, held.sent)
        except ClawMuxError as error:
            self._held(effect, error.text.rstrip("."))
        except Exception:
            log.exception("typing to %s failed", effect.recipient)
            self._held(effect, "typing to it failed; the hub's log has the reason")
        else:
            known = self._delivered(sent)
            self._hub.perform([*known, *self._broker.typed(effect.recipient, effect.ids, is_taken=False, now=self._hub.now)])

    async def _typed(self, recipient: str, text: str, is_new: bool) -> Iterable[str]:
        """What looks like a draft may be a message that a hub was typing when it ended, and that was settled since without
        being sent: the command that waits for a reply comes back for it, an inbox is read."""
        try:
            return await self._typist.type(recipient, text, is_new=is_new)
        except Drafted as drafted:
            found = [self._stored(message_id) for message_id in headers.ids_in(drafted.draft)]
            left = [_line(kept) for kept in found if kept is not None and kept.message.recipient == recipient]
            if not left:
                raise
            self._typist.has_left(recipient, left)
            return await self._typist.type(recipient, text)

    def _held(self, effect: Inject | Remind, why: str, sent: Iterable[str] = ()) -> None:
        known = self._delivered(sent)
        self._hub.perform([*known, *self._broker.held(effect.recipient, effect.ids, self._hub.now, why)])

    def _delivered(self, ids: Iterable[str]) -> list[Effect]:
        return [effect for message_id in ids for effect in self._broker.delivered(message_id, self._hub.now)]

    async def _looking_for(self, effect: LookFor) -> None:
        """Until it is known."""
        while True:
            try:
                was_sent = await self._typist.look_for(effect.recipient, effect.id)
            except ClawMuxError as error:
                if error.code == "not_found":
                    return  # the end of the session settles it
                log.warning("looking for message %s: %s", effect.id, error.text)
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            else:
                if not was_sent and self._typist.writes_records(effect.recipient):
                    await asyncio.sleep(RECORDS_SECONDS)
                known = self._delivered([effect.id]) if was_sent else []
                self._hub.perform([*known, *self._broker.found(effect.recipient, effect.id, was_sent, self._hub.now)])
                return


def _line(kept: Kept) -> str:
    message = kept.message
    return headers.typed(
        message.id, kept.sender_name, kept.recipient_name, message.text, expects=message.expects_response, re=message.re
    )


def _reminder(kept: Kept) -> str:
    return headers.reminder(kept.message.id, kept.sender_name, kept.recipient_name)
