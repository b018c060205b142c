"""Our lines in the start-up files of the user's shells: which files, which lines, in and out again. Pure but for `look`.

The lines stand between two marks. The last mark remembers what the file was like, so that taking them out restores it
byte for byte, also when the receipt is lost and whatever the user has written around them since.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BEGIN = "# >>> clawmux: its command on the PATH; removed again by `install.sh --uninstall` >>>"
END = "# <<< clawmux <<<"
END_JOINED = "# <<< clawmux; the line above these had no end <<<"
END_MADE = "# <<< clawmux; this file was made for these lines <<<"

_LINES = {
    "sh": 'case ":${{PATH}}:" in *:{0}:*) ;; *) PATH={0}:$PATH; export PATH ;; esac',
    "fish": "contains -- {0} $PATH; or set -gx PATH {0} $PATH",
}
_BLOCK = re.compile(rb"(?P<before>^|\n)# >>> clawmux: [^\n]*>>>\n(?:[^\n]*\n)*?# <<< clawmux(?P<how>[^\n<]*)<<<(?P<after>\n|$)")


@dataclass(frozen=True, slots=True)
class ShellFile:
    path: Path
    has_lines: bool = False
    fault: str = ""
    """Why it cannot be changed; empty when it can."""


def look(home: Path, folder: Path, environ: Mapping[str, str]) -> tuple[ShellFile, ...]:
    """The files that this user's shells read, each with what we may do with it."""
    return tuple(_look_at(path, folder) for path in wanted(home, environ))


def wanted(home: Path, environ: Mapping[str, str]) -> list[Path]:
    """Those that exist, and those that the user's own shell would read if they did."""
    shell = Path(environ.get("SHELL", "")).name
    settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    own_bash = [home / name for name in (".bash_profile", ".bash_login") if _is_there(home / name)]
    makes_profile = shell not in ("zsh", "fish") and not (shell == "bash" and own_bash)
    rows = (
        (home / ".profile", makes_profile),
        *((path, True) for path in own_bash),
        (home / ".bashrc", shell == "bash"),
        (Path(environ.get("ZDOTDIR") or home) / ".zshrc", shell == "zsh"),
        (settings / "fish" / "conf.d" / "clawmux.fish", shell == "fish" or (settings / "fish").is_dir()),
    )
    return [path for path, is_made in rows if is_made or _is_there(path)]


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _look_at(path: Path, folder: Path) -> ShellFile:
    if ":" in str(folder) or not str(folder).isprintable():
        return ShellFile(path, fault=f"{folder} cannot stand in a PATH")
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        return ShellFile(path, fault=f"it cannot be read ({error.strerror})")
    if b"\0" in content:
        return ShellFile(path, fault="it is no text")
    ours = line(path, folder).encode("utf-8", "surrogateescape")
    return ShellFile(path, has_lines=_BLOCK.search(content) is not None and ours in content)


def line(path: Path, folder: Path) -> str:
    """What puts ``folder`` on the PATH once, in the words of the shell that reads ``path``."""
    if path.suffix == ".fish":
        quoted = "'" + str(folder).replace("\\", "\\\\").replace("'", "\\'") + "'"
        return _LINES["fish"].format(quoted)
    return _LINES["sh"].format(shlex.quote(str(folder)))


def with_lines(content: bytes | None, path: Path, folder: Path) -> bytes:
    """The content (None: there is no file) with our lines at its end, once."""
    content_before = without_lines(content) if content is not None else None
    before = content_before or b""
    is_joined = bool(before) and not before.endswith(b"\n")
    end = END_MADE if content_before is None else END_JOINED if is_joined else END
    lines = "\n".join((BEGIN, line(path, folder), end, ""))
    return before + (b"\n" if is_joined else b"") + lines.encode("utf-8", "surrogateescape")


def without_lines(content: bytes) -> bytes | None:
    """The content as it was before; None when the file was made for our lines and holds nothing else."""
    found = _BLOCK.search(content)
    if found is None:
        return content
    start, end = found.end("before"), found.end()
    is_last = end == len(content)
    if b"had no end" in found["how"] and is_last:
        start = found.start("before")
    rest = content[:start] + content[end:]
    if b"made for" in found["how"] and not rest:
        return None
    return without_lines(rest)
