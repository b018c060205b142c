"""Pure: whether a shell command is one of an agent's own ``clawmux`` commands and nothing else, so that it is never a question.

Claude Code has a list for that in its settings. Codex asks about each command that has to leave its sandbox, and all of ours have
to: the hub's socket is outside. What a shell would expand, join or redirect is no plain command, and is asked about as any other.
"""

from __future__ import annotations

import json
import re

from clawmux.adapters.runtimes.hooks import PERMISSION_EVENT

# The same as in claude.toml: what an agent says to its user and to other agents.
VERBS = ("converse", "send", "ack", "reply", "status", "messages", "trace", "cancel", "inbox", "report")

# Words that stand for themselves in every shell: without $ ` ( ) ; & | < > ~ { } [ ] * ? ! # or a line break outside of quotes. A
# word that begins with = is the path of a program in zsh.
_BARE = r"[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+:,./=-]*+"
# In fish a backslash counts in single quotes, too.
_SINGLE = r"'[^'\\\0]*+'"
_DOUBLE = r'"(?:[^"\\$`\0]|\\["\\$`])*+"'
_WORD = f"(?:{_BARE}|{_SINGLE}|{_DOUBLE})"
# Nothing is tried twice (the + behind each *): an agent writes these texts, and the hub must not think about one for minutes.
_PLAIN = re.compile(rf"[ \t]*+clawmux[ \t]++(?:{'|'.join(VERBS)})(?:[ \t]++{_WORD}++)*+[ \t\n]*+")


def is_own(command: str) -> bool:
    """Whether a shell runs nothing but one of VERBS by this, whatever its words say."""
    return bool(_PLAIN.fullmatch(command))


def asks_for_own(body: str) -> bool:
    """Whether this hook asks for the permission to run such a command; ``body``: its whole JSON."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):  # cut at its end, perhaps
        return False
    if not isinstance(said, dict) or said.get("hook_event_name") != PERMISSION_EVENT or said.get("tool_name") != "Bash":
        return False
    given = said.get("tool_input")
    command = given.get("command") if isinstance(given, dict) else None
    return isinstance(command, str) and is_own(command)
