"""The interpreter, where the program was installed and which versions lie there, and its settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import clawmux
from clawmux.checks import program as checks
from clawmux.finding import Verdict
from clawmux.wire.errors import ClawMuxError
from tests.doctor.conftest import ROOT, AddProgram, MakeScene


@pytest.mark.parametrize(
    ("version", "is_64_bit", "verdict"),
    [
        ((3, 10), True, Verdict.FAIL),
        ((3, 11), True, Verdict.OK),
        ((3, 13), True, Verdict.OK),
        ((3, 14), True, Verdict.FAIL),
        ((3, 12), False, Verdict.FAIL),
    ],
)
def test_interpreters(version: tuple[int, int], is_64_bit: bool, verdict: Verdict) -> None:
    finding = checks.judge_interpreter(version, "/usr/bin/python3", ".".join(map(str, version)), is_64_bit)
    assert finding.verdict is verdict
    assert bool(finding.remedy) == (verdict is Verdict.FAIL)


def test_this_interpreter_is_fine(scene: MakeScene) -> None:
    [finding] = checks.interpreter(scene())
    assert finding.verdict is Verdict.OK and sys.executable in finding.detail


def test_this_checkout_is_found(scene: MakeScene) -> None:
    [finding] = checks.installation(scene())
    assert finding.verdict is Verdict.OK
    assert f"checkout in {ROOT}" in finding.detail and clawmux.__version__ in finding.detail


@pytest.mark.parametrize(
    ("package", "kind"),
    [
        ("versions/1.0-abc/app/clawmux_77/site-packages/clawmux", "installed"),
        (".shiv/clawmux_77/site-packages/clawmux", "zipapp"),
    ],
)
def test_layouts(home: Path, package: str, kind: str) -> None:
    (home / package).mkdir(parents=True)
    assert checks.find_installation(home / package).kind == kind


def test_a_package_of_this_python() -> None:
    assert checks.find_installation(Path(pytest.__file__).parents[1] / "clawmux").kind == "pip"


def lay_out(program: Path, *versions: str, current: str, previous: str = "") -> None:
    for version in versions:
        (program / "versions" / version).mkdir(parents=True)
        (program / "versions" / version / "complete").touch()
    (program / "current").symlink_to(f"versions/{current}")
    if previous:
        (program / "previous").symlink_to(f"versions/{previous}")


def test_versions_on_disk_are_named_with_their_parts(home: Path) -> None:
    lay_out(home, "0.1-a", "0.2-b", current="0.2-b", previous="0.1-a")
    finding = checks.judge_versions("ClawMux", checks.Installed("installed", home, "0.2-b"))
    assert finding.verdict is Verdict.OK
    assert "0.1-a (the one before), 0.2-b (in use)" in finding.detail


def test_a_version_that_is_not_in_use_any_more(home: Path) -> None:
    lay_out(home, "0.1-a", "0.2-b", current="0.2-b")
    finding = checks.judge_versions("ClawMux", checks.Installed("installed", home, "0.1-a"))
    assert finding.verdict is Verdict.WARN and "0.1-a, which is not in use" in finding.detail


def test_an_interrupted_installation(home: Path) -> None:
    lay_out(home, "0.2-b", current="0.2-b")
    (home / "versions" / "0.2-b" / "complete").unlink()
    finding = checks.judge_versions("ClawMux", checks.Installed("installed", home, "0.2-b"))
    assert finding.verdict is Verdict.FAIL and finding.remedy


@pytest.mark.parametrize(
    ("on_path", "receipt", "verdict"),
    [
        (True, {}, Verdict.OK),
        (False, {"shell_files": ["/home/ann/.profile"], "launcher": "/home/ann/bin/clawmux"}, Verdict.OK),
        (False, {"launcher": "/home/ann/bin/clawmux"}, Verdict.WARN),
        (False, None, Verdict.WARN),
    ],
)
def test_whether_a_shell_finds_the_command(
    home: Path,
    scene: MakeScene,
    program: AddProgram,
    on_path: bool,
    receipt: dict[str, object] | None,
    verdict: Verdict,
) -> None:
    if on_path:
        program("clawmux", "exit 0")
    if receipt is not None:
        (home / "install.json").write_text(json.dumps(receipt))
    environ = {"PATH": str(home / "programs")}
    [finding] = checks.command(scene(environ=environ), checks.Installed("installed", home, "0.2-b"))
    assert finding.verdict is verdict
    assert ("export PATH" in finding.remedy) == (verdict is Verdict.WARN)


def test_settings_that_cannot_be_read(scene: MakeScene) -> None:
    fault = ClawMuxError("bad_file", "config.toml: hub.port is no number.", "Mend that line.")
    [finding] = checks.settings(scene(settings_fault=fault))
    assert finding.verdict is Verdict.FAIL and fault.text in finding.detail and finding.remedy == fault.remedy


def test_settings_that_are_the_defaults(scene: MakeScene) -> None:
    [finding] = checks.settings(scene())
    assert finding.verdict is Verdict.OK and "defaults" in finding.detail
