"""The rows S8, S9, S17 and S18 against the real guard: what every answer carries, and what no request may bring."""

from __future__ import annotations

import logging

import pytest

from tests.security.guarded import JSON, House, assert_dressed, assert_refused, parse, raw


@pytest.mark.parametrize(("origin", "status"), [("http://evil.example", 403), ("own", 405), ("", 405)])
@pytest.mark.parametrize("path", ["/api/sessions", "/ws", "/"])
async def test_s8_no_cors(house: House, path: str, origin: str, status: int) -> None:
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    if origin:
        headers["Origin"] = house.origin if origin == "own" else origin
    assert_refused(await house.ask("OPTIONS", path, headers), status)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/static/app.js", 200),
        ("GET", "/static/none.js", 404),
        ("GET", "/none", 404),
        ("GET", "/api/none", 404),
        ("PATCH", "/api/health", 405),
        ("GET", "/api/health", 200),
        ("GET", "/api/voices", 500),
        ("GET", "/ws", 400),
        ("BREW", "/", 400),
    ],
)
async def test_s9_headers_on_every_answer(house: House, method: str, path: str, status: int) -> None:
    answer = await house.ask(method, path, house.bearer)
    assert answer.status == status
    assert_dressed(answer)


async def test_static_files_are_asked_for_again_each_time(house: House) -> None:
    first = await house.ask(path="/static/app.js")
    assert (first.status, first.header("Cache-Control")) == (200, "no-cache")
    again = await house.ask(path="/static/app.js", headers={"If-None-Match": first.header("ETag")})
    assert again.status == 304
    assert_dressed(again)


async def test_a_fault_of_ours_is_told_to_the_log_only(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await house.ask(path="/api/voices", headers=house.bearer)
    assert_refused(answer, 500)
    assert b"the reason" not in answer.body
    assert "the reason is for the log only" in caplog.text


@pytest.mark.parametrize(
    "path",
    [
        "/static/../data/token", "/static/%2e%2e/data/token", "/static/..%2fdata%2ftoken", "/static//etc/passwd",
        "/static/%2fetc%2fpasswd", "/static/....//data/token", "/static/..\\data\\token", "/../data/token",
        "/static/%00", "/static/link/token", "/static/token.txt", "/static/", "/static",
    ],
)  # fmt: skip
async def test_s17_only_static_files(house: House, path: str) -> None:
    answer = await house.ask(path=path)
    assert_refused(answer, 404)
    assert house.auth.token.text().encode() not in answer.body


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (JSON, b'{"a": "' + b"x" * 300_000 + b'"}', 413),
        (JSON, b"{", 400),
        (JSON, b'{"a": "\xff"}', 400),
        (JSON, b"[" * 100_000, 400),
        (JSON, b"[]", 400),
        (JSON, b'{"a": "\\ud800"}', 201),
        ("text/plain", b"{}", 415),
        ("application/jsonp", b"{}", 415),
        ("APPLICATION/JSON; charset=utf-8", b"{}", 201),
    ],
    ids=str,
)
async def test_s18_bodies(house: House, kind: str, body: bytes, status: int) -> None:
    answer = await house.ask("POST", "/api/sessions", {**house.bearer, "Content-Type": kind}, body)
    assert answer.status == status, answer
    assert_dressed(answer)
    assert (await house.ask(headers=house.bearer)).status == 200


async def test_s18_a_body_without_a_length_is_bounded_too(house: House) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = (
        f"POST /api/sessions HTTP/1.1\r\nHost: clawmux.localhost:{house.port}\r\nContent-Type: {JSON}\r\n"
        f"Authorization: {house.bearer['Authorization']}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    assert_refused(parse(await raw(house.port, head.encode() + chunk * 5)), 413)


async def test_s18_a_compressed_body_is_not_unpacked(house: House) -> None:
    headers = {**house.bearer, "Content-Type": JSON, "Content-Encoding": "gzip"}
    assert_refused(await house.ask("POST", "/api/sessions", headers, b"\x1f\x8b"), 415)
