"""Pure: how one line of plain text is read aloud: paths, addresses, versions, numbers with units, signs.

Words are put only where the synthesiser's own reading is wrong or tedious; plain numbers stay digits.
Outside English only the words of phrases.py are used, and numbers are left to the synthesiser.
"""

from __future__ import annotations

import re

from clawmux.adapters.speech.english import NUMBERS, SIGNS, replace_all
from clawmux.adapters.speech.phrases import ENGLISH, Words, words_of


def read_aloud(line: str, language: str = "en") -> str:
    """The line with addresses, paths, numbers and signs as they are said."""
    words = words_of(language)
    line = re.sub(r"\s+", " ", line)  # what follows looks for blanks around signs: a long row of them must not cost its square
    line = _ADDRESS.sub(lambda found: _address(found, words), line)
    if words is ENGLISH:
        line = replace_all(NUMBERS, line)
    line = _PATH.sub(lambda found: _path(found, words), line)
    line = _FILE.sub(lambda found: _file(found[0], words), line)
    if words is ENGLISH:
        line = replace_all(SIGNS, line)
    line = _UNDERSCORE.sub(" ", line)
    return re.sub(r" (?=[,.;:!?](?:\s|$))", "", re.sub(r"\s+", " ", line)).strip()


# --- addresses, paths and files -----------------------------------------------------------------

# Bounded repeats: a megabyte of "a" must cost a megabyte's time, not its square.
_ADDRESS = re.compile(
    r"\b(?:https?|ftp|wss?|file)://(?P<host>[^\s/?#<>\"')\]]{1,253})(?P<rest>[^\s<>\"')\]]{0,2000})"
    r"|\bwww\.(?P<www>[\w-]{1,63}(?:\.[\w-]{1,63}){1,6})[^\s<>\"')\]]{0,2000}"
    r"|(?<![\w.+-])(?P<user>[\w.+-]{1,64})@(?P<domain>[\w-]{1,63}(?:\.[\w-]{1,63}){1,6})"
)
_NAME = r"[\w@+][\w.@+-]{0,100}"
_LINE_NUMBER = r"(?::\d{1,6}(?::\d{1,5})?)?"
_PATH = re.compile(
    rf"(?<![\w/.:~])(?:~?/|\.{{1,2}}/|[A-Za-z]:[\\/])?(?:\.?{_NAME}[/\\]){{1,30}}(?:\.?{_NAME})?{_LINE_NUMBER}"
    rf"|(?<![\w/.:])(?:~|\.{{1,2}})?/{_NAME}(?![\w/])"
)
_EXTENSION_LIST = (
    "py pyi js mjs cjs ts tsx jsx json toml yaml yml md rst txt html htm css scss sh bash zsh c h cc cpp hpp rs go java kt rb "
    "php sql db csv tsv log lock cfg ini conf env xml svg png jpg jpeg gif webp pdf wav mp3 ogg opus flac zip gz tar tgz whl "
    "exe dll so ps1 bat vue swift lua ipynb proto onnx bin service"
)
_EXTENSIONS = "|".join(_EXTENSION_LIST.split())
_FILE = re.compile(
    r"(?<![\w.@/-])\.?[\w-]{1,60}(?:\.[\w-]{1,40}){0,3}"
    rf"\.(?:{_EXTENSIONS})\b(?!\.\w|\(){_LINE_NUMBER}"
    r"|(?<![\w./-])\.(?:git|env|venv|github|ssh|config)(?:ignore|attributes)?\b"
)


def _address(found: re.Match[str], words: Words) -> str:
    tail = found[0][len(found[0].rstrip(".,;:!?")) :]
    if found["user"]:
        return f"{_dotted(found['user'], words)} {words.at} {_dotted(found['domain'].rstrip('.'), words)}{tail}"
    host = (found["host"] or found["www"]).rsplit("@", 1)[-1].rstrip(".,;:!?").removeprefix("www.")
    name, _, port = host.partition(":")
    return f"{words.link_to} {_dotted(name, words)}{' port ' + port if port and words is ENGLISH else ''}{tail}"


def _path(found: re.Match[str], words: Words) -> str:
    whole = found[0]
    body = whole.rstrip(".,;:!?")
    parts = [part for part in re.split(r"[/\\]", body) if part not in ("", ".", "..", "~")]
    if not parts:
        return whole
    if not _looks_like_path(body, parts):
        return re.sub(r"[/\\]", " ", whole)
    # The page shows all of it; the ear is served by where it ends.
    return f" {words.slash} ".join(_file(part, words) for part in parts[-2:]) + whole[len(body) :]


def _looks_like_path(body: str, parts: list[str]) -> bool:
    """``src/app.py`` and ``/etc/hosts`` are paths; ``and/or``, ``I/O`` and ``24/7`` are words with a stroke."""
    if body[0] in "~/." or "\\" in body or body[1:2] == ":" or body.endswith("/"):
        return True
    if all(re.fullmatch(r"[\d.,]+%?", part) for part in parts):
        return False
    return len(parts) > 2 or any(re.search(r"[._]|\d[a-z]|[a-z]-", part) for part in parts) or parts[0] in _FOLDERS


_FOLDER_LIST = "src lib tests test docs bin etc usr var tmp home build dist static app apps packages scripts config origin"
_FOLDERS = frozenset(_FOLDER_LIST.split())


def _file(name: str, words: Words) -> str:
    name, *numbers = name.split(":")
    said = _dotted(name, words)
    return f"{said}, {words.line} {numbers[0]}" if numbers and numbers[0].isdigit() else said


def _dotted(name: str, words: Words) -> str:
    return re.sub(r"[\s_-]+", " ", name.replace(".", f" {words.dot} ")).strip()


_UNDERSCORE = re.compile(r"_+")
