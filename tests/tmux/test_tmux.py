"""The tmux adapter against the real tmux."""
# Short looks at /proc and short tmux commands may block a test.
# ruff: noqa: ASYNC220, ASYNC240

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from clawmux.adapters.panes import Pane
from clawmux.adapters.pasting import Pasting
from clawmux.adapters.screen import InputRules
from clawmux.adapters.tmux import Tmux
from clawmux.adapters.tmux_server import KEEPER, find_tmux, server_environment
from clawmux.wire.errors import ClawMuxError
from tests.waiting import until, until_answer

ODD = [
    "plain", "", " two  spaces ", "$HOME `id` $(id)", "'single' \"double\"", "back\\slash\\", ";", "x;", "-t", "--", "~",
    "a\nb\tc\r",
    "#{pane_id} #[bold] ##", "%1", "=x:", "é 漢字 👩‍👩‍👧", "\x01\x1b[31m\x7f", os.fsdecode(b"\xff\xfe\x80 raw"), "{ }", "\\012",
]  # fmt: skip
WRITE_DOWN = 'printf "%s\\0" "$@" > args.tmp; env -0 > env; pwd > folder; mv args.tmp args; exec sleep 1000'


def run(socket: Path, *words: str) -> str:
    done = subprocess.run(["tmux", "-u", "-S", str(socket), *words], capture_output=True, text=True, check=True, timeout=5)
    return done.stdout.strip()


async def test_argv_environment_and_folder_arrive_byte_for_byte(tmux: Tmux, tmp_path: Path) -> None:
    folder = tmp_path / "a #{pid} 'b' $HOME é;"
    folder.mkdir()
    environ = {f"ODD_{number}": text for number, text in enumerate(ODD)} | {"LONG": "é" * 60_000}
    pane = await tmux.spawn("af_sky", ["/bin/sh", "-c", WRITE_DOWN, "x", *ODD], folder, environ)
    await until((folder / "args").exists)
    assert (folder / "args").read_bytes() == b"".join(os.fsencode(word) + b"\0" for word in ODD)
    seen = dict(item.split(b"=", 1) for item in (folder / "env").read_bytes().split(b"\0") if item)
    assert {os.fsdecode(name): os.fsdecode(value) for name, value in seen.items()}.items() >= environ.items()
    assert seen[b"CLAWMUX_SESSION_ID"] == b"af_sky"
    assert (folder / "folder").read_text() == f"{folder}\n"
    assert await until(lambda: command_of(pane.pid) == "sleep")


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


async def test_nothing_of_an_agent_stands_in_the_argv_of_tmux(tmux: Tmux, socket: Path, tmp_path: Path) -> None:
    pane = await tmux.spawn("af_sky", ["sleep", "1000"], tmp_path, {"API_KEY": "hush-hush"})
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            assert b"hush-hush" not in (folder / "cmdline").read_bytes()
        except OSError:
            continue  # ended meanwhile
    assert "hush-hush" not in run(socket, "show-environment", "-g")
    assert "hush-hush" in Path(f"/proc/{pane.pid}/environ").read_text()


async def test_the_server_starts_with_a_scrubbed_environment(
    socket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwanted = [
        "CLAUDECODE",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_PID",
        "CODEX_HOME",
        "TMUX",
        "TMUX_PANE",
        "MY_TOKEN",
        "CLAWMUX_HOME",
    ]
    for name in unwanted:
        monkeypatch.setenv(name, "1")
    async with Tmux(socket) as tmux:
        pane = await tmux.spawn("af_sky", ["sleep", "1000"], tmp_path, {"WANTED": "1"})
        await until(lambda: command_of(pane.pid) == "sleep")
        names = {item.split("=")[0] for item in Path(f"/proc/{pane.pid}/environ").read_text().split("\0")}
    assert names >= {"HOME", "PATH", "WANTED"}
    assert not names & set(unwanted)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LANG": "de_DE.UTF-8"}, {"LANG": "de_DE.UTF-8"}),
        ({"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, {"LC_ALL": "C", "LANG": "de_DE.UTF-8"}),
        ({"LC_ALL": "C"}, {"LC_CTYPE": "C.UTF-8" if sys.platform != "darwin" else "UTF-8"}),
        ({"ANTHROPIC_API_KEY": "k", "PATHOLOGY": "x", "LANG": "C.utf8"}, {"LANG": "C.utf8"}),
    ],
)
def test_server_environment(environ: dict[str, str], expected: dict[str, str]) -> None:
    assert server_environment(environ) == {**expected, "TERM": "screen-256color"}


async def test_agents_have_the_umask_of_their_user(socket: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        async with Tmux(socket, agents_umask=0o027) as tmux:
            await tmux.spawn("sky", ["/bin/sh", "-c", "umask > mask.tmp; mv mask.tmp mask; exec sleep 1000"], tmp_path, {})
            await until((tmp_path / "mask").exists)
    finally:
        os.umask(before)
    assert int((tmp_path / "mask").read_text(), 8) == 0o027


async def test_options_that_keep_the_agents_safe(tmux: Tmux, socket: Path) -> None:
    for scope, option, value in [
        ("-s", "exit-empty", "off"), ("-s", "escape-time", "0"), ("-s", "set-clipboard", "off"), ("-s", "focus-events", "on"),
        ("-g", "allow-passthrough", "off"), ("-g", "remain-on-exit", "on"),
    ]:  # fmt: skip
        assert run(socket, "show-options", scope, "-v", option) == value
    clients = run(socket, "list-clients", "-F", "#{client_flags}")
    assert "no-output" in clients and "ignore-size" in clients


async def test_panes_are_ours_only_and_the_window_is_large(tmux: Tmux, socket: Path, tmp_path: Path) -> None:
    sky = await tmux.spawn("sky", ["sleep", "1000"], tmp_path, {})
    run(socket, "split-window", "-d", "-t", sky.pane_id, "sleep 1000")
    run(socket, "new-session", "-d", "-s", "stranger", "sleep 1000")
    assert [pane.pane_id for pane in await tmux.panes()] == [sky.pane_id]
    size = run(socket, "display-message", "-p", "-t", sky.pane_id, "#{window_width} #{window_height}").split()
    assert int(size[0]) >= 160 and int(size[1]) >= 45


@pytest.mark.parametrize("session_id", ["sky 2", "=x:%1", "#{pid}", "é漢", "a.b:c", "-t", "s*", "x" * 200, "'\";$"])
async def test_names_with_odd_characters(tmux: Tmux, tmp_path: Path, session_id: str) -> None:
    pane = await tmux.spawn(session_id, ["sleep", "1000"], tmp_path, {})
    assert pane.session_id == session_id
    await tmux.kill(pane)
    assert await tmux.panes() == []


@pytest.mark.parametrize(
    ("session_id", "argv", "folder", "environ", "code", "named"),
    [
        ("", ["true"], "/", {}, "usage", "session id"),
        ("a\nb", ["true"], "/", {}, "usage", "session id"),
        ("x" * 201, ["true"], "/", {}, "usage", "session id"),
        ("sky", [], "/", {}, "usage", "command"),
        ("sky", ["tr\0ue"], "/", {}, "usage", "NUL"),
        ("sky", ["true"], "/", {"A-B": "1"}, "usage", "A-B"),
        ("sky", ["true"], "/", {"A": "\0"}, "usage", "NUL"),
        ("sky", ["true"], "relative", {}, "not_found", "relative"),
        ("sky", ["true"], "/no/such/folder", {}, "not_found", "/no/such/folder"),
    ],
)
async def test_bad_input_is_refused_and_named(
    tmux: Tmux, session_id: str, argv: list[str], folder: str, environ: dict[str, str], code: str, named: str
) -> None:
    with pytest.raises(ClawMuxError) as caught:
        await tmux.spawn(session_id, argv, Path(folder), environ)
    assert caught.value.code == code and named in caught.value.text
    assert await tmux.panes() == []


async def test_one_session_id_lives_once(tmux: Tmux, tmp_path: Path) -> None:
    outcomes = await asyncio.gather(
        *(tmux.spawn("sky", ["sleep", "1000"], tmp_path, {}) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Pane) for outcome in outcomes) == 1
    assert {outcome.code for outcome in outcomes if isinstance(outcome, ClawMuxError)} == {"conflict"}
    assert len(await tmux.panes()) == 1


async def test_thirty_agents_start_quickly(tmux: Tmux, tmp_path: Path) -> None:
    started = time.monotonic()
    for number in range(30):
        await tmux.spawn(f"agent-{number}", ["sleep", "1000"], tmp_path, {})
    assert time.monotonic() - started < 5  # 0.1 s on a quiet machine
    assert len(await tmux.panes()) == 30


async def test_adopted_again_after_the_client_is_dropped(socket: Path, tmp_path: Path) -> None:
    async with Tmux(socket) as first:
        before = await first.spawn("sky", ["sleep", "1000"], tmp_path, {})
        await until(lambda: command_of(before.pid) == "sleep")
    async with Tmux(socket) as second:
        [after] = await second.panes()
    assert (after.pane_id, after.pid, after.session_id, after.dead) == (before.pane_id, before.pid, "sky", False)


@pytest.mark.parametrize(("program", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9), ("kill -TERM $$", -15)])
async def test_a_dead_agent_keeps_its_status_and_last_words(tmux: Tmux, tmp_path: Path, program: str, status: int) -> None:
    # tmux 3.3a loses what a program prints in its last milliseconds now and then, so the words come well before the end.
    pane = await tmux.spawn("sky", ["/bin/sh", "-c", f"echo last words; read _; {program}"], tmp_path, {})
    await until_answer(lambda: shows(tmux, pane, "last words"))
    await tmux.command(["send-keys", "-t", pane.pane_id, "Enter"])
    ended = await has_ended(tmux)
    assert (ended.dead, ended.exit_status) == (True, status)
    assert "last words" in await tmux.capture(pane.pane_id)
    await tmux.kill(ended)
    assert await tmux.panes() == []


async def has_ended(tmux: Tmux) -> Pane:
    async def ended() -> list[Pane]:
        return [pane for pane in await tmux.panes() if pane.exit_status is not None]

    return (await until_answer(ended))[0]


async def test_the_status_of_agents_that_end_at_once_is_not_missed(tmux: Tmux, tmp_path: Path) -> None:
    for number in range(40):
        await tmux.spawn(f"agent-{number}", ["/bin/sh", "-c", "exit 3"], tmp_path, {})
        ended = await has_ended(tmux)
        assert ended.exit_status == 3
        await tmux.kill(ended)


async def test_a_missing_program_is_status_127(tmux: Tmux, tmp_path: Path) -> None:
    await tmux.spawn("sky", ["no-such-program"], tmp_path, {})
    assert (await has_ended(tmux)).exit_status == 127


async def test_a_paste_into_a_dead_pane_is_refused_and_the_server_lives(tmux: Tmux, tmp_path: Path) -> None:
    other = await tmux.spawn("other", ["sleep", "1000"], tmp_path, {})
    dead = await tmux.spawn("sky", ["/bin/sh", "-c", "echo '>'; exit"], tmp_path, {})

    async def is_dead() -> bool:
        return any(pane.dead for pane in await tmux.panes())

    await until_answer(is_dead)
    with pytest.raises(ClawMuxError) as caught:
        await tmux.inject(dead.pane_id, "hello", InputRules(prompt="^>"))
    assert caught.value.code == "conflict" and "ended" in caught.value.text
    assert other.pane_id in [pane.pane_id for pane in await tmux.panes()]


async def test_the_guard_holds_when_an_agent_dies_just_before_the_paste(tmux: Tmux, tmp_path: Path) -> None:
    """Without it tmux 3.3a ends here, and all agents with it."""
    pane = await tmux.spawn("sky", ["sleep", "1000"], tmp_path, {})
    os.kill(pane.pid, signal.SIGKILL)
    await has_ended(tmux)
    for options in (["-r"], ["-p", "-r"]):
        with pytest.raises(ClawMuxError) as caught:
            await Pasting(tmux, pane.pane_id, InputRules(prompt=""), "hello").paste("hello", *options)
        assert caught.value.code == "conflict"
    assert len(await tmux.panes()) == 1


async def test_a_paste_while_agents_die_never_ends_the_server(tmux: Tmux, tmp_path: Path) -> None:
    for number in range(20):
        pane = await tmux.spawn(f"agent-{number}", ["cat"], tmp_path, {})
        pasting = Pasting(tmux, pane.pane_id, InputRules(prompt=""), "hello")
        asyncio.get_running_loop().call_later(0.005, os.kill, pane.pid, signal.SIGKILL)
        with pytest.raises(ClawMuxError):
            while True:
                await pasting.paste("hello", "-r")
    assert len(await tmux.panes()) == 20


def runs(pid: int) -> bool:
    """Not one that has ended and waits for init to take note of it."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_kill_ends_what_ignores_hangups_and_what_left_its_process_session(tmux: Tmux, tmp_path: Path) -> None:
    script = f"""
    trap '' HUP TERM
    {sys.executable} -c 'import os, time; os.setsid(); open("child", "w").write(str(os.getpid())); time.sleep(1000)' &
    echo $$ > leader
    while :; do sleep 1000; done
    """
    pane = await tmux.spawn("sky", ["/bin/sh", "-c", script], tmp_path, {})
    await until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    pids = [int((tmp_path / name).read_text()) for name in ("leader", "child")]
    assert pids[0] == pane.pid
    started = time.monotonic()
    await tmux.kill(pane)
    assert time.monotonic() - started < 5
    assert not any(runs(pid) for pid in pids)
    assert await tmux.panes() == []
    await tmux.kill(pane)  # again: quiet


async def test_a_pid_that_is_a_strangers_now_is_left_alone(tmux: Tmux) -> None:
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        await tmux.kill(Pane("%99", stranger.pid, "sky", False, None, "sleep", False))
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_lost_server_is_told_within_two_seconds_and_replaced_by_the_next_agent(
    tmux: Tmux, socket: Path, tmp_path: Path
) -> None:
    lost = asyncio.Event()
    tmux.on_lost = lost.set
    await tmux.spawn("sky", ["sleep", "1000"], tmp_path, {})
    os.kill(int(run(socket, "display-message", "-p", "#{pid}")), signal.SIGKILL)
    await asyncio.wait_for(lost.wait(), 2)
    assert await tmux.panes() == []
    with pytest.raises(ClawMuxError) as caught:
        await tmux.capture("%1")
    assert caught.value.code == "not_found"
    assert (await tmux.spawn("sky", ["sleep", "1000"], tmp_path, {})).session_id == "sky"


async def test_a_detached_client_comes_back_by_itself(tmux: Tmux, socket: Path, tmp_path: Path) -> None:
    lost = asyncio.Event()
    tmux.on_lost = lost.set
    await tmux.spawn("sky", ["sleep", "1000"], tmp_path, {})
    run(socket, "kill-session", "-t", f"={KEEPER}")
    await until_answer(tmux.panes)
    await until(lambda: "control-mode" in run(socket, "list-clients", "-F", "#{client_flags}"))
    assert not lost.is_set()


async def test_the_client_of_a_hub_that_was_ended_by_force_is_not_left_behind(socket: Path) -> None:
    async with Tmux(socket):
        pass
    # Its input never ends, and the shell that has started it is gone.
    fifo = socket.with_name("fifo")
    client = f"tmux -u -S {socket} -N -C attach-session -f no-output -t ={KEEPER}"
    shell = await asyncio.create_subprocess_shell(f"mkfifo {fifo} && {client} <>{fifo} >/dev/null 2>&1 &")
    await shell.wait()
    await until(lambda: "control-mode" in run(socket, "list-clients", "-F", "#{client_flags}"))
    left_behind = run(socket, "list-clients", "-F", "#{client_pid}").split()
    async with Tmux(socket):
        await until(lambda: len(run(socket, "list-clients").splitlines()) == 1)
        assert run(socket, "list-clients", "-F", "#{client_pid}").split() != left_behind


async def test_a_stopped_server_is_a_time_out_and_no_hang(socket: Path, tmp_path: Path) -> None:
    async with Tmux(socket) as tmux:
        pane = await tmux.spawn("sky", ["sleep", "1000"], tmp_path, {})
        server = int(run(socket, "display-message", "-p", "#{pid}"))
        os.kill(server, signal.SIGSTOP)
        try:
            started = time.monotonic()
            answers = await asyncio.gather(tmux.panes(), tmux.capture(pane.pane_id), return_exceptions=True)
            assert {answer.code for answer in answers if isinstance(answer, ClawMuxError)} == {"timeout"}
            assert 2.5 < time.monotonic() - started < 4  # the promised 3 s
        finally:
            os.kill(server, signal.SIGCONT)
        # The late answers are not taken for those of the next commands.
        assert [pane.session_id for pane in await tmux.panes()] == ["sky"]
        assert await tmux.capture(pane.pane_id) != ""


async def test_entering_and_leaving_while_the_server_is_stopped_do_not_hang(socket: Path) -> None:
    async with Tmux(socket, timeout=0.5):
        server = int(run(socket, "display-message", "-p", "#{pid}"))
        os.kill(server, signal.SIGSTOP)
        started = time.monotonic()
    try:
        with pytest.raises(ClawMuxError) as caught:
            await Tmux(socket, timeout=0.5).__aenter__()
        assert caught.value.code == "timeout"
        assert time.monotonic() - started < 3
    finally:
        os.kill(server, signal.SIGCONT)


async def test_a_flooding_agent_does_not_slow_the_commands(tmux: Tmux, tmp_path: Path) -> None:
    flood = await tmux.spawn("flood", ["yes", "%end 1 1 1 an agent may print what looks like tmux"], tmp_path, {})
    slowest = 0.0
    for _ in range(50):
        started = time.monotonic()
        assert len(await tmux.panes()) == 1
        slowest = max(slowest, time.monotonic() - started)
    assert slowest < 1  # some 10 ms
    assert "%end 1 1 1" in await tmux.capture(flood.pane_id)


async def test_a_screen_that_prints_guards_is_read_as_text(tmux: Tmux, tmp_path: Path) -> None:
    script = "printf '%%begin 1 2 3\\n%%end 1 2 3\\n%%error 1 2 3\\n%%exit\\n'; exec sleep 1000"
    pane = await tmux.spawn("sky", ["/bin/sh", "-c", script], tmp_path, {})
    assert await until_answer(lambda: shows(tmux, pane, "%begin 1 2 3\n%end 1 2 3\n%error 1 2 3\n%exit\n"))


async def shows(tmux: Tmux, pane: Pane, text: str) -> bool:
    return text in await tmux.capture(pane.pane_id)


@pytest.mark.parametrize("pane_id", ["sky", "s*", "", "%1 ; kill-server", "%", "1", "=nope:"])
async def test_only_pane_ids_address_a_pane(tmux: Tmux, tmp_path: Path, pane_id: str) -> None:
    await tmux.spawn("sky-2", ["sleep", "1000"], tmp_path, {})
    with pytest.raises(ClawMuxError) as caught:
        await tmux.capture(pane_id)
    assert caught.value.code == "usage"


async def test_a_pane_that_is_gone(tmux: Tmux) -> None:
    with pytest.raises(ClawMuxError) as caught:
        await tmux.capture("%999")
    assert caught.value.code == "not_found" and "%999" in caught.value.text


def test_missing_tmux_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = {"dnf": "/usr/bin/dnf"}
    monkeypatch.setattr(shutil, "which", tools.get)
    with pytest.raises(ClawMuxError) as caught:
        find_tmux()
    assert caught.value.code == "missing_program" and "sudo dnf install -y tmux" in caught.value.remedy


async def test_one_shot_commands_take_the_place_of_the_control_client(
    tmux: Tmux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_client(start: bool) -> None:
        return None

    monkeypatch.setattr(tmux, "_connect", no_client)
    pane = await tmux.spawn("af_sky", ["/bin/sh", "-c", WRITE_DOWN, "x", *ODD], tmp_path, {"A": "é\n;"})
    await until((tmp_path / "args").exists)
    assert (tmp_path / "args").read_bytes() == b"".join(os.fsencode(word) + b"\0" for word in ODD)
    with pytest.raises(ClawMuxError) as caught:
        await tmux.capture("%999")
    assert caught.value.code == "not_found"
    await tmux.kill(pane)
    assert await tmux.panes() == []
