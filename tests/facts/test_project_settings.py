"""A project's clawmux.toml: where it is looked for, what it may decide, and that nothing in it does harm."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clawmux import project_file
from clawmux.project_file import for_project, project
from clawmux.settings import DECLARATIONS, FIELD_OF, Settings, check

MINE = dataclasses.replace(Settings(), speech_speed=1.25, hub_port=4000, agents_idle_minutes=7.0)
HARMLESS = {
    "speech.quality",
    "speech.language",
    "speech.silence_seconds",
    "speech.speed",
    "speech.auto_listen",
    "speech.listen_seconds",
}
FIELDS = {FIELD_OF[name] for name in HARMLESS}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "work" / "billing" / "src").mkdir(parents=True)
    (home / "work" / "billing" / ".git").mkdir()
    return home


def write(folder: Path, text: str) -> Path:
    file = folder / project_file.NAME
    file.write_text(text, encoding="utf-8")
    return file


def test_only_the_harmless_ones_are_for_projects() -> None:
    """What a stranger's repository may decide. Whoever adds one here has thought about that."""
    assert {d.name for d in DECLARATIONS.values() if d.project} == HARMLESS


def test_a_project_decides_over_the_user(home: Path) -> None:
    write(home / "work" / "billing", '[speech]\nlanguage = "de"\nspeed = 0.9\nauto_listen = false\n')
    found, notes = for_project(MINE, home / "work" / "billing" / "src", home)
    assert found == dataclasses.replace(MINE, speech_language="de", speech_speed=0.9, speech_auto_listen=False)
    assert notes == ()


def test_without_a_file_the_users_settings_are_the_same(home: Path) -> None:
    assert for_project(MINE, home / "work", home) == (MINE, ())
    assert for_project(MINE, home / "nowhere" / "at" / "all", home) == (MINE, ())


# -- where it is looked for --

PLACES = [
    ("the folder itself", "work/billing/src", ["work/billing/src", "work/billing"], "work/billing/src"),
    ("the repository's root", "work/billing/src", ["work/billing", "work"], "work/billing"),
    ("not above the repository", "work/billing/src", ["work", "."], None),
    ("below home without a repository", "work", ["."], "."),
    ("a worktree's .git is a file", "work/tree/deep", ["work/tree", "work"], "work/tree"),
    ("not above home", "work", [".."], None),
    ("home itself", ".", ["."], "."),
]


@pytest.mark.parametrize(("folder", "files", "wanted"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_the_nearest_one_within_reach_is_found(home: Path, folder: str, files: list[str], wanted: str | None) -> None:
    (home / "work" / "tree" / "deep").mkdir(parents=True)
    (home / "work" / "tree" / ".git").write_text("gitdir: elsewhere\n")
    for place in files:
        write(home / place, "[speech]\nspeed = 2.0\n")
    found = project_file.find(home / folder, home)
    assert found == ((home / wanted / project_file.NAME).resolve() if wanted else None)


def test_outside_of_home_and_repositories_only_the_folder_itself_counts(home: Path, tmp_path: Path) -> None:
    """Above it, in a shared /tmp, anybody may have laid one."""
    folder = tmp_path / "elsewhere" / "deep"
    folder.mkdir(parents=True)
    write(folder.parent, "[speech]\nspeed = 2.0\n")
    assert for_project(MINE, folder, home) == (MINE, ())
    write(folder, "[speech]\nspeed = 2.0\n")
    assert for_project(MINE, folder, home)[0].speech_speed == 2.0


def test_a_changed_file_is_seen_and_an_unchanged_one_is_not_read_again(home: Path) -> None:
    file = write(home, "[speech]\nspeed = 2.0\n")
    assert for_project(MINE, home, home)[0].speech_speed == 2.0
    assert project_file.read(file) is project_file.read(file)
    file.write_text("[speech]\nspeed = 0.5\n")
    assert for_project(MINE, home, home)[0].speech_speed == 0.5
    file.unlink()
    assert for_project(MINE, home, home) == (MINE, ())


# -- what is refused --

REFUSED: dict[str, tuple[str, str]] = {
    "a command": ('[agents]\nruntime = "evil"\n', "agents.runtime"),
    "permissions": ("[agents]\nskip_permissions = true\n", "agents.skip_permissions"),
    "a URL": ('[speech]\nwhisper_url = "http://evil"\n', "speech.whisper_url"),
    "a file to read": ('[speech]\ntoken_file = "/etc/passwd"\n', "speech.token_file"),
    "an address": ('[hub]\nhost = "0.0.0.0"\n', "hub.host"),
    "a mirror": ('[models]\nmirror = "http://evil"\n', "models.mirror"),
    "what there is not": ("[speech]\nspede = 2.0\n", "speech.spede"),
    "a key outside of a table": ("speed = 2.0\n", "speed"),
    "a table in a table": ("[speech.speed]\nx = 1\n", "speech.speed"),
    "a list of tables": ("[[speech]]\nspeed = 2.0\n", "speech"),
    "a wrong type": ("[speech]\nspeed = 'fast'\n", "speech.speed"),
    "out of range": ("[speech]\nsilence_seconds = 60\n", "speech.silence_seconds"),
    "a language that is none": ("[speech]\nlanguage = 'xx'\n", "speech.language"),
}


@pytest.mark.parametrize(("text", "name"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_by_name(home: Path, text: str, name: str) -> None:
    file = write(home, text)
    found, notes = for_project(MINE, home, home)
    assert found == MINE
    assert len(notes) == 1 and notes[0].startswith(str(file.resolve())) and name in notes[0]


def test_what_is_good_beside_what_is_refused_is_obeyed(home: Path) -> None:
    write(home, '[hub]\nport = 1\n[speech]\nspeed = 9\nlanguage = "de"\nwhisper_url = "http://evil"\n')
    found, notes = for_project(MINE, home, home)
    assert found == dataclasses.replace(MINE, speech_language="de")
    assert len(notes) == 2 and "hub.port, speech.whisper_url" in notes[0] and "speech.speed = 9" in notes[1]


def test_a_hostile_file_makes_one_short_note_without_control_characters(home: Path) -> None:
    write(home, '["a\\u001b[2J"]\nx = 1\n[hub]\n' + "".join(f"k{n}=1\n" for n in range(900)))
    (note,) = for_project(MINE, home, home)[1]
    assert "and 893 more" in note and len(note) < 600 and note.isprintable()


BROKEN: dict[str, tuple[bytes, str]] = {
    "no TOML": (b"[speech]\nspeed = \n", "line 2"),
    "a key twice": (b"[speech]\nspeed = 1\nspeed = 2\n", "line 3"),
    "no UTF-8": (b"[speech]\nlanguage = '\xff'\n", "utf-8"),
    "nested for ever": (b"[speech]\nspeed = " + b"[" * 8_000, "nested"),
    "a number for ever": (b"[speech]\nspeed = " + b"9" * 5000, "digits"),
    "too large": (b"#" * 9_000, "8192"),
}


@pytest.mark.parametrize(("content", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_with_its_line_and_the_users_settings_serve(home: Path, content: bytes, says: str) -> None:
    file = write(home, "")
    file.write_bytes(content)
    found, (note,) = for_project(MINE, home, home)
    assert found == MINE
    assert str(file.resolve()) in note and says in note


def test_what_is_no_plain_file_is_not_opened(home: Path) -> None:
    """Opening a pipe would wait for a writer, for ever; /dev/zero has no end."""
    os.mkfifo(home / project_file.NAME)
    assert "plain file" in for_project(MINE, home, home)[1][0]
    (home / project_file.NAME).unlink()
    (home / project_file.NAME).symlink_to("/dev/zero")
    assert "plain file" in for_project(MINE, home, home)[1][0]
    (home / project_file.NAME).unlink()
    (home / project_file.NAME).symlink_to(project_file.NAME)
    assert for_project(MINE, home, home)[0] == MINE


def test_a_pipe_that_takes_the_files_place_while_it_is_looked_at_is_not_waited_for(home: Path) -> None:
    file = write(home, "[speech]\nspeed = 2.0\n")
    facts = file.stat()
    file.unlink()
    os.mkfifo(file)
    state = (facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size)
    assert "plain file" in project_file._read(file, state).fault


def test_the_costliest_text_that_is_read_holds_the_hub_up_for_no_time(home: Path) -> None:
    """A key of thousands of parts takes the square of their number of steps: 64 kB of it took 10 s."""
    write(home, ".".join("a" * 32_000) + " = 1\n")
    assert "8192" in for_project(MINE, home, home)[1][0]


def test_an_odd_folder_is_no_project() -> None:
    for folder in ("\0", "/" + "x" * 5000, "/proc/self/fd/nowhere"):
        assert for_project(MINE, Path(folder)) == (MINE, ())


# -- any text --

NAMES = st.sampled_from([*FIELD_OF, "speech.spede", "hub", "x.y.z", '"a b".c'])
VALUES = st.one_of(
    st.booleans().map(lambda value: str(value).lower()),
    st.integers().map(str),
    st.floats().map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="'\n\r"), max_size=20).map(lambda text: f"'{text}'"),
    st.sampled_from(["'de'", "'high'", "1.5", "{a = 1}", "[1, 2]", "2026-01-01"]),
)
LINES = st.tuples(NAMES, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}\n")


@given(st.text(max_size=200) | st.lists(LINES, max_size=6).map("".join))
@example("speech.speed = 1.5\nhub.port = 1\n")
@example("[speech]\nlisten_seconds = 5\n")
def test_any_text_never_raises_and_never_changes_what_is_not_for_projects(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    write(folder, "").write_bytes(text.encode("utf-8", "surrogatepass"))
    found, notes = for_project(MINE, folder)
    for field, before in dataclasses.asdict(MINE).items():
        after: Any = getattr(found, field)
        assert (after == before and type(after) is type(before)) or field in FIELDS
        assert check(DECLARATIONS[field].name, after) == after
    assert all(isinstance(note, str) and str(folder) in note and len(note) < 1000 for note in notes)
    assert project(folder).values.keys() <= FIELDS
