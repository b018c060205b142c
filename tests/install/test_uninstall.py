"""After a removal the home is what it was before: same files, same contents, same modes, no folder more."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer import receipt
from tests.install.machine import Machine
from tests.stand_ins import small_checkout, tailscale
from tests.waiting import until

YES = ("--yes", "--no-models")
SERVICE_TOOL = Path(__file__).parents[1] / "stand_ins" / "service_tool.py"


def furnish(home: Path) -> None:
    """A home that somebody lives in."""
    (home / ".profile").write_bytes(b"# ~/.profile\nexport EDITOR=vi")
    (home / ".bashrc").write_bytes(b"alias ll='ls -l'\n\n")
    (home / "dotfiles").mkdir()
    (home / "dotfiles/zshrc").write_bytes(b"setopt autocd\r\n")
    (home / "dotfiles/zshrc").chmod(0o600)
    (home / ".zshrc").symlink_to("dotfiles/zshrc")
    (home / ".config/fish").mkdir(parents=True)
    for agent in (".claude", ".codex"):
        (home / agent).mkdir(mode=0o700)
        (home / agent / "settings.json").write_text('{"mine": true}', encoding="utf-8")
    (home / ".local/bin").mkdir(parents=True)
    (home / ".local/bin/other").write_text("#!/bin/sh\n", encoding="utf-8")


def test_nothing_is_left(tiny: Machine) -> None:
    tiny.install(*YES)
    assert tiny.install("--uninstall", "--yes").returncode == 0
    assert tiny.listing() == {}
    again = tiny.install("--uninstall", "--yes")
    assert again.returncode == 0 and "nothing to remove" in again.stderr


def test_a_home_that_somebody_lives_in_is_as_before(tiny: Machine) -> None:
    furnish(tiny.home)
    before = tiny.listing()
    tiny.install(*YES, "--tier", "tiny")
    small_checkout.set_version(tiny.checkout, "0.2.0")
    (tiny.checkout / "static/x").touch()
    tiny.install(*YES)
    inside = tiny.listing()
    files = (".profile", ".bashrc", "dotfiles/zshrc", ".config/fish/conf.d/clawmux.fish")
    assert all(inside[name] != before.get(name) for name in files)
    assert inside[".zshrc"] == before[".zshrc"]
    removed = tiny.install("--uninstall", "--yes")
    assert removed.returncode == 0, removed.stderr
    assert tiny.listing() == before


def test_what_the_user_wrote_meanwhile_stays(tiny: Machine) -> None:
    furnish(tiny.home)
    tiny.install(*YES)
    with (tiny.home / ".profile").open("ab") as file:
        file.write(b"umask 022\n")
    (tiny.home / ".local/share/other").mkdir()
    tiny.install("--uninstall", "--yes")
    assert (tiny.home / ".profile").read_bytes() == b"# ~/.profile\nexport EDITOR=vi\numask 022\n"
    assert (tiny.home / ".local/share/other").is_dir()
    assert not (tiny.home / ".local/share/clawmux").exists()


def test_kept_data_is_all_that_is_left(tiny: Machine) -> None:
    furnish(tiny.home)
    before = tiny.listing()
    tiny.install(*YES, "--tier", "tiny")
    for name in ("clawmux.db", "models/blobs/x"):
        (tiny.program / name).parent.mkdir(parents=True, exist_ok=True)
        (tiny.program / name).write_text("mine", encoding="utf-8")
    (tiny.home / ".local/state/clawmux").mkdir(parents=True)
    assert tiny.install("--uninstall", "--keep-data", "--yes").returncode == 0
    left = {name for name in tiny.listing() if name not in before}
    ours = {name for name in left if name.startswith((".local/share/clawmux/", ".config/clawmux/"))}
    assert ours == {
        ".local/share/clawmux/clawmux.db",
        ".local/share/clawmux/install.json",
        ".local/share/clawmux/models",
        ".local/share/clawmux/models/blobs",
        ".local/share/clawmux/models/blobs/x",
        ".config/clawmux/config.toml",
    }
    assert left - ours == {".local/share", ".local/share/clawmux", ".config/clawmux"}
    assert "quality" in (tiny.home / ".config/clawmux/config.toml").read_text(encoding="utf-8")
    # The note that stays is for this: what was made for the data goes with the data.
    assert tiny.install("--uninstall", "--yes").returncode == 0
    assert tiny.listing() == before


def test_data_kept_serves_the_next_installation(tiny: Machine) -> None:
    tiny.install(*YES, "--tier", "tiny")
    tiny.install("--uninstall", "--keep-data", "--yes")
    assert tiny.install(*YES).returncode == 0 and tiny.version() == "0.1.0"
    assert tiny.install("--uninstall", "--yes").returncode == 0
    assert tiny.listing() == {}


def test_it_asks_first_and_nobody_is_no(tiny: Machine) -> None:
    tiny.install(*YES)
    before = tiny.listing()
    assert tiny.install("--uninstall").returncode == 7
    shown = tiny.install("--uninstall", "--dry-run")
    assert f"would remove: {tiny.launcher}" in shown.stdout and f"our lines in {tiny.home}/.bashrc" in shown.stdout
    facts = json.loads(tiny.install("--uninstall", "--dry-run", "--json").stdout)["result"]
    assert str(tiny.program) in facts["paths"]
    assert tiny.listing() == before


@pytest.mark.parametrize(("answer", "is_removed"), [("y\n", True), ("\n", False), ("no\n", False)])
def test_the_person_at_the_terminal_decides(tiny: Machine, answer: str, is_removed: bool) -> None:
    """Standard input is a pipe, as with curl ... | sh; the question goes to the terminal."""
    tiny.install(*YES)
    code, said = at_a_terminal(tiny, tiny.command("--uninstall"), answer)
    assert "remove these, conversations and settings too (--keep-data leaves them)? [y/N]" in said
    assert (code == 0, tiny.launcher.exists()) == (is_removed, not is_removed)


@pytest.mark.parametrize(("answer", "code"), [("\n", 0), ("n\n", 7)])
def test_an_installation_asks_at_the_terminal_too(tiny: Machine, answer: str, code: int) -> None:
    ended, said = at_a_terminal(tiny, tiny.command("--no-models"), answer)
    assert ended == code and "Go ahead? [Y/n]" in said
    assert tiny.launcher.exists() == (code == 0)


def at_a_terminal(machine: Machine, command: list[str], answer: str) -> tuple[int, str]:
    ours, theirs = os.openpty()
    shell = 'exec 9<&0; printf "" | "$@"'
    child = subprocess.Popen(
        ["setsid", "--ctty", "--wait", "sh", "-c", shell, "sh", *command],
        env=machine.environ(),
        cwd=machine.home,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    said = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # EIO: the last one has closed it
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    return child.wait(60), said.decode(errors="replace")


def test_a_lost_receipt_costs_empty_folders_at_most(tiny: Machine) -> None:
    furnish(tiny.home)
    before = tiny.listing()
    tiny.install(*YES)
    (tiny.program / "install.json").unlink()
    assert tiny.install("--uninstall", "--yes").returncode == 0
    assert {name for name in tiny.listing() if name not in before} <= {".local/share", ".config/fish/conf.d"}
    assert {name: facts for name, facts in tiny.listing().items() if name in before} == before


def test_an_installation_that_was_killed_early_can_be_removed(tiny: Machine) -> None:
    furnish(tiny.home)
    before = tiny.listing()
    (tiny.checkout / "build/zipapp.py").write_text(
        "import os, signal\nos.killpg(0, signal.SIGKILL)\n",
        encoding="utf-8",
    )
    assert tiny.install(*YES).returncode == -9
    assert tiny.listing() != before
    assert receipt.read(tiny.program / "install.json") is not None
    assert tiny.install("--uninstall", "--yes").returncode == 0
    assert tiny.listing() == before


def is_gone(pid: int) -> bool:
    """Also when nobody has read its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


class TestAfterUse:
    """A hub and an agent have been at work, and still are."""

    @pytest.fixture
    def used(self, short: Path) -> Iterator[tuple[Machine, dict[str, str]]]:
        (short / "home").mkdir()
        furnish(short / "home")
        machine = Machine(short / "home", small_checkout.whole(short / "checkout"))
        machine.more["CLAWMUX_MODELS_DOWNLOAD"] = "false"
        before = machine.listing()
        assert machine.install(*YES, "--mode", "thin").returncode == 0
        assert machine.clawmux("start", "--no-open", "--port", "0").returncode == 0
        spawned = machine.clawmux("spawn", "--runtime", "shell", "--name", "keeper")
        assert spawned.returncode == 0, spawned.stderr
        assert machine.clawmux("settings", "set", "speech.speed", "1.1").returncode == 0
        yield machine, before
        machine.install("--uninstall", "--yes")

    async def test_all_is_as_before(self, used: tuple[Machine, dict[str, str]]) -> None:
        machine, before = used
        socket = machine.home / ".local/state/clawmux/run/tmux.sock"
        asking = ["tmux", "-S", str(socket), "display-message", "-p", "#{pid}"]
        server = int((await asyncio.to_thread(machine.run, *asking)).stdout)
        hub = json.loads((machine.program / "hub.lock").read_bytes())["pid"]
        removed = machine.install("--uninstall", "--yes")
        assert removed.returncode == 0, removed.stderr
        assert machine.listing() == before
        await until(lambda: is_gone(server) and is_gone(hub))

    def test_a_service_goes_with_it(self, used: tuple[Machine, dict[str, str]], short: Path) -> None:
        """Kept by a stand-in for the service manager, which writes down what it is told."""
        machine, before = used
        tools = short / "tools"
        tools.mkdir()
        for tool in ("systemctl", "launchctl"):
            text = f'#!/bin/sh\nexec {sys.executable} -I -S {SERVICE_TOOL} {tool} "$@"\n'
            (tools / tool).write_text(text, encoding="utf-8")
            (tools / tool).chmod(0o755)
        machine.more |= {"SERVICE_TOOL": str(short), "PATH": f"{tools}:{machine.environ()['PATH']}"}
        installed = machine.clawmux("service", "install")
        assert installed.returncode == 0, installed.stderr
        assert list(machine.home.glob(".config/systemd/user/clawmux.service"))
        assert machine.install("--uninstall", "--yes").returncode == 0
        assert "systemctl --user disable --now clawmux.service" in (short / "calls").read_text(encoding="utf-8").splitlines()
        assert machine.listing() == before

    def test_what_tailscale_shows_is_taken_back(self, used: tuple[Machine, dict[str, str]], short: Path) -> None:
        machine, _ = used
        assert machine.clawmux("stop").returncode == 0
        programs = tailscale.install(short)["PATH"].split(":")[0]
        machine.more["PATH"] = f"{programs}:{machine.environ()['PATH']}"
        assert machine.clawmux("start", "--no-open", "--port", "0").returncode == 0
        machine.clawmux("phone")  # without the packages that draw the code; what is shown is shown before that
        assert tailscale.config(short)["TCP"]
        assert machine.install("--uninstall", "--yes", "--keep-data").returncode == 0
        assert tailscale.config(short)["TCP"] == {}

    def test_the_conversation_stays_when_asked(self, used: tuple[Machine, dict[str, str]]) -> None:
        machine, before = used
        assert machine.install("--uninstall", "--keep-data", "--yes").returncode == 0
        left = {name for name in machine.listing() if name not in before}
        assert ".local/share/clawmux/clawmux.db" in left and ".config/clawmux/config.toml" in left
        allowed = (".local/share", ".config/clawmux")
        assert [name for name in left if not name.startswith(allowed)] == []
        assert not (machine.program / "versions").exists()
        assert shutil.which("clawmux", path=str(machine.launcher.parent)) is None
