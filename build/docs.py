"""Writes the pages of docs/ that repeat what the code declares: settings.md and exit-codes.md. ``--check`` only compares."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from clawmux.settings import FIELD_OF, Declaration, Settings  # noqa: E402  (the checkout is on the path only now)
from clawmux.wire.errors import ERRORS  # noqa: E402

SETTINGS_HEAD = """\
# Settings

Strength grows in this order: default, `config.toml`, environment variable, command line, and for the few settings marked
*per project* the project's `clawmux.toml`. `clawmux settings` shows the values in force with where each comes from;
`clawmux settings set NAME VALUE` writes `config.toml` and leaves your other lines and comments as they are;
`clawmux settings unset NAME` takes the line out again. In the file, `speech.speed` is the key `speed` in the table
`[speech]`. The page has the same settings behind the gear, or the key `,`.

## Per project

A `clawmux.toml` with the same tables, in the agent's folder or above it up to the root of its repository (without one, up
to your home folder; outside of both, only in the folder itself). The nearest one counts. `clawmux settings set NAME VALUE
--project` writes it for the folder you are in.

It stands above the environment and the command line: those belong to the hub, which serves all projects and was started
some time ago from some shell, while the file lies beside the work that is being talked about.

Because it may come with a repository that a stranger wrote, only settings that can do no harm are taken from it, those
marked below. Anything else in it, such as a command, an address or a permission, is refused by name in a notice and never
obeyed, and a file that cannot be read is named with its line; your own settings serve then. `speech.auto_listen` can only
close a microphone there: where the page is set to manual, or the microphone is muted, no project opens it.

## All of them

"""

EXIT_CODES_HEAD = """\
# Exit codes and error codes

Every failure that you can cause has one stable word. The command line ends with its exit code and says text and remedy
on stderr; the HTTP and WebSocket channels answer with `{"type": "error", "code", "text", "remedy"}` and the status.
stdout of `clawmux converse` holds only the user's words, whatever happens.

| exit code | error code | HTTP status | meaning |
|---|---|---|---|
| 0 | | 200 | done; for `converse`, the user has answered |
"""

EXIT_CODES_TAIL = """\
| 130, 143 | | | ended by Ctrl-C or SIGTERM; an open question is taken back |
| 141 | | | nobody reads stdout any more |
"""


def settings_page() -> str:
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    rows = [_setting(field.metadata["declaration"], defaults[field.name]) for field in dataclasses.fields(Settings)]
    assert len(rows) == len(FIELD_OF)
    head = "| name | default | values | environment variables | what it is |\n|---|---|---|---|---|\n"
    return SETTINGS_HEAD + head + "".join(rows)


def _setting(declaration: Declaration, default: object) -> str:
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    variables = " ".join(f"`{name}`" for name in declaration.environment)
    more = ("" if declaration.live else " Takes effect at the next start of the hub.") + (
        " *Per project.*" if declaration.project else ""
    )
    cells = [
        f"`{declaration.name}`",
        shown or "(empty)",
        _values(declaration, default),
        variables,
        _plain(declaration.help) + more,
    ]
    return "| " + " | ".join(cells) + " |\n"


def _plain(text: str) -> str:
    """Text as it stands, not as Markdown would take it."""
    return text.replace("<", "&lt;").replace("|", "\\|")


def _values(declaration: Declaration, default: object) -> str:
    if len(declaration.choices) > 20:
        return "one of " + " ".join(declaration.choices)
    if declaration.choices:
        return ", ".join(declaration.choices)
    if declaration.low is not None and declaration.high is not None:
        return f"{declaration.low:g} to {declaration.high:g}"
    return {bool: "true, false", int: "whole number", float: "number", str: "text"}[type(default)]


def exit_codes_page() -> str:
    rows: Iterable[str] = (
        f"| {row.exit_code} | `{code}` | {row.http_status} | {row.meaning} |\n" for code, row in ERRORS.items()
    )
    return EXIT_CODES_HEAD + "".join(rows) + EXIT_CODES_TAIL


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings_page, "exit-codes.md": exit_codes_page}


def main(argv: list[str]) -> int:
    """Write the pages, or with --check name those that are out of date."""
    stale = []
    for name, page in PAGES.items():
        file = ROOT / "docs" / name
        if file.is_file() and file.read_text(encoding="utf-8") == page():
            continue
        stale.append(name)
        if "--check" not in argv:
            file.write_text(page(), encoding="utf-8")
    if stale and "--check" in argv:
        print(f"out of date: {', '.join(stale)}; run: python3 build/docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
