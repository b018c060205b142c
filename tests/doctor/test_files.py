"""Who can read our files, by real modes; room and clock by tables."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from clawmux.checks import files as checks
from clawmux.finding import Verdict
from clawmux.paths import locate, make_private
from tests.doctor.conftest import MakeScene


@pytest.fixture
def places(home: Path) -> list[Path]:
    """All our folders and a few files, as the hub makes them."""
    paths = locate({"HOME": str(home)})
    for folder in checks.folders(paths):
        make_private(folder)
    for file in (paths.token_file, paths.store_file, paths.hub_log):
        file.touch(mode=0o600)
    sockets = [paths.hub_socket, paths.run / "speech-1.sock"]
    for file in sockets:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(file))
        file.chmod(0o600)
    return [*checks.folders(paths), paths.token_file, paths.store_file, paths.hub_log, *sockets]


def test_nothing_is_there_yet(scene: MakeScene) -> None:
    [finding] = checks.modes(scene())
    assert finding.verdict is Verdict.OK and "None yet" in finding.detail


def test_everything_is_ours_alone(scene: MakeScene, places: list[Path]) -> None:
    [finding] = checks.modes(scene())
    assert finding.verdict is Verdict.OK and f"{len(places)} folders and files" in finding.detail
    assert "token" in finding.detail and "hub.sock" in finding.detail


@pytest.mark.parametrize("number", range(9))
def test_each_of_them_open_to_others(scene: MakeScene, places: list[Path], number: int) -> None:
    path = places[number]
    path.chmod(path.stat().st_mode | 0o044)
    [finding] = checks.modes(scene())
    wanted = "700" if path.is_dir() else "600"
    assert (finding.verdict, finding.remedy) == (Verdict.FAIL, f"Run: chmod {wanted} {path}")


def test_a_link_in_place_of_the_token(scene: MakeScene, places: list[Path], home: Path) -> None:
    token = locate({"HOME": str(home)}).token_file
    token.rename(home / "elsewhere")
    token.symlink_to(home / "elsewhere")
    [finding] = checks.modes(scene())
    assert finding.verdict is Verdict.FAIL and "symbolic link" in finding.detail


@pytest.mark.parametrize(("mode", "verdict"), [(0o600, Verdict.OK), (0o644, Verdict.FAIL), (None, Verdict.FAIL)])
def test_the_token_file_of_other_servers(scene: MakeScene, home: Path, mode: int | None, verdict: Verdict) -> None:
    file = home / "speech-token"
    if mode is not None:
        file.write_text("secret")
        file.chmod(mode)
    [finding] = checks.modes(scene({"speech_token_file": str(file)}))
    assert finding.verdict is verdict and "speech-token" in finding.detail
    assert "secret" not in finding.detail


def test_a_path_that_is_too_long_for_a_socket(scene: MakeScene, home: Path) -> None:
    [finding] = checks.modes(scene(paths=locate({"CLAWMUX_HOME": str(home / ("x" * 100))})))
    assert finding.verdict is Verdict.FAIL and "longer than" in finding.detail


GB = 1_000_000_000


@pytest.mark.parametrize(
    ("free", "models", "verdict"),
    [
        (50 * GB, 0, Verdict.OK),
        (50 * GB, 2 * GB, Verdict.OK),
        (1 * GB, 0, Verdict.WARN),
        (3 * GB, 2 * GB, Verdict.WARN),
        (2 * GB, 2 * GB, Verdict.FAIL),
        (0, 0, Verdict.FAIL),
    ],
)
def test_room(free: int, models: int, verdict: Verdict) -> None:
    finding = checks.judge_room(Path("/data"), free, models)
    assert finding.verdict is verdict and "/data" in finding.detail
    assert bool(finding.remedy) == (verdict is not Verdict.OK)


def test_the_real_disk_is_looked_at_though_no_folder_is_there_yet(scene: MakeScene) -> None:
    findings = list(checks.disk(scene()))
    assert findings and all(" free for " in finding.detail for finding in findings)


def test_a_clock_before_this_version() -> None:
    finding = checks.judge_clock(checks.WRITTEN.timestamp() - 1, {})
    assert finding.verdict is Verdict.FAIL and "before this version" in finding.detail


def test_this_version_was_not_written_in_the_future() -> None:
    assert checks.WRITTEN.timestamp() < time.time()


def test_a_file_of_the_future(scene: MakeScene, places: list[Path]) -> None:
    [finding] = checks.clock(scene())
    assert finding.verdict is Verdict.OK
    os.utime(places[4], (time.time() + 86400,) * 2)
    [finding] = checks.clock(scene())
    assert finding.verdict is Verdict.WARN and str(places[4]) in finding.detail
