"""What has changed in a folder, by the real git; and that a repository which names programs has none of them started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from clawmux.adapters import git
from clawmux.core.patch import Change, files, lines
from clawmux.wire.errors import ClawMuxError

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "ann@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def run(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, env={**ENVIRONMENT, "HOME": str(folder)}, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "work"
    top.mkdir()
    run(top, "init", "-q", "-b", "main")
    (top / "kept.txt").write_text("one\ntwo\nthree\n")
    (top / "moved.txt").write_text("a line\n" * 30)
    (top / "gone.txt").write_text("farewell\n")
    run(top, "add", ".")
    run(top, "commit", "-q", "-m", "first")
    return top


def lives(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


async def changed(folder: Path) -> dict[str, tuple[Change, int | None, int | None]]:
    async with git.reader(await git.find(folder)) as reader:
        return {f.path.decode(): (f.change, f.added, f.removed) for f in files((await reader.changed()).data)}


async def patch(folder: Path, path: str) -> list[tuple[str, int, int, str]]:
    async with git.reader(await git.find(folder)) as reader:
        found, _ = lines((await reader.patch(path.encode())).data.decode())
        return [(line.kind, line.old, line.new, line.text) for line in found]


async def test_staged_and_unstaged_changes_are_one_list(repository: Path) -> None:
    (repository / "kept.txt").write_text("one\n2\nthree\nfour\n")
    (repository / "gone.txt").unlink()
    run(repository, "mv", "moved.txt", "elsewhere.txt")
    (repository / "new.bin").write_bytes(b"\0\1\2")
    run(repository, "add", "new.bin")
    (repository / "loose.txt").write_text("x\n")
    (repository / "ignored.log").write_text("x\n")
    (repository / ".git" / "info" / "exclude").write_text("*.log\n")
    assert await changed(repository) == {
        "kept.txt": (Change.MODIFIED, 2, 1),
        "gone.txt": (Change.DELETED, 0, 1),
        "elsewhere.txt": (Change.RENAMED, 0, 0),
        "new.bin": (Change.ADDED, None, None),
    }
    async with git.reader(await git.find(repository)) as reader:
        assert (await reader.untracked()).data == b"loose.txt\0"
        assert set((await reader.unstaged()).data.split(b"\0")) == {b"kept.txt", b"gone.txt", b""}
        loose, _ = lines((await reader.patch_of_untracked(b"loose.txt")).data.decode())
        assert [(line.kind, line.text) for line in loose] == [("@", ""), ("+", "x")]
    assert await patch(repository, "kept.txt") == [
        ("@", 1, 1, ""),
        (" ", 1, 1, "one"),
        ("-", 2, 0, "two"),
        ("+", 0, 2, "2"),
        (" ", 3, 3, "three"),
        ("+", 0, 4, "four"),
    ]


async def test_before_the_first_commit_and_in_a_folder_below_and_in_a_linked_tree(repository: Path, tmp_path: Path) -> None:
    young = tmp_path / "young"
    (young / "below").mkdir(parents=True)
    run(young, "init", "-q", "-b", "main")
    (young / "a.txt").write_text("a\n")
    run(young, "add", ".")
    place = await git.find(young / "below")
    assert (place.top, place.branch, place.head) == (young, "main", "")
    assert await changed(young / "below") == {"a.txt": (Change.ADDED, 1, 0)}
    run(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    (tmp_path / "linked" / "kept.txt").write_text("one\n")
    assert await changed(tmp_path / "linked") == {"kept.txt": (Change.MODIFIED, 0, 2)}
    assert await changed(repository) == {}


async def test_what_is_no_repository_is_said_in_words(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", "/")  # nothing of the surroundings steers git
    with pytest.raises(git.NoRepository, match="not in a git repository"):
        await git.find(tmp_path)
    with pytest.raises(git.NoRepository, match="does not exist"):
        await git.find(tmp_path / "nowhere")
    with pytest.raises(git.NoRepository, match="not in a git repository"):
        await git.find(repository / ".git")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(git.NoRepository, match="not installed"):
        await git.find(repository)


async def test_a_repository_that_names_programs_starts_none(repository: Path, tmp_path: Path) -> None:
    """Each of these runs when git itself is asked: see the last lines."""
    ran = tmp_path / "ran"
    ran.mkdir()

    def program(name: str) -> str:
        file = tmp_path / f"{name}.sh"
        file.write_text(f"#!/bin/sh\ntouch '{ran}/{name}'\ncat\n")
        file.chmod(0o755)
        return str(file)

    settings = {
        "filter.f.clean": program("clean"),
        "filter.f.smudge": program("smudge"),
        "diff.d.textconv": program("textconv"),
        "diff.c.command": program("driver"),
        "diff.external": program("external"),
        "core.fsmonitor": program("fsmonitor"),
        "core.pager": program("pager"),
        "core.sshCommand": program("ssh"),
        "core.hooksPath": str(tmp_path / "hooks"),
        "core.attributesFile": str(tmp_path / "attributes"),
    }
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "post-index-change").symlink_to(program("hook"))
    (tmp_path / "attributes").write_text("*.txt filter=f\n")
    (repository / ".gitattributes").write_text("kept.txt filter=f diff=d\nmoved.txt diff=c\n")
    for name, value in settings.items():
        run(repository, "config", name, value)
    for name in ("kept.txt", "moved.txt"):
        (repository / name).write_text("changed\n")
    os.utime(repository / "gone.txt", (1, 1))
    assert set(await changed(repository)) == {"kept.txt", "moved.txt"}
    assert await patch(repository, "kept.txt")
    assert await patch(repository, "moved.txt")
    async with git.reader(await git.find(repository)) as reader:
        assert b".gitattributes" in (await reader.untracked()).data
        await reader.unstaged()
        assert (await reader.patch_of_untracked(b".gitattributes")).data
    assert list(ran.iterdir()) == []
    # git, asked as everybody asks it, would have started them.
    run(repository, "diff")
    run(repository, "status")
    assert {file.name for file in ran.iterdir()} >= {"clean", "external", "fsmonitor"}


async def test_names_of_any_bytes_and_links_out_of_the_folder(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    (repository / "link").symlink_to(tmp_path / "secret")
    names = [b"new\nline", b"-rf", b":(top)x", b"\xff\xfe", "\u202eevil".encode(), b"<img src=x>", b"*.txt", b"-"]
    for name in names:
        (repository / os.fsdecode(name)).write_bytes(b"x\n")
    async with git.reader(await git.find(repository)) as reader:
        assert set((await reader.untracked()).data.split(b"\0")) == {*names, b"link", b""}
        for name in names:
            assert b"+x" in (await reader.patch_of_untracked(name)).data, name
        assert b"hush" not in (await reader.patch_of_untracked(b"link")).data
        assert (await reader.patch(b"*.txt")).data == b""


async def test_large_output_is_cut_and_large_files_are_not_read(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "kept.txt").write_text("a line of text\n" * 60000)
    (repository / "large").write_bytes(b"x\n" * (9 << 19))
    run(repository, "add", "large")
    assert (await changed(repository))["large"] == (Change.ADDED, None, None)
    monkeypatch.setattr(git, "OUTPUT_BYTES", 100000)
    async with git.reader(await git.find(repository)) as reader:
        said = await reader.patch(b"kept.txt")
    assert said.is_cut
    assert len(said.data) == 100000


async def test_a_git_that_does_not_end_is_ended(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\nsleep 60 & echo $! > {tmp_path}/pid\nwait\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git, "SECONDS", 0.5)
    with pytest.raises(ClawMuxError, match="longer than"):
        await git.find(repository)
    assert not lives(int((tmp_path / "pid").read_text()))
