"""A conversation with a page, and short words for what a test does with it."""

from __future__ import annotations

from clawmux.core.conversation import Conversation
from clawmux.core.questions import Changed, Effect, Request

SKY, ADAM = "af_sky", "am_adam"


def with_page() -> Conversation:
    conversation = Conversation()
    conversation.page_present(0.0)
    return conversation


def ask(conversation: Conversation, id: str = "q1", session: str = SKY, now: float = 0.0, **facts: bool) -> list[Effect]:
    return essential(conversation.request(Request(id, session, f"text of {id}", **facts), now))


def stage_of(conversation: Conversation, id: str) -> str:
    return conversation.questions[id].stage.value


def essential(effects: list[Effect]) -> list[Effect]:
    """Without the notes that something changed."""
    return [e for e in effects if not isinstance(e, Changed)]
