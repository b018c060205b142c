"""Where things are kept, on three systems, and that only private folders of our own are trusted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clawmux.paths import SOCKET_PATH_LIMIT, check_private, check_socket_path, locate, make_private, run_self, static_files
from clawmux.wire.errors import ClawMuxError

HOME = {"HOME": "/home/ann"}
PROFILE = {"USERPROFILE": "C:/Users/ann"}
MAC = "/home/ann/Library/Application Support/clawmux"

PLACES: list[tuple[str, str, dict[str, str], tuple[str, str, str, str]]] = [
    (
        "Linux",
        "linux",
        HOME,
        (
            "/home/ann/.config/clawmux",
            "/home/ann/.local/share/clawmux",
            "/home/ann/.local/state/clawmux",
            "/home/ann/.local/share/clawmux/models",
        ),
    ),
    (
        "XDG folders",
        "linux",
        {**HOME, "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s"},
        ("/c/clawmux", "/d/clawmux", "/s/clawmux", "/d/clawmux/models"),
    ),
    (
        "relative XDG folders are ignored",
        "linux",
        {**HOME, "XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "", "XDG_STATE_HOME": "~/s"},
        (
            "/home/ann/.config/clawmux",
            "/home/ann/.local/share/clawmux",
            "/home/ann/.local/state/clawmux",
            "/home/ann/.local/share/clawmux/models",
        ),
    ),
    (
        "the runtime folder is not used: agents outlive a login",
        "linux",
        {**HOME, "XDG_RUNTIME_DIR": "/run/user/1000", "XDG_STATE_HOME": "/s"},
        ("/home/ann/.config/clawmux", "/home/ann/.local/share/clawmux", "/s/clawmux", "/home/ann/.local/share/clawmux/models"),
    ),
    ("one folder for all", "linux", {**HOME, "CLAWMUX_HOME": "/x"}, ("/x/config", "/x/data", "/x/state", "/x/data/models")),
    (
        "one folder is stronger than XDG",
        "linux",
        {**HOME, "CLAWMUX_HOME": "/x", "XDG_DATA_HOME": "/d"},
        ("/x/config", "/x/data", "/x/state", "/x/data/models"),
    ),
    (
        "models elsewhere",
        "linux",
        {**HOME, "CLAWMUX_HOME": "/x", "CLAWMUX_MODELS": "/big/models"},
        ("/x/config", "/x/data", "/x/state", "/big/models"),
    ),
    ("macOS", "darwin", HOME, (f"{MAC}/config", f"{MAC}/data", f"{MAC}/state", f"{MAC}/data/models")),
    (
        "macOS knows no XDG",
        "darwin",
        {**HOME, "XDG_DATA_HOME": "/d"},
        (f"{MAC}/config", f"{MAC}/data", f"{MAC}/state", f"{MAC}/data/models"),
    ),
    ("macOS in one folder", "darwin", {**HOME, "CLAWMUX_HOME": "/x"}, ("/x/config", "/x/data", "/x/state", "/x/data/models")),
    (
        "Windows",
        "win32",
        {**PROFILE, "LOCALAPPDATA": "D:/Local"},
        ("D:/Local/clawmux/config", "D:/Local/clawmux/data", "D:/Local/clawmux/state", "D:/Local/clawmux/data/models"),
    ),
    (
        "Windows without LOCALAPPDATA",
        "win32",
        PROFILE,
        (
            "C:/Users/ann/AppData/Local/clawmux/config",
            "C:/Users/ann/AppData/Local/clawmux/data",
            "C:/Users/ann/AppData/Local/clawmux/state",
            "C:/Users/ann/AppData/Local/clawmux/data/models",
        ),
    ),
]


@pytest.mark.parametrize(("platform", "environ", "places"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_folders_are_where_the_system_has_them(platform: str, environ: dict[str, str], places: tuple[str, ...]) -> None:
    paths = locate(environ, platform)
    assert tuple(str(p) for p in (paths.config, paths.data, paths.state, paths.models)) == places


def test_files_stand_in_the_folder_of_their_kind() -> None:
    paths = locate({"CLAWMUX_HOME": "/x"})
    assert {paths.config_file, paths.user_runtimes} == {Path("/x/config/config.toml"), Path("/x/config/runtimes")}
    assert {p.parent for p in (paths.store_file, paths.lock_file, paths.token_file, paths.sessions)} == {paths.data}
    assert {p.parent for p in (paths.hub_socket, paths.speech_socket, paths.tmux_socket)} == {paths.state / "run"}
    assert {p.parent for p in (paths.hub_log, paths.speech_log)} == {paths.state}


def test_locating_touches_nothing(tmp_path: Path) -> None:
    locate({"CLAWMUX_HOME": str(tmp_path / "x")})
    assert list(tmp_path.iterdir()) == []


# -- private folders --


def test_a_private_folder_is_made_with_its_parents_and_made_again(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = make_private(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert make_private(folder) == folder


def open_to_group(path: Path) -> None:
    path.mkdir()
    path.chmod(0o750)


def open_to_others(path: Path) -> None:
    path.mkdir()
    path.chmod(0o701)


def a_link(path: Path) -> None:
    (path.parent / "elsewhere").mkdir(mode=0o700)
    path.symlink_to(path.parent / "elsewhere")


def of_another_user(path: Path) -> None:
    path.mkdir(mode=0o700)
    try:
        os.chown(path, 12345, -1)
    except PermissionError:
        pytest.skip("only root can give a folder away")


UNSAFE: dict[str, tuple[Callable[[Path], None], str]] = {
    "open to the group": (open_to_group, "mode 750"),
    "open to others": (open_to_others, "mode 701"),
    "a link": (a_link, "symbolic link"),
    "of another user": (of_another_user, "user 12345"),
}


@pytest.mark.parametrize(("make", "says"), UNSAFE.values(), ids=UNSAFE)
def test_an_unsafe_folder_is_refused_and_not_mended_behind_the_users_back(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    folder = tmp_path / "folder"
    make(folder)
    before = folder.lstat()
    with pytest.raises(ClawMuxError) as refused:
        make_private(folder)
    assert refused.value.code == "unsafe_files" and refused.value.remedy
    assert str(folder) in refused.value.text and says in refused.value.text
    assert folder.lstat() == before


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch(mode=0o600)
    with pytest.raises(ClawMuxError, match="data") as refused:
        make_private(tmp_path / "data")
    assert refused.value.code == "unsafe_files"
    with pytest.raises(ClawMuxError, match="data"):
        make_private(tmp_path / "data" / "sessions")


def test_a_file_others_could_read_is_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch()
    token.chmod(0o640)
    with pytest.raises(ClawMuxError, match=f"chmod 600|{token}"):
        check_private(token)
    token.chmod(0o600)
    check_private(token)


@pytest.mark.parametrize(("length", "fits"), [(SOCKET_PATH_LIMIT, True), (SOCKET_PATH_LIMIT + 1, False)])
def test_a_socket_path_the_kernel_would_cut_is_refused(length: int, fits: bool) -> None:
    path = Path("/" + "x" * (length - 1))
    if fits:
        assert check_socket_path(path) == path
    else:
        with pytest.raises(ClawMuxError, match=str(SOCKET_PATH_LIMIT)) as refused:
            check_socket_path(path)
        assert "CLAWMUX_HOME" in refused.value.remedy


def test_a_socket_path_is_measured_in_bytes() -> None:
    with pytest.raises(ClawMuxError):
        check_socket_path(Path("/" + "ü" * (SOCKET_PATH_LIMIT // 2 + 1)))


# -- ourselves --


def test_the_pages_files_are_found() -> None:
    assert (static_files() / "index.html").is_file()


def test_we_run_ourselves_through_the_launcher_that_ran_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWMUX_LAUNCHER", "/opt/clawmux/bin/clawmux")
    assert run_self() == ["/opt/clawmux/bin/clawmux"]
    monkeypatch.delenv("CLAWMUX_LAUNCHER")
    python, start = run_self()
    assert python == sys.executable and Path(start).parts[-3:] == ("clawmux", "cli", "start.py") and Path(start).is_file()
