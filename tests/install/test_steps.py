"""One installation at a time, step by step, with a tiny program: what is refused, what is written, what a second run does."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from clawmux.wire.errors import ERRORS
from installer import receipt
from tests.install.machine import Machine
from tests.stand_ins import small_checkout

YES = ("--yes", "--no-models")


def test_a_first_installation(tiny: Machine) -> None:
    done = tiny.install(*YES)
    assert done.returncode == 0, done.stderr
    assert tiny.version() == "0.1.0"
    version = tiny.program / "current"
    assert (version / "site").is_dir() and not (version / "site").readlink().is_absolute()
    assert (version / "python").resolve().name.startswith("python3")
    assert "shims" not in str((version / "python").readlink())
    assert list((version / "site/clawmux/cli/__pycache__").glob("start.*.pyc"))
    assert not (tiny.program / "previous").exists()
    assert tiny.clawmux("converse", "x").stdout == "client\n"


def test_the_receipt_says_what_was_done(tiny: Machine) -> None:
    tiny.more["CLAWMUX_INSTALL_PYTHON"] = "private cpython-3.12"
    tiny.install(*YES)
    written = receipt.read(tiny.program / "install.json")
    assert written is not None
    assert (written.version, written.packages, written.mode, written.tier) == ("0.1.0", "cpu", "local", written.tier)
    assert written.name == tiny.current and written.launcher == str(tiny.launcher)
    assert written.python.startswith("private cpython-3.12 /")
    assert written.shell_files == (f"{tiny.home}/.bashrc", f"{tiny.home}/.profile")
    assert f"{tiny.home}/.local/bin" in written.folders


def test_a_second_run_changes_nothing_and_says_so(tiny: Machine) -> None:
    tiny.install(*YES)
    before = tiny.times()
    again = tiny.install(*YES)
    assert again.returncode == 0 and "installed already; nothing was changed" in again.stderr
    assert tiny.times() == before
    # No question either, where nobody could answer one.
    assert tiny.install("--no-models").returncode == 0


def test_a_dry_run_writes_nothing(tiny: Machine) -> None:
    shown = tiny.install("--dry-run", "--start")
    assert shown.returncode == 0, shown.stderr
    assert "make the program 0.1.0-" in shown.stdout and "to fetch" in shown.stdout and str(tiny.launcher) in shown.stdout
    assert tiny.listing() == {}


def test_the_plan_for_programs(tiny: Machine) -> None:
    said = json.loads(tiny.install("--dry-run", "--json", "--tier", "tiny").stdout)
    assert (said["clawmux"], said["command"]) == (1, "install")
    plan = said["result"]
    assert plan["mode"] == "local" and plan["tier"] == "tiny" and plan["changes"] is True
    assert [task["key"] for task in plan["tasks"]] == ["version", "switch", "launcher", "settings", "check", "path", "models"]
    assert plan["download_bytes"] > 150_000_000
    assert tiny.listing() == {}


def test_a_failure_for_programs(tiny: Machine) -> None:
    tiny.launcher.parent.mkdir(parents=True)
    tiny.launcher.write_text("#!/bin/sh\n", encoding="utf-8")
    said = tiny.install("--dry-run", "--json")
    assert said.returncode == ERRORS["conflict"].exit_code
    assert json.loads(said.stdout)["error"]["code"] == "conflict"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
        (["--keep-data"], "--keep-data goes with --uninstall"),
        (["--json"], "--json goes with --dry-run"),
        (["--prefix"], "--prefix: expected one argument"),
        (["--mode", "split", "--yes"], "--mode split needs an address for speech"),
        (["--mode", "alone"], "--mode: 'alone' is none of thin, split, local"),
        (["--tier", "best"], "--tier: 'best' is none of high, medium, low, tiny"),
        (["--speech-url", "ftp://x"], "is not an address that begins with http"),
        (["--mode", "local", "--speech-url", "http://x"], "--speech-url goes with --mode split"),
        (["--mode", "thin", "--tier", "low"], "--tier goes with a mode with speech on this machine"),
        ([], "nobody is there to ask"),
    ],
)
def test_what_is_wrong_is_said(tiny: Machine, arguments: list[str], expected: str) -> None:
    said = tiny.install(*arguments)
    assert said.returncode == 2 and expected in said.stderr
    assert tiny.listing() == {}


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_strangers_command_is_not_overwritten(tiny: Machine, kind: str) -> None:
    tiny.launcher.parent.mkdir(parents=True)
    if kind == "file":
        tiny.launcher.write_text("#!/bin/sh\necho mine\n", encoding="utf-8")
    elif kind == "link":
        tiny.launcher.symlink_to("/opt/clawmux")
    else:
        tiny.launcher.mkdir()
    before = tiny.listing()
    refused = tiny.install(*YES)
    assert refused.returncode == ERRORS["conflict"].exit_code and "not from this installer" in refused.stderr
    assert tiny.listing() == before
    assert "there is nothing to remove" in tiny.install("--uninstall", "--yes").stderr
    assert tiny.listing() == before


@pytest.mark.parametrize("name", ["two words", 'it\'s "quoted" $HOME `x`', "grüße ☃", "a link"])
def test_odd_homes(tiny: Machine, short: Path, name: str) -> None:
    home = short / name
    if name == "a link":
        (short / "real home").mkdir()
        home.symlink_to("real home")
    else:
        home.mkdir()
    machine = Machine(home, tiny.checkout)
    done = machine.install(*YES)
    assert done.returncode == 0, done.stderr
    assert machine.version() == "0.1.0"
    typed = machine.run("bash", "-c", f". {home / '.bashrc'!s}; clawmux --version" if " " not in name else "true")
    assert typed.returncode == 0
    assert machine.install(*YES).returncode == 0
    assert machine.install("--uninstall", "--yes").returncode == 0
    assert machine.listing() == {}


def test_a_home_that_cannot_be_written(tiny: Machine) -> None:
    home = Path("/proc/nobody") if os.getuid() == 0 else tiny.home
    if os.getuid():
        tiny.home.chmod(0o500)
    refused = replace(tiny, home=home).install(*YES)
    tiny.home.chmod(0o700)
    assert refused.returncode == ERRORS["unsafe_files"].exit_code and "cannot be made" in refused.stderr
    assert tiny.listing() == {}


def test_a_disk_that_becomes_full(tiny: Machine) -> None:
    """A limit on the size of files stands for it: the kernel refuses to write just the same."""
    plan = json.loads((tiny.checkout / "build/small.json").read_text(encoding="utf-8"))
    (tiny.checkout / "build/small.json").write_text(json.dumps(plan | {"filler": 3_000_000}), encoding="utf-8")
    command = ["sh", "-c", 'ulimit -f 2000; exec "$@"', "sh", *tiny.command(*YES)]
    refused = tiny.run(*command)
    assert refused.returncode not in (0, 2), refused.stderr
    assert not tiny.launcher.exists() and not (tiny.program / "current").exists()
    assert tiny.versions == set()
    done = tiny.install(*YES)
    assert done.returncode == 0 and tiny.version() == "0.1.0", done.stderr


def test_a_disk_too_small_is_named_before_anything_is_written(tiny: Machine, short: Path) -> None:
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "small", str(tiny.home)], check=False).returncode:
        pytest.skip("only root can make a small disk")
    try:
        refused = tiny.install(*YES)
        left = tiny.listing()
    finally:
        subprocess.run(["umount", str(tiny.home)], check=True)
    assert refused.returncode == ERRORS["disk_full"].exit_code and "are needed" in refused.stderr
    assert left == {}


def test_two_at_once(tiny: Machine) -> None:
    results = []
    threads = [threading.Thread(target=lambda: results.append(tiny.install(*YES))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.returncode for result in results] == [0, 0], [result.stderr for result in results]
    assert tiny.version() == "0.1.0" and len(tiny.versions) == 1
    said = "".join(result.stderr for result in results)
    assert said.count("1/5 make the program") == 1


def test_a_prefix_holds_the_program_and_leaves_data_where_it_is(tiny: Machine, short: Path) -> None:
    prefix = short / "opt"
    done = tiny.install(*YES, "--prefix", str(prefix), "--no-modify-path")
    assert done.returncode == 0, done.stderr
    assert tiny.run(str(prefix / "bin/clawmux"), "--version").stdout == "clawmux 0.1.0\n"
    assert tiny.listing() == {}
    assert f'export PATH="{prefix}/bin:$PATH"' in done.stderr
    assert tiny.install("--uninstall", "--yes", "--prefix", str(prefix)).returncode == 0
    assert not prefix.exists()


def test_shell_files_are_left_alone_when_asked_or_not_needed(tiny: Machine) -> None:
    tiny.install(*YES, "--no-modify-path")
    assert not list(tiny.home.glob(".*rc")) and not (tiny.home / ".profile").exists()
    tiny.more["PATH"] = f"{tiny.launcher.parent}:{tiny.environ()['PATH']}"
    tiny.install(*YES)
    assert not list(tiny.home.glob(".*rc")) and not (tiny.home / ".profile").exists()


def test_lines_that_cannot_be_written_do_not_spoil_the_installation(tiny: Machine) -> None:
    (tiny.home / ".bashrc").symlink_to("/proc/nobody/bashrc")
    done = tiny.install(*YES)
    assert done.returncode == ERRORS["unsafe_files"].exit_code and "Add this line yourself" in done.stderr
    assert tiny.version() == "0.1.0"


def test_a_missing_tmux_is_named_and_no_obstacle(tiny: Machine, short: Path) -> None:
    programs = short / "programs"
    programs.mkdir()
    for name in ("sh", "apt-get"):
        (programs / name).symlink_to(shutil.which("sh") or "/bin/sh")
    tiny.more["PATH"] = str(programs)
    done = tiny.install(*YES)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("tmux is not installed; agents run in it. Install it with: sudo apt-get install tmux") >= 1
    assert tiny.version() == "0.1.0"


def test_models_that_cannot_be_fetched_do_not_keep_the_hub_from_starting(tiny: Machine, short: Path) -> None:
    """A network without the models' hosts: the page works in text until the hub has them."""
    tiny.more |= {"SMALL_NO_MODELS": "1", "SMALL_LOG": str(short / "log")}
    done = tiny.install("--start")
    assert done.returncode == ERRORS["download_failed"].exit_code
    assert "the speech models could not be fetched" in done.stderr and "Start it with" not in done.stderr
    calls = (short / "log").read_text(encoding="utf-8").splitlines()
    assert calls == ["models pull whisper-tiny.en kokoro-int8 voices", "start --no-open", "doctor", "open"]
    # The key of the page works for a minute only, and the doctor may take as long.
    assert done.stdout == "said by open\n"


def test_a_start_that_fails_says_why(tiny: Machine) -> None:
    tiny.more["SMALL_NO_START"] = "1"
    done = tiny.install("--start", "--no-models")
    assert done.returncode == ERRORS["internal"].exit_code and "it does not start" in done.stderr


def test_who_has_a_hub_already_is_not_told_to_start_one(tiny: Machine) -> None:
    assert "Start it with" in tiny.install(*YES).stderr
    with (tiny.program / "hub.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = tiny.install(*YES).stderr
    assert "Start it with" not in said and "Open the page with:" in said


def test_wishes_go_into_the_settings_and_nothing_else(tiny: Machine) -> None:
    config = tiny.home / ".config/clawmux/config.toml"
    tiny.install(*YES, "--tier", "tiny")
    assert config.read_text(encoding="utf-8") == '[speech]\nquality = "tiny"\n'
    config.write_text('# mine\n[speech]\nquality = "low"\nspeed = 1.1\n', encoding="utf-8")
    tiny.install(*YES)
    assert config.read_text(encoding="utf-8") == '# mine\n[speech]\nquality = "low"\nspeed = 1.1\n'
    tiny.install(*YES, "--speech-url", "http://127.0.0.1:9/")
    said = config.read_text(encoding="utf-8")
    assert said.startswith('# mine\n[speech]\nquality = "low"\n')
    assert 'whisper_url = "http://127.0.0.1:9"' in said and 'kokoro_url = "http://127.0.0.1:9"' in said
    written = receipt.read(tiny.program / "install.json")
    assert written is not None and (written.mode, written.packages) == ("split", "cpu")


def test_a_changed_mind_in_the_receipt_outlives_an_upgrade(tiny: Machine) -> None:
    tiny.install(*YES, "--mode", "thin", "--server", "https://hub.example")
    small_checkout.set_version(tiny.checkout, "0.2.0")
    plan = json.loads(tiny.install("--dry-run", "--json").stdout)["result"]
    assert (plan["mode"], plan["server_url"], plan["packages"]) == ("thin", "https://hub.example", "hub")


def test_broken_settings_are_named_and_not_touched(tiny: Machine) -> None:
    config = tiny.home / ".config/clawmux/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[speech\n", encoding="utf-8")
    refused = tiny.install(*YES, "--tier", "tiny")
    assert refused.returncode == ERRORS["bad_file"].exit_code and str(config) in refused.stderr
    assert config.read_text(encoding="utf-8") == "[speech\n"
    assert not tiny.launcher.exists()
