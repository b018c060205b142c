"""The hub as a service of the system: real unit files, and every state by a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawmux.adapters import user_service
from clawmux.adapters.service_unit import Unit
from clawmux.checks import service as checks
from clawmux.finding import Verdict
from tests.doctor.conftest import MakeScene


def test_no_service_is_installed(scene: MakeScene) -> None:
    [finding] = checks.service(scene())
    assert finding.verdict is Verdict.SKIP and "clawmux service install" in finding.remedy


def test_a_unit_that_somebody_else_wrote(scene: MakeScene, home: Path) -> None:
    file = user_service.here({"HOME": str(home)}).file
    file.parent.mkdir(parents=True)
    file.write_text("[Service]\nExecStart=/bin/true\n")
    [finding] = checks.service(scene(environ={"HOME": str(home)}))
    assert finding.verdict is Verdict.WARN and str(file) in finding.detail


def test_the_unit_of_another_hub(scene: MakeScene, home: Path) -> None:
    manager = user_service.here({"HOME": str(home)})
    manager.write(Unit(("/bin/clawmux", "start", "--foreground"), (), Path("/srv/other")))
    [finding] = checks.service(scene(environ={"HOME": str(home), "PATH": ""}))
    assert finding.verdict is Verdict.OK and "/srv/other" in finding.detail


def test_a_unit_of_ours_without_a_service_manager(scene: MakeScene, home: Path) -> None:
    manager = user_service.here({"HOME": str(home)})
    drawn = scene(environ={"HOME": str(home), "PATH": ""})
    manager.write(Unit(("/bin/clawmux", "start", "--foreground"), (), drawn.paths.data))
    [finding] = checks.service(drawn)
    assert finding.verdict is Verdict.WARN and finding.remedy


@pytest.mark.parametrize(
    ("state", "hub_runs", "verdict"),
    [
        (user_service.State(True, True, 7), True, Verdict.OK),
        (user_service.State(False, True, 7), True, Verdict.WARN),
        (user_service.State(True, False), True, Verdict.OK),
        (user_service.State(True, False), False, Verdict.WARN),
    ],
)
def test_an_installed_service(state: user_service.State, hub_runs: bool, verdict: Verdict) -> None:
    finding = checks.judge_service(state, hub_runs)
    assert finding.verdict is verdict
    assert bool(finding.remedy) == (verdict is Verdict.WARN)
