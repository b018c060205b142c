"""The two doors (S14, S15, S19 to S22, S31): sockets as they really are, with slow, greedy, broken and foreign clients."""

from __future__ import annotations

import asyncio
import datetime
import os
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clawmux.hub.binding import bind_tcp, bind_unix, tls_context
from clawmux.hub.connection import TCP_CONNECTIONS, Limits, connection_cap
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError
from tests.security.guarded import JSON, House, assert_dressed, assert_refused, parse, raw, serve

# A tenth of the real patience: the same code in a tenth of the time.
HASTY = Limits(header_seconds=0.3, body_stall_seconds=1.0, body_seconds=2.0, idle_seconds=1.5, handshake_seconds=0.3)


def test_the_patience_that_was_promised() -> None:
    assert (Limits().header_seconds, Limits().body_stall_seconds) == (3.0, 10.0)


@pytest.mark.parametrize(("files", "cap"), [(16, 8), (256, 64), (1024, TCP_CONNECTIONS), (1 << 20, TCP_CONNECTIONS)])
def test_the_cap_leaves_files_for_the_rest(files: int, cap: int) -> None:
    assert connection_cap(files) == cap


async def test_s14_modes(house: House) -> None:
    assert stat.S_IMODE(house.paths.hub_socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(house.paths.run.stat().st_mode) == 0o700


async def test_s14_linked_run_folder_stops_the_start(root: Path) -> None:
    (root / "elsewhere").mkdir(mode=0o700)
    (root / "state").mkdir()
    (root / "state" / "run").symlink_to(root / "elsewhere")
    with pytest.raises(ClawMuxError) as refused:
        async with serve(root):
            pass
    assert refused.value.code == "unsafe_files"


async def test_stale_socket_is_replaced_and_a_live_one_is_not(root: Path) -> None:
    (root / "state").mkdir()
    file = root / "state" / "run" / "hub.sock"
    bind_unix(file).close()
    assert file.exists()
    async with serve(root):
        with pytest.raises(ClawMuxError) as refused:
            bind_unix(file)
        assert refused.value.code == "conflict"
    assert not file.exists()


async def test_a_file_in_the_way_of_the_socket_is_kept_and_named(root: Path) -> None:
    file = root / "run" / "hub.sock"
    file.parent.mkdir(mode=0o700)
    file.write_text("mine", encoding="utf-8")
    # To connect to a plain file is refused like to a dead socket; but it is no socket of ours.
    with pytest.raises(ClawMuxError) as refused:
        bind_unix(file)
    assert (refused.value.code, file.read_text(encoding="utf-8")) == ("unsafe_files", "mine")


async def test_too_long_a_socket_path_is_named(root: Path) -> None:
    with pytest.raises(ClawMuxError) as refused:
        async with serve(root / ("x" * 100)):
            pass
    assert refused.value.code == "usage"
    assert "hub.sock" in refused.value.text


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_busy_port_names_its_holder_and_breaks_nothing(root: Path, address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as other:
        other.bind((address, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ClawMuxError) as refused:
            async with serve(root, Settings(hub_port=port)):
                pass
    assert refused.value.code == "port_busy"
    assert f"port {port}" in refused.value.text
    assert f"process {os.getpid()}" in refused.value.text
    assert not (root / "state" / "run" / "hub.sock").exists()


async def test_both_loopbacks_are_ours(house: House) -> None:
    """Browsers try ::1 first for *.localhost; whoever listened there would be handed the cookie."""
    for address in ("127.0.0.1", "::1"):
        reader, writer = await asyncio.open_connection(address, house.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: nobody.example\r\nConnection: close\r\n\r\n")
        assert b" 421 " in await asyncio.wait_for(reader.readline(), 10), address
        writer.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.255.255.1"])
def test_s31_beyond_loopback_only_with_tls(host: str) -> None:
    with pytest.raises(ClawMuxError) as refused:
        tls_context(Settings(hub_host=host))
    assert refused.value.code == "usage"
    assert "hub.host" in refused.value.text
    assert "hub.tls_certificate" in refused.value.text


@pytest.mark.parametrize("host", ["no.such.host.invalid", "", "127.0.0.1:80"])
def test_wrong_host_is_named(host: str) -> None:
    with pytest.raises(ClawMuxError) as refused:
        bind_tcp(host or "\0", 0)
    assert refused.value.code == "usage"
    assert "hub.host" in refused.value.text


@pytest.mark.parametrize(
    ("half", "missing"),
    [
        (Settings(hub_tls_key="/some/file"), "hub.tls_certificate"),
        (Settings(hub_tls_certificate="/some/file"), "hub.tls_key"),
    ],
)
def test_half_of_tls_is_named(half: Settings, missing: str) -> None:
    with pytest.raises(ClawMuxError) as refused:
        tls_context(half)
    assert refused.value.text.startswith(missing)


def test_broken_certificate_is_named(root: Path) -> None:
    (root / "cert.pem").write_text("no PEM", encoding="utf-8")
    with pytest.raises(ClawMuxError) as refused:
        tls_context(Settings(hub_tls_certificate=str(root / "cert.pem"), hub_tls_key=str(root / "none.pem")))
    assert refused.value.code == "bad_file"
    assert "cert.pem" in refused.value.text


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "box.lan")])
    born = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(born).not_valid_after(born + datetime.timedelta(days=365 * 50))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("box.lan")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


async def test_tls_door(root: Path) -> None:
    certificate, key = make_certificate(root)
    settings = Settings(
        hub_host="0.0.0.0",
        hub_port=0,
        hub_tls_certificate=str(certificate),
        hub_tls_key=str(key),
        hub_public_url="https://box.lan",
    )
    async with serve(root, settings, HASTY) as house:
        assert house.origin == "https://box.lan"
        # Asked of the context: today's OpenSSL cannot speak anything older, so no client could try.
        context = tls_context(settings)
        assert context is not None
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        trust = ssl.create_default_context(cafile=str(certificate))
        token = house.bearer["Authorization"]
        request = f"GET /api/health HTTP/1.1\r\nHost: box.lan\r\nConnection: close\r\nAuthorization: {token}\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port, ssl=trust, server_hostname="box.lan")
        writer.write(request.encode())
        assert parse(await reader.read()).status == 200
        writer.close()
        # Plain HTTP, and silence in place of a handshake.
        assert not (await raw(house.port, request.encode())).startswith(b"HTTP")
        started = time.monotonic()
        assert await raw(house.port, b"") == b""
        assert time.monotonic() - started < 2


# This environment's own Python may lie where nobody else can read it.
SYSTEM_PYTHON = Path("/usr/bin/python3")
CONNECT = """
import socket, sys
address = sys.argv[1] if sys.argv[1].startswith("/") else ("127.0.0.1", int(sys.argv[1]))
s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
s.connect(address)
s.sendall(b"GET /api/health HTTP/1.1\\r\\nHost: 127.0.0.1:" + sys.argv[1].encode() + b"\\r\\nConnection: close\\r\\n\\r\\n")
print(s.recv(65536))
"""


async def as_nobody(code: str, argument: object) -> str:
    child = await asyncio.create_subprocess_exec(
        SYSTEM_PYTHON, "-I", "-c", code, str(argument),
        user=65534, group=65534, extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await child.communicate()
    return out.decode()


@pytest.mark.skipif(os.getuid() != 0 or not SYSTEM_PYTHON.exists(), reason="only root may become another user")
async def test_s15_another_user(house: House) -> None:
    """The token, the socket, TCP without a credential; and the socket although somebody opened its modes."""
    assert "PermissionError" in await as_nobody("import sys; open(sys.argv[1])", house.paths.token_file)
    assert "PermissionError" in await as_nobody(CONNECT, house.paths.hub_socket)
    assert "401 Unauthorized" in await as_nobody(CONNECT, house.port)
    for opened in (house.paths.run, house.paths.state, house.paths.state.parent):
        opened.chmod(0o755)
    house.paths.hub_socket.chmod(0o666)
    assert "403 Forbidden" in await as_nobody(CONNECT, house.paths.hub_socket)


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\nHost: HOST\r\nX-Long: " + "a" * 65536,
        "GET /" + "a" * 65536 + " HTTP/1.1\r\nHost: HOST",
        "GET / HTTP/1.1\r\nHost: HOST\r\n" + "\r\n".join(f"X-{n}: 1" for n in range(200)),
        "POST /api/login HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nTransfer-Encoding: chunked",
        "POST /api/login HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nContent-Length: 5",
        "POST /api/login HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1",
        "POST /api/login HTTP/1.1\r\nHost: HOST\r\nContent-Length: x",
        "GET / HTTP/1.1\r\nHost: HOST\r\nBad Name: 1",
        "GET / HTTP/1.1\r\nHost: HOST\r\nBad-Name : 1",
        "GET / HTTP/1.1\r\nHost: HOST\r\n folded: 1",
        "GET / HTTP/1.1\r\nHost: HOST\r\nNul: a\0b",
        "GET / HTTP/9.9\r\nHost: HOST",
        "\x16\x03\x01\x02\x00\x01",
        "<script>alert(1)</script>",
    ],
    ids=lambda head: head[:60] + str(len(head)),
)
async def test_s20_broken_requests(house: House, head: str) -> None:
    data = (head.replace("HOST", f"clawmux.localhost:{house.port}") + "\r\n\r\n").encode()
    answer = parse(await raw(house.port, data))
    assert_refused(answer, 400)
    assert b"alert" not in answer.body
    assert (await house.ask(headers=house.bearer)).status == 200


async def cut_after(port: int, data: bytes, drip: bytes = b"") -> tuple[float, bytes]:
    """Seconds until the server ends the connection, and what it said; ``drip`` is sent every 0.1 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    started, said, over = time.monotonic(), b"", False
    async with asyncio.timeout(20):
        while not over:
            try:
                part = await asyncio.wait_for(reader.read(65536), 0.1 if drip else None)
                said, over = said + part, not part
            except TimeoutError:
                writer.write(drip)
            except ConnectionError:
                over = True
    writer.close()
    return time.monotonic() - started, said


async def test_s21_slow_clients(root: Path) -> None:
    async with serve(root, limits=HASTY) as house:
        token = house.bearer["Authorization"]
        host = f"Host: clawmux.localhost:{house.port}\r\n"
        head = f"POST /api/sessions HTTP/1.1\r\n{host}Content-Type: {JSON}\r\nAuthorization: {token}\r\n"
        sized = f"{head}Content-Length: 1000\r\n\r\n".encode()
        get = f"GET /api/health HTTP/1.1\r\n{host}\r\n".encode()
        partial, dripped, silent, stalled, drip_body, idle, second = await asyncio.gather(
            cut_after(house.port, b"GET / HT"),
            cut_after(house.port, b"GET / HTTP/1.1\r\n", drip=b"X: 1\r\n"),
            cut_after(house.port, b""),
            cut_after(house.port, sized + b"{"),
            cut_after(house.port, sized, drip=b" "),
            cut_after(house.port, get),
            cut_after(house.port, get + b"GET / HT"),
        )
        assert partial[1] == dripped[1] == silent[1] == b""
        assert 0.25 < partial[0] < 1.2 and 0.25 < dripped[0] < 1.2
        assert silent[0] < 3.5
        for late, earliest, latest in ((stalled, 0.9, 2.0), (drip_body, 1.9, 3.5)):
            assert_refused(parse(late[1]), 408)
            assert earliest < late[0] < latest
        assert parse(idle[1]).status == 401
        assert 1.0 < idle[0] < 4.0
        assert parse(second[1]).status == 401
        assert second[0] < 4.0


async def test_a_patient_client_is_not_cut(root: Path) -> None:
    """A long answer, a long pause between requests within the limit, and a WebSocket that only listens."""
    async with serve(root, limits=HASTY) as house, aiohttp.ClientSession() as client:
        base = f"http://127.0.0.1:{house.port}"
        waiting = asyncio.create_task(client.get(f"{base}/api/history", headers=house.bearer))
        async with client.ws_connect(f"{base}/ws", headers=house.bearer) as page:
            await page.send_str("here")
            assert await page.receive_str(timeout=2) == "here"
            done, _ = await asyncio.wait({waiting}, timeout=2.5)
            assert not done
            await page.send_str("still here")
            assert await page.receive_str(timeout=2) == "still here"
        waiting.cancel()


async def test_f23_a_handler_ends_when_its_client_goes(house: House) -> None:
    async with aiohttp.ClientSession() as client:
        with pytest.raises(TimeoutError):
            await client.get(
                f"http://127.0.0.1:{house.port}/api/history", headers=house.bearer, timeout=aiohttp.ClientTimeout(total=0.3)
            )
    async with asyncio.timeout(3):
        await house.cancelled.wait()


@asynccontextmanager
async def crowd(port: int, size: int = 400) -> AsyncIterator[None]:
    """Connections that never say anything. They connect in the background: the last ones wait in the kernel's queue."""
    socks = [socket.socket() for _ in range(size)]
    for sock in socks:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
    try:
        yield
    finally:
        for sock in socks:
            sock.close()


async def test_s22_idle_connections_hold_nobody_up(house: House) -> None:
    connector = aiohttp.UnixConnector(str(house.paths.hub_socket))
    async with crowd(house.port), aiohttp.ClientSession(connector=connector) as client:
        started = time.monotonic()
        async with client.get("http://clawmux/api/health") as answer:
            assert answer.status == 200
        unix = time.monotonic() - started
        started = time.monotonic()
        assert (await house.ask(headers=house.bearer)).status == 200
        tcp = time.monotonic() - started
    print(f"with 400 idle connections: unix socket {unix * 1e3:.1f} ms, TCP {tcp * 1e3:.1f} ms")
    assert unix < 0.5
    assert tcp < 3


async def test_s22_busy_connections_are_not_thrown_out(house: House) -> None:
    url = f"http://127.0.0.1:{house.port}/ws"
    async with aiohttp.ClientSession() as client, client.ws_connect(url, headers=house.bearer) as page, crowd(house.port):
        assert (await house.ask(headers=house.bearer)).status == 200
        await page.send_str("still here")
        assert await page.receive_str(timeout=3) == "still here"


async def test_s22_when_all_are_busy_the_next_is_turned_away(house: House) -> None:
    """And the unix socket answers on."""
    url = f"http://127.0.0.1:{house.port}/ws"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        pages = [await client.ws_connect(url, headers=house.bearer) for _ in range(TCP_CONNECTIONS)]
        with pytest.raises((ConnectionError, EOFError)):
            await house.ask(headers=house.bearer)
        connector = aiohttp.UnixConnector(str(house.paths.hub_socket))
        async with aiohttp.ClientSession(connector=connector) as local, local.get("http://clawmux/api/health") as answer:
            assert answer.status == 200
        await pages.pop().close()
        assert (await house.ask(headers=house.bearer)).status == 200


async def test_answers_before_the_guard_are_dressed_too(house: House) -> None:
    head = f"GET / HTTP/1.1\r\nHost: clawmux.localhost:{house.port}\r\nExpect: miracles\r\nConnection: close\r\n\r\n"
    answer = parse(await raw(house.port, head.encode()))
    assert answer.status == 417
    assert_dressed(answer)


async def test_two_generations_on_one_port(root: Path) -> None:
    """Connections of a hub that ended do not keep the next one from its port."""
    async with serve(root) as house:
        port = house.port
        await house.ask(headers=house.bearer)
    async with serve(root, Settings(hub_port=port)) as house:
        assert (await house.ask(headers=house.bearer)).status == 200
