"""Settings: which source is stronger, what each refuses and how it names it, and that saving keeps the user's file."""

from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux import toml_lines
from clawmux.settings import DECLARATIONS, FIELD_OF, Settings, check, load, save, save_all, stored
from clawmux.settings_table import sources
from clawmux.wire.errors import ClawMuxError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "config.toml"


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


# -- precedence --

FILE, NEW, OLD, LINE = "file", "CLAWMUX_HUB_PORT", "VOICE_CHAT_HUB_PORT", "command line"
PRECEDENCE: list[tuple[dict[str, int], int]] = [
    ({}, 3460),
    ({FILE: 1001}, 1001),
    ({OLD: 1002}, 1002),
    ({NEW: 1003}, 1003),
    ({LINE: 1004}, 1004),
    ({FILE: 1001, OLD: 1002}, 1002),
    ({FILE: 1001, OLD: 1002, NEW: 1003}, 1003),
    ({FILE: 1001, OLD: 1002, NEW: 1003, LINE: 1004}, 1004),
    ({FILE: 1001, LINE: 1004}, 1004),
]


@pytest.mark.parametrize(("sources", "port"), PRECEDENCE, ids=lambda value: "+".join(value) if isinstance(value, dict) else "")
def test_the_stronger_source_wins(file: Path, sources: dict[str, int], port: int) -> None:
    if FILE in sources:
        write(file, f"[hub]\nport = {sources[FILE]}\n")
    environ = {name: str(sources[name]) for name in (NEW, OLD) if name in sources}
    overrides = {"hub.port": str(sources[LINE])} if LINE in sources else {}
    assert load(file, environ, overrides) == dataclasses.replace(Settings(), hub_port=port)


def test_sources_are_joined_setting_by_setting(file: Path) -> None:
    write(file, "[speech]\nspeed = 1.5\nauto_listen = false\n")
    settings = load(file, {"CLAWMUX_SPEECH_SPEED": "0.8", "WHISPER_URL": "http://gpu:1"}, {"hub.port": 0})
    assert (settings.speech_speed, settings.speech_auto_listen) == (0.8, False)
    assert (settings.speech_whisper_url, settings.hub_port) == ("http://gpu:1", 0)


def test_an_empty_variable_says_nothing(file: Path) -> None:
    write(file, "[hub]\nport = 1001\n")
    assert load(file, {NEW: ""}).hub_port == 1001


@pytest.mark.parametrize("field", DECLARATIONS)
def test_every_setting_can_come_from_file_and_environment(file: Path, field: str) -> None:
    """And its own default is a value that it takes."""
    declaration, default = DECLARATIONS[field], getattr(Settings(), field)
    assert check(declaration.name, default) == default
    other: Any = not default if isinstance(default, bool) else default
    if declaration.choices:
        other = next(choice for choice in declaration.choices if choice != default)
    elif isinstance(default, str):
        other = "other"
    elif not isinstance(default, bool):
        other = type(default)(declaration.high)
    save(file, declaration.name, other)
    assert getattr(load(file, {}), field) == other
    for variable in declaration.environment:
        assert getattr(load(file.parent / "none.toml", {variable: str(other)}), field) == other


def test_every_value_tells_where_it_comes_from(file: Path) -> None:
    write(file, '[hub]\nport = 1001\n[speech]\nspeed = 1.5\nlanguage = "de"\n')
    environ = {OLD: "1002", "CLAWMUX_SPEECH_SPEED": "0.8"}
    in_force = load(file, environ, {"hub.host": "::1"})
    found = sources(file, in_force, environ)
    told = {name: source for name, source in found.items() if source != "default"}
    assert told == {
        "hub.host": "start of the hub",
        "hub.port": f"environment {OLD}",
        "speech.speed": "environment CLAWMUX_SPEECH_SPEED",
        "speech.language": "config.toml",
    }
    assert list(found) == list(FIELD_OF)


def test_what_was_changed_since_the_start_is_told_as_it_is_in_force(file: Path) -> None:
    environ = {"CLAWMUX_SPEECH_SPEED": "0.8"}
    write(file, "[hub]\nport = 1001\n[speech]\nspeed = 1.5\n")
    in_force = dataclasses.replace(Settings(), speech_speed=1.5)
    assert sources(file, in_force, environ)["speech.speed"] == "config.toml"
    assert sources(file, in_force, environ)["hub.port"] == "default", "the port of the file waits for the next start"
    write(file, "[hub\n")
    assert sources(file, in_force, environ)["speech.speed"] == "start of the hub"


# -- what is refused --

WRONG_VALUES: list[tuple[str, Any, str]] = [
    ("hub.port", "http", "a whole number"),
    ("hub.port", 3460.5, "a whole number"),
    ("hub.port", True, "a whole number"),
    ("hub.port", None, "a whole number"),
    ("hub.port", [3460], "a whole number"),
    ("hub.port", {}, "a whole number"),
    ("hub.port", "34_60", "a whole number"),
    ("hub.port", float("inf"), "a whole number"),
    ("hub.port", 10**400, "a whole number"),
    ("hub.port", "9" * 5000, "a whole number"),
    ("hub.port", -1, "0 to 65535"),
    ("hub.port", 65536, "0 to 65535"),
    ("speech.speed", "fast", "a number"),
    ("speech.speed", "nan", "a number"),
    ("speech.speed", float("inf"), "a number"),
    ("speech.speed", 10**400, "a number"),
    ("speech.speed", 2.1, "0.5 to 2"),
    ("speech.speed", 0.4, "0.5 to 2"),
    ("speech.quality", "best", "high, medium, low, tiny"),
    ("speech.language", "klingon", "such as en"),
    ("speech.language", "", "such as en"),
    ("speech.quality", 1, "a text"),
    ("speech.auto_listen", "maybe", "true or false"),
    ("speech.auto_listen", 1, "true or false"),
    ("speech.auto_listen", 0.0, "true or false"),
    ("hub.host", 7, "a text"),
    ("hub.host", ["127.0.0.1"], "a text"),
    ("hub.host", "a\nb", "a text"),
    ("hub.host", "a\0b", "a text"),
    ("hub.host", "\udcff", "a text"),
    ("speech.whisper_url", "http://" + "x" * 4096, "at most 4096 characters"),
    ("hub.colour", "red", "there is no setting"),
    ("", 1, "there is no setting"),
]


@pytest.mark.parametrize(("name", "value", "says"), WRONG_VALUES, ids=[f"{n}={str(v)[:10]!r}" for n, v, _ in WRONG_VALUES])
def test_a_wrong_value_is_refused_by_name_and_by_what_was_expected(name: str, value: Any, says: str) -> None:
    with pytest.raises(ClawMuxError) as refused:
        check(name, value, source="here")
    assert refused.value.code == "usage" and refused.value.remedy
    assert refused.value.text.startswith("here: ") and name in refused.value.text and says in refused.value.text
    assert len(refused.value.text) < 300, "not all that was refused is repeated"


@pytest.mark.parametrize("text", ["true", "TRUE", "Yes", "on", "1"])
def test_a_text_is_read_as_its_type(text: str) -> None:
    assert check("speech.auto_listen", text) is True
    assert check("hub.port", " 3461 ".strip()) == 3461
    assert check("hub.port", 3461.0) == 3461
    assert check("speech.speed", "1.25") == 1.25


@given(
    st.sampled_from(sorted(FIELD_OF)), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none())
)
def test_any_value_is_taken_or_refused(name: str, value: Any) -> None:
    try:
        taken = check(name, value)
    except ClawMuxError as refused:
        assert name in refused.text
    else:
        assert check(name, taken) == taken and type(taken) is type(getattr(Settings(), FIELD_OF[name]))


BROKEN_FILES: dict[str, tuple[str | bytes, str]] = {
    "an unknown key": ("[hub]\nprot = 1\n", "hub.prot"),
    "an unknown table": ("[hubs]\nport = 1\n", "hubs.port"),
    "a table in a table": ("[hub.tls]\nkey = 'x'\n", "hub.tls"),
    "a key outside of a table": ("port = 1\n", "port stands outside"),
    "a wrong type": ("[hub]\nport = 'many'\n", "hub.port"),
    "a date": ("[speech]\nlanguage = 2026-01-01\n", "speech.language"),
    "out of range": ("[speech]\nspeed = 9\n", "speech.speed"),
    "no choice": ("[speech]\nquality = 'best'\n", "speech.quality"),
    "no TOML": ("[hub\nport = 1\n", "line 1"),
    "a key twice": ("[hub]\nport = 1\nport = 2\n", "line 3"),
    "no UTF-8": (b"[hub]\nhost = '\xff'\n", "utf-8"),
    "nested for ever": ("[hub]\nport = " + "[" * 20_000, "nested"),
    "a number for ever": ("[hub]\nport = " + "9" * 5000, "digits"),
}


@pytest.mark.parametrize(("content", "says"), BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_broken_file_is_named_with_the_place_in_it(file: Path, content: str | bytes, says: str) -> None:
    write(file, "").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ClawMuxError) as refused:
        load(file, {})
    assert refused.value.code == "bad_file"
    assert str(file) in refused.value.text and says in refused.value.text


def test_a_pipe_in_the_files_place_is_not_waited_for(file: Path) -> None:
    file.parent.mkdir()
    os.mkfifo(file)
    for attempt in (lambda: load(file, {}), lambda: save(file, "hub.port", 1)):
        with pytest.raises(ClawMuxError, match="a pipe"):
            attempt()


def test_a_folder_in_the_files_place_is_named(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(ClawMuxError, match=str(file)) as refused:
        load(file, {})
    assert refused.value.code == "bad_file"


@pytest.mark.parametrize("variable", ["CLAWMUX_HUB_PORT", "VOICE_CHAT_HUB_PORT", "CLAWMUX_SPEECH_SPEED", "VOICE_CHAT_TIMEOUT"])
def test_a_wrong_variable_is_named(file: Path, variable: str) -> None:
    with pytest.raises(ClawMuxError, match=f"environment variable {variable}") as refused:
        load(file, {variable: "many"})
    assert refused.value.code == "usage"


# -- saving --

USERS_OWN = """\
# my settings

[hub]  # the page
port = 4000   # not 3460: taken
# host = "0.0.0.0"

[speech]
# port = 1
speed = 1.1
"""


def test_saving_changes_one_line_and_keeps_the_users_words(file: Path) -> None:
    write(file, USERS_OWN)
    save(file, "hub.port", 5000)
    assert file.read_text().splitlines() == [
        line if not line.startswith("port = 4000") else "port = 5000" for line in USERS_OWN.splitlines()
    ]


def test_saving_adds_a_key_to_its_table_and_a_table_to_the_file(file: Path) -> None:
    write(file, USERS_OWN)
    save(file, "hub.public_url", "https://x.example")
    save(file, "models.download", False)
    save(file, "speech.language", "de")
    text = file.read_text()
    assert all(line in text for line in USERS_OWN.splitlines())
    assert tomllib.loads(text) == {
        "hub": {"port": 4000, "public_url": "https://x.example"},
        "speech": {"speed": 1.1, "language": "de"},
        "models": {"download": False},
    }


TRICKY = [
    ("a value of several lines", '[speech]\nlanguage = """\nen"""\n', "speech.language", "de"),
    ("a hash in a text", '[hub]\npublic_url = "https://a/#b"  # why\nport = 1\n', "hub.port", 2),
    ("a quoted key", '[hub]\n"port" = 1\n', "hub.port", 2),
    ("a quoted table", '["hub"]\nport = 1\n', "hub.port", 2),
    ("a dotted key", "hub.port = 1\n", "hub.port", 2),
    ("an inline table", "hub = {port = 1}\n", "hub.port", 2),
    ("blanks in the table's name", "[ hub ]\nport = 1\n", "hub.port", 2),
    ("a text that looks like a table", '[speech]\ntoken_file = "[hub] # no table"\n', "hub.port", 2),
    ("no newline at the end", "[hub]\nport = 1", "hub.port", 2),
    ("Windows line ends", "[hub]\r\nport = 1\r\n[speech]\r\nspeed = 1.0\r\n", "hub.port", 2),
]


@pytest.mark.parametrize(("text", "name", "value"), [row[1:] for row in TRICKY], ids=[row[0] for row in TRICKY])
def test_saving_into_an_unusual_file_either_works_or_is_refused_with_the_file_untouched(
    file: Path, text: str, name: str, value: Any
) -> None:
    before = write(file, text).read_bytes()
    try:
        save(file, name, value)
    except ClawMuxError as refused:
        assert refused.code == "bad_file" and name in refused.text
        assert file.read_bytes() == before
    else:
        assert getattr(load(file, {}), FIELD_OF[name]) == value


@given(st.text())
def test_any_text_that_is_taken_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "texts.toml"
    try:
        save(file, "speech.whisper_url", text)
    except ClawMuxError:
        return
    assert load(file, {}).speech_whisper_url == text


def test_a_setting_is_taken_out_of_the_file_again(file: Path) -> None:
    write(file, USERS_OWN)
    save_all(file, {"hub.port": None, "speech.language": None, "speech.speed": 1.5})
    assert file.read_text() == USERS_OWN.replace("port = 4000   # not 3460: taken\n", "").replace("speed = 1.1", "speed = 1.5")
    save_all(file, {"speech.speed": None})
    assert load(file, {}) == Settings()


def test_taking_out_what_is_not_there_writes_nothing(file: Path) -> None:
    save_all(file, {"hub.port": None})
    assert not file.exists()


@pytest.mark.parametrize(("text", "name"), [row[1:3] for row in TRICKY], ids=[row[0] for row in TRICKY])
def test_taking_out_of_an_unusual_file_either_works_or_is_refused_with_the_file_untouched(
    file: Path, text: str, name: str
) -> None:
    before = write(file, text).read_bytes()
    try:
        save_all(file, {name: None})
    except ClawMuxError as refused:
        assert refused.code == "bad_file" and name in refused.text
        assert file.read_bytes() == before
    else:
        assert getattr(load(file, {}), FIELD_OF[name]) == getattr(Settings(), FIELD_OF[name])


def test_a_wrong_value_is_not_saved(file: Path) -> None:
    write(file, USERS_OWN)
    with pytest.raises(ClawMuxError):
        save(file, "hub.port", 70000)
    assert file.read_text() == USERS_OWN


def test_a_broken_file_is_not_saved_into(file: Path) -> None:
    write(file, "[hub\n")
    with pytest.raises(ClawMuxError, match=str(file)):
        save(file, "hub.port", 5000)
    assert file.read_text() == "[hub\n"


def test_the_file_keeps_its_mode(file: Path) -> None:
    write(file, USERS_OWN).chmod(0o600)
    save(file, "hub.port", 5000)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"], "nothing temporary is left"


def test_a_linked_file_stays_linked(file: Path, tmp_path: Path) -> None:
    """As those do who keep their settings in a repository."""
    file.parent.mkdir()
    mine = tmp_path / "dotfiles.toml"
    mine.write_text("[hub]\nport = 1\n")
    file.symlink_to(mine)
    save(file, "hub.port", 2)
    assert file.is_symlink() and "port = 2" in mine.read_text()


def test_a_link_that_lies_ready_beside_the_file_is_not_followed(file: Path, tmp_path: Path) -> None:
    """A project's file is changed in a folder that a stranger has filled."""
    mine = tmp_path / "mine"
    mine.write_text("precious")
    write(file, USERS_OWN)
    for name in ("config.toml.tmp", "config.toml.new", ".config.toml.tmp"):
        (file.parent / name).symlink_to(mine)
    save(file, "hub.port", 5000)
    assert mine.read_text() == "precious"
    assert not file.is_symlink() and load(file, {}).hub_port == 5000


def test_of_many_changes_at_once_none_is_lost(file: Path) -> None:
    write(file, "")
    wanted = {"hub.port": 1, "speech.speed": 1.5, "speech.language": "de", "agents.idle_minutes": 7, "speech.quality": "low"}
    code = "import sys; from pathlib import Path; from clawmux.settings import save; save(Path(sys.argv[1]), *sys.argv[2:])"
    started = [subprocess.Popen([sys.executable, "-c", code, str(file), name, str(value)]) for name, value in wanted.items()]
    assert [process.wait() for process in started] == [0] * len(started)
    assert stored(file) == wanted


def test_a_change_waits_for_another_one(file: Path) -> None:
    write(file, "")
    with ThreadPoolExecutor(1) as pool:
        with toml_lines.alone(file):
            change = pool.submit(save, file, "hub.port", 5000)
            with pytest.raises(TimeoutError):
                change.result(0.2)
            toml_lines.replace(file, "[speech]\nspeed = 1.5\n")
        change.result(10)
    assert stored(file) == {"speech.speed": 1.5, "hub.port": 5000}


@pytest.mark.parametrize(("fault", "code"), [(errno.EROFS, "bad_file"), (errno.EACCES, "bad_file"), (errno.ENOSPC, "disk_full")])
def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(
    file: Path, fault: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(fault, os.strerror(fault))

    write(file, USERS_OWN)
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ClawMuxError, match=str(file)) as refused:
        save(file, "hub.port", 5000)
    assert refused.value.code == code
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"] and file.read_text() == USERS_OWN
