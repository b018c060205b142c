"""Pure: a written answer (Markdown, as coding agents write it) -> the text that is spoken, one line for each block.

What only makes sense to the eye (long code, big tables, addresses) is named, not read; the page shows all of it.
How a single line is read aloud is in reading.py, how the result is cut into pieces in sentences.py.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from clawmux.adapters.speech.phrases import Words, words_of
from clawmux.adapters.speech.reading import read_aloud

# One short line of code is mostly a command that the listener is asked to run: it is read.
_CODE_READ_LIMIT = 60
_TABLE_READ_ROWS = 3


def spoken(written: str, language: str = "en") -> str:
    """The text to speak: plain lines, each ending in a mark. Empty when nothing of it can be said."""
    words = words_of(language)
    lines = _clean(written).split("\n")
    said = (_finish(read_aloud(block, language)) for block in _blocks(lines, words))
    return "\n".join(line for line in said if any(c.isalnum() for c in line))


# --- characters ---------------------------------------------------------------------------------

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]{0,30}[A-Za-z]|\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)?|[@-_])")
_SIGNS = {
    "✅": " yes ",
    "✔": " yes ",
    "☑": " yes ",
    "✓": " yes ",
    "❌": " no ",
    "✗": " no ",
    "✘": " no ",
    "⚠": " warning: ",
    "\u00a0": " ",
    "\u202f": " ",
    "•": "- ",
    "\t": "    ",
}
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff\ufe00-\ufe0f\u200b-\u200f\u2060\u20e3\ufeff\U000e0000-\U000e007f\u25a0-\u25ff\u2500-\u259f]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")


def _clean(written: str) -> str:
    text = _ESCAPES.sub("", written.replace("\r\n", "\n").replace("\r", "\n"))
    for sign, said in _SIGNS.items():
        text = text.replace(sign, said)
    return _CONTROLS.sub("", _EMOJI.sub("", text))


# --- blocks -------------------------------------------------------------------------------------

_FENCE = re.compile(r"^\s{0,12}(?:>\s?)*(`{3,}|~{3,})\s*([\w+#.-]*)")
_RULE = re.compile(r"^\s*(?:[-*_=]\s*){3,}$")
_TABLE_RULE = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?)?$")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+")
_QUOTE = re.compile(r"^\s*(?:>\s?)+(?:\[!(\w+)\])?")
_ITEM = re.compile(r"^\s*(?:[-*+]|(\d{1,4})[.)])\s+")
_TASK = re.compile(r"^\[([ xX])\]\s+")
_DEFINITION = re.compile(r"^\s{0,3}\[[^\]]{1,100}\]:\s")


def _blocks(lines: list[str], words: Words) -> Iterator[str]:
    """One text for each paragraph, item, heading, table or block of code; soft line breaks are joined."""
    paragraph: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        taken, block = _special(lines, number, words)
        starts = _starts_block(line)
        if (taken or starts or not line.strip()) and paragraph:
            yield " ".join(paragraph)
            paragraph = []
        if taken:
            yield block
            number += taken
            continue
        if _HEADING.match(line):
            yield _plain(_HEADING.sub("", line).rstrip("# "), words)
        elif line.strip() and not _RULE.match(line) and not _DEFINITION.match(line):
            paragraph.append(_plain(_marked(line), words))
        number += 1
    if paragraph:
        yield " ".join(paragraph)


def _starts_block(line: str) -> bool:
    return bool(_HEADING.match(line) or _ITEM.match(_QUOTE.sub("", line)) or _RULE.match(line))


def _marked(line: str) -> str:
    """A line without its quote and list marks; what the marks mean is said."""
    line = _QUOTE.sub(lambda mark: f"{mark[1].capitalize()}: " if mark[1] else "", line)
    item = _ITEM.match(line)
    if not item:
        return line.strip()
    body = line[item.end() :]
    if task := _TASK.match(body):
        body = ("To do: " if task[1] == " " else "Done: ") + body[task.end() :]
    return f"{item[1]}: {body.strip()}" if item[1] else body.strip()


def _special(lines: list[str], number: int, words: Words) -> tuple[int, str]:
    """A block of code or a table that starts here: how many lines it takes, and what is said; (0, "") for others."""
    if fence := _FENCE.match(lines[number]):
        end = number + 1
        while end < len(lines) and not _closes(lines[end], fence[1]):
            end += 1
        return end + 1 - number, _code_block(lines[number + 1 : end], words)
    if "|" in lines[number] and number + 1 < len(lines) and _TABLE_RULE.match(lines[number + 1].strip()):
        end = number + 2
        while end < len(lines) and "|" in lines[end]:
            end += 1
        rows = [_cells(row) for row in lines[number + 2 : end]]
        return end - number, _table(_cells(lines[number]), rows, words)
    return 0, ""


def _closes(line: str, fence: str) -> bool:
    bare = line.strip().lstrip("> ")
    return bare.startswith(fence) and not bare.strip(fence[0])


def _code_block(lines: list[str], words: Words) -> str:
    filled = [line.strip() for line in lines if line.strip()]
    if not filled:
        return ""
    if len(filled) == 1 and len(filled[0]) <= _CODE_READ_LIMIT:
        return code_aloud(filled[0].removeprefix("$ "), words)
    said = words.code.format(lines=len(filled))
    return said.replace("1 lines", "1 line").replace("line of code are", "line of code is")


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.sub(r"\\\|", "¦", row.strip()).strip("|").split("|")]


def _table(head: list[str], rows: list[list[str]], words: Words) -> str:
    plain_head = [_plain(cell, words) for cell in head]
    if len(rows) > _TABLE_READ_ROWS:
        return words.table.format(columns=", ".join(filter(None, plain_head)), rows=len(rows))
    read = []
    for row in rows:
        cells = [
            f"{name}: {_plain(cell, words)}" if name else _plain(cell, words)
            for name, cell in zip(plain_head, row, strict=False)
            if cell
        ]
        read.append(", ".join(cells) + ".")
    return " ".join(read)


# --- inside a line ------------------------------------------------------------------------------

_CODE_SPAN = re.compile(r"(?<!`)(`{1,3})(?!`)([^`]{1,2000})\1(?!`)")
_IMAGE = re.compile(r"!\[([^\]]{0,300})\]\([^)\s]{0,2000}[^)]{0,300}\)")
_LINK = re.compile(
    r"(?<!!)\[([^\[\]]{1,500})\](?:\([^()\s]{0,2000}(?:\([^()]{0,200}\)[^()\s]{0,500})?(?:\s[^()]{0,300})?\)|\[[^\]]{0,100}\])"
)
_FOOTNOTE = re.compile(r"\[\^[^\]]{1,60}\]")
_AUTOLINK = re.compile(r"<((?:https?|mailto):[^>\s]{1,2000})>")
_COMMENT = re.compile(r"<!--(?:(?!<!--).){0,5000}?-->")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]{0,30}(?:\s[^<>]{0,500})?/?>")
_STRONG = re.compile(r"(\*\*\*|\*\*|~~|__)(?=\S)(.{1,400}?)(?<=\S)\1")
_EMPHASIS = re.compile(
    r"(?<![\w*])\*(?=[^\s*])([^*]{1,1000}?)(?<=[^\s*])\*(?![\w*])|(?<!\w)_(?=[^\s_])([^_]{1,1000}?)(?<=[^\s_])_(?!\w)"
)
_BACKSLASHED = re.compile(r"\\([\\`*_{}\[\]()#+.!|~>-])")


def _plain(line: str, words: Words) -> str:
    """The line without Markdown. Code spans are taken out first: nothing inside them is Markdown."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(code_aloud(found[2].strip(), words))
        return f"\x00{len(kept) - 1}\x00"

    line = _CODE_SPAN.sub(keep, line)
    line = _COMMENT.sub("", _AUTOLINK.sub(r"\1", line)).replace("mailto:", "")
    line = _IMAGE.sub(lambda found: f"{words.image}: {found[1]}" if found[1].strip() else "", line)
    line = _FOOTNOTE.sub("", _LINK.sub(r"\1", line))
    line = html.unescape(_TAG.sub("", line))
    for _ in range(2):  # ***both*** and **strong with *em* inside**
        line = _STRONG.sub(
            lambda found: found[2] if found[1] != "__" or " " in found[2] or not found[2].isidentifier() else found[0], line
        )
        line = _EMPHASIS.sub(lambda found: found[1] or found[2], line)
    line = _BACKSLASHED.sub(r"\1", line).replace("¦", "|")
    return re.sub("\x00(\\d+)\x00", lambda found: kept[int(found[1])], line).replace("\x00", "")


_CODE_NOISE = re.compile(r"[`'\"{}\[\];]|\(\s*\)")


def code_aloud(code: str, words: Words) -> str:
    """A name, command or path in code marks as it is said; how its parts are read is left to ``read_aloud``."""
    if len(code) > _CODE_READ_LIMIT * 2:
        return words.code.format(lines=1).replace("1 lines of code are", "1 line of code is").rstrip(".")
    code = _CODE_NOISE.sub(" ", code)
    # object.method is said with its dot; read_aloud knows files and versions but not these.
    code = re.sub(r"(?<=[A-Za-z_])\.(?=[A-Za-z_]\w*\b(?![./]))(?![a-z]{1,5}\b)", f" {words.dot} ", code)
    return re.sub(r"[()]", " ", code).strip()


_ENDS = re.compile(r"[.!?…:;,。！？।][\"'”’)\]]*$")


def _finish(line: str) -> str:
    """The line with a mark at its end, so that the voice falls there."""
    line = line.strip(" -–—")
    if not line or _ENDS.search(line):
        return re.sub(r"[;,]$", ".", line)
    return line + "."
