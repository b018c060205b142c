"""What every agent does: collects what its hooks, its records and its screen tell, and lets ``core.state`` weigh it.

Looking at records and screens is ``hub/looking.py``'s; decides nothing itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

from clawmux.adapters.panes import Pane
from clawmux.adapters.runtimes import running
from clawmux.adapters.runtimes.hooks import Hooks, read_tool
from clawmux.adapters.runtimes.manifest import Runtime as Manifest
from clawmux.adapters.runtimes.records import Records, open_records
from clawmux.adapters.tmux import Tmux
from clawmux.core.session import Session
from clawmux.core.state import AgentState, Doing
from clawmux.core.work import Burst
from clawmux.hub.joining import Joining
from clawmux.hub.looking import Looking, Watched
from clawmux.hub.permissions import Decision, Permissions, Question
from clawmux.hub.programs import program_of
from clawmux.paths import Paths
from clawmux.wire.signs import Observation, Place, Sign, Taken, ToolBegan, ToolEnded, ToolFailed
from clawmux.wire.words import Activity, Kind, SessionState, Source, Stage

log = logging.getLogger(__name__)

_KEEP_WORK = "INSERT OR REPLACE INTO bursts (session_id, body) VALUES (?, ?)"
_FORGET_WORK = "DELETE FROM bursts WHERE session_id = ?"


class States:
    def __init__(self, hub: Joining, tmux: Tmux, paths: Paths) -> None:
        self.permissions = Permissions()
        self.on_changed: Callable[[str, Doing, bool], None] = lambda session_id, doing, in_mode: None
        """(session, what it does, whether somebody scrolls in its pane), at every change of one of them."""
        self.on_taken: Callable[[str, str], None] = lambda session_id, text: None
        """(session, a text that its program has as a prompt now)."""
        self._hub = hub
        self._paths = paths
        self._watched: dict[str, Watched] = {}
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._silence = ""
        self._looking = Looking(hub, tmux, self._all, self._take, lambda one: self._after(one, one.state.tick(hub.now)))
        self.watch = self._looking.watch
        self.permissions.on_closed = self._permission_closed
        hub.journal.before_said = self.tell_work

    # -- reading --

    def doing(self, session_id: str) -> Doing:
        watched = self._watched.get(session_id)
        return watched.state.doing if watched else Doing()

    def knows(self, session_id: str) -> bool:
        """Whether it lives."""
        return session_id in self._watched

    def in_mode(self, session_id: str) -> bool:
        """Whether somebody scrolls in its pane."""
        watched = self._watched.get(session_id)
        return watched is not None and watched.in_mode

    def view(self, session: Session) -> dict[str, Any]:
        """The fields of a session that tell what it does."""
        is_dead = session.state is SessionState.DEAD
        doing = Doing(detail=session.reason, source=Source.PROCESS) if is_dead else self.doing(session.id)
        ago = time.time() - self._hub.now
        return {
            "activity": doing.activity.value,
            "doing": {
                "activity": doing.activity.value,
                "kind": doing.kind.value,
                "detail": doing.detail,
                "source": doing.source.value if doing.source else "",
                "since": round(doing.since + ago, 1) if doing.since else 0,
                "seen": round(doing.seen + ago, 1) if doing.seen else 0,
            },
            "report": {"text": session.report, "at": session.reported} if session.report else None,
            "permission": self._permission(session.id, doing),
        }

    def _permission(self, session_id: str, doing: Doing) -> dict[str, Any] | None:
        if question := self.permissions.current(session_id):
            return {"request": question.request, "tool": question.tool, "text": question.text, "decidable": True}
        if doing.kind is Kind.PERMISSION and doing.is_dialog:
            tool, _, text = doing.detail.partition(": ") if doing.request else ("", "", doing.detail)
            return {"request": doing.request, "tool": tool, "text": text or tool, "decidable": bool(doing.request)}
        return None

    async def until(self, session_id: str, happened: Callable[[Doing], bool], seconds: float) -> bool:
        """Whether it comes to that in this time, and does not end before."""
        changed = asyncio.Event()
        self._waiting.setdefault(session_id, set()).add(changed)
        try:
            async with asyncio.timeout(seconds):
                while session_id in self._watched and not happened(self.doing(session_id)):
                    changed.clear()
                    await changed.wait()
            return session_id in self._watched
        except TimeoutError:
            return False
        finally:
            self._waiting.get(session_id, set()).discard(changed)

    # -- what comes in --

    def stage(self, session_id: str, stage: Stage | None) -> None:
        """Its ``converse`` call has come so far."""
        if watched := self._of(session_id):
            self._after(watched, watched.state.stage(stage, self._hub.now))

    def hook(self, session_id: str, body: str, request: str) -> Question | None:
        """What a hook of its program tells. The question, when it is one that this very hook can answer."""
        watched = self._of(session_id)
        if watched is None:
            return None
        observed = watched.hooks.read(body, request)
        tool = read_tool(body)
        asked = next((o for o in observed if isinstance(o, Sign) and o.request and o.kind is Kind.PERMISSION), None)
        question = self.permissions.open(session_id, asked, self._hub.now) if asked else None
        told = [replace(o, request="") if isinstance(o, Sign) and o is not asked else o for o in observed]
        standing = self.permissions.current(session_id)
        # What else happens meanwhile, of a tool beside it, does not take a question away whose hook still waits.
        self._take(watched, [*told, standing.sign] if standing and told and asked is None else told)
        self._take(watched, [tool] if tool else [])
        return question

    def ended(self, session: Session) -> None:
        watched = self._watched.pop(session.id, None)
        if watched is not None:
            watched.state.ended(session.reason, self._hub.now)
            if watched.records is not None:
                watched.records.close()
        self.permissions.close(session.id)
        for changed in self._waiting.pop(session.id, set()):
            changed.set()

    def panes_seen(self, panes: dict[str, Pane]) -> None:
        """What tmux tells of the panes, by session."""
        was_silent, self._silence = bool(self._silence), ""
        self._looking.sees_screens = True
        for session_id, pane in panes.items():
            watched = self._of(session_id)
            if watched is None or pane.dead or pane.pane_id != watched.pane_id:
                continue  # ended, or another pane of the same name that nobody has adopted yet
            watched.last_output = pane.last_output
            # Empty: it started after they were asked for.
            if watched.manifest is not None and watched.manifest.foreground and pane.command:
                self._take(watched, [_foreground(pane)])
            changed = was_silent and watched.state.silent("", self._hub.now)
            moved, watched.in_mode = pane.in_mode != watched.in_mode, pane.in_mode
            self._after(watched, changed, moved)

    def panes_unseen(self, reason: str) -> None:
        """tmux does not answer: nobody knows what they do."""
        self._silence = reason
        self._looking.sees_screens = False
        for watched in list(self._watched.values()):
            self._after(watched, watched.state.silent(reason, self._hub.now))

    # -- weighing --

    def _take(self, watched: Watched, observed: Iterable[Observation]) -> None:
        changed = worked = False
        for observation in observed:
            match observation:
                case Sign():
                    changed |= watched.state.observe(observation, self._hub.now)
                case ToolBegan():
                    watched.work.began(observation, self._hub.now)
                case ToolEnded():
                    watched.work.ended(observation, self._hub.now)
                    worked = True
                case ToolFailed():
                    watched.work.failed(observation)
                    worked = True
                case Taken():
                    self.on_taken(watched.session_id, observation.text)
                case Place():
                    if watched.records is not None:
                        watched.records.placed(observation)
        self._after(watched, changed)
        if watched.work.is_long(self._hub.now):
            self._tell_work_now(watched)
        elif worked:
            self._keep_work(watched)

    # -- what goes out --

    def _after(self, watched: Watched, changed: bool, moved: bool = False) -> None:
        if (not changed and not moved) or self._watched.get(watched.session_id) is not watched:
            return
        doing = watched.state.doing
        if not doing.is_dialog and doing.activity is not Activity.UNKNOWN:
            self.permissions.close(watched.session_id)
        if doing.is_resting:
            watched.hooks = Hooks()  # no hook tells of the end of a tool that was interrupted
            watched.work.stopped(self._hub.now)
            self._tell_work_now(watched)
        self._tell(watched)
        self._call_for_attention(watched)
        self.on_changed(watched.session_id, watched.state.doing, watched.in_mode)
        for event in self._waiting.get(watched.session_id, ()):
            event.set()

    def tell_work(self, session_id: str) -> None:
        """Put what it has done with its tools among what is to be committed."""
        watched = self._watched.get(session_id)
        if watched is not None and (burst := watched.work.take()):
            self._hub.journal.event("work", session_id, **asdict(burst))
            self._hub.journal.statement(_FORGET_WORK, session_id)

    def _keep_work(self, watched: Watched) -> None:
        """It is told later; a hub that is killed before finds it in the store."""
        if burst := watched.work.look():
            self._hub.journal.statement(_KEEP_WORK, watched.session_id, json.dumps(asdict(burst)))
            self._hub.perform([])

    def _tell_work_now(self, watched: Watched) -> None:
        self.tell_work(watched.session_id)
        self._hub.perform([])

    def restore(self) -> None:
        """Tell what was done when the hub was killed."""
        for session_id, body in self._hub.store.rows("SELECT session_id, body FROM bursts"):
            try:
                burst = Burst(**json.loads(body))
            except (TypeError, ValueError):
                log.exception("what %s has done cannot be read", session_id)
            else:
                self._hub.journal.event("work", session_id, **asdict(burst))
            self._hub.journal.statement(_FORGET_WORK, session_id)
        self._hub.perform([])

    def leave(self) -> None:
        """The hub ends: what was done until now is told."""
        for session_id in list(self._watched):
            self.tell_work(session_id)
        self._hub.perform([])

    def _tell(self, watched: Watched) -> None:
        if session := self._hub.agents.alive(watched.session_id):
            self._hub.show_session(session)

    def _call_for_attention(self, watched: Watched) -> None:
        doing = watched.state.doing
        asked = (doing.detail or doing.kind.value) if doing.is_dialog else ""
        if asked == watched.asked:
            return
        watched.asked, session_id = asked, watched.session_id
        call = {"type": "attention", "session_id": session_id, "kind": doing.kind.value, "text": asked}
        self._hub.pages.broadcast(call if asked else {"type": "attention_clear", "session_id": session_id})

    def _permission_closed(self, question: Question, decision: Decision | None) -> None:
        watched = self._watched.get(question.session_id)
        if watched is None:
            return
        now = self._hub.now
        watched.state.answered(question.request, now)
        if decision is not None and not decision.allow:
            watched.state.observe(Sign(Source.HOOK, Activity.THINKING), now)
        if another := self.permissions.current(question.session_id):
            watched.state.observe(another.sign, now)
        self._after(watched, changed=True)

    # -- inside --

    def _all(self) -> list[Watched]:
        """Those that have a pane."""
        return [w for session in self._hub.agents.living if session.pane_id and (w := self._of(session.id))]

    def _of(self, session_id: str) -> Watched | None:
        """What a living session is watched with, made when it is first needed."""
        session = self._hub.agents.alive(session_id)
        if session is None:
            return None
        watched = self._watched.get(session_id)
        if watched is None:
            manifest = self._hub.agents.runtime_of(session)
            watched = self._watched[session_id] = Watched(session_id, AgentState(self._hub.now), manifest)
        if session.pane_id != watched.pane_id:
            watched.pane_id = session.pane_id
            watched.records = self._records(session, watched.manifest)
        return watched

    def _records(self, session: Session, manifest: Manifest | None) -> Records | None:
        if manifest is None or not manifest.records or not session.pid:
            return None
        return open_records(manifest.records, program_of(session, self._paths))


def _foreground(pane: Pane) -> Sign:
    """What a shell does."""
    if running.is_in_front(pane.pid, pane.command):
        return Sign(Source.PROCESS, Activity.IDLE)
    return Sign(Source.PROCESS, Activity.TOOL, detail=pane.command)
