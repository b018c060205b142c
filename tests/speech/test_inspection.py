"""A speech server is tried before it is used: what it is, or the exact fault with what to do. Loopback only."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from clawmux import __version__
from clawmux.adapters import authority
from clawmux.adapters.speech.inspection import inspect
from clawmux.wire.errors import ClawMuxError
from tests.speech.conftest import serving
from tests.speech.test_remote import PCM, stranger

TOKEN = "a-token-for-tests-0123456789"
HEARING, SPEAKING = "speech.whisper_url", "speech.kokoro_url"
MODELS = {"data": [{"id": "whisper-1"}, {"id": "kokoro"}]}


def token_file(folder: Path, token: str = TOKEN) -> str:
    file = folder / "token"
    file.write_text(token + "\n")
    return str(file)


@pytest.mark.parametrize(("setting", "does"), [(HEARING, "recognised a piece of silence"), (SPEAKING, "spoke a word")])
async def test_our_own_server_is_told_with_version_models_and_times(tmp_path: Path, setting: str, does: str) -> None:
    async with serving(tmp_path, token=TOKEN) as far:
        found = await inspect(setting, far.url + "/v1", token_file(tmp_path))
    assert found.ok and does in found.text and found.version == __version__, found
    assert found.models and found.connect_ms is not None and found.work_ms is not None
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("setting", "routes", "words"),
    [
        (HEARING, {"/v1/models": MODELS, "/v1/audio/transcriptions": {"text": ""}}, ""),
        (HEARING, {"/inference": {"text": ""}}, ""),
        (SPEAKING, {"/v1/models": MODELS, "/v1/audio/speech": PCM}, ""),
        (SPEAKING, {"/v1/models": MODELS}, "none that can speak (status 404)"),
        (HEARING, {"/": "hello"}, "none that can understand speech (status 404)"),
        (HEARING, {"/v1/audio/transcriptions": 500}, "cannot understand speech now (status 500)"),
        (HEARING, {"/v1/audio/transcriptions": {"no": "text"}}, "where words were expected"),
        (SPEAKING, {"/v1/audio/speech": {"no": "sound"}}, "It answers with application/json where sound was expected"),
        (
            SPEAKING,
            {"/health": {"state": "loading", "reason": "loading kokoro", "stt": {}, "tts": {}}},
            "not ready: loading kokoro",
        ),
        (HEARING, {"/v1/models": 401}, "It asks for a token, and none is set."),
    ],
)
async def test_servers_of_others(setting: str, routes: dict[str, object], words: str) -> None:
    async with stranger(routes) as url:
        found = await inspect(setting, url, "")
    assert (words in found.text and bool(found.remedy) is bool(words)) and found.ok is not bool(words), found


async def test_the_token_goes_to_who_asks_for_it_only(tmp_path: Path) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(status=401)

    async with host(answer) as url:
        found = await inspect(SPEAKING, url, token_file(tmp_path, "another-token-0123456789"))
        assert found.text == "It refuses the token that stands in the token file (status 401)."
        assert seen == ["", "Bearer another-token-0123456789"] and "another-token" not in repr(found)
        missing = await inspect(SPEAKING, url, str(tmp_path / "nothing"))
        assert missing.text == "It asks for a token, and the token file cannot be read: No such file or directory."
    async with stranger({"/v1/models": MODELS, "/v1/audio/speech": PCM}) as url:
        assert (await inspect(SPEAKING, url, str(tmp_path / "nothing"))).ok, "not even read where nobody asks"


async def test_it_is_not_led_to_another_address(tmp_path: Path) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"})

    async with host(away) as url:
        found = await inspect(HEARING, url, "")
    assert found.text == "It sends us on to http://127.0.0.1:9/, and speech is not sent where nobody has named."


async def test_faults_on_the_way(tmp_path: Path) -> None:
    found = await inspect(HEARING, "http://127.0.0.1:1", "")
    assert found.text == "127.0.0.1 is there, and nothing serves on its port 1."
    found = await inspect(HEARING, "http://nobody.invalid:80", "")
    assert found.text == "No machine of the name nobody.invalid is known here."
    async with stranger({}) as url:
        found = await inspect(HEARING, url.replace("http:", "https:"), "")
    assert (found.text, found.remedy) == (
        "There is no https at that address.",
        "If that server speaks http, write http:// in front.",
    )
    for wrong in ("", "ftp://x", "http://", "box:99", "http://box:x", "http://box:0"):
        with pytest.raises(ClawMuxError, match="not an http or https URL"):
            await inspect(HEARING, wrong, "")
    with pytest.raises(ClawMuxError, match="expected speech"):
        await inspect("hub.server_url", "http://127.0.0.1:1", "")


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    (tmp_path / "both.pem").write_text(authority.new_leaf(authority.new_authority("test", now), ["127.0.0.1"], now))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "both.pem")

    async def nothing(_: web.Request) -> web.Response:
        return web.Response()

    async with host(nothing, tls) as url:
        found = await inspect(HEARING, url, "")
    assert found.text.startswith("Its certificate is not accepted: ") and "trusts" in found.remedy


async def test_a_password_in_the_address_is_not_shown() -> None:
    found = await inspect(HEARING, "http://me:secret@127.0.0.1:1/v1", "")
    assert found.url == "http://127.0.0.1:1" and "secret" not in repr(found)


async def test_what_is_no_web_server(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        found = await inspect(HEARING, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "")
    assert found.text == "Something answers there, and it is no web server, or broke off."


@asynccontextmanager
async def host(answer: object, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)  # type: ignore[arg-type]
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
