"""Pure: a conversation as a text to keep. Each entry becomes a passage of markdown; what an agent has written stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from clawmux.core.message import USER


def heading(name: str, directory: str, runtime: str) -> str:
    """What stands above the passages."""
    return f"# {_line(name)}\n\n{_line(runtime)} in {_line(directory)}. Times are UTC.\n\n"


def passage(entry: Mapping[str, Any], name: str) -> str:
    """One entry; empty for what is no part of what was said. ``name``: what the agent is called."""
    tell = _PASSAGES.get(str(entry.get("type")))
    return tell(entry, _line(name)) if tell else ""


def _user(entry: Mapping[str, Any], name: str) -> str:
    return _said("You", entry)


def _agent(entry: Mapping[str, Any], name: str) -> str:
    return _said(name, entry)


def _said(who: str, entry: Mapping[str, Any]) -> str:
    return f"## {who}, {_when(entry)}\n\n{_text(entry)}\n\n"


def _message(entry: Mapping[str, Any], name: str) -> str:
    peer = "You" if entry.get("peer") == USER else _line(entry.get("peer_name") or entry.get("peer"))
    sender, recipient = (name, peer) if entry.get("direction") == "out" else (peer, name)
    said = f"**{sender} → {recipient}**, {_when(entry)}: {_text(entry)}"
    return "".join(f"> {line}\n" for line in said.split("\n")) + "\n"


def _work(entry: Mapping[str, Any], name: str) -> str:
    items = [item for item in entry.get("items", ()) if isinstance(item, dict)]
    lines = [f"- {_line(item.get('detail') or item.get('tool'))}{'' if item.get('ok') else ' (failed)'}" for item in items]
    return "\n".join([f"*{name} worked, {_when(entry)}*", "", *lines]) + "\n\n" if lines else ""


def _notice(entry: Mapping[str, Any], name: str) -> str:
    return f"*{_line(entry.get('text'))}*\n\n"


def _ended(entry: Mapping[str, Any], name: str) -> str:
    return f"*Ended, {_when(entry)}. {_line(entry.get('reason'))}*\n\n"


_PASSAGES: dict[str, Callable[[Mapping[str, Any], str], str]] = {
    "user_text": _user,
    "assistant_text": _agent,
    "agent_message": _message,
    "work": _work,
    "notice": _notice,
    "session_terminated": _ended,
}


def _when(entry: Mapping[str, Any]) -> str:
    ts = entry.get("ts")
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M") if isinstance(ts, (int, float)) else ""


def _line(value: Any) -> str:
    """In one line."""
    return " ".join(str(value or "").split())


def _text(entry: Mapping[str, Any]) -> str:
    return str(entry.get("text", "")).strip()
