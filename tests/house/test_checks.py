"""Every test says what it checks: one that only waits, or only calls, passes whatever becomes of the thing it is named for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

CHECKING = {
    "raises": "pytest: the error is the point",
    "expect": "Playwright's, and the stand-in hub's of what the page sends",
}
"""Calls that are checks although no ``assert`` is in sight. A helper of our own is named ``assert_…`` instead; no wait is one,
for a wait says when, and the line after it says what."""


def is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        return name in CHECKING or name.startswith("assert_")
    return isinstance(node, ast.Assert)


def without_a_check(source: str) -> list[str]:
    """The tests of a file that check nothing, by name."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    tests = [function for function in functions if function.name.startswith("test_")]
    return [test.name for test in tests if not any(is_check(node) for node in ast.walk(test))]


@pytest.mark.parametrize("folder", sorted(path.name for path in TESTS.iterdir() if any(path.glob("test_*.py"))))
def test_every_test_checks_something(folder: str) -> None:
    found = {file.name: without_a_check(file.read_text(encoding="utf-8")) for file in (TESTS / folder).rglob("test_*.py")}
    assert {name: tests for name, tests in found.items() if tests} == {}


@pytest.mark.parametrize(
    "lines",
    ["assert thing()", "with pytest.raises(E):\n        thing()", "assert_right(thing())", "await expect(thing).to_be()"],
)
def test_what_counts_as_a_check(lines: str) -> None:
    assert without_a_check(f"async def test_it():\n    {lines}\n") == []


@pytest.mark.parametrize(
    "lines", ["thing()", "await box.check()", "await until(thing)", "await page.locator('x').wait_for()", "raised()", "..."]
)
def test_what_does_not(lines: str) -> None:
    assert without_a_check(f"class TestIt:\n    async def test_it(self):\n        {lines}\n") == ["test_it"]
