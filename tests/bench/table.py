"""Figures as one table for people, or as JSON. Rich on a terminal, plain text elsewhere."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TextIO

from tests.bench.figure import Figure

HEADINGS = ("row", "what", "floor", "ours", "compared", "target", "verdict", "load")
VERDICTS = {True: "met", False: "missed", None: "-"}


@dataclass(frozen=True, slots=True)
class Measured:
    """What one row of the registry came to."""

    row: str
    figures: Sequence[Figure]
    load: float
    """The machine's load average of the last minute when it was done."""
    missing: str = ""
    """Why there are no figures."""


def print_table(results: Sequence[Measured], rounds: int, out: TextIO = sys.stdout) -> None:
    lines = [line for result in results for line in _lines(result)]
    title = f"ClawMux, medians of {rounds} rounds and more; Python {platform.python_version()}, {os.cpu_count()} cores"
    if out.isatty():
        _print_rich(title, lines)
    else:
        print(_plain(title, lines), file=out)


def print_json(results: Sequence[Measured], rounds: int, out: TextIO = sys.stdout) -> None:
    rows = [
        {"row": result.row, "load": result.load, "missing": result.missing, "figures": [_fields(f) for f in result.figures]}
        for result in results
    ]
    facts = {"v": 1, "rounds": rounds, "python": platform.python_version(), "cores": os.cpu_count(), "rows": rows}
    print(json.dumps(facts, indent=2), file=out)


def _fields(figure: Figure) -> dict[str, object]:
    return {**asdict(figure), "ratio": figure.ratio, "above": figure.above, "met": figure.is_met}


def _lines(result: Measured) -> list[tuple[str, ...]]:
    if result.missing:
        return [(result.row, f"not measured: {result.missing}", "", "", "", "", "-", "")]
    return [_line(result, figure) for figure in result.figures]


def _line(result: Measured, figure: Figure) -> tuple[str, ...]:
    what = f"{figure.what} ({figure.note})" if figure.note else figure.what
    floor = "" if figure.floor is None else _amount(figure.floor, figure.unit)
    target = figure.target.text(figure.unit) if figure.target else ""
    ours, verdict = _amount(figure.ours, figure.unit), VERDICTS[figure.is_met]
    return (result.row, what, floor, ours, _compared(figure), target, verdict, f"{result.load:.1f}")


def _amount(value: float, unit: str) -> str:
    return f"{value:.0f} {unit}" if abs(value) >= 1000 or value == 0 else f"{value:.3g} {unit}"


def _compared(figure: Figure) -> str:
    parts = []
    if figure.above is not None:
        parts.append(f"{figure.above:+.3g} {figure.unit}")
    if figure.ratio is not None:
        parts.append(f"{figure.ratio:.2f} x")
    return ", ".join(parts)


def _plain(title: str, lines: Sequence[tuple[str, ...]]) -> str:
    rows = [HEADINGS, *lines]
    # The long words of a row that could not be measured must not push the columns apart.
    widths = [max(len(row[n]) for row in rows if n != 1 or len(row[3])) for n in range(len(HEADINGS))]
    return "\n".join(
        [title, *("  ".join(cell.ljust(width) for cell, width in zip(r, widths, strict=True)).rstrip() for r in rows)]
    )


def _print_rich(title: str, lines: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in ("floor", "ours", "load") else "left")
    colours = {"met": "green", "missed": "red"}
    for line in lines:
        colour = colours.get(line[6], "default")
        table.add_row(*line[:6], f"[{colour}]{line[6]}[/]", line[7])
    Console().print(table)
