"""Speech on other servers: our own service with its token, a stranger's, and several ways not to answer."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from clawmux.checks import remote as checks
from clawmux.finding import Finding, Verdict
from tests.doctor.conftest import MakeScene
from tests.speech.conftest import TOKEN, serving
from tests.stand_ins.speech_engines import Files


async def asked(scene: MakeScene, home: Path, url: str, token: str = TOKEN) -> Finding:
    file = home / "token"
    file.write_text(token + "\n")
    drawn = scene({"speech_whisper_url": url, "speech_token_file": str(file) if token else ""})
    [finding] = await asyncio.to_thread(lambda: list(checks.servers(drawn)))
    assert TOKEN not in finding.detail
    return finding


async def test_our_own_service_takes_our_token(scene: MakeScene, home: Path, tmp_path: Path) -> None:
    async with serving(tmp_path, token=TOKEN) as service:
        await service.client.health()
        for ending in ("", "/", "/v1", "/v1/audio/transcriptions"):
            finding = await asked(scene, home, service.url + ending)
            assert finding.verdict in (Verdict.OK, Verdict.WARN), finding
        assert finding.what == "remote recognition" and service.url in finding.detail


@pytest.mark.parametrize(("token", "words"), [("a-wrong-token-0123456789", "refuses the token"), ("", "asks for a token")])
async def test_a_token_that_is_refused(scene: MakeScene, home: Path, tmp_path: Path, token: str, words: str) -> None:
    async with serving(tmp_path, token=TOKEN) as service:
        finding = await asked(scene, home, service.url, token)
    assert finding.verdict is Verdict.FAIL and words in finding.detail and "speech.token_file" in finding.remedy


async def test_a_service_without_models(scene: MakeScene, home: Path, tmp_path: Path) -> None:
    async with serving(tmp_path, Files(), token=TOKEN) as service:
        finding = await asked(scene, home, service.url)
    assert finding.verdict is Verdict.FAIL and "not installed" in finding.detail


def test_none_is_named(scene: MakeScene) -> None:
    [finding] = checks.servers(scene())
    assert finding.verdict is Verdict.SKIP


def test_both_halves_are_asked(scene: MakeScene) -> None:
    urls = {"speech_whisper_url": "ftp://x", "speech_kokoro_url": "http://"}
    findings = list(checks.servers(scene(urls)))
    assert [finding.what for finding in findings] == ["remote recognition", "remote speaking"]
    assert {finding.verdict for finding in findings} == {Verdict.FAIL}


@contextmanager
def stranger(answers: dict[str, tuple[int, object]]) -> Iterator[str]:
    """A server with these answers to paths; 404 to all others."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, {}))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("answers", "verdict", "words"),
    [
        ({"/v1/models": (200, {"data": []})}, Verdict.OK, "answers and takes our token"),
        ({}, Verdict.OK, "answers"),
        ({"/health": (200, [])}, Verdict.OK, "answers"),
        ({"/health": (200, {"state": "loading"})}, Verdict.WARN, "still loads"),
        ({"/health": (200, {"state": "failed", "reason": "no memory"})}, Verdict.FAIL, "no memory"),
        ({"/v1/models": (403, {})}, Verdict.FAIL, "refuses the token"),
        ({"/health": (502, {})}, Verdict.FAIL, "502"),
    ],
)
async def test_servers_that_are_not_ours(
    scene: MakeScene, home: Path, answers: dict[str, tuple[int, object]], verdict: Verdict, words: str
) -> None:
    with stranger(answers) as url:
        finding = await asked(scene, home, url)
    assert finding.verdict is verdict and words in finding.detail, finding


async def test_a_server_below_a_folder(scene: MakeScene, home: Path) -> None:
    with stranger({"/gpu/health": (200, {"state": "failed", "reason": "asked below the folder"})}) as url:
        finding = await asked(scene, home, f"{url}/gpu/v1")
    assert "asked below the folder" in finding.detail


async def test_nobody_listens(scene: MakeScene, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    finding = await asked(scene, home, f"http://ann:hush@127.0.0.1:{port}")
    assert finding.verdict is Verdict.FAIL and "refused" in finding.detail and "hush" not in finding.detail


async def test_a_server_that_never_answers(scene: MakeScene, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "QUICK_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        finding = await asked(scene, home, f"http://127.0.0.1:{server.getsockname()[1]}")
    assert finding.verdict is Verdict.FAIL and "no answer in time" in finding.detail


async def test_a_server_whose_answer_never_ends(scene: MakeScene, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and the last never does."""
    monkeypatch.setattr(checks, "QUICK_SECONDS", 0.3)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            taken, _ = server.accept()
            taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with suppress(OSError):
                while not done.wait(0.05):
                    taken.sendall(b"x")

        threading.Thread(target=drip, daemon=True).start()
        asking = asked(scene, home, f"http://127.0.0.1:{server.getsockname()[1]}")
        try:
            finding = await asyncio.wait_for(asking, 5.0)
        finally:
            done.set()
    assert finding.verdict is Verdict.FAIL and "no answer in time" in finding.detail


async def test_a_server_that_speaks_no_http(scene: MakeScene, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            taken, _ = server.accept()
            taken.sendall(b"220 mail ready\r\n")
            taken.close()

        threading.Thread(target=hang_up, daemon=True).start()
        finding = await asked(scene, home, f"https://127.0.0.1:{server.getsockname()[1]}")
    assert finding.verdict is Verdict.FAIL and "cannot be reached" in finding.detail
