"""Pure: what the event stream of an OpenCode says about its agent. Events come in, observations go out.

One server holds several sessions: the agent's own, those of its subagents, and others that its user has opened. The agent's own
is the one without a parent that was begun, or spoken to, last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clawmux.adapters.runtimes.hooks import told_of
from clawmux.wire.signs import Observation, Place, Sign, Taken, ToolBegan, ToolEnded
from clawmux.wire.text import cut, in_one_line
from clawmux.wire.words import Activity, Kind, Source

DETAIL_CHARS = 300
MOST_MESSAGES = 64
"""Ids of the user's messages whose text may still come."""
_FAILURES = {
    401: (Activity.NEEDS_YOU, Kind.LOGIN),
    403: (Activity.NEEDS_YOU, Kind.LOGIN),
    429: (Activity.NEEDS_YOU, Kind.RATE_LIMIT),
}
_LIMITS = ("rate limit", "rate_limit", "too many requests", "quota", "usage limit", "overloaded", "slow down")


class OpenCodeEvents:
    def __init__(self, session: str = "") -> None:
        self.session = session
        """The agent's own session; empty while none is known."""
        self._children: set[str] = set()
        self._status: Mapping[str, Any] = {}
        self._tools: dict[str, str] = {}
        """Id of a running tool's use -> its name, oldest first."""
        self._begun: set[str] = set()
        """Of these, those that were told of: their input is known."""
        self._asks: dict[str, Sign] = {}
        """Id of an open question -> what it says."""
        self._ending = Sign(Source.RECORD, Activity.IDLE)
        self._compacts = False
        self._users: dict[str, str] = {}
        """Id of a message of the user's -> its session, oldest first."""

    @property
    def sign(self) -> Sign | None:
        """What the agent does now; None while that is not known."""
        if self._asks:
            return next(iter(self._asks.values()))
        state = self._status.get("type")
        if state == "idle":
            return self._ending
        if state == "retry":
            text = str(self._status.get("message", ""))
            limited = any(word in text.lower() for word in _LIMITS)
            return _sign(Activity.THINKING, Kind.RATE_LIMIT if limited else Kind.API_ERROR, text)
        if state != "busy":
            return None
        if self._compacts:
            return _sign(Activity.THINKING, Kind.COMPACTION)
        tool = next(reversed(self._tools.values()), "")
        return _sign(Activity.TOOL, detail=tool) if tool else _sign(Activity.THINKING)

    def found(self, statuses: Mapping[str, Any], permissions: list[Any], questions: list[Any]) -> None:
        """How things stand when the stream begins: a session that is not named rests."""
        self._asks.clear()
        if self.session:
            status = statuses.get(self.session)
            self._status = status if isinstance(status, dict) else {"type": "idle"}
        for asked in permissions:
            self._asked(asked if isinstance(asked, dict) else {})
        for asked in questions:
            self._questioned(asked if isinstance(asked, dict) else {})

    def read(self, event: Mapping[str, Any]) -> list[Observation]:
        """What this event says besides ``sign``: a text that was taken, a new session."""
        said = event.get("properties")
        act = _EVENTS.get(str(event.get("type")))
        return act(self, said) if act and isinstance(said, dict) else []

    def _created(self, said: Mapping[str, Any]) -> list[Observation]:
        info = _inner(said, "info")
        if info.get("parentID"):
            self._children.add(str(info.get("id")))
            return []
        return self._moved(str(info.get("id", "")))

    def _moved(self, session: str) -> list[Observation]:
        if not session or session == self.session or session in self._children:
            return []
        self.session = session
        self._status = {}
        self._tools.clear()
        self._begun.clear()
        self._ending = Sign(Source.RECORD, Activity.IDLE)
        return [Place(session)]

    def _stood(self, said: Mapping[str, Any]) -> list[Observation]:
        if not self._is_ours(said):
            return []
        before, self._status = self._status.get("type"), _inner(said, "status")
        if self._status.get("type") == "idle":
            self._tools.clear()
            self._begun.clear()
            self._compacts = False
        elif before in (None, "idle"):
            self._ending = Sign(Source.RECORD, Activity.IDLE)
        return []

    def _erred(self, said: Mapping[str, Any]) -> list[Observation]:
        if self._is_ours(said):
            self._ending = read_error(_inner(said, "error"))
        return []

    def _message(self, said: Mapping[str, Any]) -> list[Observation]:
        info = _inner(said, "info")
        message, session = str(info.get("id", "")), str(info.get("sessionID", ""))
        if info.get("role") == "user":
            if message in self._users or session in self._children:
                return []
            self._users[message] = session
            while len(self._users) > MOST_MESSAGES:
                del self._users[next(iter(self._users))]
            return self._moved(session)
        if self._is_ours(said) and isinstance(info.get("error"), dict):
            self._ending = read_error(info["error"])
        return []

    def _part(self, said: Mapping[str, Any]) -> list[Observation]:
        part = _inner(said, "part")
        if not self._is_ours(part):
            return []
        kind = part.get("type")
        if kind == "tool":
            return self._tool(part)
        if kind == "compaction":
            self._compacts = True
        elif kind == "text" and self._users.get(str(part.get("messageID"))) == self.session and not part.get("synthetic"):
            return [Taken(Source.RECORD, str(part.get("text", "")))]
        return []

    def _tool(self, part: Mapping[str, Any]) -> list[Observation]:
        use, tool, state = str(part.get("callID", "")), str(part.get("tool", "")), _inner(part, "state")
        status = state.get("status")
        if status == "pending":  # its input is not known yet
            self._tools.setdefault(use, tool)
            return []
        if status == "running":
            is_new = use not in self._begun
            self._tools.setdefault(use, tool)
            self._begun.add(use)
            return [ToolBegan(use, tool, told_of(tool, state.get("input")))] if is_new else []
        is_known = self._tools.pop(use, None) is not None
        self._begun.discard(use)
        return [ToolEnded(use, tool, status == "completed")] if is_known else []

    def _compacted(self, said: Mapping[str, Any]) -> list[Observation]:
        if self._is_ours(said):
            self._compacts = False
        return []

    def _asked(self, said: Mapping[str, Any]) -> list[Observation]:
        """Also for a subagent: it is asked of the user all the same."""
        request = str(said.get("id", ""))
        told = _inner(said, "metadata")
        patterns = said.get("patterns")
        what = str(told.get("command") or told.get("filepath") or told.get("url") or "")
        if not what and isinstance(patterns, list):
            what = ", ".join(str(pattern) for pattern in patterns)
        if request:
            text = f"{said.get('permission', 'permission')}: {in_one_line(what)}".removesuffix(": ")
            self._asks[request] = _sign(Activity.NEEDS_YOU, Kind.PERMISSION, text, request)
        return []

    def _questioned(self, said: Mapping[str, Any]) -> list[Observation]:
        request, questions = str(said.get("id", "")), said.get("questions")
        if request and isinstance(questions, list):
            texts = [str(question.get("question", "")) for question in questions if isinstance(question, dict)]
            self._asks[request] = _sign(Activity.NEEDS_YOU, Kind.QUESTION, " ".join(texts))
        return []

    def _replied(self, said: Mapping[str, Any]) -> list[Observation]:
        self._asks.pop(str(said.get("requestID", said.get("id", ""))), None)
        return []

    def _is_ours(self, said: Mapping[str, Any]) -> bool:
        return bool(self.session) and str(said.get("sessionID", _inner(said, "info").get("sessionID"))) == self.session


_EVENTS: dict[str, Callable[[OpenCodeEvents, Mapping[str, Any]], list[Observation]]] = {
    "session.created": OpenCodeEvents._created,
    "session.status": OpenCodeEvents._stood,
    "session.error": OpenCodeEvents._erred,
    "session.compacted": OpenCodeEvents._compacted,
    "message.updated": OpenCodeEvents._message,
    "message.part.updated": OpenCodeEvents._part,
    "permission.asked": OpenCodeEvents._asked,
    "permission.replied": OpenCodeEvents._replied,
    "question.asked": OpenCodeEvents._questioned,
    "question.replied": OpenCodeEvents._replied,
    "question.rejected": OpenCodeEvents._replied,
}


def read_error(error: Mapping[str, Any]) -> Sign:
    """How a turn ended that failed or was stopped."""
    told = _inner(error, "data")
    if error.get("name") == "MessageAbortedError":
        return _sign(Activity.IDLE, Kind.INTERRUPTED)
    if error.get("name") == "ProviderAuthError":
        return _sign(Activity.NEEDS_YOU, Kind.LOGIN, str(told.get("message", "")))
    status = told.get("statusCode")
    activity, kind = _FAILURES.get(status if isinstance(status, int) else 0, (Activity.IDLE, Kind.API_ERROR))
    return _sign(activity, kind, str(told.get("message") or error.get("name", "")))


def _sign(activity: Activity, kind: Kind = Kind.NONE, detail: str = "", request: str = "") -> Sign:
    return Sign(Source.RECORD, activity, kind, cut(" ".join(detail.split()), DETAIL_CHARS), request)


def _inner(said: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = said.get(field)
    return value if isinstance(value, dict) else {}
