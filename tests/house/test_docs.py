"""The documents are true: what the code declares has its row, generated pages are fresh, the version is told, no path leaks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import clawmux
from clawmux.settings import DECLARATIONS
from clawmux.wire import browser, cli
from clawmux.wire.errors import ERRORS

ROOT = Path(__file__).parents[2]
GENERATORS = ["build/docs.py", "build/licences.py"]
# Where this is built, now and by its authors. Written in pieces, or this file would name them.
FOREIGN_PATHS = re.compile("|".join(["/" + "work/", "/" + "root/", re.escape(f"{ROOT}/")]))


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("generator", GENERATORS)
def test_generated_pages_are_fresh(generator: str) -> None:
    result = subprocess.run(
        [sys.executable, generator, "--check"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr


def test_every_setting_has_its_row() -> None:
    text = page("settings.md")
    missing = [
        d.name for d in DECLARATIONS.values() if f"| `{d.name}` |" not in text or any(v not in text for v in d.environment)
    ]
    assert missing == []


def test_every_error_code_has_its_row() -> None:
    text = page("exit-codes.md")
    assert [code for code, row in ERRORS.items() if f"| {row.exit_code} | `{code}` |" not in text] == []


def test_exit_codes_are_one_each() -> None:
    codes = [row.exit_code for row in ERRORS.values()]
    assert len(set(codes)) == len(codes) and not {0, 130} & set(codes)


def test_every_message_and_verb_is_in_the_protocol() -> None:
    text = page("protocol.md")
    words = [*browser.TO_HUB, *browser.DURABLE_TO_PAGE, *browser.MOMENTARY_TO_PAGE, *cli.VERBS]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == clawmux.__version__


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for file in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text(encoding="utf-8")):
            if not (file.parent / target).exists():
                broken.append(f"{file.name}: {target}")
    assert broken == []


def test_commands_in_the_readme_exist() -> None:
    from clawmux.cli.main import COMMANDS

    named = re.findall(r"clawmux ([a-z-]+)(?= |`|$)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert named and set(named) <= set(COMMANDS)


def ours() -> list[Path]:
    """Every file that git tracks or would, as it lies here; without git, what is not hidden."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    names = [ROOT / name for name in listed.stdout.split("\0") if name]
    found = names or [path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    return [path for path in found if path.is_file()]


def test_no_file_names_a_path_of_a_build_machine() -> None:
    guilty = []
    for path in ours():
        text = path.read_bytes().decode("utf-8", "ignore")
        guilty += [f"{path.relative_to(ROOT)}: {found.group()}" for found in FOREIGN_PATHS.finditer(text)]
    assert guilty == []
