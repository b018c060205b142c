"""The program from its one file, as a user has it: hub, agent, MCP server and speech, each started by the one before."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.client.session import ClientSession
from mcp.client.stdio import stdio_client

import clawmux
from clawmux.adapters.speech.client import SpeechClient
from tests.build.conftest import PYTHON, ROOT, Machine, make, unpacked_in
from tests.live_hub import end_tmux
from tests.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="agents live in tmux")


@dataclass(frozen=True, slots=True)
class Installed:
    machine: Machine
    command: Path
    """What the user types."""

    @property
    def environ(self) -> dict[str, str]:
        models = {name: os.environ[name] for name in ("CLAWMUX_MODELS",) if name in os.environ}
        return {**self.machine.environ, **models, "CLAWMUX_MODELS_DOWNLOAD": "false"}

    def __call__(self, *words: str) -> str:
        return self.machine.run(self.command, *words, more=self.environ).stdout

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("status", "--json"))["result"]
        return found

    def end(self) -> None:
        subprocess.run([self.command, "stop"], env=self.environ, capture_output=True, check=False, timeout=60)


@pytest.fixture
def home() -> Iterator[Path]:
    """Short, for the sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="cm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def from_the_file(machine: Machine) -> Path:
    return machine.program


def from_python(machine: Machine) -> Path:
    """Without the script in front: what is started has no command to go by, only the tree it comes from."""
    command = machine.home / "command"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(str(PYTHON))} {shlex.quote(str(machine.program))} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return command


def from_the_launcher(machine: Machine) -> Path:
    """What the installer leaves, with the same launcher."""
    program = machine.home / ".local" / "share" / "clawmux"
    program.parent.mkdir(parents=True)
    program.mkdir(mode=0o700)
    make_version(machine.program, program / "versions" / "1")
    (program / "current").symlink_to("versions/1")
    launcher = machine.home / ".local" / "bin" / "clawmux"
    launcher.parent.mkdir(parents=True)
    text = (ROOT / "build" / "launcher.sh").read_text(encoding="utf-8")
    cli = program / "current" / "site" / "clawmux" / "cli"
    values = {"PYTHON": program / "current/python", "CLIENT": cli / "start_client.py", "START": cli / "start.py"}
    for name, path in {**values, "LAUNCHER": launcher}.items():
        text = text.replace(f"@{name}@", shlex.quote(str(path)))
    launcher.write_text(text, encoding="utf-8")
    launcher.chmod(0o755)
    return launcher


def make_version(zipapp: Path, folder: Path) -> None:
    (folder / "app").mkdir(parents=True)
    os.link(zipapp, folder / "clawmux.pyz")
    (folder / "python").symlink_to(PYTHON)
    Machine(folder, folder / "clawmux.pyz").run()
    [tree] = unpacked_in(folder / "app")
    (folder / "site").symlink_to(tree.relative_to(folder) / "site-packages")


@pytest.mark.parametrize("way", [from_the_file, from_python, from_the_launcher])
async def test_everything_starts_from_it(way: Any, zipapp: Path, home: Path) -> None:
    os.link(zipapp, home / "clawmux.pyz")
    machine = Machine(home, home / "clawmux.pyz")
    clawmux = Installed(machine, way(machine))
    try:
        assert clawmux("start", "--no-open", "--port", "0").startswith("http://")
        clawmux("spawn", "--runtime", "demo", "--name", "sky", "--dir", str(home))
        question = await until(lambda: clawmux.status()["sessions"][0]["question"], 30)
        assert question["text"].startswith("Hello, I am Sky")
        await check_mcp(clawmux)
        check_agents_own_command(clawmux)
        check_messages(clawmux)
        assert "has stopped" in clawmux("stop")
        if way is from_the_launcher:
            upgrade_twice(clawmux)
        clawmux("start", "--no-open", "--port", "0")
        assert clawmux.status()["sessions"][0]["name"] == "sky"
        check_agents_own_command(clawmux)
        clawmux("kill", "sky")
        clawmux("stop")
    finally:
        clawmux.end()
        await end_tmux(home / ".local" / "state" / "clawmux" / "run" / "tmux.sock")


async def check_mcp(clawmux: Installed) -> None:
    environ = {**clawmux.environ, "CLAWMUX_SESSION_ID": "af_sky"}
    server = StdioServerParameters(command=str(clawmux.command), args=["mcp"], env=environ)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as client:
        await client.initialize()
        assert {tool.name for tool in (await client.list_tools()).tools} == {"converse", "status_check"}


def own_command(clawmux: Installed) -> list[str | Path]:
    [command] = (clawmux.machine.home / ".local/share/clawmux/sessions").glob("*/bin/clawmux")
    socket = clawmux.machine.home / ".local/state/clawmux/run/hub.sock"
    return ["env", "CLAWMUX_SESSION_ID=af_sky", f"CLAWMUX_SOCKET={socket}", command]


def check_agents_own_command(clawmux: Installed) -> None:
    assert "sky" in clawmux.machine.run(*own_command(clawmux), "status").stdout
    assert version() == clawmux.machine.run(*own_command(clawmux), "--version").stdout


def check_messages(clawmux: Installed) -> None:
    message_id = clawmux("send", "--to", "sky", "Hello").strip()
    assert "Hello" in clawmux.machine.run(*own_command(clawmux), "inbox", "show", message_id).stdout
    assert message_id in clawmux("messages")
    assert clawmux("send", "--help").startswith("usage: clawmux send")


def upgrade_twice(installed: Installed) -> None:
    """The version that started the agent is gone then; the agent's own command goes on with the new one."""
    program = installed.machine.home / ".local/share/clawmux"
    make_version(installed.machine.program, program / "versions" / "3")
    (program / "new").symlink_to("versions/3")
    (program / "new").replace(program / "current")
    shutil.rmtree(program / "versions" / "1")


def version() -> str:
    return f"clawmux {clawmux.__version__}\n"


@pytest.mark.install
async def test_the_processors_set_speaks_and_hears(checkout: Path, home: Path) -> None:
    """Made from the registry, as an installation makes it; the engines load in the child that the hub starts."""
    if not os.environ.get("CLAWMUX_MODELS"):
        pytest.skip("CLAWMUX_MODELS names no models")
    program = home / "clawmux.pyz"
    make(checkout, "cpu", program)
    installed = Installed(Machine(home, program), program)
    try:
        installed("start", "--no-open", "--port", "0")
        await until(lambda: installed.status()["hub"]["speech"]["state"] == "ready", 120)
        [socket] = (home / ".local/state/clawmux/run").glob("speech*.sock")
        async with SpeechClient(socket) as speech:
            sound = b"".join([part async for part in speech.synthesize("The tests are green.", "af_sky", format="wav")])
            assert "test" in (await speech.transcribe(sound, "audio/wav", "en")).lower()
        # What is left out of the packages is missed by none of these.
        imports = "import av, ctranslate2, faster_whisper, kokoro_onnx, numpy.testing, onnxruntime, huggingface_hub"
        installed.machine.run(program, "-c", imports, more={"SHIV_INTERPRETER": "1"})
    finally:
        installed.end()
