"""Agents and messages as a terminal shows them: the views that the hub gives of them, in words. Prints nothing.

Agents read this as well as people: the words of the protocol stand in it as they are.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from clawmux.wire.text import cut, in_one_line, shown, undisguised

# How many characters of a message a list shows.
GLIMPSE_CHARACTERS = 60
_ACTIVITIES = {"tool": "running", "waiting": "waiting to speak", "needs_you": "needs you"}
_LIVING = ("queued", "injecting", "pending")

View = Mapping[str, Any]


def age(seconds: float) -> str:
    """``18 s``, ``3 min``, ``2 h``, ``5 d``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def clock(ts: float) -> str:
    """A Unix second on this machine's clock, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ts))


def exact_clock(ts: float) -> str:
    """The same to the millisecond."""
    return f"{clock(ts)}.{int(ts * 1000) % 1000:03}"


def activity(session: View) -> str:
    """What an agent does: ``idle``, ``running Bash``, ``needs you (permission): Bash: rm -r build``."""
    if session["state"] == "dead":
        return "ended"
    doing: View = session.get("doing") or {"activity": session["activity"]}
    words = _ACTIVITIES.get(doing["activity"], str(doing["activity"]))
    kind, detail = str(doing.get("kind") or "").replace("_", " "), doing.get("detail") or ""
    if doing["activity"] == "tool":
        return f"running {undisguised(detail) or 'a tool'}"
    if session.get("needs_you") and doing["activity"] != "needs_you":
        words = _ACTIVITIES["needs_you"]
    return words + (f" ({kind})" if kind else "") + (f": {glimpse(undisguised(detail))}" if detail else "")


def evidence(session: View, now: float) -> str:
    """How that is known, and how old the knowledge is: ``hook, 2 s ago``; ``-`` without any. ``now``: Unix seconds."""
    doing = session.get("doing") or {}
    if not doing.get("source") or not doing.get("seen"):
        return "-"
    return f"{doing['source']}, {age(now - doing['seen'])} ago"


def since(session: View, now: float) -> str:
    """How long it has been doing that."""
    doing = session.get("doing") or {}
    return age(now - doing["since"]) if doing.get("since") else "-"


def session_line(session: View, now: float) -> str:
    """One agent in a line, as agents list them."""
    report = session.get("report")
    works = f", works on: {glimpse(report['text'])}" if report and session["state"] != "dead" else ""
    return f"{session['name']}: {_doing(session, now)}{works}"


def session_lines(session: View, now: float) -> list[str]:
    """One agent in some lines, what it does first."""
    lines = [f"{session['name']}: {session['state']}, {_doing(session, now)}"]
    if (told := evidence(session, now)) != "-" and session["state"] != "dead":
        lines.append(f"known from: {told}")
    if session.get("reason"):
        lines.append(f"reason: {shown(session['reason'])}")
    if report := session.get("report"):
        lines.append(f"works on: {shown(report['text'])} (said {age(now - report['at'])} ago)")
    if question := session.get("question"):
        lines.append(f"asks the user: {in_one_line(shown(question['text']))} ({question['stage']})")
    if permission := session.get("permission"):
        lines += _permission(session, permission)
    messages = session.get("messages") or {}
    lines.append(f"messages: {messages.get('waiting', 0)} wait for it, {messages.get('failed', 0)} of its own failed")
    lines.append(f"id: {session['id']} · voice: {session['voice']} · runtime: {session['runtime']}")
    lines.append(f"folder: {session['dir']}")
    up = "" if session["state"] == "dead" else f" ({age(now - session['created'])} ago)"
    lines.append(f"started: {clock(session['created'])}{up}")
    return lines


def _doing(session: View, now: float) -> str:
    """What it does, and for how long."""
    words, long = activity(session), since(session, now)
    return words if long == "-" or session["state"] == "dead" else f"{words} for {long}"


def _permission(session: View, permission: View) -> list[str]:
    decidable = permission.get("decidable")
    way = f"approve {session['name']} --request {permission['request']}" if decidable else f"attach {session['name']}"
    return [
        f"asks permission: {undisguised(permission['tool'])}: {undisguised(permission['text'])}",
        f"answer it: clawmux {way}" + (" (or deny)" if decidable else ""),
    ]


def is_living(message: View) -> bool:
    """Its way is not at its end."""
    return message["state"] in _LIVING


def message_state(message: View) -> str:
    """How far a message has come, and what keeps it: ``queued (in copy mode)``, ``pending (typed 2 times)``."""
    state, tries = message["state"], message["tries"]
    if message.get("held") and is_living(message):
        return f"{state} ({message['held']})"
    if state == "pending" and tries > 1:
        return f"pending (typed {tries} times)"
    return str(state)


def message_text(message: View) -> str:
    """What was said and what was answered, the beginning of each: ``Which port? -> 8460``."""
    return glimpse(message["text"]) + (f" -> {glimpse(message['reply'])}" if message.get("reply") else "")


def waiting_note(message: View) -> str:
    """Why a message that was just sent is not typed yet; empty where nothing keeps it."""
    if message["state"] != "queued" or not message.get("held"):
        return ""
    return f"{message['id']} to {message['to_name']} waits to be typed ({message['held']})."


def message_line(message: View) -> str:
    """One message in one line, as agents list them."""
    return (
        f"{message['id']}  {clock(message['created'])}  {message['from_name']} -> {message['to_name']}  "
        f"{message_state(message)}  {message_text(message)}"
    )


def message_lines(message: View) -> list[str]:
    """One message as a whole."""
    about = f" · answers {message['re']}" if message.get("re") else ""
    expects = " · expects a response" if message.get("expects_response") else ""
    lines = [
        f"{message['id']} · from {message['from_name']} to {message['to_name']} · {message_state(message)}{expects}{about}",
        shown(message["text"]),
    ]
    if message.get("reply"):
        lines.append(f"reply: {shown(message['reply'])}")
    if message.get("reason"):
        lines.append(f"reason: {shown(message['reason'])}")
    return lines


def owed_line(message: View) -> str:
    """What a sender is told once of a message that is at its end."""
    if message["state"] == "acknowledged":
        return f"message {message['id']} to {message['to_name']} was acknowledged after all."
    way = f"See `clawmux trace {message['id']}`."
    return f"message {message['id']} to {message['to_name']} did not arrive ({message['state']}). {message['reason']} {way}"


def step_line(step: View) -> str:
    """One step of a message."""
    return f"{exact_clock(step['ts'])}  {step['step']}" + (f"  {glimpse(step['detail'])}" if step.get("detail") else "")


def glimpse(text: str) -> str:
    """The beginning of a text, in one line."""
    return cut(shown(" ".join(text.split())), GLIMPSE_CHARACTERS)
