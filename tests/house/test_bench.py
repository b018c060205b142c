"""The benchmarks run: each cheap row gives its figures, whatever they are on this machine today."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.figure import Figure, Target

ROOT = Path(__file__).parents[2]
CHEAP = ("command", "idle", "states")


def run(*arguments: str, code: int = 0, **environ: str) -> str:
    done = subprocess.run(
        [ROOT / "tests" / "bench" / "run", "--rounds", "1", *(word for row in CHEAP for word in ("--only", row)), *arguments],
        env={**os.environ, "CLAWMUX_BENCH_PYTHON": sys.executable, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.mark.faults
def test_the_cheap_rows_give_figures() -> None:
    told: dict[str, Any] = json.loads(run("--json"))
    assert [row["row"] for row in told["rows"]] == list(CHEAP)
    figures = [figure for row in told["rows"] for figure in row["figures"]]
    assert len(figures) == 9 and all(figure["ours"] > 0 for figure in figures[:5])
    # Which of the two is larger is not asked: of one round each, a busy machine turns them round.
    assert figures[0]["floor"] > 0
    assert figures[5]["ours"] == 0 and figures[5]["met"], "no engine is loaded in the hub"


@pytest.mark.faults
def test_the_table_has_a_line_for_each_figure_and_nothing_else_on_stdout() -> None:
    title, headings, *lines = run().splitlines()
    assert "rounds" in title and headings.split()[:4] == ["row", "what", "floor", "ours"]
    assert [line.split()[0] for line in lines] == ["command"] * 2 + ["idle"] * 4 + ["states"] * 3


def test_a_row_that_cannot_be_measured_says_why(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "tests" / "bench" / "run", "--only", "sentences", "--strict"],
        env={**os.environ, "CLAWMUX_BENCH_PYTHON": sys.executable, "CLAWMUX_MODELS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert "not measured: " in done.stdout and "CLAWMUX_MODELS" in done.stdout


@pytest.mark.parametrize(
    ("ours", "floor", "target", "met"),
    [
        (100.0, None, None, None),
        (100.0, None, Target(at_most=100), True),
        (100.1, None, Target(at_most=100), False),
        (110.0, 100.0, Target(ratio=1.05, above=15), True),
        (1040.0, 1000.0, Target(ratio=1.05, above=15), True),
        (130.0, 100.0, Target(ratio=1.05, above=15), False),
        (1.0, None, Target(above=15), False),
        (0.0, None, Target(at_most=0), True),
    ],
)
def test_a_target_is_met_by_any_of_its_bounds(ours: float, floor: float | None, target: Target | None, met: bool | None) -> None:
    assert Figure("x", "ms", ours, floor, target).is_met is met
