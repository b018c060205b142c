"""Pure: the lines by which messages reach an agent, each under a header that only the hub writes.

    [MSG id:msg-4k0v9x2m1q7z from:sky to:adam expect-response] Which port does the server use?

A text cannot forge one: a line of it that looks like a header is marked as quoted. Where a message is longer than an input box
takes well, its line only says where to read it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

# Above some 2 KB or a few dozen lines input boxes get slow and outgrow the screen, on which we have to find them again.
MOST_TYPED_BYTES = 2048
MOST_TYPED_LINES = 24


def line(id: str, sender: str, recipient: str, text: str, *, expects: bool = False, re: str = "") -> str:
    """The whole message. ``expects``: the sender waits for a reply; ``re``: id of the message that this replies to."""
    return with_header(_header(id, sender, recipient, expects, re), text)


def announcement(id: str, sender: str, recipient: str, characters: int, *, expects: bool = False, re: str = "") -> str:
    """In place of a text that is too long to be typed."""
    said = f"{characters} characters are kept for you. Read them: clawmux inbox show {id}"
    return f"[{_header(id, sender, recipient, expects, re)}] {said}"


def typed(id: str, sender: str, recipient: str, text: str, *, expects: bool = False, re: str = "") -> str:
    """What is typed for a message: its line, or its announcement when it is too long for that."""
    if fits(text):
        return line(id, sender, recipient, text, expects=expects, re=re)
    return announcement(id, sender, recipient, len(text), expects=expects, re=re)


def reminder(id: str, sender: str, recipient: str) -> str:
    """For a message that the recipient's program has, and its agent has not acknowledged."""
    return f"[MSG id:{id} from:{sender} to:{recipient} reminder] Not acknowledged yet. Run: clawmux ack {id}"


def voice(id: str, text: str) -> str:
    """What the user says or types to an agent that has asked nothing."""
    return with_header(f"VOICE id:{id} from:user", text)


def batch(lines: Sequence[str]) -> str:
    """Several of these lines as one input."""
    return "\n".join(lines)


def apart(text: str) -> list[str]:
    """The lines that a batch is made of. No text forges a header, so this is what was put together."""
    starts = [found.start() for found in _BEGINS.finditer(text)]
    cuts = sorted({0, *starts})
    return [text[a:b].removesuffix("\n") for a, b in zip(cuts, [*cuts[1:], len(text) + 1], strict=True)]


_BEGINS = re.compile(r"^\[(?:MSG|VOICE) id:[\w-]+", re.MULTILINE)


def fits(text: str) -> bool:
    """Whether a text is typed as it is."""
    return len(text.encode("utf-8", "replace")) <= MOST_TYPED_BYTES and text.count("\n") < MOST_TYPED_LINES


_ANY = re.compile(r"^[^\w\n]*\[(?:MSG|VOICE) id:([\w-]+)(?=[ \]]|$)(?![^\]\n]* reminder\])", re.MULTILINE)


def ids_in(text: str) -> list[str]:
    """Ids of the messages whose headers begin a line of ``text``, in order and each once; reminders are no messages.

    Before a header there may stand what programs draw before a prompt. A text to be read is a screen, a record or a draft."""
    return list(dict.fromkeys(_ANY.findall(text)))


def is_ours(draft: str) -> bool:
    """Whether what stands in an input box begins with a header: it was not written there by a person."""
    return bool(_BEGINS.match(draft))


def without(ids: Iterable[str], lines: Sequence[str]) -> list[str]:
    """The lines that are not of these messages."""
    known = frozenset(ids)
    return [text for text in lines if not known.intersection(ids_in(text.partition("\n")[0]))]


def _header(id: str, sender: str, recipient: str, expects: bool, re: str) -> str:
    flags = (" expect-response" if expects else "") + (f" reply-to:{re}" if re else "")
    return f"MSG id:{id} from:{sender} to:{recipient}{flags}"


# ECMA-48: CSI, then the strings (OSC, DCS, SOS, PM, APC) with their ends, then two-character escapes. Also their C1 forms.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1bO[ -~]?"  # SS3: arrow and function keys
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
# Control characters, lone surrogates, and what hides or reorders text, tag characters (U+E0000) too: agents read what they
# spell, people do not see it. The joiners of emoji and of Persian (U+200D, U+200C) stay.
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)

# What agents are taught to read as ours, at the start of any line; spelled in any case, whatever signs stand before it.
_HEADER_LOOK_ALIKE = re.compile(r"^([^\w\n]*)\[(?=\s*(?:MSG|VOICE|SYSTEM)\b)", re.IGNORECASE)
_MARK = "(quoted) "
# What looks like these brackets and letters without being their Unicode variant: other brackets, small capitals, Cyrillic, Greek.
_TWINS = str.maketrans(
    "【〔〖〘〚⟦⟬⦋⦗❲⁅「『⌈⌊" + "ᴍꜱɢᴠᴏɪᴄᴇʏᴛ" + "МЅԌѴОІСЕУТ" + "мѕԍѵоісеут" + "ΜΟΙΕΥΤνο",
    "[[[[[[[[[[[[[[[" + "MSGVOICEYT" + "MSGVOICEYT" + "MSGVOICEYT" + "MOIEYTVO",
)  # fmt: skip
# Letters that no terminal shows.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5")
# Longer than any header, with a few marks and fillers at each letter.
_HEAD_CHARACTERS = 200


def sanitise(text: str) -> str:
    """Only what a person could have typed into the box: no key can be pressed and no paste be ended by it."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return _UNSEEN.sub("", text.replace("\r", "\n").replace("\t", "    ")).strip("\n").rstrip()


def with_header(header: str, text: str) -> str:
    """``[VOICE id:… from:user] text``. A line that looks like such a header itself is marked, so that it cannot be one."""
    return f"[{header}] " + "\n".join(map(_marked, sanitise(text).split("\n")))


def _marked(line: str) -> str:
    if found := _HEADER_LOOK_ALIKE.match(line):
        return f"{found[1]}{_MARK}{line[found.end(1) :]}"
    return _MARK + line if not line.isascii() and _HEADER_LOOK_ALIKE.match(_plain(line[:_HEAD_CHARACTERS])) else line


def _plain(text: str) -> str:
    """As a reader takes it: letters without their marks, what is not seen left out, a twin as the letter that it looks like."""
    seen = (c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in ("Mn", "Me", "Cf"))
    return "".join(c for c in seen if c not in _FILLERS).translate(_TWINS)
