"""``clawmux status``: what the hub and its agents are doing, for their owner. In an agent's shell it is the agent's verb."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from clawmux.cli import agent_verbs, owner
from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result, Table
from clawmux.wire import in_words

NO_AGENT = "No agent runs. Start one on the page, or with `clawmux spawn --runtime demo`."
RECENT_MESSAGES = 10
# Among so many are those that it has not acknowledged: they fail after some minutes in which it could read them.
SEARCHED_MESSAGES = 200


def status(argv: list[str]) -> Result | int:
    if agent_verbs.is_agent():
        return agent_verbs.run(["status", *argv])
    parser = Arguments("status", "What the hub and its agents are doing.", "clawmux status sky")
    parser.add_argument("name", nargs="?", metavar="NAME", help="one agent, by name or id")
    parser.add_argument("--all", action="store_true", help="agents that have ended, too")
    chosen = parser.parse_args(argv)
    return _of_one(chosen.name) if chosen.name else _of_all(chosen.all)


def _of_one(name: str) -> Result:
    session = owner.find_session(name)
    query = urlencode({"with": session["id"], "limit": SEARCHED_MESSAGES})
    found: list[dict[str, Any]] = owner.call("GET", f"/api/messages?{query}")["messages"]
    recent = found[:RECENT_MESSAGES]
    inbound = [message for message in found if message["to"] == session["id"] and in_words.is_living(message)]
    lines = [
        *in_words.session_lines(session, time.time()),
        *_listed("not acknowledged by it:", inbound),
        *_listed("last messages:", recent),
    ]
    return Result({**session, "inbound_messages": inbound, "recent_messages": recent}, text="\n".join(lines))


def _listed(head: str, views: list[dict[str, Any]]) -> list[str]:
    """Some lines under a heading, the newest last; nothing without any."""
    shown = [f"  {in_words.message_line(view)}" for view in reversed(views[:RECENT_MESSAGES])]
    more = len(views) - len(shown)
    return [head, *([f"  {more} older ones"] if more else []), *shown] if views else []


def _of_all(with_ended: bool) -> Result:
    health = owner.call("GET", "/api/health")
    # The verb, and not the list of sessions: it also tells, once, which of the owner's own messages did not arrive.
    found = {"hub": health, **owner.ask("status", *(["--all"] if with_ended else []))}
    sessions = found["sessions"]
    note = "\n".join([*([] if sessions else [NO_AGENT]), *map(in_words.owed_line, found["owed"])])
    table = _table(sessions, time.time()) if sessions else None
    return Result(found, text=_hub_line(health, sessions), table=table, note=note)


def _hub_line(health: dict[str, Any], sessions: list[dict[str, Any]]) -> str:
    speech = health.get("speech", {})
    reason = f" ({speech['reason']})" if speech.get("reason") else ""
    seconds = health.get("uptime_seconds", 0)
    up = (f"{int(seconds // 86400)} d " if seconds >= 86400 else "") + time.strftime("%H:%M:%S", time.gmtime(seconds % 86400))
    pages = health.get("pages", 0)
    parts = [
        f"hub {health.get('version', '?')}",
        f"up {up}",
        *([health["url"]] if health.get("url") else []),
        f"{pages} {'page' if pages == 1 else 'pages'}",
        f"speech {str(speech.get('state', '?')).replace('_', ' ')}{reason}",
        *(_counts(sessions)),
    ]
    return " · ".join(parts)


def _counts(sessions: list[dict[str, Any]]) -> list[str]:
    """Of messages, where there are any that somebody may have to look after."""
    waiting, failed = (sum((s.get("messages") or {}).get(key, 0) for s in sessions) for key in ("waiting", "failed"))
    return [f"messages: {waiting} waiting, {failed} failed"] if waiting or failed else []


def _table(sessions: list[dict[str, Any]], now: float) -> Table:
    rows = tuple(
        (s["name"], s["voice"], s["runtime"], s["state"], in_words.activity(s), in_words.evidence(s, now), _messages(s), s["dir"])
        for s in sessions
    )
    return Table(("NAME", "VOICE", "RUNTIME", "STATE", "ACTIVITY", "KNOWN FROM", "MESSAGES", "FOLDER"), rows)


def _messages(session: dict[str, Any]) -> str:
    counts = session.get("messages") or {}
    return ", ".join(f"{counts[key]} {key}" for key in ("waiting", "failed") if counts.get(key)) or "-"
