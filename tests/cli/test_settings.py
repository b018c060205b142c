"""``clawmux settings``: what it shows and from where, what it writes, and what it refuses; with a hub and without."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clawmux import settings as declared
from clawmux.cli.main import main
from clawmux.paths import locate, make_private
from clawmux.wire.errors import ERRORS
from tests.stand_ins.cli_hub import CliHub, Reply, Request, as_json

Capture = pytest.CaptureFixture[str]
ROWS = [
    {"name": "hub.port", "value": 4000, "default": 3460, "source": "start of the hub", "help": "Port."},
    {"name": "speech.speed", "value": 1.5, "default": 1.0, "source": "config.toml", "help": "Speed."},
]


@pytest.fixture
def hub(home: Path) -> Iterator[CliHub]:
    with CliHub(locate().hub_socket, lambda request: as_json(ROWS)) as hub:
        yield hub


@pytest.fixture
def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run: a repository with a folder in it."""
    (folder / "billing" / ".git").mkdir(parents=True)
    (folder / "billing" / "src").mkdir()
    monkeypatch.chdir(folder / "billing" / "src")
    return folder / "billing"


def run(*words: str) -> int:
    return main(["settings", *words])


def result(capsys: Capture) -> Any:
    body = json.loads(capsys.readouterr().out)
    assert (body["clawmux"], body["command"]) == (1, "settings")
    return body["result"]


def sources(capsys: Capture) -> dict[str, tuple[Any, str]]:
    """Name -> value and source, of those that are not default."""
    assert run("list", "--json") == 0
    rows = result(capsys)
    assert [row["name"] for row in rows] == list(declared.FIELD_OF)
    return {row["name"]: (row["value"], row["source"]) for row in rows if row["source"] != "default"}


# -- with a hub --


def asked(hub: CliHub) -> list[tuple[str, str, Any]]:
    found: list[Request] = []
    while not hub.requests.empty():
        found.append(hub.requests.get())
    return [(r.method, r.path, json.loads(r.body) if r.body else None) for r in found]


def test_alone_it_lists(hub: CliHub, capsys: Capture) -> None:
    assert run() == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:3] == ["NAME", "VALUE", "SOURCE"]
    assert lines[1] == ["hub.port", "4000", "start", "of", "the", "hub", "Port."]
    assert lines[2] == ["speech.speed", "1.5", "config.toml", "Speed."]


def test_a_running_hub_has_the_word(hub: CliHub, capsys: Capture) -> None:
    assert run("get", "hub.port") == 0
    assert capsys.readouterr().out == "4000\n"
    assert run("set", "speech.silence_seconds", "1.5") == 0
    assert run("unset", "speech.silence_seconds") == 0
    assert asked(hub)[-2:] == [
        ("PUT", "/api/settings", {"speech.silence_seconds": 1.5}),
        ("PUT", "/api/settings", {"speech.silence_seconds": None}),
    ]
    assert not locate().config_file.exists(), "the hub writes the file"


def test_what_is_wrong_is_not_sent(hub: CliHub, capsys: Capture) -> None:
    assert run("set", "speech.speed", "9") == ERRORS["usage"].exit_code
    assert asked(hub) == []


# -- without --


def test_without_a_hub_the_file_is_written(home: Path, capsys: Capture) -> None:
    assert run("set", "hub.port", "3999") == 0
    assert "next start" in capsys.readouterr().err
    assert run("get", "hub.port") == 0
    assert capsys.readouterr().out == "3999\n"
    assert stat.S_IMODE(locate().config.stat().st_mode) == 0o700


def test_each_value_tells_its_source(home: Path, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("VOICE_CHAT_TIMEOUT", "5")
    assert run("set", "speech.speed", "1.5") == 0
    assert run("set", "speech.language", "fr") == 0
    file = project / "clawmux.toml"
    file.write_text("[speech]\nlanguage = 'de'\n")
    capsys.readouterr()
    assert sources(capsys) == {
        "agents.idle_minutes": (5.0, "environment VOICE_CHAT_TIMEOUT"),
        "speech.speed": (1.5, "config.toml"),
        "speech.language": ("de", str(file.resolve())),
    }


def test_unset_takes_it_back(home: Path, capsys: Capture) -> None:
    assert run("set", "speech.speed", "1.5") == 0
    assert run("unset", "speech.speed") == 0
    assert run("get", "speech.speed", "--json") == 0
    row = result(capsys)
    assert (row["value"], row["source"]) == (1.0, "default")
    assert run("unset", "speech.speed") == 0, "twice is once"


# -- projects --


def test_get_asks_the_project_of_this_folder_or_of_another(home: Path, project: Path, folder: Path, capsys: Capture) -> None:
    (project / "clawmux.toml").write_text("[speech]\nspeed = 0.75\n")
    (folder / "other").mkdir()
    for words, speed in (((), "0.75"), (("--project", str(folder / "other")), "1.0"), (("--project", ".."), "0.75")):
        assert run("get", "speech.speed", *words) == 0
        assert capsys.readouterr().out == f"{speed}\n"


def test_set_writes_the_projects_file_and_keeps_what_stands_there(home: Path, project: Path, capsys: Capture) -> None:
    file = project / "clawmux.toml"
    file.write_text("# ours\n[speech]\nspeed = 0.75  # slowly\n")
    assert run("set", "--project", "speech.language", "fr") == 0
    assert 'language = "fr"' in file.read_text()
    assert run("set", "speech.language", "de", "--project", "--json") == 0
    assert result(capsys) == {"name": "speech.language", "value": "de", "file": str(file.resolve())}
    assert file.read_text() == '# ours\n[speech]\nspeed = 0.75  # slowly\nlanguage = "de"\n'
    assert run("unset", "speech.speed", "--project") == 0
    assert str(file.resolve()) in capsys.readouterr().err
    assert file.read_text() == '# ours\n[speech]\nlanguage = "de"\n'


def test_a_new_file_lies_in_the_folder_that_was_named(home: Path, project: Path) -> None:
    assert run("set", "speech.speed", "1.5", "--project", str(project)) == 0
    assert (project / "clawmux.toml").read_text() == "[speech]\nspeed = 1.5\n"
    assert stat.S_IMODE((project / "clawmux.toml").stat().st_mode) == 0o644
    assert not locate().config_file.exists()


def test_what_is_no_business_of_a_project_is_refused_with_what_is(home: Path, project: Path, capsys: Capture) -> None:
    assert run("set", "agents.skip_permissions", "true", "--project") == ERRORS["usage"].exit_code
    told = capsys.readouterr().err
    assert "agents.skip_permissions is not for a project" in told and "speech.quality, speech.language" in told
    assert not (project / "clawmux.toml").exists() and not (Path.cwd() / "clawmux.toml").exists()


def test_what_a_projects_file_must_not_say_is_told(home: Path, project: Path, capsys: Capture) -> None:
    (project / "clawmux.toml").write_text("[agents]\nskip_permissions = false\n")
    assert run("get", "agents.skip_permissions") == 0
    shown = capsys.readouterr()
    assert shown.out == "true\n" and "not obeyed: agents.skip_permissions" in shown.err


def test_a_projects_file_that_is_none_is_neither_waited_for_nor_written(home: Path, project: Path, capsys: Capture) -> None:
    """A stranger's repository may hold a pipe, a device without an end, or a link to what is not there yet."""
    file, elsewhere = project / "clawmux.toml", home / "elsewhere"
    os.mkfifo(file)
    assert run("set", "speech.speed", "1.5", "--project") == ERRORS["bad_file"].exit_code
    file.unlink()
    for target in ("/dev/zero", elsewhere):
        file.symlink_to(target)
        assert run("set", "speech.speed", "1.5", "--project") == ERRORS["bad_file"].exit_code
        file.unlink()
    assert capsys.readouterr().err.count("is not changed") == 3
    assert not elsewhere.exists()


# -- what is refused --


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["set", "hub.prot", "1"], "no setting 'hub.prot'"),
        (["get", "hub.prot"], "no setting 'hub.prot'"),
        (["unset", "hub.prot"], "no setting 'hub.prot'"),
        (["set", "hub.port", "many"], "hub.port = 'many'"),
        (["set", "hub.port"], "VALUE"),
        (["set", "agents.runtime", "nosuch"], "'nosuch' is not one of claude, codex, demo, opencode, shell"),
        (["set", "speech.language", "klingon"], "such as en"),
        (["get", "speech.speed", "--project", "/nowhere"], "'/nowhere' is not a folder"),
        (["frob"], "invalid choice: 'frob'"),
    ],
)
def test_wrong_words_are_named(home: Path, words: list[str], text: str, capsys: Capture) -> None:
    assert run(*words) == ERRORS["usage"].exit_code
    shown = capsys.readouterr()
    assert text in shown.err and shown.out == "" and "/api/" not in shown.err


def test_a_runtime_that_the_user_dropped_in_can_be_chosen(home: Path, capsys: Capture) -> None:
    make_private(locate().config)
    locate().user_runtimes.mkdir()
    (locate().user_runtimes / "mine.toml").write_text("")
    assert run("set", "agents.runtime", "mine") == 0


def test_a_refusal_of_the_hub_is_shown_as_it_is(home: Path, capsys: Capture) -> None:
    refusal: Reply = as_json({"type": "error", "code": "bad_file", "text": "it is broken.", "remedy": "Mend it."}, 422)
    with CliHub(locate().hub_socket, lambda request: refusal):
        assert run("set", "speech.speed", "1.5") == ERRORS["bad_file"].exit_code
    assert "it is broken." in capsys.readouterr().err
