"""Pure: what an agent program's own hooks say. One JSON object a call comes in, what was observed goes out.

Claude Code and Codex share the names of events and fields. The JSON may be cut at its end: what stands before the cut counts.
Nothing here knows how a hook reaches us.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from clawmux.wire.signs import Observation, Place, Sign, Taken, ToolBegan, ToolEnded
from clawmux.wire.text import cut, in_one_line
from clawmux.wire.words import Activity, Kind, Source

PERMISSION_EVENT = "PermissionRequest"
DETAIL_CHARS = 300
TOOL_CHARS = 80
# What a permission is asked for: the field of the tool's input that a person has to see, the first that is there.
_TELLING = ("command", "file_path", "path", "url", "query", "pattern", "notebook_path", "prompt", "description", "plan")
# Tools whose permission is a question to the user rather than a leave to do something.
_QUESTIONS = frozenset({"AskUserQuestion", "ExitPlanMode"})
_LOGIN = (Activity.NEEDS_YOU, Kind.LOGIN)
# Other errors of the model's API leave the agent at its prompt.
API_ERRORS = {
    "rate_limit": (Activity.NEEDS_YOU, Kind.RATE_LIMIT),
    "authentication_failed": _LOGIN,
    "oauth_org_not_allowed": _LOGIN,
    "account_on_hold": _LOGIN,
    "verification_required": _LOGIN,
    "billing_error": _LOGIN,
    "cloud_credential_error": _LOGIN,
}


class Hooks:
    """Reads the hooks of one session in the order in which they come; remembers which tools run, and what is asked.

    A tool that ends while another runs leaves the agent at that other one; one that ends while a permission is asked for
    another leaves the question standing. That a permission was given at the terminal is told by no hook until the tool has
    ended, nor is Escape: the program's records and its screen tell these. The hook that asked is left running then.
    """

    def __init__(self) -> None:
        self._running: dict[str, str] = {}
        """Id of the tool's use -> its name, oldest first."""
        self._asked: tuple[Any, Any] | None = None
        """Tool and input of the permission that is asked for."""

    def read(self, body: str, request: str = "") -> list[Observation]:
        """What this hook says; nothing when it is no JSON object or an event that says nothing about the state.

        ``request``: the id under which this very call can be answered, when it asks for a permission; it stands in the sign then.
        The detail of a permission is ``Tool: what for``.
        """
        said = read_object(body)
        seen: list[Observation] = []
        session = _text(said, "session_id")
        event = _text(said, "hook_event_name")
        # A subagent's hooks carry the ids of its own; the main agent goes on waiting for it. A permission is asked of the user.
        if _text(said, "agent_id") and event != PERMISSION_EVENT:
            return seen
        if session:
            seen.append(Place(session, _text(said, "transcript_path")))
        if event in _EVENTS and not self._is_beside_the_question(event, said):
            seen += _EVENTS[event](self, said, request)
        return seen

    def _is_beside_the_question(self, event: str, said: Mapping[str, Any]) -> bool:
        """Whether it is about another tool than the one that the user is asked about; any other event ends the question."""
        if self._asked is not None and event in _OF_TOOLS and self._asked != (said.get("tool_name"), said.get("tool_input")):
            _OF_TOOLS[event](self, said)
            return True
        self._asked = None
        return False

    def _started(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        self._running.clear()
        return [] if said.get("source") == "compact" else [_sign(Activity.IDLE)]

    def _prompted(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        """Also while a tool runs: then the text waits for the tool, and the tool is what the agent does."""
        return [Taken(Source.HOOK, _text(said, "prompt")), self._busy()]

    def _tool_begins(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        self._begin(said)
        return [self._busy()]

    def _tool_ends(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        self._end(said)
        return [self._busy()]

    def _begin(self, said: Mapping[str, Any]) -> None:
        name = _text(said, "tool_name") or "a tool"
        self._running[_text(said, "tool_use_id") or name] = name

    def _end(self, said: Mapping[str, Any]) -> None:
        name = _text(said, "tool_name")
        use = _text(said, "tool_use_id")
        # The id stands behind the tool's output, and may be cut off with it.
        ended = use if use in self._running else next((key for key, running in self._running.items() if running == name), "")
        self._running.pop(ended, None)

    def _tools_end(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        self._running.clear()
        return [self._busy()]

    def _permission(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        self._asked = said.get("tool_name"), said.get("tool_input")
        name = _text(said, "tool_name") or "a tool"
        kind = Kind.QUESTION if name in _QUESTIONS else Kind.PERMISSION
        return [_sign(Activity.NEEDS_YOU, kind, what_for(name, said.get("tool_input")), request)]

    def _notified(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        """A permission's notice comes 6 s after its hook and knows less."""
        if said.get("notification_type") != "elicitation_dialog":
            return []
        return [_sign(Activity.NEEDS_YOU, Kind.QUESTION, _text(said, "message"))]

    def _elicited(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        return [_sign(Activity.NEEDS_YOU, Kind.QUESTION, _text(said, "message"))]

    def _compacts(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        return [_sign(Activity.THINKING, Kind.COMPACTION)]

    def _compacted(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        """By the user's word the agent is at its prompt again; by itself it was in the middle of a turn, and goes on."""
        return [_sign(Activity.IDLE) if said.get("trigger") == "manual" else self._busy()]

    def _stopped(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        self._running.clear()
        return [_sign(Activity.IDLE)]

    def _failed(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        self._running.clear()
        activity, kind = API_ERRORS.get(_text(said, "error"), (Activity.IDLE, Kind.API_ERROR))
        return [_sign(activity, kind, _text(said, "last_assistant_message") or _text(said, "error"))]

    def _interrupted(self, said: Mapping[str, Any], request: str) -> list[Observation]:
        self._running.clear()
        return [_sign(Activity.IDLE, Kind.INTERRUPTED)]

    def _busy(self) -> Sign:
        """At the tool that began last, or thinking."""
        running = next(reversed(self._running.values()), "")
        return _sign(Activity.TOOL, detail=running) if running else _sign(Activity.THINKING)


_EVENTS: dict[str, Callable[[Hooks, Mapping[str, Any], str], list[Observation]]] = {
    "SessionStart": Hooks._started,
    "UserPromptSubmit": Hooks._prompted,
    "PreToolUse": Hooks._tool_begins,
    "PostToolUse": Hooks._tool_ends,
    "PostToolUseFailure": Hooks._tool_ends,
    "PostToolBatch": Hooks._tools_end,
    "PermissionRequest": Hooks._permission,
    "PermissionDenied": Hooks._tool_ends,
    "Notification": Hooks._notified,
    "Elicitation": Hooks._elicited,
    "ElicitationResult": Hooks._tools_end,
    "PreCompact": Hooks._compacts,
    "PostCompact": Hooks._compacted,
    "Stop": Hooks._stopped,
    "StopFailure": Hooks._failed,
    "Interrupt": Hooks._interrupted,
}
_OF_TOOLS: dict[str, Callable[[Hooks, Mapping[str, Any]], None]] = {
    "PreToolUse": Hooks._begin,
    "PostToolUse": Hooks._end,
    "PostToolUseFailure": Hooks._end,
    "PermissionDenied": Hooks._end,
}


def what_for(tool: str, given: Any) -> str:
    """``Tool: what it is to do``, in the one field of its input that tells it best."""
    return cut(f"{tool}: {in_one_line(_telling(given))}".removesuffix(": "), DETAIL_CHARS)


def told_of(tool: str, given: Any) -> str:
    """What this tool is to do, without its name; empty where no field of its input tells it."""
    told = what_for(tool, given)
    return told.removeprefix(f"{tool}: ") if told != tool else ""


_ENDS = {"PostToolUse": True, "PostToolUseFailure": False, "PermissionDenied": False}


def read_tool(body: str) -> ToolBegan | ToolEnded | None:
    """That a tool of the agent itself, and of none of its subagents, has begun or ended."""
    said = read_object(body)
    event, tool = _text(said, "hook_event_name"), _text(said, "tool_name")
    use = _text(said, "tool_use_id") or tool
    if not tool or _text(said, "agent_id"):
        return None
    if event == "PreToolUse":
        return ToolBegan(use, tool[:TOOL_CHARS], told_of(tool, said.get("tool_input")))
    return ToolEnded(use, tool[:TOOL_CHARS], _ENDS[event]) if event in _ENDS else None


def decision(allow: bool, text: str = "") -> str:
    """What a hook of PERMISSION_EVENT prints to answer the question in the user's stead; ``text`` tells the agent why not."""
    behaviour = {"behavior": "allow"} if allow else {"behavior": "deny", "message": text or "The user said no."}
    return json.dumps({"hookSpecificOutput": {"hookEventName": PERMISSION_EVENT, "decision": behaviour}}) + "\n"


def read_object(text: str) -> dict[str, Any]:
    """The JSON object in ``text``; of a cut one the fields before the cut, a cut text or object among them as far as it goes."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return _cut_object(text, _after_blanks(text, 0))
    return whole if isinstance(whole, dict) else {}


_DECODER = json.JSONDecoder()


def _cut_object(text: str, at: int, depth: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if text[at : at + 1] != "{":
        return found
    try:
        while text[at : at + 1] in ("{", ","):
            name, at = _DECODER.raw_decode(text, _after_blanks(text, at + 1))
            at = _after_blanks(text, _after_blanks(text, at) + 1)
            start = at
            try:
                found[name], at = _DECODER.raw_decode(text, at)
            except ValueError:
                if text[start : start + 1] == '"':
                    found[name] = _cut_text(text, start)
                elif depth < 3:
                    found[name] = _cut_object(text, start, depth + 1)
                break
            at = _after_blanks(text, at)
    except (ValueError, IndexError, RecursionError, TypeError):  # the last: a name that is a list or an object
        pass
    return found


def _cut_text(text: str, at: int) -> str:
    # An escape that was cut in two is at most \u and three digits long.
    for end in range(len(text), max(at, len(text) - 6), -1):
        try:
            return _whole(json.loads(text[at:end] + '"'))
        except ValueError:
            continue
    return ""


def _after_blanks(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\n", "\r", "\t") and at < len(text):
        at += 1
    return at


def _sign(activity: Activity, kind: Kind = Kind.NONE, detail: str = "", request: str = "") -> Sign:
    return Sign(Source.HOOK, activity, kind, cut(" ".join(detail.split()), DETAIL_CHARS), request)


def _text(said: Mapping[str, Any], field: str) -> str:
    value = said.get(field)
    return _whole(value) if isinstance(value, str) else ""


def _whole(text: str) -> str:
    """Without half characters, which JSON can hold and no file or socket takes."""
    return text.encode("utf-8", "ignore").decode()


def _telling(given: Any) -> str:
    if not isinstance(given, dict):
        return ""
    if isinstance(questions := given.get("questions"), list):
        return " ".join(_text(question, "question") for question in questions if isinstance(question, dict))
    return next((_text(given, field) for field in _TELLING if _text(given, field)), "")
