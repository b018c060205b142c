"""Our lines in shell start-up files: in once, and out again byte for byte, whatever the files look like."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from installer import whole
from installer.shell_files import END, END_JOINED, END_MADE, line, look, wanted, with_lines, without_lines

FOLDER = Path("/home/jo/.local/bin")
RC = Path(".bashrc")

CONTENTS = {
    "empty": b"",
    "one line": b"alias ll='ls -l'\n",
    "no final newline": b"alias ll='ls -l'",
    "blank lines at the end": b"x=1\n\n\n",
    "windows ends": b"x=1\r\ny=2\r\n",
    "latin-1": "# grüße\n".encode("latin-1"),
    "another program's lines": b"# >>> conda initialize >>>\nx\n# <<< conda initialize <<<\n",
    "our words in a comment": b"# clawmux is on the PATH\n# <<< clawmux <<<\n",
    "a newline only": b"\n",
    "carriage return at the very end": b"x=1\r",
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("file", [".bashrc", "conf.d/clawmux.fish"])
def test_out_again_is_what_was_there(content: bytes, file: str) -> None:
    changed = with_lines(content, Path(file), FOLDER)
    assert changed.startswith(content) and b"/home/jo/.local/bin" in changed
    assert without_lines(changed) == content
    # Twice in is once in.
    assert without_lines(with_lines(changed, Path(file), FOLDER)) == content


def test_a_file_made_for_the_lines_goes_with_them() -> None:
    made = with_lines(None, RC, FOLDER)
    assert END_MADE.encode() in made and without_lines(made) is None
    assert without_lines(b"mine=1\n" + made) == b"mine=1\n"


@pytest.mark.parametrize("content", [None, *CONTENTS.values()], ids=["no file", *CONTENTS])
def test_what_the_user_writes_around_them_stays(content: bytes | None) -> None:
    changed = with_lines(content, RC, FOLDER)
    before = without_lines(b"first=1\n" + changed + b"last=1\n")
    assert before is not None
    assert before.startswith(b"first=1\n" + (content or b"")) and before.endswith(b"last=1\n")
    assert b"clawmux:" not in before
    # A line that had no end has one now: the user's next line stands behind it.
    ended = content if not content or content.endswith(b"\n") else content + b"\n"
    assert before == b"first=1\n" + (ended or b"") + b"last=1\n"


def test_marks_that_lost_their_end_are_left_alone() -> None:
    torn = with_lines(b"x=1\n", RC, FOLDER).replace(END.encode(), b"")
    assert without_lines(torn) == torn


def test_the_end_tells_how_the_file_was() -> None:
    assert END_JOINED.encode() in with_lines(b"x", RC, FOLDER)
    assert END.encode() in with_lines(b"x\n", RC, FOLDER)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "ksh", "mksh", "busybox", "fish"])
@pytest.mark.parametrize("name", ["bin", "a 'quoted' \"name\" & $HOME `x`", "grüße \\ ☃"])
def test_shells_understand_the_line(shell: str, name: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    folder = tmp_path / name
    folder.mkdir()
    (folder / "probe").write_text("#!/bin/sh\necho reached\n", encoding="utf-8")
    (folder / "probe").chmod(0o755)
    code = line(Path("x.fish" if shell == "fish" else "x"), folder)
    words = [program, *(["sh"] if shell == "busybox" else []), "-c", f"{code}\n{code}\nprobe; echo $PATH"]
    said = subprocess.run(words, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    first, path = said.stdout.splitlines()
    assert first == "reached" and path.count(str(folder)) == 1


@pytest.mark.parametrize(
    ("shell", "there", "expected"),
    [
        ("/bin/bash", [], [".profile", ".bashrc"]),
        ("/bin/bash", [".bash_profile"], [".bash_profile", ".bashrc"]),
        ("/bin/bash", [".profile", ".bash_login", ".zshrc"], [".profile", ".bash_login", ".bashrc", ".zshrc"]),
        ("/usr/bin/zsh", [], [".zshrc"]),
        ("/usr/bin/zsh", [".bashrc"], [".bashrc", ".zshrc"]),
        ("/usr/bin/fish", [], [".config/fish/conf.d/clawmux.fish"]),
        ("/bin/dash", [".config/fish/config.fish"], [".profile", ".config/fish/conf.d/clawmux.fish"]),
        ("", [], [".profile"]),
    ],
)
def test_which_files(shell: str, there: list[str], expected: list[str], tmp_path: Path) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in wanted(tmp_path, {"SHELL": shell})] == expected


def test_zsh_and_fish_keep_theirs_elsewhere(tmp_path: Path) -> None:
    assert wanted(tmp_path, {"SHELL": "zsh", "ZDOTDIR": str(tmp_path / "z")}) == [tmp_path / "z/.zshrc"]
    fish = wanted(tmp_path, {"SHELL": "fish", "XDG_CONFIG_HOME": str(tmp_path / "c")})
    assert fish == [tmp_path / "c/fish/conf.d/clawmux.fish"]


@pytest.mark.parametrize("folder", ["/opt/a:b/bin", "/opt/a\nb/bin"])
def test_a_folder_that_no_path_can_hold(folder: str, tmp_path: Path) -> None:
    assert all("cannot stand in a PATH" in file.fault for file in look(tmp_path, Path(folder), {"SHELL": "bash"}))


def test_a_file_that_is_no_text_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_bytes(b"x\0y")
    (tmp_path / ".profile").mkdir()
    assert [bool(file.fault) for file in look(tmp_path, FOLDER, {"SHELL": "bash"})] == [True, True]


class TestReplacing:
    def test_a_link_stays_a_link_and_the_mode_stays(self, tmp_path: Path) -> None:
        dotfiles = tmp_path / "dotfiles"
        dotfiles.mkdir()
        (dotfiles / "bashrc").write_bytes(b"x\n")
        (dotfiles / "bashrc").chmod(0o640)
        (tmp_path / ".bashrc").symlink_to("dotfiles/bashrc")
        whole.write(tmp_path / ".bashrc", b"y\n")
        assert (tmp_path / ".bashrc").readlink() == Path("dotfiles/bashrc")
        assert (dotfiles / "bashrc").read_bytes() == b"y\n"
        assert stat.S_IMODE((dotfiles / "bashrc").stat().st_mode) == 0o640
        assert [path.name for path in dotfiles.iterdir()] == ["bashrc"]

    def test_a_link_that_leads_nowhere_yet(self, tmp_path: Path) -> None:
        (tmp_path / ".bashrc").symlink_to("elsewhere")
        whole.write(tmp_path / ".bashrc", b"y\n")
        assert (tmp_path / "elsewhere").read_bytes() == b"y\n" and (tmp_path / ".bashrc").is_symlink()

    def test_a_file_of_several_names_keeps_them(self, tmp_path: Path) -> None:
        (tmp_path / "one").write_bytes(b"a longer text\n")
        (tmp_path / "two").hardlink_to(tmp_path / "one")
        whole.write(tmp_path / "one", b"y\n")
        assert (tmp_path / "two").read_bytes() == b"y\n" and (tmp_path / "one").stat().st_nlink == 2

    def test_a_new_file_has_the_mode_of_the_umask(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        whole.write(tmp_path / "new", b"")
        os.umask(before)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640

    def test_a_failed_write_leaves_the_old_file_and_nothing_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        (tmp_path / "file").write_bytes(b"old\n")
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            whole.write(tmp_path / "file", b"new\n")
        assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b"old\n"
