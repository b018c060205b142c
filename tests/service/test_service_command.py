"""``clawmux service`` with stand-ins for systemctl and launchctl: what it asks of them, and what it leaves on the disk."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from clawmux.cli.main import main
from clawmux.hub import lock
from clawmux.paths import locate
from clawmux.wire.errors import ERRORS
from tests.service.conftest import World

HUB = {"pid": 1, "url": "http://127.0.0.1:1"}
REACHED = "systemctl --user show --property=Version"


@pytest.fixture(autouse=True)
def linux(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    world.answers(hub=HUB)


def told(capfd: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """The command's JSON answer."""
    assert main(["service", *words, "--json"]) == code
    return json.loads(capfd.readouterr().out)


def test_install_writes_enables_and_starts(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    result = told(capfd, "install")["result"]
    assert (result["file"], result["changed"], result["url"]) == (str(world.unit), True, HUB["url"])
    asked = [words for words in world.calls() if " show " not in words]
    assert asked == [
        f"systemctl --user {words}"
        for words in ("daemon-reload", "enable clawmux.service", "reset-failed clawmux.service", "start clawmux.service")
    ]
    text = world.unit.read_text()
    assert f'ExecStart="{world.launcher}" "start" "--foreground"' in text
    assert f'Environment="CLAWMUX_HOME={world.home.parent / "hub"}"' in text


def test_install_again_changes_nothing(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    told(capfd, "install")
    before = world.listing()
    world.calls()
    assert told(capfd, "install")["result"]["changed"] is False
    assert world.listing() == before
    assert not any(" start " in words for words in world.calls())


def test_install_tells_of_what_ends_it_at_logout(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "install"]) == 0
    assert "loginctl enable-linger" in capfd.readouterr().err
    assert not any("loginctl" in words for words in world.calls())


@pytest.mark.parametrize("there", [[], [".config"], [".config/systemd/user", ".config/autostart"]])
def test_remove_leaves_the_home_as_it_was(there: list[str], world: World, capfd: pytest.CaptureFixture[str]) -> None:
    for folder in there:
        (world.home / folder).mkdir(parents=True)
    before = world.listing()
    told(capfd, "install")
    told(capfd, "install")
    world.calls()
    assert told(capfd, "remove")["result"]["removed"] is True
    assert world.listing() == before
    verbs = [words.split()[2] for words in world.calls()]
    assert verbs == ["show", "disable", "daemon-reload", "reset-failed"]
    assert lock.running(locate()) is None
    assert told(capfd, "remove")["result"]["removed"] is False


def test_remove_where_no_manager_runs_takes_the_file(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    before = world.listing()
    told(capfd, "install")
    world.end_hub()
    world.answers(silent=True)
    assert told(capfd, "remove")["result"]["removed"] is True
    assert world.listing() == before


@pytest.mark.parametrize("action", ["install", "remove", "status"])
def test_a_strangers_unit_is_left_alone(action: str, world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.unit.parent.mkdir(parents=True)
    world.unit.write_text("[Service]\nExecStart=/usr/bin/clawmux\n")
    before = world.listing()
    error = told(capfd, action, code=ERRORS["conflict"].exit_code)["error"]
    assert str(world.unit) in error["text"]
    assert (world.listing(), world.calls()) == (before, [])


def test_a_folder_in_the_units_place_is_named(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.unit.mkdir(parents=True)
    for action in ("install", "remove", "status"):
        told(capfd, action, code=ERRORS["conflict"].exit_code)
    assert world.unit.is_dir()


def test_a_folder_that_cannot_be_made_is_named(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    """As where ~/.config is a link that nobody may write through."""
    world.unit.parents[1].mkdir(parents=True)
    world.unit.parent.write_text("")
    told(capfd, "install", code=ERRORS["bad_file"].exit_code)
    assert told(capfd, "status")["result"]["installed"] is False


def test_without_a_manager_it_says_so_and_writes_nothing(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.answers(silent=True)
    before = world.listing()
    error = told(capfd, "install", code=ERRORS["missing_program"].exit_code)["error"]
    assert "No medium found" in error["text"]
    assert "clawmux start" in error["remedy"]
    assert world.listing() == before
    answer = told(capfd, "status", code=ERRORS["missing_program"].exit_code)
    assert answer["result"]["installed"] is False


def test_without_systemctl_it_says_so(world: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(world.home))
    error = told(capfd, "install", code=ERRORS["missing_program"].exit_code)["error"]
    assert "no systemd" in error["text"]


def test_a_tools_complaint_is_passed_on(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.answers(fail="enable")
    error = told(capfd, "install", code=ERRORS["internal"].exit_code)["error"]
    assert "no luck today" in error["text"]


def test_a_hub_that_does_not_come_up_is_told_with_its_last_words(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.answers()
    log = locate().hub_log
    log.parent.mkdir(parents=True)
    log.write_text("clawmux: 127.0.0.1:3460 (hub.port) is in use.\n")
    error = told(capfd, "install", code=ERRORS["internal"].exit_code)["error"]
    assert "(hub.port) is in use" in error["text"]


def test_status_tells_what_is_so(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    states = [told(capfd, "status")["result"]]
    told(capfd, "install")
    states.append(told(capfd, "status")["result"])
    told(capfd, "remove")
    states.append(told(capfd, "status")["result"])
    shown = [(s["installed"], s["enabled"], s["running"]) for s in states]
    assert shown == [(False, False, False), (True, True, True), (False, False, False)]
    assert states[1]["data"] == str(locate().data)


def test_start_goes_through_the_service(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    told(capfd, "install")
    world.end_hub()
    world.calls()
    main(["start"])  # the stand-in holds the lock and answers nothing, so no key is to be had
    assert "systemctl --user start clawmux.service" in world.calls()
    assert lock.running(locate()) == lock.Running(1, str(HUB["url"]))


def test_start_leaves_the_service_of_another_hub_alone(
    world: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told(capfd, "install")
    world.calls()
    monkeypatch.setenv("CLAWMUX_HOME", str(world.home.parent / "other"))
    assert main(["start"]) != 0  # this launcher starts nothing
    assert world.calls() == []
    assert "for another hub" in status_text(capfd)


def status_text(capfd: pytest.CaptureFixture[str]) -> str:
    capfd.readouterr()
    assert main(["service", "status"]) == 0
    return capfd.readouterr().out


def launchd() -> Any:
    from clawmux.adapters.launchd import Launchd

    return Launchd(os.environ)


def test_launchd(world: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clawmux.adapters.user_service.here", launchd)
    before = world.listing()
    assert told(capfd, "install")["result"]["file"] == str(world.plist)
    asked = [words.split()[1] for words in world.calls()]
    assert asked == ["print", "enable", "print", "bootstrap"]
    assert told(capfd, "status")["result"]["running"] is True
    told(capfd, "remove")
    assert world.calls()[-1].split()[1] == "bootout"
    assert world.listing() == before


def test_the_right_manager_for_each_system(tmp_path: Path) -> None:
    from clawmux.adapters.user_service import here

    assert [here({"HOME": "/h"}, name).tool for name in ("linux", "darwin")] == ["systemctl", "launchctl"]
    assert here({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}, "linux").file == Path("/c/systemd/user/clawmux.service")
