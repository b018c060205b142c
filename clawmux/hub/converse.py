"""One converse call from its request to its one answer, whichever door it came through. Waits; decides nothing.

The call is a job with an id. A caller that is cut off and comes back with the same id waits for the same answer;
a job that was answered meanwhile is answered from the store.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from clawmux.core.questions import Request
from clawmux.hub.runtime import Runtime
from clawmux.wire.errors import ClawMuxError

_FAILURES = {
    "no_page": (
        "No page is connected at {url}, so nobody can hear this.",
        "Open it in a browser: `clawmux open` prints a link that logs in.",
    ),
    "nothing_heard": ("The question was asked and no words came back in time.", "Go on without an answer, or ask again."),
    "muted": ("(session muted)", "The user has muted the microphone; they have seen the text."),
    "cancelled": ("The question was dismissed, or its session ended.", ""),
    "speech_down": ("Speech is not available; the text was shown on the page.", "See `clawmux status` and the speech log."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """A converse call as the doors hand it in."""

    id: str
    session_id: str
    text: str = ""
    listen: bool = True
    goodbye: bool = False
    timeout_seconds: float = 0.0
    resume: bool = False
    """The id is of an earlier call that ended with ``still_listening``."""


async def converse(runtime: Runtime, call: Call, url: str) -> str:
    """The user's words. Raises ClawMuxError with the code of what happened instead.

    Cancelling this (the caller's connection broke) leaves the job open for a moment, for the caller to come back.
    """
    if (done := runtime.questions.answered(call.id)) is not None:
        _check_owner(call, done[0])
        return _told(call.id, done[1], done[2], url)
    asker = runtime.questions.asker(call.id)
    if asker is not None:
        _check_owner(call, asker)
    elif call.resume:
        raise ClawMuxError("not_found", f"--resume: there is no open question {call.id!r}.", "Ask again with `clawmux converse`.")
    future = runtime.questions.await_answer(call.id)
    try:
        if asker is not None:
            runtime.perform(runtime.conversation.attach(call.id))
        else:
            runtime.perform(runtime.conversation.request(_request(runtime, call), runtime.now))
        code, text = await _wait(runtime, call, future)
    except asyncio.CancelledError:
        if runtime.questions.forget_waiter(call.id, future):
            runtime.perform(runtime.conversation.detach(call.id, runtime.now))
        raise
    return _told(call.id, code, text, url)


async def _wait(runtime: Runtime, call: Call, future: asyncio.Future[tuple[str, str]]) -> tuple[str, str]:
    session = runtime.agents.get(call.session_id)
    manifest = runtime.agents.runtime_of(session)
    limit = manifest.converse_limit_seconds if manifest else 0.0
    try:
        async with asyncio.timeout(limit or None):
            return await asyncio.shield(future)
    except TimeoutError:
        runtime.questions.forget_waiter(call.id, future)
        runtime.perform(runtime.conversation.park(call.id))
        raise ClawMuxError(
            "still_listening",
            "The user has not answered yet; the question stays open and nothing they say is lost.",
            f"Run this next: clawmux converse --resume {call.id}",
        ) from None


def _request(runtime: Runtime, call: Call) -> Request:
    return Request(
        id=call.id,
        session_id=call.session_id,
        text=call.text,
        listen=call.listen and not call.goodbye,
        goodbye=call.goodbye,
        timeout_seconds=call.timeout_seconds,
        auto=runtime.projects.listens_by_itself(call.session_id),
    )


def _check_owner(call: Call, session_id: str) -> None:
    if session_id != call.session_id:
        raise ClawMuxError("forbidden", f"the question {call.id!r} belongs to another session.")


def _told(question_id: str, code: str, text: str, url: str) -> str:
    if code == "ok":
        return text
    meaning, remedy = _FAILURES[code]
    raise ClawMuxError(code, meaning.format(url=url), remedy)
