"""The hub as a process: real processes, locks and ports; only what is served is a stand-in."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawmux.cli import owner
from clawmux.cli.main import main
from clawmux.hub import lock, log_file, service
from clawmux.paths import Paths, locate
from clawmux.settings import Settings
from clawmux.wire.errors import ERRORS, ClawMuxError
from tests.stand_ins import hub_process

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def launcher(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``clawmux`` for children is the stand-in; whatever it left running is ended by its own pid."""
    script = home.parent / "clawmux"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {hub_process.__file__} "$@"\n')
    script.chmod(0o700)
    monkeypatch.setenv("CLAWMUX_LAUNCHER", str(script))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield script
    for root in (home, home.parent / "second"):
        place = locate({"CLAWMUX_HOME": str(root)})
        if not place.lock_file.is_symlink() and (holder := lock.running(place)):
            os.kill(holder.pid, signal.SIGKILL)


@pytest.fixture
def paths(launcher: Path) -> Paths:
    return locate()


def ask_to_stop(paths: Paths) -> object:
    return owner.call("POST", "/api/stop", {}, socket_file=paths.hub_socket)


def start_process(*words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "clawmux", "start", *words]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


# --- start ---


def test_start_waits_until_the_hub_serves_and_tells_where(paths: Paths) -> None:
    facts = service.start(paths, ["--port", "0"])
    assert facts == lock.running(paths)
    port = int(facts.url.rpartition(":")[2])
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    assert os.getsid(facts.pid) == facts.pid, "a closed terminal must not end it"
    assert json.loads(paths.lock_file.read_text()) == {"pid": facts.pid, "url": facts.url}


def test_start_prints_the_keyed_url_and_never_logs_it(paths: Paths) -> None:
    code, out, err = end(start_process("--port", "0"))
    holder = lock.running(paths)
    assert holder
    assert (code, out) == (0, f"{holder.url}/#k=one-time\n")
    assert "works once" in err
    assert "one-time" not in paths.hub_log.read_text()


def test_two_starts_at_once_make_one_hub(paths: Paths) -> None:
    both = [start_process("--port", "0"), start_process("--port", "0")]
    ended = sorted(end(process) for process in both)
    holder = lock.running(paths)
    assert holder
    assert [code for code, _, _ in ended] == [0, ERRORS["conflict"].exit_code]
    assert f"already running (pid {holder.pid}, {holder.url})" in ended[1][2]
    assert [out for _, out, _ in ended] == [f"{holder.url}/#k=one-time\n"] * 2


def test_start_beside_a_running_hub_names_it_and_prints_its_url(paths: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    facts = service.start(paths, ["--port", "0"])
    assert main(["start"]) == ERRORS["conflict"].exit_code
    shown = capfd.readouterr()
    assert shown.out == f"{facts.url}/#k=one-time\n"
    assert f"already running (pid {facts.pid}, {facts.url})" in shown.err
    assert lock.running(paths) == facts


def test_a_lock_file_left_by_a_killed_hub_means_nothing(paths: Paths) -> None:
    first = service.start(paths, ["--port", "0"])
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    assert paths.lock_file.exists()
    assert paths.hub_socket.exists()
    assert lock.running(paths) is None
    second = service.start(paths, ["--port", "0"])
    assert second.pid != first.pid
    assert lock.running(paths) == second


def test_a_lock_file_with_any_content_means_nothing(paths: Paths) -> None:
    service.prepare(paths)
    paths.lock_file.write_text(f'{{"pid": {os.getpid()}, "url": "http://elsewhere"}}')
    assert lock.running(paths) is None


def test_asking_who_runs_does_not_stop_a_start(paths: Paths) -> None:
    """``running`` takes a shared lock for an instant; a hub that starts in that instant must not give up."""
    service.prepare(paths)
    paths.lock_file.touch(mode=0o600)
    looking = paths.lock_file.open("rb")
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.1, looking.close).start()
    seen: list[lock.Running] = []
    service.run_foreground(Settings(hub_port=0), paths, seen.append, _serve_at_once)
    assert len(seen) == 1
    assert looking.closed


def test_a_start_waits_for_the_one_before_it(paths: Paths) -> None:
    service.prepare(paths)
    with lock.turn(paths):
        later = start_process("--port", "0")
        with pytest.raises(subprocess.TimeoutExpired):
            later.wait(1.0)
    code, out, _ = end(later)
    assert code == 0
    assert out


async def _serve_at_once(settings: Settings, paths: Paths, on_ready: object) -> None:
    assert callable(on_ready)
    on_ready("http://clawmux.localhost:1")


def test_busy_port_names_its_owner(paths: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["start", "--port", str(port)]) == ERRORS["port_busy"].exit_code
    shown = capfd.readouterr()
    assert shown.out == ""
    assert f"127.0.0.1:{port}" in shown.err
    assert f"pid {os.getpid()}" in shown.err
    assert lock.running(paths) is None


def test_second_home_runs_beside_the_first(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    first = service.start(paths, ["--port", "0"])
    monkeypatch.setenv("CLAWMUX_HOME", str(paths.data.parent.parent / "second"))
    second = service.start(locate(), ["--port", "0"])
    assert (lock.running(paths), lock.running(locate())) == (first, second)
    assert first.url != second.url
    service.stop(locate(), lambda: ask_to_stop(locate()))
    assert lock.running(paths) == first


@pytest.mark.parametrize(
    ("fault", "expected"), [("fails", "RuntimeError: no luck today"), ("vanishes", "status 9")], ids=["fails", "vanishes"]
)
def test_a_hub_that_fails_to_start_says_why(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], fault: str, expected: str
) -> None:
    monkeypatch.setenv("HUB_PROCESS", fault)
    assert main(["start", "--port", "0"]) == ERRORS["internal"].exit_code
    err = capfd.readouterr().err
    assert expected in err
    assert str(paths.hub_log) in err
    assert lock.running(paths) is None


def test_traceback_of_a_failed_start_is_in_the_log(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PROCESS", "fails")
    with pytest.raises(ClawMuxError):
        service.start(paths, ["--port", "0"])
    assert "Traceback" in paths.hub_log.read_text()


def test_a_bad_setting_is_refused_before_anything_starts(paths: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    paths.config.mkdir(parents=True, mode=0o700)
    paths.config_file.write_text("[hub]\nport = 'many'\n")
    assert main(["start"]) == ERRORS["bad_file"].exit_code
    assert f"{paths.config_file}: hub.port" in capfd.readouterr().err
    assert not paths.hub_log.exists()


# --- stop ---


def test_stop_waits_until_the_hub_is_gone(paths: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    service.start(paths, ["--port", "0"])
    assert main(["stop"]) == 0
    assert lock.running(paths) is None
    assert "Agents stay alive" in capfd.readouterr().out


def test_stop_without_a_hub(paths: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["stop"]) == ERRORS["hub_not_running"].exit_code
    assert "not running" in capfd.readouterr().err


def test_stop_says_when_the_hub_does_not_end(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PROCESS", "deaf")
    facts = service.start(paths, ["--port", "0"])
    with pytest.raises(ClawMuxError, match="still ending") as caught:
        service.stop(paths, lambda: ask_to_stop(paths), seconds=0.2)
    assert str(facts.pid) in caught.value.remedy


def test_stop_says_when_the_hub_does_not_answer(paths: Paths) -> None:
    facts = service.start(paths, ["--port", "0"])
    paths.hub_socket.unlink()
    with pytest.raises(ClawMuxError, match="does not answer") as caught:
        service.stop(paths, lambda: ask_to_stop(paths))
    assert str(facts.pid) in caught.value.remedy


# --- unsafe files ---


def test_folders_and_files_are_private(paths: Paths) -> None:
    service.start(paths, ["--port", "0"])
    for place in (paths.config, paths.data, paths.state, paths.run):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    for place in (paths.lock_file, paths.hub_log, paths.hub_socket):
        assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("name", ["token_file", "store_file", "lock_file", "hub_log"])
def test_a_file_that_others_can_read_stops_the_start(paths: Paths, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    service.prepare(paths)
    file: Path = getattr(paths, name)
    file.write_text("x")
    file.chmod(0o644)
    assert main(["start", "--port", "0"]) == ERRORS["unsafe_files"].exit_code
    err = capfd.readouterr().err
    assert str(file) in err
    assert f"chmod 600 {file}" in err


@pytest.mark.parametrize("name", ["config", "data", "state", "run", "lock_file", "hub_log", "token_file"])
def test_a_link_in_place_of_ours_stops_the_start(
    paths: Paths, folder: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    service.prepare(paths)
    place: Path = getattr(paths, name)
    elsewhere = folder / "elsewhere"
    if place.is_dir():
        place.rename(elsewhere)
    else:
        elsewhere.touch(mode=0o600)
    place.symlink_to(elsewhere)
    assert main(["start", "--port", "0"]) == ERRORS["unsafe_files"].exit_code
    assert str(place) in capfd.readouterr().err


def test_home_too_long_for_a_socket_is_refused(paths: Paths, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWMUX_HOME", str(folder / ("x" * 90)))
    with pytest.raises(ClawMuxError, match="socket path"):
        service.start(locate())


# --- the process itself ---


def test_foreground_raises_the_limit_of_open_files_and_reports_itself(paths: Paths) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    seen: list[lock.Running] = []
    try:
        service.run_foreground(Settings(), paths, seen.append, _serve_at_once)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, service.OPEN_FILES)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert seen == [lock.Running(os.getpid(), "http://clawmux.localhost:1")]
    assert lock.running(paths) is None


def test_log_moves_aside_at_its_limit_while_it_is_written(folder: Path) -> None:
    file = folder / "hub.log"
    source = (
        "import logging, sys\n"
        "from pathlib import Path\n"
        "from clawmux.hub.log_file import LogHandler\n"
        "handler = LogHandler(Path(sys.argv[1]), limit_bytes=300)\n"
        "logging.basicConfig(handlers=[handler])\n"
        "for number in range(6): logging.warning('line %d %s', number, 'x' * 100)\n"
        "print('a last word', file=sys.stderr)\n"
    )
    descriptor = log_file.open_log(file)
    subprocess.run(
        [sys.executable, "-c", source, str(file)], stderr=descriptor, stdout=descriptor, cwd=ROOT, check=True, timeout=30
    )
    os.close(descriptor)
    older = file.with_name("hub.log.1")
    assert "line 5" in older.read_text()
    assert file.read_text() == "a last word\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_full_log_moves_aside_at_start(paths: Paths) -> None:
    service.prepare(paths)
    paths.hub_log.touch(mode=0o600)
    with paths.hub_log.open("r+b") as log:
        log.truncate(log_file.LIMIT_BYTES)
    service.start(paths, ["--port", "0"])
    assert paths.hub_log.with_name("hub.log.1").stat().st_size == log_file.LIMIT_BYTES
    assert paths.hub_log.stat().st_size < 10_000


def test_log_handler_writes_through_the_logging_module(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log_file.LogHandler(folder / "hub.log").handle(logging.LogRecord("clawmux.x", logging.INFO, "", 0, "ü %s", ("ok",), None))
    assert capfd.readouterr().err.endswith("INFO clawmux.x: ü ok\n")
