"""Where the token, one-time keys and cookies must never be found (S16), with a real hub process that was treated badly."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.live_hub import LiveHub
from tests.security.guarded import JSON, ask, raw

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="/proc")


@pytest.fixture
async def live() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        yield hub


async def log_in(hub: LiveHub) -> tuple[str, str, str]:
    """Key, cookie and CSRF value of a fresh login."""
    key = str((await hub.call("POST", "/api/open"))["url"]).partition("#k=")[2]
    origin = f"http://clawmux.localhost:{hub.port}"
    answer = await ask(
        hub.port, "POST", "/api/login", {"Origin": origin, "Content-Type": JSON}, json.dumps({"key": key}).encode()
    )
    return key, answer.header("Set-Cookie").split(";")[0].partition("=")[2], answer.json()["csrf"]


async def misbehave(hub: LiveHub, token: str, cookie: str) -> None:
    """Everything that could make a log line or a traceback with a secret in it."""
    await ask(hub.port, "GET", f"/api/health?token={token}")
    await ask(hub.port, "GET", f"/{token}")
    await ask(hub.port, "GET", "/api/health", {"Authorization": f"Bearer {token}x"})
    await ask(hub.port, "GET", "/api/health", {"Authorization": f"Bearer {token}", "Host": "evil.example"})
    await ask(hub.port, "POST", "/api/login", {"Origin": "null", "Content-Type": JSON}, json.dumps({"key": token}).encode())
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": JSON}
    await ask(hub.port, "PUT", "/api/settings", bearer, json.dumps({token: cookie}).encode())
    await ask(hub.port, "POST", "/api/sessions", bearer, json.dumps({"name": token, "runtime": cookie}).encode())
    await raw(hub.port, f"GET / HTTP/1.1\r\nBad Name: {token}\r\nCookie: {cookie}\r\n\r\n".encode())
    await raw(hub.port, f"{token} {cookie}\r\n\r\n".encode())
    url = f"http://127.0.0.1:{hub.port}/ws"
    async with aiohttp.ClientSession() as client, client.ws_connect(url, headers=bearer) as socket:
        await socket.send_str("{" + token)
        await socket.send_bytes(token.encode())


def process_words() -> Iterator[tuple[Path, bytes]]:
    """Arguments of every process of this machine, and environments of those that we may read, this one's left out."""
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        for file in (process / "cmdline", process / "environ"):
            try:
                yield file, file.read_bytes()
            except OSError:
                continue


def written(hub: LiveHub) -> Iterator[tuple[Path, bytes]]:
    for file in hub.home.rglob("*"):
        if file.is_file() and file != hub.paths.token_file:
            yield file, file.read_bytes()


async def test_s16_no_secret_leaks(live: LiveHub) -> None:
    token = live.token
    session_id = await live.spawn()
    key, cookie, csrf = await log_in(live)
    unused = str((await live.call("POST", "/api/open"))["url"]).partition("#k=")[2]
    await misbehave(live, token, cookie)
    # While an agent's command runs: it waits for a page.
    command = await live.client(session_id, "converse", "--timeout", "2", "hello")
    secrets = [secret.encode() for secret in (token, key, unused, cookie, csrf)]
    assert all(len(secret) > 30 for secret in secrets)
    found = [(file, secret) for file, words in process_words() for secret in secrets if secret in words]
    assert found == []
    await command.communicate()
    environment = await asyncio.create_subprocess_exec(
        "tmux", "-S", str(live.paths.tmux_socket), "show-environment", "-g", stdout=asyncio.subprocess.PIPE
    )
    shown, _ = await environment.communicate()
    assert shown
    assert not [secret for secret in secrets if secret in shown]
    await live.stop()
    found = [(file, secret) for file, content in written(live) for secret in secrets if secret in content]
    assert found == []
    assert (live.home / "output").exists()


async def test_s14_all_that_a_hub_writes_is_closed_to_others(live: LiveHub) -> None:
    await live.spawn()
    await log_in(live)
    folders = [live.paths.data, live.paths.state, live.paths.run, live.paths.config, live.paths.sessions]
    assert {str(folder): oct(stat.S_IMODE(folder.stat().st_mode)) for folder in folders} == {str(f): "0o700" for f in folders}
    kept = [live.paths.token_file, live.paths.store_file, live.paths.data / "logins.json", live.paths.hub_socket]
    assert {str(file): oct(stat.S_IMODE(file.stat().st_mode)) for file in kept} == {str(file): "0o600" for file in kept}


@pytest.mark.parametrize("spoil", ["token mode", "token link", "data link", "run mode"])
async def test_s14_a_hub_does_not_start_on_unsafe_files(live: LiveHub, spoil: str) -> None:
    await live.stop()
    token, data = live.paths.token_file, live.paths.data
    if spoil == "token mode":
        token.chmod(0o644)
    elif spoil == "token link":
        token.rename(token.with_name("elsewhere"))
        token.symlink_to(token.with_name("elsewhere"))
    elif spoil == "data link":
        data.rename(data.with_name("elsewhere"))
        data.symlink_to(data.with_name("elsewhere"))
    else:
        live.paths.run.chmod(0o755)
    with pytest.raises(AssertionError, match="did not start") as refused:
        await live.start()
    assert "unsafe_files" in str(refused.value)
