"""The hub, its port, its page, a phone and the service: with a real hub, real ports, real certificates and real unit files."""

from __future__ import annotations

import asyncio
import datetime
import http.server
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import clawmux
from clawmux.adapters import user_service
from clawmux.adapters.service_unit import Unit
from clawmux.checks import reach as checks
from clawmux.checks.scene import Hub, Scene
from clawmux.cli.doctor import _asking, _hub
from clawmux.finding import Verdict
from clawmux.hub import lock
from clawmux.wire.errors import ClawMuxError
from tests.doctor.conftest import AddProgram, MakeScene
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
    [finding] = checks.hub(replace(real, ask=lambda path: {**health, "version": "0.0.9"}))
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
def web(handler: type[Careless]) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@pytest.mark.parametrize(("handler", "words"), [(Careless, "not its own"), (Broken, "answers 500")])
def test_a_page_that_is_not_as_it_should_be(scene: MakeScene, handler: type[Careless], words: str) -> None:
    with web(handler) as port:
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


# --- a phone ------------------------------------------------------------------------------------


@pytest.fixture
def certificate(home: Path) -> dict[str, str]:
    """A pair that fits, as settings."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.example")])
    born = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(born).not_valid_after(born + datetime.timedelta(days=365 * 50)).sign(key, hashes.SHA256())
    )  # fmt: skip
    (home / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (home / "k.pem").write_bytes(private)
    return {"hub_tls_certificate": str(home / "c.pem"), "hub_tls_key": str(home / "k.pem")}


@pytest.mark.parametrize(
    ("settings", "verdict", "words"),
    [
        ({}, Verdict.OK, "for this machine only"),
        ({"hub_public_url": "https://hub.example"}, Verdict.OK, "https://hub.example"),
        ({"hub_host": "0.0.0.0"}, Verdict.FAIL, "without TLS"),
        ({"hub_host": "192.0.2.7", "hub_tls_certificate": "/nowhere.pem"}, Verdict.FAIL, "No such file"),
    ],
)
def test_a_phone(scene: MakeScene, settings: dict[str, str], verdict: Verdict, words: str) -> None:
    [finding] = checks.phone(scene(settings))
    assert finding.verdict is verdict and words in finding.detail


def test_a_phone_with_a_certificate(scene: MakeScene, certificate: dict[str, str]) -> None:
    [finding] = checks.phone(scene({"hub_host": "hub.example", **certificate}))
    assert (finding.verdict, finding.detail) == (Verdict.OK, "A phone opens https://hub.example:3460.")
    Path(certificate["hub_tls_key"]).write_text("no key")
    [finding] = checks.phone(scene({"hub_host": "hub.example", **certificate}))
    assert finding.verdict is Verdict.FAIL and "hub.tls_key" in finding.detail


def test_a_phone_where_tailscale_is_installed(scene: MakeScene, program: AddProgram, home: Path) -> None:
    program("tailscale", "exit 0")
    [finding] = checks.phone(scene(environ={"PATH": str(home / "programs")}))
    assert finding.verdict is Verdict.OK and "tailscale serve --bg http://127.0.0.1:3460" in finding.remedy


def test_why_a_phone_needs_https_is_said(scene: MakeScene) -> None:
    [finding] = checks.phone(scene())
    assert "microphone" in finding.detail and "https" in finding.detail


# --- the service --------------------------------------------------------------------------------


def test_no_service_is_installed(scene: MakeScene) -> None:
    [finding] = checks.service(scene())
    assert finding.verdict is Verdict.SKIP and "clawmux service install" in finding.remedy


def test_a_unit_that_somebody_else_wrote(scene: MakeScene, home: Path) -> None:
    file = user_service.here({"HOME": str(home)}).file
    file.parent.mkdir(parents=True)
    file.write_text("[Service]\nExecStart=/bin/true\n")
    [finding] = checks.service(scene(environ={"HOME": str(home)}))
    assert finding.verdict is Verdict.WARN and str(file) in finding.detail


def test_the_unit_of_another_hub(scene: MakeScene, home: Path) -> None:
    manager = user_service.here({"HOME": str(home)})
    manager.write(Unit(("/bin/clawmux", "start", "--foreground"), (), Path("/srv/other")))
    [finding] = checks.service(scene(environ={"HOME": str(home), "PATH": ""}))
    assert finding.verdict is Verdict.OK and "/srv/other" in finding.detail


def test_a_unit_of_ours_without_a_service_manager(scene: MakeScene, home: Path) -> None:
    manager = user_service.here({"HOME": str(home)})
    drawn = scene(environ={"HOME": str(home), "PATH": ""})
    manager.write(Unit(("/bin/clawmux", "start", "--foreground"), (), drawn.paths.data))
    [finding] = checks.service(drawn)
    assert finding.verdict is Verdict.WARN and finding.remedy


@pytest.mark.parametrize(
    ("state", "hub_runs", "verdict"),
    [
        (user_service.State(True, True, 7), True, Verdict.OK),
        (user_service.State(False, True, 7), True, Verdict.WARN),
        (user_service.State(True, False), True, Verdict.OK),
        (user_service.State(True, False), False, Verdict.WARN),
    ],
)
def test_an_installed_service(state: user_service.State, hub_runs: bool, verdict: Verdict) -> None:
    finding = checks.judge_service(state, hub_runs)
    assert finding.verdict is verdict
    assert bool(finding.remedy) == (verdict is Verdict.WARN)
