"""From one version to the next: the way back, kill -9 anywhere, and a hub that runs meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer import receipt
from tests.install.machine import Machine
from tests.stand_ins import small_checkout

YES = ("--yes", "--no-models")
ROUNDS = 20
SEED = 3


@pytest.fixture
def installed(tiny: Machine) -> Machine:
    done = tiny.install(*YES)
    assert done.returncode == 0, done.stderr
    return tiny


def at(machine: Machine, version: str, broken: str = "") -> Machine:
    """The same home, with a checkout of another version."""
    folder = machine.home.parent / f"checkout {version} {broken}"
    checkout = folder if folder.exists() else small_checkout.tiny(folder, version, broken)
    return Machine(machine.home, checkout, machine.more)


def test_current_and_previous_stay_and_older_ones_go(installed: Machine) -> None:
    first = installed.current
    assert at(installed, "0.2.0").install(*YES).returncode == 0
    second = installed.current
    assert installed.version() == "0.2.0" and installed.versions == {first, second}
    assert (installed.program / "previous").readlink().name == first
    assert at(installed, "0.3.0").install(*YES).returncode == 0
    assert installed.version() == "0.3.0" and installed.versions == {second, installed.current}
    assert (installed.program / "previous").readlink().name == second


def test_a_changed_file_is_a_new_version(installed: Machine) -> None:
    before = installed.current
    (installed.checkout / "static" / "page.html").write_text("changed", encoding="utf-8")
    assert installed.install(*YES).returncode == 0
    assert installed.current != before and installed.version() == "0.1.0"


def test_back_to_the_version_before_is_quick(installed: Machine) -> None:
    first = installed.current
    at(installed, "0.2.0").install(*YES)
    again = installed.install(*YES)
    assert again.returncode == 0 and "make the program" not in again.stderr.partition("Altogether")[2]
    assert installed.current == first and installed.version() == "0.1.0"


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("build", "the program could not be built"),
        ("always", "it does not say its version: broken on purpose"),
        ("in use", "going back to 0.1.0-"),
    ],
)
def test_a_broken_version_is_not_kept(installed: Machine, broken: str, expected: str) -> None:
    before = installed.listing()
    failed = at(installed, "0.2.0", broken).install(*YES)
    assert failed.returncode not in (0, 2), failed.stderr
    assert expected in failed.stderr
    if broken != "build":
        assert "broken on purpose" in failed.stderr
    assert installed.version() == "0.1.0"
    after = {name: facts for name, facts in installed.listing().items() if "downloads/packages" not in name}
    assert after == before
    mended = at(installed, "0.2.0").install(*YES)
    assert mended.returncode == 0 and installed.version() == "0.2.0", mended.stderr


def test_a_broken_first_version_leaves_no_command(tiny: Machine) -> None:
    failed = at(tiny, "0.1.0", "in use").install(*YES)
    assert failed.returncode == 1 and "broken on purpose" in failed.stderr
    assert not tiny.launcher.exists() and not (tiny.program / "current").is_symlink()
    assert tiny.install("--uninstall", "--yes").returncode == 0
    assert tiny.listing() == {}


def test_settings_written_for_a_broken_version_are_taken_back(installed: Machine) -> None:
    config = installed.home / ".config/clawmux/config.toml"
    config.parent.mkdir(parents=True, mode=0o700)
    config.write_text("# mine\n[speech]\nspeed = 1.1\n", encoding="utf-8")
    assert at(installed, "0.2.0", "in use").install(*YES, "--tier", "tiny").returncode == 1
    assert config.read_text(encoding="utf-8") == "# mine\n[speech]\nspeed = 1.1\n"


def test_a_switch_that_was_cut_off_is_looked_at_by_the_next_run(installed: Machine) -> None:
    """As a kill -9 between the switch and the look at its result leaves it: the receipt is still the older one's."""
    first = installed.current
    told = (installed.program / "install.json").read_bytes()
    upgraded = at(installed, "0.2.0")
    assert upgraded.install(*YES).returncode == 0
    second = installed.current
    (installed.program / "install.json").write_bytes(told)
    start = installed.program / f"versions/{second}/site/clawmux/cli/start.py"
    start.write_text("raise SystemExit('broken on purpose')", encoding="utf-8")
    failed = upgraded.install(*YES)
    assert failed.returncode == 1 and f"going back to {first}" in failed.stderr, failed.stderr
    assert installed.current == first and installed.version() == "0.1.0" and installed.versions == {first}
    assert upgraded.install(*YES).returncode == 0 and installed.version() == "0.2.0"


@pytest.mark.faults
def test_kill_9_at_any_point_of_an_upgrade(installed: Machine) -> None:
    """The command works every time, and the next run completes and clears away what was left."""
    started = time.monotonic()
    assert at(installed, "0.2.0").install(*YES).returncode == 0
    whole_seconds = time.monotonic() - started
    moments = random.Random(SEED)
    ends: set[int] = set()
    versions = ("0.1.0", "0.2.0")
    for number in range(ROUNDS):
        version = versions[number % 2]
        upgraded = at(installed, version)
        # Always a version to make, never one that is there already.
        (upgraded.checkout / "static" / "round").write_text(str(number), encoding="utf-8")
        ends.add(kill_at(upgraded, moments.uniform(0, whole_seconds)))
        assert installed.version() in versions, f"round {number}"
        done = upgraded.install(*YES)
        assert done.returncode == 0, f"round {number}: {done.stderr}"
        assert installed.version() == version
        assert installed.current in installed.versions and len(installed.versions) == 2
        left = [path for path in installed.listing() if "stage" in path or path.endswith(".clawmux")]
        assert left == [], f"round {number}"
    assert -signal.SIGKILL in ends


def kill_at(machine: Machine, seconds: float) -> int:
    """The installer and all its children, at once."""
    child = subprocess.Popen(
        machine.command(*YES),
        env=machine.environ(),
        cwd=machine.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()


class TestWithAHub:
    """The real hub, its packages linked from the environment of the tests."""

    @pytest.fixture
    def running(self, short: Path) -> Iterator[Machine]:
        (short / "home").mkdir()
        machine = Machine(short / "home", small_checkout.whole(short / "checkout"))
        machine.more["CLAWMUX_MODELS_DOWNLOAD"] = "false"
        done = machine.install(*YES, "--mode", "thin")
        assert done.returncode == 0, done.stderr
        started = machine.clawmux("start", "--no-open", "--port", "0")
        assert started.returncode == 0, started.stderr
        yield machine
        machine.install("--uninstall", "--yes")
        assert not (machine.home / ".local/state").exists()

    def health(self, machine: Machine) -> tuple[int, str]:
        hub = json.loads((machine.program / "hub.lock").read_bytes())
        status = json.loads(machine.clawmux("status", "--json").stdout)["result"]["hub"]
        return hub["pid"], status["version"]

    def test_it_is_restarted_at_its_address_and_agents_live_on(self, running: Machine) -> None:
        spawned = running.clawmux("spawn", "--runtime", "shell", "--name", "keeper")
        assert spawned.returncode == 0, spawned.stderr
        pid, version = self.health(running)
        url = json.loads((running.program / "hub.lock").read_bytes())["url"]
        small_checkout.set_version(running.checkout, "0.2.0")
        done = running.install(*YES)
        assert done.returncode == 0, done.stderr
        assert "the hub that runs is restarted" in done.stderr
        after, new = self.health(running)
        assert (version, new) == ("0.1.0", "0.2.0") and after != pid
        assert json.loads((running.program / "hub.lock").read_bytes())["url"] == url
        assert "keeper" in running.clawmux("status").stdout

    def test_a_wish_reaches_the_one_that_runs(self, running: Machine) -> None:
        """At once, or by a restart where the hub goes by it only after its next start."""
        pids = [self.health(running)[0]]
        for url in ("http://127.0.0.1:9", "http://127.0.0.1:8"):
            done = running.install(*YES, "--speech-url", url)
            assert done.returncode == 0 and "the hub that runs is restarted" in done.stderr, done.stderr
            pids.append(self.health(running)[0])
            told = json.loads(running.clawmux("settings", "get", "speech.whisper_url", "--json").stdout)["result"]
            assert told["value"] == url
        assert len(set(pids)) == 3
        done = running.install(*YES, "--tier", "tiny")
        assert done.returncode == 0 and "restarted" not in done.stderr, done.stderr
        assert self.health(running)[0] == pids[-1]

    def test_one_that_does_not_come_up_gives_way_to_the_old_one(self, running: Machine) -> None:
        _, version = self.health(running)
        before = running.current
        small_checkout.set_version(running.checkout, "0.2.0")
        app = running.checkout / "clawmux/hub/app.py"
        text = app.read_text(encoding="utf-8")
        app.write_text(f"{text}\n\ndef serve(*_: object, **__: object) -> None:\n    raise OSError('broken on purpose')\n")
        failed = running.install(*YES)
        assert failed.returncode == 1, failed.stderr
        assert "its hub does not start" in failed.stderr and f"going back to {before}" in failed.stderr
        assert running.current == before
        assert self.health(running)[1] == version == "0.1.0"
        written = receipt.read(running.program / "install.json")
        assert written is not None and written.name == before


def test_interpreters_and_libraries_that_nobody_needs_go(installed: Machine) -> None:
    pythons = installed.program / "pythons"
    for name, age in (("old", 7200), ("fresh", 0), ("half", 7200)):
        (pythons / name).mkdir(parents=True)
        if name != "half":
            (pythons / name / ".complete").touch()
            os.utime(pythons / name / ".complete", (time.time() - age,) * 2)
    assert at(installed, "0.2.0").install(*YES).returncode == 0
    # One that is fresh may be another installation's, and one that is half there is install.sh's to finish.
    assert {path.name for path in pythons.iterdir()} == {"fresh", "half"}
