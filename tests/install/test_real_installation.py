"""A real installation with real packages and, where they are, real models: used, upgraded while it runs, removed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import clawmux
from tests.install.machine import Machine, Result
from tests.stand_ins import small_checkout

ROOT = Path(__file__).parents[2]
TREES = ("clawmux", "static", "installer", "build")
FILES = ("install.sh", "pyproject.toml", "README.md", "LICENSE")
BASE_PYTHON = os.path.realpath(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")
MODELS = Path(os.environ.get("CLAWMUX_MODELS") or "/nonexistent")

pytestmark = pytest.mark.install


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="cmx"))
    for tree in TREES:
        shutil.copytree(ROOT / tree, folder / "checkout" / tree, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, folder / "checkout" / file)
    home = folder / "jo's home"
    home.mkdir()
    (home / ".bashrc").write_bytes(b"alias ll='ls -l'")
    (home / ".claude").mkdir()
    (home / ".claude/settings.json").write_text("{}", encoding="utf-8")
    more = {"CLAWMUX_PYTHON": BASE_PYTHON, "CLAWMUX_HUB_PORT": "0", "CLAWMUX_MODELS_DOWNLOAD": "false"}
    config = Path.home() / ".config/pip/pip.conf"
    if config.exists() and "PIP_CONFIG_FILE" not in os.environ:
        more["PIP_CONFIG_FILE"] = str(config)
    if MODELS.is_dir():
        more["CLAWMUX_MODELS"] = str(MODELS)
    machine = Machine(home, folder / "checkout", more)
    yield machine
    machine.install("--uninstall", "--yes")
    shutil.rmtree(folder, ignore_errors=True)


def run_script(machine: Machine, *arguments: str) -> Result:
    return machine.run("sh", str(machine.checkout / "install.sh"), *arguments, seconds=1200)


def speech() -> list[str]:
    """With models, the whole of it; else everything but speech."""
    return ["--tier", "tiny"] if MODELS.is_dir() else ["--no-models"]


def test_from_the_first_line_to_the_last(machine: Machine) -> None:
    """One story, told in one test, because each part takes what the one before has made."""
    before = machine.listing()
    installed = run_script(machine, "--yes", "--start", "--mode", "local", *speech())
    assert installed.returncode == 0, installed.stderr[-3000:] + installed.stdout[-3000:]
    assert "ClawMux is installed." in installed.stderr and "ended with " in installed.stderr
    assert "http://" in installed.stdout
    if MODELS.is_dir():
        assert "ok       speech round trip" in installed.stdout, installed.stdout
    check_the_program(machine)
    check_an_agent(machine)
    check_a_second_run(machine)
    check_an_upgrade(machine)
    removed = run_script(machine, "--uninstall", "--yes")
    assert removed.returncode == 0, removed.stderr
    assert machine.listing() == before


def check_the_program(machine: Machine) -> None:
    assert machine.version() == clawmux.__version__
    # Ours first: it keeps onnxruntime from leaving a device id in the user's cache.
    names = "clawmux.adapters.speech, faster_whisper, kokoro_onnx, mcp"
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {names}; print('imported')"
    current = machine.program / "current"
    loaded = machine.run(str(current / "python"), "-I", "-S", "-c", code, str(current / "site"))
    assert loaded.stdout == "imported\n", loaded.stderr
    assert (current / "site/clawmux/static/index.html").is_file()
    # What stands where the user happens to be is not taken for ours.
    (machine.home.parent / "clawmux.py").write_text("raise SystemExit('taken')", encoding="utf-8")
    assert machine.version() == clawmux.__version__
    findings = json.loads(machine.clawmux("doctor", "--json").stdout)["result"]["findings"]
    expected = set() if MODELS.is_dir() else {"models"}
    assert {finding["what"] for finding in findings if finding["verdict"] == "fail"} == expected


def check_an_agent(machine: Machine) -> None:
    spawned = machine.clawmux("spawn", "--runtime", "demo", "--name", "guide")
    assert spawned.returncode == 0, spawned.stderr
    assert state_of(machine, "guide") in ("starting", "ready", "active")


def state_of(machine: Machine, name: str) -> str:
    sessions = json.loads(machine.clawmux("status", "--json").stdout)["result"]["sessions"]
    (found,) = [session["state"] for session in sessions if session["name"] == name]
    return str(found)


def check_a_second_run(machine: Machine) -> None:
    """Of everything that an installation writes; the hub goes on writing its own files."""

    def written() -> dict[str, tuple[int, int]]:
        live = ("hub.", "clawmux.db", "sessions", "/state/", "token", "workspace")
        return {path: facts for path, facts in machine.times().items() if not any(word in path for word in live)}

    times = written()
    again = run_script(machine, "--yes", *speech())
    assert again.returncode == 0 and "installed already; nothing was changed" in again.stderr, again.stderr
    changed = {path for path, facts in written().items() if times.get(path) != facts}
    assert changed <= {str(machine.program)}, changed


def check_an_upgrade(machine: Machine) -> None:
    """To a changed checkout, and to the small set, which takes less of everybody's time."""
    first = machine.current
    hub = json.loads((machine.program / "hub.lock").read_bytes())
    small_checkout.set_version(machine.checkout, "9.9.9")
    upgraded = run_script(machine, "--yes", "--mode", "thin", "--server", "https://hub.example")
    assert upgraded.returncode == 0, upgraded.stderr[-3000:]
    assert machine.version() == "9.9.9" and (machine.program / "previous").readlink().name == first
    now = json.loads((machine.program / "hub.lock").read_bytes())
    assert now["pid"] != hub["pid"] and now["url"] == hub["url"]
    deadline = time.monotonic() + 30
    while state_of(machine, "guide") == "starting" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert state_of(machine, "guide") in ("ready", "active")
    assert 'server_url = "https://hub.example"' in (machine.home / ".config/clawmux/config.toml").read_text(encoding="utf-8")
