"""``clawmux models`` as a user types it, in real child processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clawmux.catalog import MODELS
from tests.stand_ins.file_host import FileHost, Page

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 30.0
VOICES = MODELS["voices"].files[0]


@pytest.fixture
def environ(host: FileHost, tmp_path: Path) -> dict[str, str]:
    """No registries and no hosts: only the loopback mirror."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "CLAWMUX_HOME": str(tmp_path / "home"),
        "CLAWMUX_MODELS_MIRROR": host.url("/m"),
    }


def models(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "clawmux", "models", *words]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)


def answer(environ: dict[str, str], *words: str) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(models(environ, *words, "--json").stdout)
    assert (envelope["clawmux"], envelope["command"]) == (1, "models")
    return envelope


def put(environ: dict[str, str], name: str, content: bytes) -> Path:
    """A model's one file, as if it had been pulled; sparse where the test does not read it."""
    path = Path(environ["CLAWMUX_HOME"]) / "data" / "models" / "ready" / name / MODELS[name].files[0].name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    os.truncate(path, MODELS[name].files[0].size)
    return path


def test_list_names_every_model(environ: dict[str, str]) -> None:
    shown = models(environ, "list")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(MODELS)
    assert all(line.split()[1] == "no" for line in lines[1:])
    rows = answer(environ, "list")["result"]["models"]
    assert [(row["name"], row["bytes"], row["path"]) for row in rows] == [(m.name, m.size, None) for m in MODELS.values()]


def test_path_is_the_answer(environ: dict[str, str]) -> None:
    missing = models(environ, "path", "voices")
    assert (missing.returncode, missing.stdout) == (12, "")
    assert "Run: clawmux models pull voices" in missing.stderr
    path = put(environ, "voices", b"")
    assert models(environ, "path", "voices").stdout == f"{path}\n"


def test_verify_names_the_broken_file(environ: dict[str, str]) -> None:
    path = put(environ, "voices", b"broken")
    shown = models(environ, "list", "--verify")
    assert shown.returncode == 21
    assert str(path) in shown.stderr
    assert "Run: clawmux models pull voices" in shown.stderr
    assert not path.exists()
    assert path.with_name(f"{path.name}.corrupt").exists()
    assert models(environ, "list", "--verify").returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "list|pull|rm|path"),
        (("frob",), 2, "frob"),
        (("pull",), 2, "no model is named"),
        (("pull", "--set", "huge"), 2, "huge"),
        (("pull", "nose"), 12, "'nose'"),
        (("rm", "voices", "nose"), 12, "'nose'"),
        (("rm",), 2, "NAME"),
        (("path", "nose"), 12, "whisper-tiny.en"),
    ],
)
def test_wrong_words(environ: dict[str, str], words: tuple[str, ...], code: int, said: str) -> None:
    put(environ, "voices", b"")
    shown = models(environ, *words)
    assert (shown.returncode, shown.stdout) == (code, "")
    assert said in shown.stderr
    assert models(environ, "path", "voices").returncode == 0, "nothing was removed"


def test_remove(environ: dict[str, str]) -> None:
    put(environ, "voices", b"")
    assert models(environ, "rm", "voices").returncode == 0
    assert models(environ, "path", "voices").returncode == 12


def test_failed_pull_lists_each_source(environ: dict[str, str], host: FileHost) -> None:
    environ |= {"HF_ENDPOINT": "http://127.0.0.1:1"}
    error = answer(environ, "pull", "whisper-small")["error"]
    assert error["code"] == "download_failed"
    assert error["text"] == (
        f"no source gave model.bin: mirror {host.name}: HTTP 404 Not Found; 127.0.0.1:1: connection refused."
    )
    shown = models(environ, "pull", "whisper-small")
    assert shown.returncode == 22
    assert shown.stdout == ""
    assert f"mirror {host.name}: HTTP 404 Not Found. The official hosts are asked instead." in shown.stderr


def test_ctrl_c_ends_cleanly(environ: dict[str, str], host: FileHost) -> None:
    host.pages[f"/m/{VOICES.sha256}"] = Page(bytes(VOICES.size), hold_after=1_000_000)
    argv = [sys.executable, "-m", "clawmux", "models", "pull", "voices"]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert host.held.wait(DEADLINE_SECONDS)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, stdout) == (130, "")
    assert "Traceback" not in stderr
    assert stderr.splitlines() == ["0 MB of 28 MB: voices/voices-v1.0.bin"]


def test_bar_on_a_terminal(environ: dict[str, str], host: FileHost) -> None:
    """rich draws on a terminal; the answer still goes to stdout alone."""
    import pty

    host.pages[f"/m/{VOICES.sha256}"] = Page(bytes(VOICES.size), hold_after=1_000_000)
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "clawmux", "models", "pull", "voices"]
    try:
        environ |= {"TERM": "xterm", "COLUMNS": "120"}
        with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
            seen = b""
            while b"MB" not in seen or b"fetching" not in seen:
                seen += os.read(ours, 4096)
            process.send_signal(signal.SIGINT)
            stdout, _ = process.communicate(timeout=DEADLINE_SECONDS)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"fetching voices" in seen
    assert (process.returncode, stdout) == (130, "")
