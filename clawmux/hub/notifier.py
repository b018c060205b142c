"""Tells the user on all their devices that an agent needs them: brings questions, dialogs, faults and finished work to
``core.attention``, and carries out what that decides, as push messages and to open pages. Decides nothing itself.

What was told is stored first: it is told once, at most, also over a restart of the hub.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from clawmux.adapters import webpush
from clawmux.core.attention import Attention, Effect, Forget, Needs, Tell, Window, Withdraw, recipients
from clawmux.core.conversation import Conversation
from clawmux.core.questions import Question
from clawmux.core.session import Session
from clawmux.core.state import Doing
from clawmux.hub.joining import Joining
from clawmux.hub.notification import TEST_KIND, TTL_SECONDS, URGENCY, view
from clawmux.hub.push import Message, Outcome, Push
from clawmux.hub.subscriptions import Subscription, Subscriptions
from clawmux.wire.words import Activity, Kind, Need, Stage

log = logging.getLogger(__name__)

_ASKED = "question "
# Who waits for less watches anyway; the work for which people turn away takes longer.
WORK_SECONDS = 20.0
# It ends a subscription when messages come of which it is shown nothing, and closing a notification shows nothing.
SHOWS_EVERYTHING = "push.apple.com"


class Notifier:
    def __init__(self, hub: Joining, conversation: Conversation, subscriptions: Subscriptions, push: Push) -> None:
        self.subscriptions = subscriptions
        self.push = push
        self.good_logins: Callable[[], Collection[str] | None] = lambda: None
        """The logins that are good now; None: not known here, so all are."""
        self._hub = hub
        self._conversation = conversation
        self._needs = Needs()
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self._busy: dict[str, float] = {}
        """Since when an agent works, by session."""
        self._told_to: dict[str, list[str]] = {}
        self._under_way: dict[str, set[asyncio.Task[None]]] = {}

    # -- life --

    def start(self) -> None:
        """Take up what was told of, before it shows again what stands still."""
        told = [row for row in map(self._stored, self._hub.store.rows("SELECT body, told_to FROM told")) if row]
        for attention in [a for a in told if a.kind is Need.DONE and not self._hub.agents.alive(a.session_id)]:
            told.remove(attention)
            self._forget(attention)
        self._needs.restore(told, self._hub.now)
        self._perform([])

    async def stop(self) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        tasks = [task for those in self._under_way.values() for task in those]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.push.stop()

    # -- what comes in --

    def questions_changed(self, session_id: str) -> None:
        """One of its questions is new, has come further, or is no more."""
        asked = [q for q in self._conversation.questions.values() if q.request.session_id == session_id and _wants_answer(q)]
        places = {_place_of(question) for question in asked}
        gone = [place for place in self._needs.places(session_id) if place.startswith(_ASKED) and place not in places]
        for place in gone:
            self._perform(self._needs.met(session_id, place, self._hub.now))
        for question in asked:
            request = question.request
            attention = Attention(request.id, session_id, _place_of(question), Need.QUESTION, request.text, request.id)
            self._perform(self._needs.raised(attention, self._hub.now, self._waits_for_the_user(question)))

    def doing_changed(self, session_id: str, doing: Doing) -> None:
        self._place(session_id, "dialog", _dialog_of(doing), doing)
        is_fault = doing.activity is Activity.NEEDS_YOU and doing.is_resting
        self._place(session_id, "fault", Need.ERROR if is_fault else None, doing)
        self._work_changed(session_id, doing)

    def session_ended(self, session_id: str) -> None:
        self._busy.pop(session_id, None)
        self._perform(self._needs.ended(session_id, self._hub.now))

    def windows_changed(self) -> None:
        """A page has come or gone, or shows something else."""
        in_view = frozenset(page.in_view for page in self._hub.pages if page.in_view)
        was_done = [s.id for s in self._hub.agents.living if (s.id, "done") in self._needs]
        self._perform(self._needs.looked_at(in_view, self._hub.now))
        for session_id in was_done:
            if (session_id, "done") not in self._needs:
                self._clear(session_id)
        for session_id in {question.request.session_id for question in self._conversation.questions.values()}:
            self.questions_changed(session_id)  # a page may have come or gone that could have spoken them

    def logins_changed(self) -> None:
        """Who is out gets nothing any more."""
        logins = self.good_logins()
        if logins is not None:
            self.subscriptions.keep_logins(logins)

    def try_out(self, login: str) -> int:
        """Send a notification to this device the real way. How many messages that are; 0: its pages show it by themselves."""
        shown = view(Attention(f"test-{secrets.token_hex(6)}", "", "test", Need.DONE, ""), "ClawMux", TEST_KIND)
        mine = self.subscriptions.of(login)
        for subscription in mine:
            self._send(shown["id"], subscription, self._message(shown, TEST_KIND), None)
        if not mine:
            self._tell_pages([page.client for page in self._hub.pages if page.login == login], shown)
        return len(mine)

    # -- what agents do --

    def _waits_for_the_user(self, question: Question) -> bool:
        """Rather than for a page to speak it, or for words that are just being spoken."""
        if question.stage is Stage.QUEUED:
            return not self._conversation.page.present
        return question.stage is Stage.WAITING

    def _place(self, session_id: str, place: str, kind: Need | None, doing: Doing) -> None:
        before = (session_id, place) in self._needs
        if kind is None:
            self._perform(self._needs.met(session_id, place, self._hub.now))
            if before and place == "fault":
                self._clear(session_id)
            return
        text = doing.detail or doing.kind.value
        attention = Attention(secrets.token_hex(8), session_id, place, kind, text, doing.request)
        self._perform(self._needs.raised(attention, self._hub.now))
        if not before and place == "fault":
            self._call(attention)  # of dialogs the states tell the pages

    def _work_changed(self, session_id: str, doing: Doing) -> None:
        now = self._hub.now
        if doing.is_busy:
            self._busy.setdefault(session_id, now)
            if (session_id, "done") in self._needs:
                self._perform(self._needs.met(session_id, "done", now))
                self._clear(session_id)
        elif doing.activity is Activity.IDLE:
            since = self._busy.pop(session_id, now)
            is_over = doing.kind is Kind.NONE and now - since >= WORK_SECONDS
            if is_over and self._conversation.open_question(session_id) is None:
                self._done(session_id)
        elif not doing.is_dialog:
            self._busy.pop(session_id, None)  # it talks with the user, who is there

    def _done(self, session_id: str) -> None:
        session = self._hub.agents.alive(session_id)
        if session is None:
            return
        attention = Attention(secrets.token_hex(8), session_id, "done", Need.DONE, session.report)
        self._perform(self._needs.raised(attention, self._hub.now))
        if (session_id, "done") in self._needs:
            self._call(attention)

    def _call(self, attention: Attention) -> None:
        call = {"type": "attention", "session_id": attention.session_id, "kind": attention.kind.value, "text": attention.text}
        self._hub.pages.broadcast(call)

    def _clear(self, session_id: str) -> None:
        self._hub.pages.broadcast({"type": "attention_clear", "session_id": session_id})

    # -- what goes out --

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Tell):
                self._tell(effect.attention)
            elif isinstance(effect, Withdraw):
                self._withdraw(effect.attention)
            elif isinstance(effect, Forget):
                self._forget(effect.attention)
        self._hub.journal.flush()
        self._arm()

    def _arm(self) -> None:
        deadline = None if self._is_over else self._needs.deadline()
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if deadline is None else loop.call_at(max(deadline, self._hub.now + 0.001), self._tick)

    def _tick(self) -> None:
        self._perform(self._needs.tick(self._hub.now))

    def _tell(self, attention: Attention) -> None:
        session = self._hub.agents.alive(attention.session_id)
        if session is None:
            return
        self.logins_changed()
        windows = [Window(page.client, page.login, page.is_visible) for page in self._hub.pages if not page.classic]
        pages, ids = recipients(attention.kind, windows, [s.subscriber for s in self.subscriptions])
        self._told_to[attention.id] = ids
        self._hub.journal.statement(
            "INSERT OR REPLACE INTO told (id, body, told_to, ts) VALUES (?, ?, ?, ?)",
            attention.id, json.dumps(_row(attention)), json.dumps(ids), time.time(),
        )  # fmt: skip
        self._hub.journal.then(lambda: self._send_all(attention, session, pages, ids))

    def _send_all(self, attention: Attention, session: Session, pages: list[str], ids: list[str]) -> None:
        shown = view(attention, session.name or session.id)
        self._tell_pages(pages, shown)
        for subscription in filter(None, map(self.subscriptions.get, ids)):
            said = shown if subscription.words else {**shown, "words": ""}
            self._send(attention.id, subscription, self._message(said, attention.kind.value), attention)

    def _message(self, shown: dict[str, Any], kind: str) -> Message:
        body = {"type": "notify", "badge": len(self._needs.sessions()), **shown}
        return Message(body, _topic(shown["id"]), TTL_SECONDS[kind], URGENCY[kind])

    def _tell_pages(self, clients: Collection[str], shown: dict[str, Any]) -> None:
        for page in self._hub.pages:
            if page.client in clients:
                page.send({"type": "notify", **shown})

    def _withdraw(self, attention: Attention) -> None:
        self._hub.pages.broadcast({"type": "notify_clear", "id": attention.id})
        for task in self._under_way.pop(attention.id, ()):
            task.cancel()
        watching = {page.login for page in self._hub.pages if page.is_visible}
        body = {"type": "clear", "id": attention.id, "badge": len(self._needs.sessions())}
        message = Message(body, _topic(attention.id), TTL_SECONDS[attention.kind.value])
        for subscription in filter(None, map(self.subscriptions.get, self._told_to.get(attention.id, ()))):
            # A page that is looked at closes what its own device shows.
            if subscription.login not in watching and SHOWS_EVERYTHING not in subscription.endpoint:
                self._send("", subscription, message, None)

    def _forget(self, attention: Attention) -> None:
        self._told_to.pop(attention.id, None)
        self._hub.journal.statement("DELETE FROM told WHERE id = ?", attention.id)

    def _send(self, attention_id: str, subscription: Subscription, message: Message, about: Attention | None) -> None:
        task = asyncio.create_task(self._deliver(subscription, message, about), name="push")
        self._under_way.setdefault(attention_id, set()).add(task)
        task.add_done_callback(lambda done: self._sent(attention_id, done))

    def _sent(self, attention_id: str, task: asyncio.Task[None]) -> None:
        under_way = self._under_way.get(attention_id, set())
        under_way.discard(task)
        if not under_way:
            self._under_way.pop(attention_id, None)

    async def _deliver(self, subscription: Subscription, message: Message, about: Attention | None) -> None:
        try:
            outcome = await self.push.deliver(subscription, message)
        except Exception:
            # One device's message must not keep those of the others.
            log.exception("a push message failed")
            return
        if outcome is Outcome.GONE:
            self.subscriptions.drop(subscription.id)
        if outcome is Outcome.SENT and about is not None and about.kind is Need.QUESTION and about.source:
            self._hub.perform(self._conversation.reached(about.source))

    def _stored(self, row: tuple[str, str]) -> Attention | None:
        try:
            fields = json.loads(row[0])
            attention = Attention(**{**fields, "kind": Need(fields["kind"])}, text="")
            self._told_to[attention.id] = [str(name) for name in json.loads(row[1])]
        except (TypeError, ValueError, KeyError):
            log.exception("a stored notification cannot be read; left as it is")
            return None
        return attention


def _wants_answer(question: Question) -> bool:
    return question.request.listen and not question.request.fleeting


def _place_of(question: Question) -> str:
    return _ASKED + question.request.id


def _row(attention: Attention) -> dict[str, str]:
    """Without the agent's words: they are not needed to withdraw it."""
    return {
        "id": attention.id,
        "session_id": attention.session_id,
        "place": attention.place,
        "kind": attention.kind.value,
        "source": attention.source,
    }


def _dialog_of(doing: Doing) -> Need | None:
    if not doing.is_dialog:
        return None
    return Need.PERMISSION if doing.kind in (Kind.PERMISSION, Kind.TRUST) else Need.QUESTION


def _topic(attention_id: str) -> str:
    """32 letters of base64url at most (RFC 8030 5.4), which tell the push service nothing."""
    return webpush.encoded(hashlib.sha256(attention_id.encode()).digest()[:24])
