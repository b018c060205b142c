"""The owner's commands about messages between agents: messages, trace. In an agent's shell they are the agent's verbs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from clawmux.cli import agent_verbs, owner
from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result, Table
from clawmux.wire import in_words
from clawmux.wire.errors import ClawMuxError

USER = "user"
MOST_MESSAGES = 200
NO_MESSAGES = "No messages yet. Agents send them with `clawmux send --to NAME TEXT`; so can you."


def messages(argv: list[str]) -> Result | int:
    if agent_verbs.is_agent():
        return agent_verbs.run(["messages", *argv])
    parser = Arguments("messages", "The newest messages between agents, the last one below.", "clawmux messages --with sky")
    parser.add_argument("--with", metavar="NAME", dest="side", help="only those to and from this agent; user: yourself")
    parser.add_argument("--limit", metavar="N", type=int, default=20, help=f"so many, 1 to {MOST_MESSAGES} (default: 20)")
    chosen = parser.parse_args(argv)
    if not 1 <= chosen.limit <= MOST_MESSAGES:
        raise ClawMuxError(
            "usage",
            f"messages: --limit {chosen.limit} is not a number from 1 to {MOST_MESSAGES}.",
            "See `clawmux messages --help`.",
        )
    query = {"limit": chosen.limit} | ({"with": _side(chosen.side)} if chosen.side else {})
    found = owner.call("GET", f"/api/messages?{urlencode(query)}")
    views = list(reversed(found["messages"]))
    if not views:
        return Result(found, note=NO_MESSAGES)
    rows = tuple((v["id"], in_words.clock(v["created"]), v["from_name"], v["to_name"], *_end(v)) for v in views)
    note = "There are older ones: ask with a larger --limit." if found.get("more") else ""
    return Result(found, table=Table(("ID", "TIME", "FROM", "TO", "STATE", "TEXT"), rows), note=note)


def trace(argv: list[str]) -> Result | int:
    if agent_verbs.is_agent():
        return agent_verbs.run(["trace", *argv])
    parser = Arguments("trace", "Every step of one message with its time.", "clawmux trace msg-7h2k9m4p0qwx")
    parser.add_argument("id", metavar="ID", help="as `clawmux send` and `clawmux messages` print it")
    chosen = parser.parse_args(argv)
    view = owner.call("GET", "/api/messages/" + quote(chosen.id.removeprefix("id:"), safe=""))
    return Result(view, text="\n".join(in_words.message_lines(view)), table=Table(("TIME", "STEP", "DETAIL"), _steps(view)))


def _side(name: str) -> str:
    return USER if name == USER else str(owner.find_session(name)["id"])


def _end(view: dict[str, Any]) -> tuple[str, str]:
    return in_words.message_state(view), in_words.message_text(view)


def _steps(view: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    return tuple((in_words.exact_clock(step["ts"]), step["step"], str(step.get("detail") or "")) for step in view["steps"])
