"""The hub, its port and its page, here and elsewhere: with a real hub and real ports."""

from __future__ import annotations

import asyncio
import http.server
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

import clawmux
from clawmux.checks import reach as checks
from clawmux.checks import web
from clawmux.checks.scene import Hub, Scene
from clawmux.cli.doctor import _asking, _hub
from clawmux.finding import Verdict
from clawmux.hub import lock
from clawmux.wire.errors import ClawMuxError
from tests.doctor.conftest import MakeScene
from tests.live_hub import LiveHub


@pytest.fixture
async def live() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        yield hub


def scene_of(make: MakeScene, hub: LiveHub) -> Scene:
    found, fault = _hub(hub.paths)
    assert found is not None and fault is None
    scene = make({"hub_port": 0}, paths=hub.paths, hub=found, ask=_asking(hub.paths))
    assert isinstance(scene, Scene)
    return scene


async def test_a_running_hub_with_its_port_and_page(scene: MakeScene, live: LiveHub) -> None:
    real = scene_of(scene, live)
    [hub] = checks.hub(real)
    assert hub.verdict is Verdict.OK and f":{live.port}" in hub.detail and clawmux.__version__ in hub.detail
    [port] = checks.port(real)
    assert (port.verdict, port.detail) == (Verdict.OK, f"{live.port} is ours.")
    page, name = await asyncio.to_thread(lambda: list(checks.page(real)))
    assert page.verdict is Verdict.OK and "refuses names" in page.detail
    assert name.verdict is Verdict.OK


async def test_a_hub_of_another_version(scene: MakeScene, live: LiveHub) -> None:
    real = scene_of(scene, live)
    health = await asyncio.to_thread(real.ask, "/api/health")
    [finding] = checks.hub(replace(real, ask=lambda path: {**health, "version": "0.0.9", "sessions": 1}))
    assert "1 agent." in finding.detail
    assert finding.verdict is Verdict.WARN and "0.0.9" in finding.detail and "clawmux stop" in finding.remedy


async def test_another_port_is_set_for_the_next_start(scene: MakeScene, live: LiveHub) -> None:
    real = scene_of(scene, live)
    [finding] = checks.port(replace(real, settings=replace(real.settings, hub_port=4000)))
    assert finding.verdict is Verdict.OK and "4000 is in force from the next start" in finding.detail


def test_no_hub_runs(scene: MakeScene) -> None:
    assert [finding.verdict for finding in checks.hub(scene())] == [Verdict.SKIP]
    assert next(iter(checks.page(scene()))).verdict is Verdict.SKIP


def test_a_lock_that_cannot_be_read(scene: MakeScene) -> None:
    fault = ClawMuxError("unsafe_files", "the lock is a link.", "Move it away.")
    [finding] = checks.hub(scene(hub_fault=fault))
    assert (finding.verdict, finding.remedy) == (Verdict.FAIL, "Move it away.")


def test_a_hub_that_is_starting_or_hangs(scene: MakeScene) -> None:
    paths = scene().paths
    paths.data.mkdir(parents=True)
    with lock.hold(paths) as descriptor:
        found, _ = _hub(paths)
        [finding] = checks.hub(scene(hub=found, ask=_asking(paths)))
        assert finding.verdict is Verdict.WARN and "starting" in finding.detail
        lock.write_facts(descriptor, lock.Running(4711, "http://clawmux.localhost:1"))
        found, _ = _hub(paths)
        [finding] = checks.hub(scene(hub=found, ask=_asking(paths)))
        assert finding.verdict is Verdict.FAIL and "kill 4711" in finding.remedy


# --- the port -----------------------------------------------------------------------------------


def test_a_free_port_stays_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    assert checks.judge_port("127.0.0.1", free).verdict is Verdict.OK
    socket.create_server(("127.0.0.1", free)).close()


def test_a_port_that_another_program_holds(scene: MakeScene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        [finding] = checks.port(scene({"hub_port": server.getsockname()[1]}))
    assert finding.verdict is Verdict.FAIL and "in use by pid" in finding.detail and "hub.port" in finding.remedy


def test_an_address_that_is_not_this_machines() -> None:
    finding = checks.judge_port("192.0.2.1", 3460)
    assert finding.verdict is Verdict.FAIL and "cannot be opened" in finding.detail


def test_any_port_will_do(scene: MakeScene) -> None:
    [finding] = checks.port(scene({"hub_port": 0}))
    assert finding.verdict is Verdict.OK


# --- the page -----------------------------------------------------------------------------------


class Careless(http.server.BaseHTTPRequestHandler):
    """Shows a page to everybody, by whatever name."""

    status, body = 200, b"<title>ClawMux</title>"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        pass


class Broken(Careless):
    status, body = 500, b"oh"


@contextmanager
def serving(handler: type[Careless]) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class Another(Careless):
    body = b"another program's page"


@pytest.mark.parametrize(
    ("handler", "words"), [(Careless, "not its own"), (Broken, "answers 500"), (Another, "answers 200 and not the page")]
)
def test_a_page_that_is_not_as_it_should_be(scene: MakeScene, handler: type[Careless], words: str) -> None:
    with serving(handler) as port:
        finding = next(iter(checks.page(scene(hub=Hub(1, f"http://clawmux.localhost:{port}")))))
    assert finding.verdict is Verdict.FAIL and words in finding.detail and finding.remedy


def test_a_page_that_does_not_answer(scene: MakeScene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    finding = next(iter(checks.page(scene(hub=Hub(1, f"http://clawmux.localhost:{port}")))))
    assert finding.verdict is Verdict.FAIL and "refused" in finding.detail


@pytest.mark.parametrize(
    ("found", "platform", "words"),
    [(True, "linux", "leads to this machine"), (False, "linux", "by themselves"), (False, "darwin", "Chrome and Firefox")],
)
def test_the_pages_name(found: bool, platform: str, words: str) -> None:
    finding = checks.judge_name(found, platform)
    assert finding.verdict is Verdict.OK and words in finding.detail
    assert ("Safari" in finding.remedy) == (platform == "darwin")


# --- a hub elsewhere ----------------------------------------------------------------------------


async def test_a_hub_elsewhere_that_answers(scene: MakeScene, live: LiveHub) -> None:
    [finding] = await asyncio.to_thread(lambda: list(checks.server(scene({"hub_server_url": f"http://127.0.0.1:{live.port}"}))))
    assert finding.verdict is Verdict.WARN and "microphone" in finding.detail


async def test_a_hub_elsewhere_by_a_name_that_it_does_not_know(scene: MakeScene, live: LiveHub) -> None:
    [finding] = await asyncio.to_thread(lambda: list(checks.server(scene({"hub_server_url": f"127.0.0.2:{live.port}"}))))
    assert finding.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("url", "status", "verdict"),
    [
        ("https://hub.example", 200, Verdict.OK),
        ("http://hub.example", 200, Verdict.WARN),
        ("https://hub.example", 421, Verdict.FAIL),
        ("https://hub.example", 502, Verdict.FAIL),
    ],
)
def test_what_a_hub_elsewhere_answers(url: str, status: int, verdict: Verdict) -> None:
    finding = checks.judge_server(url, web.Answer(status, b"<title>ClawMux</title>"))
    assert finding.verdict is verdict and bool(finding.remedy) == (verdict is not Verdict.OK)


def test_nobody_answers_elsewhere(scene: MakeScene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    [finding] = checks.server(scene({"hub_server_url": f"https://127.0.0.1:{port}"}))
    assert finding.verdict is Verdict.FAIL and "refused" in finding.detail


def test_the_hub_is_to_run_here(scene: MakeScene) -> None:
    assert [finding.verdict for finding in checks.server(scene())] == [Verdict.SKIP]
