"""What the service promises, kept by real processes: the hub may end in any way, the agents' tmux server does not end with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clawmux.adapters.tmux import Tmux
from clawmux.adapters.tmux_server import own_scope
from clawmux.paths import Paths, locate
from tests.live_hub import ROOT, LiveHub, end_tmux
from tests.service.user_manager import NoManager, user_manager
from tests.waiting import until

CONFIG = "[hub]\nport = 0\n\n[models]\ndownload = false\n"


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def tmux_says(paths: Paths, question: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        "tmux", "-S", str(paths.tmux_socket), "list-panes", "-a", "-F", question, stdout=asyncio.subprocess.PIPE
    )
    return (await process.communicate())[0].decode().split()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_ending_the_hubs_process_alone_spares_the_agents_and_ends_the_speech_child(number: int, tmp_path: Path) -> None:
    """Which is all that KillMode=process leaves to systemd, and AbandonProcessGroup to launchd."""
    async with LiveHub(speech="real", environ={"CLAWMUX_MODELS": str(tmp_path)}) as hub:
        await hub.spawn()
        speech = await until(hub.speech_pid, 20)
        server, agent = (int(pid) for pid in (await tmux_says(hub.paths, "#{pid} #{pane_pid}"))[-2:])
        assert hub.process
        hub.process.send_signal(number)
        # Restart=on-failure and KeepAlive look at it: who was asked to end has not failed.
        assert await asyncio.wait_for(hub.process.wait(), 15) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        await until(lambda: not is_alive(speech), 10)
        assert is_alive(server)
        assert is_alive(agent)
        await hub.start()
        assert [s["state"] for s in await hub.call("GET", "/api/sessions")] != ["dead"]


# --- the server's own scope ---


def fake_systemd_run(folder: Path, monkeypatch: pytest.MonkeyPatch, what_then: str) -> Path:
    """On the path, and this process one that systemd has started; its words go into the file that is returned."""
    tool = folder / "bin" / "systemd-run"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$*" >>{folder}/asked\n{what_then}\n')
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    return folder / "asked"


@pytest.mark.parametrize(
    "what_then", ['while [ "$1" != -- ]; do shift; done; shift; exec "$@"', "exit 1"], ids=["works", "fails"]
)
async def test_under_systemd_tmux_is_started_in_a_scope_where_one_can_be_had(
    what_then: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fake_systemd_run(tmp_path, monkeypatch, what_then)
    socket = Path(tempfile.mkdtemp(prefix="cms")) / "t"
    try:
        async with Tmux(socket) as tmux:
            assert await tmux.panes() == []
        assert asked.read_text().startswith("--user --scope --quiet --collect ")
        assert f"-- tmux -u -S {socket}" in asked.read_text().replace(str(shutil.which("tmux")), "tmux")
    finally:
        await end_tmux(socket)
        shutil.rmtree(socket.parent)


@pytest.mark.parametrize("pid", ["", "1"])
def test_elsewhere_tmux_is_started_by_itself(pid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_systemd_run(tmp_path, monkeypatch, "exit 1")
    monkeypatch.setenv("SYSTEMD_EXEC_PID", pid)
    assert own_scope(os.environ, os.getpid()) == []


# --- a real systemd ---


class Installed:
    """The command line of an installed ClawMux, under a user manager of its own."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.home = folder / "home"
        self.launcher = folder / "bin %h" / "clawmux"
        self.launcher.parent.mkdir()
        # No speech: what is looked at here needs none, and loading engines takes its time.
        self.launcher.write_text(
            f'#!/bin/sh\n[ "$1" = speech ] && exit 1\nexport CLAWMUX_LAUNCHER="{self.launcher}" PYTHONPATH={ROOT}\n'
            f'exec {sys.executable} -m clawmux "$@"\n'
        )
        self.launcher.chmod(0o700)
        self.environ = {**environ, "CLAWMUX_HOME": str(folder / "hub")}
        self.paths = locate(self.environ)
        self.paths.config.mkdir(parents=True, mode=0o700)
        self.paths.config_file.write_text(CONFIG)
        self.paths.user_runtimes.mkdir()
        (self.paths.user_runtimes / "quiet.toml").write_text(
            'title = "Quiet"\nprogram = "sleep"\narguments = ["86400"]\nready = ".*"\n'
        )

    def run(self, *words: str) -> Any:
        done = subprocess.run(
            [str(self.launcher), *words, "--json"], env=self.environ, capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == 0, done
        return json.loads(done.stdout)["result"]

    def systemctl(self, *words: str) -> str:
        return subprocess.run(
            ["systemctl", "--user", *words], env=self.environ, capture_output=True, text=True, check=True, timeout=60
        ).stdout


@pytest.fixture
def installed() -> Iterator[Installed]:
    folder = Path(tempfile.mkdtemp(prefix="cms"))
    (folder / "home").mkdir()
    (folder / "run").mkdir(mode=0o700)
    with contextlib.ExitStack() as manager:
        try:
            environ = manager.enter_context(user_manager(folder / "home", folder / "run"))
        except NoManager as error:
            pytest.skip(str(error))
        there = Installed(folder, environ)
        yield there
        asyncio.run(end_tmux(there.paths.tmux_socket))
    shutil.rmtree(folder)


def test_a_real_systemd_keeps_the_hub_and_spares_the_agents(installed: Installed) -> None:
    listing = sorted(installed.home.rglob("*"))
    first = installed.run("service", "install")
    assert installed.run("service", "status")["pid"] == first["pid"]
    installed.run("spawn", "--runtime", "quiet", "--dir", str(installed.home))
    server = int(subprocess.check_output(["tmux", "-S", str(installed.paths.tmux_socket), "display", "-p", "#{pid}"]))

    os.kill(first["pid"], signal.SIGKILL)
    second = asyncio.run(until(lambda: another(installed, first["pid"]), 30))
    assert is_alive(server), "the hub was started again, and the agents are still there"

    installed.systemctl("restart", "clawmux.service")
    third = asyncio.run(until(lambda: another(installed, second), 30))
    assert is_alive(server)
    assert [s["state"] for s in installed.run("status")["sessions"]] != ["dead"]

    installed.run("stop")
    asyncio.run(until(lambda: "ActiveState=inactive" in installed.systemctl("show", "clawmux.service", "-p", "ActiveState")))
    assert (installed.run("service", "status")["running"], is_alive(server)) == (False, True), "a stop is not undone"

    fourth = installed.run("start")
    assert installed.run("service", "status")["pid"] == fourth["pid"] != third
    assert "hub" in installed.paths.hub_log.read_text(), "`clawmux logs` shows the service's log, too"

    installed.systemctl("kill", "--kill-whom=all", "clawmux.service")
    assert is_alive(server), "the server is in a control group of its own"

    installed.run("service", "remove")
    assert is_alive(server)
    assert sorted(installed.home.rglob("*")) == listing


def another(installed: Installed, pid: int) -> int:
    """The service's hub once it is a new one and serves; 0 before."""
    from clawmux.hub import lock

    holder = lock.running(installed.paths)
    return holder.pid if holder and holder.url and holder.pid != pid else 0
