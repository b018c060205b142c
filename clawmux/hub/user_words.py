"""The user's words to an agent that has asked nothing: typed into its own input, and shown only when they were taken."""

from __future__ import annotations

from collections.abc import Callable

from clawmux.adapters import headers
from clawmux.core import questions as asked
from clawmux.hub.joining import Joining
from clawmux.hub.typist import Typist
from clawmux.wire.errors import ClawMuxError


class UserWords:
    def __init__(self, hub: Joining, typist: Typist, on_typed: Callable[[asked.Deliver], None]) -> None:
        """``on_typed``: hears of those that an agent has got."""
        self._hub = hub
        self._on_typed = on_typed
        self._typist = typist
        self._typing: set[str] = set()
        """Ids of words that are on their way."""
        self.performers = {asked.Deliver: self._deliver}

    def _deliver(self, effect: asked.Deliver) -> None:
        if effect.source_id in self._typing:
            return  # the page sent them again before it heard what became of them
        self._typing.add(effect.source_id)
        self._hub.start_task(self._type(effect), f"deliver {effect.source_id}")

    async def _type(self, effect: asked.Deliver) -> None:
        try:
            # Who speaks to an agent from the page need not know that their terminal is still scrolled back somewhere.
            words = headers.voice(effect.source_id, effect.text)
            await self._typist.type(effect.session_id, words, over_scrolling=True)
        except ClawMuxError as error:
            self._not_delivered(effect, error)
            return
        finally:
            self._typing.discard(effect.source_id)
        self._on_typed(effect)
        hub = self._hub
        hub.journal.event("user_text", effect.session_id, msg_id=effect.source_id, text=effect.text, via=effect.via)
        acknowledgment = {"type": "text_ack", "id": effect.source_id, "state": "delivered", "reason": ""}
        hub.perform([], lambda: hub.pages.broadcast(acknowledgment))

    def _not_delivered(self, effect: asked.Deliver, error: ClawMuxError) -> None:
        if effect.via == "voice":
            self._hub.notice(effect.session_id, "warn", f"Not delivered: “{effect.text}”", error.text)
        else:
            message = {"type": "text_ack", "id": effect.source_id, "state": "refused", "reason": error.text}
            self._hub.pages.broadcast(message)
