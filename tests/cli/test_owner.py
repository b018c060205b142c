"""The owner's commands against a stand-in hub: what they ask for, what they print."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clawmux.cli.main import main
from clawmux.paths import locate
from clawmux.wire.errors import ERRORS
from tests.stand_ins.cli_hub import Answer, CliHub, Reply, Request, answered, as_json

ROOT = Path(__file__).parent.parent.parent
SKY: dict[str, Any] = {
    "id": "af_sky",
    "name": "sky",
    "voice": "af_sky",
    "runtime": "demo",
    "dir": "/home/ann/code",
    "state": "active",
    "activity": "listening",
    "question": None,
    "needs_you": True,
    "created": 1795229054.25,
}
MESSAGE: dict[str, Any] = {
    "id": "msg-7h2k9m4p0qwx",
    "from": "am_adam",
    "to": "af_sky",
    "from_name": "adam",
    "to_name": "sky",
    "text": "Which port?",
    "state": "queued",
    "tries": 0,
    "expects_response": True,
    "re": "",
    "hops": 0,
    "reply": "",
    "reason": "",
    "held": "in copy mode",
    "created": 1795229054.25,
    "changed": 1795229054.25,
}
ANSWERED = MESSAGE | {"id": "msg-0000000000zz", "state": "responded", "tries": 1, "held": "", "reply": "8460.", "to_name": "echo"}
STEPS = [
    {"ts": 1795229054.25, "step": "queued", "detail": ""},
    {"ts": 1795229055.5, "step": "responded", "detail": "8460."},
]
OLD_SKY = {**SKY, "id": "af_sky-1", "state": "dead", "needs_you": False}
HEALTH = {
    "version": "0.1.0",
    "url": "http://127.0.0.1:3460",
    "uptime_seconds": 90061,
    "speech": {"state": "ready", "reason": ""},
    "pages": 1,
}
ANSWERS: dict[tuple[str, str], Any] = {
    ("GET", "/api/sessions?all=true"): [OLD_SKY, SKY],
    ("GET", "/api/health"): HEALTH,
    ("GET", "/api/messages?with=af_sky&limit=200"): {"messages": [MESSAGE, ANSWERED], "more": False},
    ("GET", "/api/messages?with=af_sky-1&limit=200"): {"messages": [], "more": False},
    ("GET", "/api/messages?limit=20"): {"messages": [MESSAGE, ANSWERED], "more": True},
    ("GET", "/api/messages?limit=5&with=af_sky"): {"messages": [MESSAGE], "more": False},
    ("GET", "/api/messages?limit=20&with=user"): {"messages": [], "more": False},
    ("GET", "/api/messages/msg-0000000000zz"): ANSWERED | {"steps": STEPS},
    ("POST", "/api/sessions"): SKY,
    ("DELETE", "/api/sessions/af_sky"): {"id": "af_sky"},
    ("POST", "/api/open"): {"url": "http://clawmux.localhost:3460/#k=one-time-key"},
}


FAILED = MESSAGE | {"state": "failed", "held": "", "reason": "It never acknowledged."}


def answer(request: Request) -> Reply:
    if request.path == "/cli/-":
        sessions = [SKY, OLD_SKY] if b"--all" in request.words else [SKY]
        return asked(request, sessions, [FAILED] if b"--all" in request.words else [])
    return as_json(ANSWERS[request.method, request.path])


def asked(request: Request, sessions: list[dict[str, Any]], owed: list[dict[str, Any]]) -> Reply:
    assert [word for word in request.words if word != b"--all"] == [b"status", b"--json"]
    result = {"clawmux": 1, "command": "status", "result": {"sessions": sessions, "owed": owed}}
    return answered(0, json.dumps(result).encode())


def of_status(sessions: list[dict[str, Any]], health: dict[str, Any] | None = None) -> Answer:
    return lambda request: asked(request, sessions, []) if request.path == "/cli/-" else as_json(health or HEALTH)


@pytest.fixture
def hub(home: Path) -> Iterator[CliHub]:
    with CliHub(locate().hub_socket, answer) as hub:
        yield hub


def bodies(hub: CliHub) -> list[tuple[str, str, Any]]:
    seen = []
    while not hub.requests.empty():
        request = hub.next()
        seen.append((request.method, request.path, json.loads(request.body) if request.body else None))
    return seen


def test_status_shows_the_living(hub: CliHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "hub 0.1.0 · up 1 d 01:01:01 · http://127.0.0.1:3460 · 1 page · speech ready",
        "NAME  VOICE   RUNTIME  STATE   ACTIVITY   KNOWN FROM  MESSAGES  FOLDER",
        "sky   af_sky  demo     active  needs you  -           -         /home/ann/code",
    ]
    assert main(["status", "--all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == {"hub": HEALTH, "sessions": [SKY, OLD_SKY], "owed": [FAILED]}


def test_status_tells_the_owner_what_did_not_arrive(hub: CliHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--all"]) == 0
    assert capsys.readouterr().err == (
        "message msg-7h2k9m4p0qwx to sky did not arrive (failed). It never acknowledged. See `clawmux trace msg-7h2k9m4p0qwx`.\n"
    )


@pytest.mark.parametrize(
    ("reply", "code", "text"),
    [
        (answered(23, b"", b"clawmux: no room.\nMake some.\n"), "disk_full", "clawmux: no room.\nMake some.\n"),
        (answered(99, b"", b"clawmux: odd.\n"), "internal", "clawmux: odd.\n"),
        (as_json({"code": "forbidden", "text": "no.", "remedy": ""}, 403), "forbidden", "clawmux: no.\n"),
    ],
)
def test_a_verb_that_is_refused_keeps_its_error(
    home: Path, reply: Reply, code: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with CliHub(locate().hub_socket, lambda request: reply if request.path == "/cli/-" else as_json(HEALTH)):
        assert main(["status"]) == ERRORS[code].exit_code
    assert capsys.readouterr() == ("", text)


def test_status_tells_what_agents_do_how_that_is_known_and_what_waits(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doing = {"activity": "tool", "kind": "", "detail": "Bash", "source": "hook", "since": time.time() - 200}
    sky = SKY | {"needs_you": False, "doing": doing | {"seen": time.time() - 130}, "messages": {"waiting": 2, "failed": 1}}
    adam = SKY | {"id": "am_adam", "name": "adam", "messages": {"waiting": 1, "failed": 0}}
    with CliHub(locate().hub_socket, of_status([sky, adam])):
        assert main(["status"]) == 0
    hub_line, _, first, second = capsys.readouterr().out.splitlines()
    assert hub_line.endswith(" · messages: 3 waiting, 1 failed")
    assert "active  running Bash  hook, 2 min ago  2 waiting, 1 failed  /home" in first
    assert "active  needs you     -                1 waiting            /home" in second


@pytest.mark.parametrize(("name", "session_id"), [("sky", "af_sky"), ("af_sky", "af_sky"), ("af_sky-1", "af_sky-1")])
def test_status_of_one_agent_by_name_or_id(hub: CliHub, name: str, session_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", name]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("sky: ") and f"id: {session_id} · voice: af_sky · runtime: demo" in shown


def test_status_of_one_agent_ends_with_its_last_messages(hub: CliHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "sky"]) == 0
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1795229054.25))
    assert capsys.readouterr().out.splitlines()[-5:] == [
        "not acknowledged by it:",
        f"  msg-7h2k9m4p0qwx  {at}  adam -> sky  queued (in copy mode)  Which port?",
        "last messages:",
        f"  msg-0000000000zz  {at}  adam -> echo  responded  Which port? -> 8460.",
        f"  msg-7h2k9m4p0qwx  {at}  adam -> sky  queued (in copy mode)  Which port?",
    ]
    assert main(["status", "sky", "--json"]) == 0
    found = {**SKY, "inbound_messages": [MESSAGE], "recent_messages": [MESSAGE, ANSWERED]}
    assert json.loads(capsys.readouterr().out)["result"] == found


def test_status_of_one_agent_lists_no_more_than_can_be_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = [MESSAGE | {"id": f"msg-{number}", "created": MESSAGE["created"] - number} for number in range(12)]
    listed = {"messages": [*many, MESSAGE | {"id": "msg-out", "from": "af_sky", "to": "am_adam"}], "more": False}
    with CliHub(locate().hub_socket, lambda request: as_json(listed if "messages" in request.path else [SKY])):
        assert main(["status", "sky"]) == 0
    lines = [line.split("  ")[1] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    newest_last = [f"msg-{number}" for number in reversed(range(10))]
    assert lines == ["2 older ones", *newest_last, *newest_last]


def test_messages_are_listed_the_newest_last(hub: CliHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["messages"]) == 0
    shown = capsys.readouterr()
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1795229054.25))
    assert shown.out.splitlines() == [
        "ID                TIME                 FROM  TO    STATE                  TEXT",
        f"msg-0000000000zz  {at}  adam  echo  responded              Which port? -> 8460.",
        f"msg-7h2k9m4p0qwx  {at}  adam  sky   queued (in copy mode)  Which port?",
    ]
    assert "larger --limit" in shown.err
    assert main(["messages", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == {"messages": [MESSAGE, ANSWERED], "more": True}


def test_messages_of_one_agent_or_of_the_user(hub: CliHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["messages", "--with", "sky", "--limit", "5"]) == 0
    assert capsys.readouterr().out.count("msg-") == 1
    assert main(["messages", "--with", "user"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "" and "No messages" in shown.err
    assert main(["messages", "--with", "nobody"]) == ERRORS["not_found"].exit_code
    assert main(["messages", "--limit", "0"]) == ERRORS["usage"].exit_code


def test_trace_shows_every_step_with_its_time(hub: CliHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "id:msg-0000000000zz"]) == 0
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1795229054.25))
    assert capsys.readouterr().out.splitlines() == [
        "msg-0000000000zz · from adam to echo · responded · expects a response",
        "Which port?",
        "reply: 8460.",
        "TIME                     STEP       DETAIL",
        f"{at}.250  queued",
        f"{at[:-2]}{int(at[-2:]) + 1:02}.500  responded  8460.",
    ]
    assert main(["trace", "msg-0000000000zz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["steps"] == STEPS


def test_status_without_agents_says_how_to_start_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health = HEALTH | {"speech": {"state": "missing_models", "reason": "voices not installed"}}
    with CliHub(locate().hub_socket, of_status([], health)):
        assert main(["status"]) == 0
    shown = capsys.readouterr()
    assert (
        shown.out
        == "hub 0.1.0 · up 1 d 01:01:01 · http://127.0.0.1:3460 · 1 page · speech missing models (voices not installed)\n"
    )
    assert "clawmux spawn --runtime demo" in shown.err


def test_a_hub_that_does_not_run_is_told_in_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == ERRORS["hub_not_running"].exit_code
    assert f"({locate().hub_socket}: No such file or directory)" in capsys.readouterr().err


def test_wrong_arguments_name_the_command_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kill"]) == 2
    assert capsys.readouterr().err.startswith("clawmux: kill: the following arguments are required: NAME.")


@pytest.mark.parametrize("command", ["status", "kill", "attach"])
def test_unknown_agent_names_those_there_are(hub: CliHub, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "sk"]) == ERRORS["not_found"].exit_code
    assert "no agent 'sk'; there are: sky" in capsys.readouterr().err


def test_spawn_sends_what_was_chosen(hub: CliHub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spawn", "--voice", "am_adam", "--runtime", "demo", "--dir", str(folder), "--name", "max"]) == 0
    assert capsys.readouterr().out == "sky\n"
    chosen = {"voice": "am_adam", "runtime": "demo", "name": "max", "dir": str(folder.resolve())}
    assert bodies(hub) == [("POST", "/api/sessions", chosen)]


def test_spawn_works_here_unless_told(hub: CliHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert main(["spawn"]) == 0
    assert bodies(hub) == [("POST", "/api/sessions", {"dir": str(folder.resolve())})]


def test_spawn_refuses_what_is_no_folder(hub: CliHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spawn", "--dir", "/nowhere"]) == ERRORS["usage"].exit_code
    assert "--dir '/nowhere'" in capsys.readouterr().err
    assert bodies(hub) == []


def test_kill_asks_for_the_living_one(hub: CliHub) -> None:
    assert main(["kill", "sky"]) == 0
    assert bodies(hub)[-1] == ("DELETE", "/api/sessions/af_sky", None)


def test_attach_refuses_the_dead_and_the_lost(hub: CliHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attach", "af_sky-1"]) == ERRORS["conflict"].exit_code
    assert "has ended" in capsys.readouterr().err
    assert main(["attach", "sky"]) == ERRORS["not_found"].exit_code
    assert "tmux has no session of af_sky" in capsys.readouterr().err


def test_attach_takes_exactly_the_marked_session(hub: CliHub) -> None:
    """A session called sky-2 also begins with what is asked for; the mark decides."""
    tmux = ["tmux", "-S", str(locate().tmux_socket), "-f", "/dev/null"]
    options = [("af_sky_2", "af_sky_2"), ("other", "af_sky")]
    try:
        for name, marked in options:
            subprocess.run([*tmux, "new-session", "-d", "-s", name, "cat"], check=True)
            subprocess.run([*tmux, "set-option", "-t", f"={name}:", "@clawmux_id", marked], check=True)
        leader, follower = pty.openpty()
        attached = subprocess.Popen(
            [sys.executable, "-m", "clawmux", "attach", "sky"],
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm", "TMUX": "/tmp/some-other,1,0"},
            stdin=follower,
            stdout=follower,
            start_new_session=True,
        )
        os.close(follower)
        assert os.read(leader, 10), "tmux draws when it is attached"
        clients = subprocess.run([*tmux, "list-clients", "-F", "#{session_name}"], check=True, capture_output=True, text=True)
        assert clients.stdout == "other\n"
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    attached.wait(timeout=30)
    os.close(leader)


def test_open_prints_the_keyed_url(hub: CliHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "http://clawmux.localhost:3460/#k=one-time-key\n"
    assert "works once" in shown.err


@pytest.mark.parametrize(
    ("words", "environ", "opened"),
    [
        (["open"], {"DISPLAY": ":0"}, True),
        (["open"], {"WAYLAND_DISPLAY": "wayland-0"}, True),
        (["open", "--no-open"], {"DISPLAY": ":0"}, False),
        (["open"], {}, False),
    ],
)
def test_browser_opens_where_a_person_sits_and_the_key_is_in_no_argument(
    hub: CliHub, folder: Path, words: list[str], environ: dict[str, str], opened: bool
) -> None:
    seen = folder / "seen"
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$*" > {seen}\n')
    browser.chmod(0o700)
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "clawmux", *words],
        cwd=ROOT,
        env={**os.environ, "BROWSER": f"{browser} %s", **environ},
        stdout=follower,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    os.close(follower)
    printed = os.read(leader, 1000).decode()
    os.close(leader)
    assert "#k=one-time-key" in printed
    assert ("Opening it" in done.stderr) is opened
    assert seen.exists() is opened
    if opened:
        page = locate().run / "open.html"
        assert seen.read_text() == page.as_uri()
        assert "url=http://clawmux.localhost:3460/#k=one-time-key" in page.read_text()
        assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_token_is_made_kept_and_rotated(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for words in (["token"], ["token"], ["token", "--rotate"], ["token"]):
        assert main(words) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] != shown[2] == shown[3]
    assert stat.S_IMODE(locate().token_file.stat().st_mode) == 0o600


def test_logs_shows_the_end(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs"]) == ERRORS["not_found"].exit_code
    assert str(locate().hub_log) in capsys.readouterr().err
    locate().hub_log.parent.mkdir(parents=True)
    locate().hub_log.write_text("".join(f"line {number}\n" for number in range(80)))
    assert main(["logs"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [f"line {number}" for number in range(30, 80)]
    assert str(locate().hub_log) in shown.err


def test_logs_follow(home: Path) -> None:
    locate().hub_log.parent.mkdir(parents=True)
    locate().hub_log.write_text("first\n")
    argv = [sys.executable, "-m", "clawmux", "logs", "-f"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as following:
        assert following.stdout
        assert following.stdout.readline() == "first\n"
        with locate().hub_log.open("a") as log:
            log.write("second\n")
        assert following.stdout.readline() == "second\n"
        following.terminate()


@pytest.mark.parametrize(
    ("reply", "code", "text"),
    [
        (
            as_json({"type": "error", "code": "forbidden", "text": "agents may not.", "remedy": ""}, 403),
            "forbidden",
            "agents may not.",
        ),
        (as_json({"code": "brand_new", "text": "odd."}, 418), "internal", "odd."),
        (as_json([1], 500), "internal", "the hub answered 500"),
        (Reply(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops"), "internal", "without JSON"),
        (Reply(b""), "hub_not_running", "not running"),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]"), "hub_not_running", "not running"),
    ],
)
def test_refusals_and_broken_answers(home: Path, reply: Reply, code: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with CliHub(locate().hub_socket, lambda request: reply):
        assert main(["status", "--all"]) == ERRORS[code].exit_code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert text in shown.err


@pytest.mark.parametrize("words", [["status"], ["status", "adam"], ["messages", "--limit", "5"], ["trace", "msg-1"]])
def test_an_agent_says_the_same_words_to_the_hub(home: Path, words: list[str]) -> None:
    """In an agent's shell they are the agent's verbs, whichever `clawmux` is called."""
    with CliHub(locate().hub_socket, lambda request: answered(0, b"sky: active\n")) as hub:
        argv = [sys.executable, "-m", "clawmux", *words]
        environ = {**os.environ, "CLAWMUX_SESSION_ID": "af_sky"}
        done = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
        request = hub.next()
        assert (request.path, request.words) == ("/cli/af_sky", [word.encode() for word in words])
    assert done.stdout == "sky: active\n"


@pytest.mark.parametrize(
    "words", [["send", "--to", "sky", "caf\udce9"], ["ack", "msg-1"], ["interrupt", "sky"], ["deny", "sky", "no"]]
)
def test_the_owner_says_agents_verbs_from_any_shell(home: Path, words: list[str]) -> None:
    with CliHub(locate().hub_socket, lambda request: answered(26, b"msg-1\n", b"clawmux: no.\n")) as hub:
        argv = [sys.executable, "-m", "clawmux", *words]
        done = subprocess.run(argv, cwd=ROOT, env={**os.environ}, capture_output=True, check=False)
        request = hub.next()
        assert (request.path, request.words) == ("/cli/-", [os.fsencode(word) for word in words])
    assert (done.returncode, done.stdout, done.stderr) == (26, b"msg-1\n", b"clawmux: no.\n")


def test_open_shows_the_page_of_a_hub_elsewhere_where_none_runs_here(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = home / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[hub]\nserver_url = "https://hub.example"\n', encoding="utf-8")
    assert main(["open"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "https://hub.example\n" and "The hub runs there" in shown.err
