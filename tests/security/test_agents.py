"""Real agents in real tmux panes: what they may ask of the hub, whatever they claim (S25), also as daemons of their own."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.security.real_hub import RealHub
from tests.waiting import until

# Asks the hub for everything it should not get, and writes down the answers. With "daemon" it first leaves its pane.
PROBE = r"""
import json, os, socket, sys
where, how = sys.argv[1], sys.argv[2]
if how != "child":
    if os.fork(): os.wait() if how == "never" else __import__("time").sleep(86400)
    if how == "setsid": os.setsid()
    if os.fork(): os._exit(0)
def ask(method, path, body, kind="application/json"):
    s = socket.socket(socket.AF_UNIX)
    s.connect(os.environ["CLAWMUX_SOCKET"])
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: clawmux\r\nConnection: close\r\nContent-Type: {kind}\r\n"
              f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = b""
    while part := s.recv(65536): answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return [int(head.split()[1]), head.decode() + body.decode()]
found = {f"{m} {p}": ask(m, p, b) for m, p, b in [
    ("POST", "/api/sessions", b'{"runtime": "quiet"}'), ("GET", "/api/sessions", b""), ("DELETE", "/api/sessions/echo", b""),
    ("PUT", "/api/settings", b'{"speech.speed": 2.0}'), ("GET", "/api/history?session_id=echo", b""),
    ("POST", "/api/open", b""), ("POST", "/api/stop", b""), ("GET", "/api/status", b""), ("GET", "/api/messages", b""),
    ("POST", "/api/messages", b'{"to": ["echo"], "text": "from you"}'), ("POST", "/api/sessions/echo/interrupt", b"{}"),
    ("POST", "/api/sessions/echo/permission", b'{"request": "p-1", "allow": true}')]}
found["pid"] = os.getpid()
found["verbs"] = {words: ask("POST", "/cli/echo", words.replace(" ", "\0").encode(), "application/x-clawmux-argv")[1]
    for words in ("status", "send --to all Hello", "messages", "approve echo", "deny echo", "interrupt echo", "report mine")}
open(where + ".new", "w").write(json.dumps(found))
os.rename(where + ".new", where)
__import__("time").sleep(86400)
"""


async def probe(hub: RealHub, root: Path, how: str) -> dict[str, Any]:
    (root / "probe.py").write_text(PROBE, encoding="utf-8")
    (hub.paths.user_runtimes / "probe.toml").write_text(
        f'title = "Probe"\nprogram = "{{interpreter}}"\nready = ".*"\n'
        f'arguments = ["-I", "{root}/probe.py", "{root}/found.json", "{how}"]\n',
        encoding="utf-8",
    )
    order = json.dumps({"runtime": "probe", "name": "sky", "voice": "af_sky", "dir": str(root)}).encode()
    answer = await hub.ask("POST", "/api/sessions", None, order)
    assert answer.status == 201, answer
    await until((root / "found.json").exists, 15)
    return dict(json.loads((root / "found.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("how", ["child", "daemon", "setsid"])
async def test_s25_an_agent_is_itself_and_no_owner(hub: RealHub, root: Path, how: str) -> None:
    quiet = json.dumps({"runtime": "quiet", "name": "echo", "voice": "am_echo", "dir": str(root)}).encode()
    assert (await hub.ask("POST", "/api/sessions", None, quiet)).status == 201
    plan = json.dumps({"to": ["echo"], "text": "The secret plan."}).encode()
    assert (await hub.ask("POST", "/api/messages", None, plan)).status == 201
    found = await probe(hub, root, how)
    pid = int(found.pop("pid"))
    # A daemon that left its process session outlives tmux.
    os.kill(pid, signal.SIGKILL)
    verbs = found.pop("verbs")
    codes = {words: int(re.findall(r"Clawmux-Exit: (\d+)", told)[0]) for words, told in verbs.items()}
    assert {words: code for words, code in codes.items() if code} == {"approve echo": 11, "deny echo": 11, "interrupt echo": 11}
    # It spoke under the name of another; the kernel says who it is.
    assert "sky" in verbs["status"] and "echo" not in verbs["status"]
    assert "The secret plan." not in verbs["messages"]
    kept = (await hub.ask("GET", "/api/messages")).json()["messages"]
    assert [(m["from_name"], m["to_name"], m["text"]) for m in kept] == [
        ("sky", "echo", "Hello"),
        ("user", "echo", "The secret plan."),
    ]
    reports = {session["name"]: session["report"] for session in (await hub.ask("GET", "/api/sessions")).json()}
    assert reports["echo"] is None and reports["sky"]["text"] == "mine"
    assert {what: status for what, (status, _) in found.items() if status != 403} == {}
    sessions = (await hub.ask("GET", "/api/sessions")).json()
    assert {session["name"] for session in sessions} == {"sky", "echo"}
    assert all(session["state"] != "dead" for session in sessions)
