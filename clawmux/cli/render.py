"""The one place that prints a command's result and chooses its exit code. Decides nothing else.

stdout is the answer, stderr everything else. With ``--json`` the answer is one object:
``{"clawmux": 1, "command": "spawn", "result": …}`` or ``{"clawmux": 1, "command": "spawn", "error": {code, text, remedy}}``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clawmux.wire.errors import ClawMuxError
from clawmux.wire.text import clean, error_text, json_line


@dataclass(frozen=True, slots=True)
class Table:
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found out."""

    value: Any
    """For programs; anything json can write."""
    text: str = ""
    """For people; without a final newline."""
    table: Table | None = None
    """For people, below the text."""
    note: str = ""
    """A remark for stderr."""
    error: ClawMuxError | None = None
    """Something was answered all the same: shown, and its exit code used."""
    exit_code: int = 0
    """Where there is no error and yet something to tell a script."""


def run(command: str, function: Callable[[list[str]], Result | int], argv: list[str]) -> int:
    """Call the command and print what it says; returns the exit code."""
    as_json = "--json" in argv
    try:
        outcome = function(argv)
        return outcome if isinstance(outcome, int) else _show(command, outcome, as_json)
    except ClawMuxError as error:
        return _show_error(command, error, as_json)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141  # 128 + SIGPIPE: the reader of a pipe has seen enough


def _show(command: str, result: Result, as_json: bool) -> int:
    if as_json:
        body: dict[str, Any] = {"result": result.value}
        if result.error:
            body["error"] = _fields(result.error)
        _write_json(command, body)
    else:
        for part in (result.text, as_text(result.table) if result.table else ""):
            if part:
                print(_encodable(part))
        sys.stdout.flush()
        if result.note:
            print(clean(result.note), file=sys.stderr)
        if result.error:
            sys.stderr.write(error_text(result.error))
    return result.error.exit_code if result.error else result.exit_code


def _show_error(command: str, error: ClawMuxError, as_json: bool) -> int:
    if as_json:
        _write_json(command, {"error": _fields(error)})
    else:
        sys.stderr.write(error_text(error))
    return error.exit_code


def _write_json(command: str, body: dict[str, Any]) -> None:
    print(_encodable(json_line(command, body)), flush=True)


def _encodable(text: str) -> str:
    """A file may have a name that is no UTF-8; what stands for its bytes here is the very escape that JSON has for it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _fields(error: ClawMuxError) -> dict[str, str]:
    return {"code": error.code, "text": error.text, "remedy": error.remedy}


def as_text(table: Table) -> str:
    """Columns for a person: with rich on a terminal, plain and tab-free in a pipe; in no cell anything that a terminal obeys."""
    table = Table(table.heads, tuple(tuple(clean(cell) for cell in row) for row in table.rows))
    if sys.stdout.isatty() and (text := _rich_text(table)):
        return text
    widths = [max(len(row[column]) for row in (table.heads, *table.rows)) for column in range(len(table.heads))]
    return "\n".join(_line(row, widths) for row in (table.heads, *table.rows))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _rich_text(table: Table) -> str:
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text
    except ImportError:
        return ""
    columns = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, head in enumerate(table.heads):
        # The first names the row, and is typed elsewhere: it stays whole in one line, and nothing is cut in the others.
        columns.add_column(head, no_wrap=number == 0, overflow="fold")
    for row in table.rows:
        columns.add_row(*(Text(cell) for cell in row))
    console = Console()
    with console.capture() as captured:
        console.print(columns)
    return captured.get().rstrip()
