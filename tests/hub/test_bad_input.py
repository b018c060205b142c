"""Bad input, by table, against a real hub: the error names the field or the file, and the hub lives on.

One hub takes all rows, one after another; what one leaves broken would show in the next. Sound
files that are none are in test_classic.py, a model file with a flipped byte in tests/models.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from clawmux.wire.cli import ARGV_TYPE
from clawmux.wire.errors import ERRORS
from clawmux.wire.frames import MICROPHONE, SPEECH, Frame, encode_frame
from tests.live_hub import ROOT, LiveHub, end_tmux
from tests.stand_ins.page import StandInPage
from tests.stand_ins.rough_client import WAYS, Http, Raw

SKY = "af_sky"
VOICE, HISTORY = f"/api/sessions/{SKY}/voice", f"/api/history?session_id={SKY}"
MEGABYTE = "x" * 1_048_576
TEXT_70_KB = "word " * 14_000
ENDLESS = "9" * 5000
DEEP = "[" * 100_000
GOODBYE = {"type": "converse", "text": "Hello", "listen": False}


REQUEST_OF_NONE = Http("POST", f"/cli/{SKY}", b"converse\0hi", ARGV_TYPE, {"Clawmux-Request": "../../x"})


class Row(NamedTuple):
    where: str
    name: str
    sent: Any
    code: str
    says: str = ""


def sound(kind: int = MICROPHONE, flags: int = 0, payload: bytes = b"\1\0") -> bytes:
    return encode_frame(Frame(kind, flags, 1, 0, 0.0, payload))


def words(**fields: Any) -> dict[str, Any]:
    return {"type": "text", "id": "t1", "session_id": SKY, "text": "hello", **fields}


def opened(**fields: Any) -> dict[str, Any]:
    return {"type": "mic_open", "session_id": SKY, "turn": "u1", "slot": 1, "why": "hold", **fields}


def hello(**fields: Any) -> dict[str, Any]:
    return {"type": "hello", "v": 2, "client": "rough", **fields}


def order(**fields: Any) -> Http:
    return Http("POST", "/api/sessions", {"runtime": "quiet", **fields})


def change(**values: Any) -> Http:
    return Http("PUT", "/api/settings", {name.replace("__", "."): value for name, value in values.items()})


def body(data: bytes, path: str = "/api/sessions", **facts: Any) -> Http:
    return Http("POST", path, data, **facts)


PAGE = [
    Row("page", "broken JSON", '{"type": "text", ', "usage", "not valid JSON"),
    Row("page", "a list", "[]", "usage", "a list"),
    Row("page", "null", "null", "usage", "null"),
    Row("page", "no type", {"session_id": SKY}, "usage", "type None"),
    Row("page", "a number as type", {"type": 7}, "usage", "type 7"),
    Row("page", "an unknown type", {"type": "shout"}, "usage", "type 'shout'"),
    Row("page", "a type of 1 MB", {"type": MEGABYTE[:-1000]}, "usage", "is unknown"),
    Row("page", "a lone surrogate as type", '{"type": "\\ud800"}', "usage", "is unknown"),
    Row("page", "an unknown field", {"type": "ping", "loud": 1}, "usage", "'loud'"),
    Row("page", "a missing field", {"type": "text", "id": "t1", "session_id": SKY}, "usage", "'text' is missing"),
    Row("page", "a number as text", words(text=7), "usage", "'text' must be a text"),
    Row("page", "null as text", words(text=None), "usage", "'text'"),
    Row("page", "a text as switch", {"type": "prefs", "muted": "yes", "auto": True}, "usage", "'muted'"),
    Row("page", "a number as switch", {"type": "prefs", "muted": False, "auto": 1}, "usage", "'auto'"),
    Row("page", "an object as session", {"type": "cancel", "session_id": {}}, "usage", "'session_id'"),
    Row("page", "NaN", '{"type": "playback_progress", "stream": "s", "ms": NaN}', "usage", "NaN"),
    Row("page", "a number beyond a float", '{"type": "playback_progress", "stream": "s", "ms": 1e999}', "usage", "'ms'"),
    Row("page", "a whole number beyond a float", {"type": "playback_progress", "stream": "s", "ms": 10**400}, "usage", "'ms'"),
    Row("page", "a number of 5000 digits", '{"type": "ping", "ms": ' + ENDLESS + "}", "usage", "number that is too long"),
    Row("page", "deep nesting", '{"type": ' + DEEP, "usage", "nested"),
    Row("page", "a session that is not there", words(session_id="af_nobody"), "not_found", "'af_nobody'"),
    Row("page", "an empty text", words(text=""), "usage", "'text'"),
    Row("page", "a text of NUL and blanks", words(text="\0 \n\t\0"), "usage", "'text'"),
    Row("page", "a text of 70 KB", words(text=TEXT_70_KB), "too_large", "'text'"),
    Row("page", "lone surrogates in a text", json.dumps(words(text="a\ud800b")), "text_ack", "takes words only"),
    Row("page", "an empty id", words(id=""), "usage", "'id'"),
    Row("page", "an id of 65 characters", words(id="x" * 65), "usage", "'id'"),
    Row("page", "an id of two lines", words(id="a\nb"), "usage", "'id'"),
    Row("page", "a turn of 65 characters", opened(turn="x" * 65), "usage", "'turn'"),
    Row("page", "a turn that is not ASCII", opened(turn="tür"), "usage", "'turn'"),
    Row("page", "a turn of a session that is not there", opened(session_id="af_nobody"), "not_found", "'af_nobody'"),
    Row("page", "a slot above 65535", opened(slot=65536), "usage", "'slot'"),
    Row("page", "a slot below 0", opened(slot=-1), "usage", "'slot'"),
    Row("page", "half a slot", opened(slot=1.5), "usage", "'slot'"),
    Row("page", "an unknown reason to listen", opened(why="shout"), "usage", "hold, tap, auto, barge"),
    Row("page", "an unknown end of a turn", {"type": "mic_close", "turn": "u1", "why": "bored"}, "usage", "'why'"),
    Row("page", "an unknown end of sound", {"type": "playback_done", "session_id": "", "stream": "", "why": 1}, "usage", "'why'"),
    Row("page", "a replay of nothing", {"type": "replay", "session_id": SKY, "msg_id": "m"}, "not_found", "'msg_id'"),
    Row("page", "a claim that is no claim", {"type": "audio_owner", "claim": "me"}, "usage", "'claim'"),
    Row("page", "a second hello", hello(), "conflict", "hello"),
    Row("page", "text that is not UTF-8", Raw(b'{"type": "\xff"}'), "closed", "1007"),
    Row("page", "a message over 1 MiB", json.dumps(words(text=MEGABYTE)), "closed", "1009"),
    Row("page", "no bytes at all", b"", "usage", "header"),
    Row("page", "half a header", b"\1\1\0\0\0\0\0\0", "usage", "header"),
    Row("page", "frame kind 0", b"\0" + sound()[1:], "usage", "kind 0"),
    Row("page", "frame kind 9", b"\x09" + sound()[1:], "usage", "kind 9"),
    Row("page", "speech from a page", sound(kind=SPEECH), "usage", "kind 2"),
    Row("page", "an unknown flag", sound(flags=8), "usage", "flags 8"),
    Row("page", "half a sample", sound(payload=b"\1\0\1"), "usage", "payload has 3 bytes"),
    Row("page", "a frame of 64 KB and more", sound(payload=bytes(65538)), "too_large", "payload"),
    Row("page", "a frame over 1 MiB", sound(payload=bytes(1_100_000)), "closed", "1009"),
]  # fmt: skip
FIRST = [
    Row("first message", "broken JSON", "hello", "usage", "not valid JSON"),
    Row("first message", "a number of 5000 digits", ENDLESS, "usage", "number that is too long"),
    Row("first message", "deep nesting", DEEP, "usage", "nested"),
    Row("first message", "sound", sound(), "usage", "hello"),
    Row("first message", "version 1", hello(v=1), "usage", "'v' is 1; expected one of 2"),
    Row("first message", "version '2'", hello(v="2"), "usage", "'v'"),
    Row("first message", "no version", {"type": "hello", "client": "rough"}, "usage", "'v' is missing"),
    Row("first message", "an empty client", hello(client=""), "usage", "'client'"),
    Row("first message", "a client of 65 characters", hello(client="x" * 65), "usage", "'client'"),
    Row("first message", "a text as last event", hello(last="7"), "usage", "'last'"),
    Row("first message", "streams as a list", hello(streams=[]), "usage", "'streams'"),
    Row("first message", "an unknown field", hello(colour="red"), "usage", "'colour'"),
    Row("first message", "text that is not UTF-8", Raw(b'{"type": "hello\xff"}'), "closed", "1007"),
]
CLASSIC = [
    Row("classic", "broken JSON", "{", "usage", "not valid JSON"),
    Row("classic", "an unknown type", {"type": "hello", "v": 2, "client": "rough"}, "usage", "'hello'"),
    Row("classic", "broken base64", {"type": "audio", "session_id": SKY, "data": "UklGR?=="}, "usage", "'data' is not base64"),
    Row("classic", "cut base64", {"type": "audio", "session_id": SKY, "data": "UklGR"}, "usage", "'data' is not base64"),
    Row("classic", "no sound", {"type": "audio", "session_id": SKY, "data": ""}, "usage", "'data' is empty"),
    Row("classic", "no data", {"type": "audio", "session_id": SKY}, "usage", "'data' is missing"),
    Row("classic", "bytes as a list", {"type": "audio", "session_id": SKY, "data": [1]}, "usage", "'data'"),
    Row("classic", "sound for nobody", {"type": "audio", "session_id": "af_nobody", "data": "UklG"}, "not_found", "'af_nobody'"),
    Row("classic", "played for nobody", {"type": "playback_done", "session_id": "af_nobody"}, "not_found", "'af_nobody'"),
    Row("classic", "binary", sound(), "usage", "JSON"),
    Row("classic", "sound over 1 MiB", {"type": "audio", "session_id": SKY, "data": MEGABYTE}, "closed", "1009"),
]  # fmt: skip
REST = [
    Row("rest", "no such path", Http("GET", "/api/nothing"), "not_found", "/api/nothing"),
    Row("rest", "a method that is not taken", Http("PATCH", "/api/settings", {}), "usage", "PATCH /api/settings"),
    Row("rest", "no JSON type", body(b"{}", content_type="text/plain"), "unsupported", "text/plain"),
    Row("rest", "a form", body(b"voice=af_sky", content_type="application/x-www-form-urlencoded"), "unsupported", "form"),
    Row("rest", "a compressed body", body(b"{}", headers={"Content-Encoding": "gzip"}), "unsupported", "Content-Encoding"),
    Row("rest", "broken JSON", body(b'{"voice"'), "usage", "not JSON"),
    Row("rest", "an empty body", body(b" "), "usage", "not JSON"),
    Row("rest", "a list", body(b"[]"), "usage", "list"),
    Row("rest", "a body that is not UTF-8", body(b'{"name": "\xff"}'), "usage", "UTF-8"),
    Row("rest", "NaN", body(b'{"name": NaN}'), "usage", "NaN"),
    Row("rest", "deep nesting", body(DEEP.encode()), "usage", "nested"),
    Row("rest", "a body over 256 KiB", body(b'{"name": "' + b"x" * 300_000 + b'"}'), "too_large", "262144"),
    Row("rest", "an unknown field", order(colour="red"), "usage", "'colour'"),
    Row("rest", "an unknown voice", order(voice="af_nobody"), "not_found", "'voice'"),
    Row("rest", "a number as voice", order(voice=7), "usage", "'voice'"),
    Row("rest", "an unknown runtime", order(runtime="cobol"), "not_found", "'runtime'"),
    Row("rest", "a folder that is not there", order(dir="/does/not/exist"), "usage", "'dir'"),
    Row("rest", "a file as folder", order(dir="/etc/passwd"), "usage", "'dir'"),
    Row("rest", "a relative folder", order(dir="projects"), "usage", "'dir'"),
    Row("rest", "the home of nobody", order(dir="~nobody-at-all/x"), "usage", "'dir'"),
    Row("rest", "a folder name of 5000 characters", order(dir="/" + "x" * 5000), "usage", "'dir'"),
    Row("rest", "a name with blanks", order(name="Not OK"), "usage", "'name'"),
    Row("rest", "a name of 33 characters", order(name="x" * 33), "usage", "'name'"),
    Row("rest", "a name that is taken", order(name="sky"), "conflict", "'name'"),
    Row("rest", "ending nobody", Http("DELETE", "/api/sessions/af_nobody"), "not_found", "'af_nobody'"),
    Row("rest", "a voice for nobody", Http("PUT", "/api/sessions/nobody/voice", {"voice": "am_adam"}), "not_found", "'nobody'"),
    Row("rest", "no voice", Http("PUT", VOICE, {}), "usage", "'voice'"),
    Row("rest", "a voice that is a list", Http("PUT", VOICE, {"voice": ["am_adam"]}), "usage", "'voice'"),
    Row("rest", "a voice that nobody has", Http("PUT", VOICE, {"voice": "sting"}), "not_found", "'sting'"),
    Row("rest", "a voice and more", Http("PUT", VOICE, {"voice": "am_adam", "speed": 2}), "usage", "'speed'"),
    Row("rest", "history of nobody", Http("GET", "/api/history?session_id=nobody"), "not_found", "'nobody'"),
    Row("rest", "history of whom?", Http("GET", "/api/history"), "not_found", "''"),
    Row("rest", "before a word", Http("GET", f"{HISTORY}&before=now"), "usage", "'before'"),
    Row("rest", "before -1", Http("GET", f"{HISTORY}&before=-1"), "usage", "'before'"),
    Row("rest", "before the end of numbers", Http("GET", f"{HISTORY}&before={ENDLESS}"), "usage", "'before'"),
    Row("rest", "before noughts and nines", Http("GET", f"{HISTORY}&before={'0' * 20 + '9' * 30}"), "usage", "'before'"),
    Row("rest", "a limit of 0", Http("GET", f"{HISTORY}&limit=0"), "usage", "'limit'"),
    Row("rest", "a limit of 201", Http("GET", f"{HISTORY}&limit=201"), "usage", "'limit'"),
    Row("rest", "an unknown setting", change(hub__colour="red"), "usage", "'hub.colour'"),
    Row("rest", "a setting of the wrong type", change(speech__auto_listen="perhaps"), "usage", "speech.auto_listen"),
    Row("rest", "a setting out of range", change(speech__speed=5), "usage", "0.5 to 2"),
    Row("rest", "a setting beyond a float", change(speech__speed=10**400), "usage", "speech.speed"),
    Row("rest", "an infinite port", Http("PUT", "/api/settings", b'{"hub.port": 1e999}'), "usage", "hub.port"),
    Row("rest", "half a port", change(hub__port=3460.5), "usage", "hub.port"),
    Row("rest", "a list as setting", change(speech__quality=["tiny"]), "usage", "speech.quality"),
    Row("rest", "a setting of two lines", change(speech__language="en\nde"), "usage", "speech.language"),
    Row("rest", "half good, half bad", change(speech__speed=1.5, speech__silence_seconds=99), "usage", "speech.silence_seconds"),
]  # fmt: skip
ARGV = [
    Row("cli argv", "no such command", b"sing\0la", "usage", "'sing'"),
    Row("cli argv", "bytes of no encoding", b"\xff\xfe\x80", "usage", "there is no command"),
    Row("cli argv", "no text", b"converse", "usage", "TEXT is missing"),
    Row("cli argv", "an empty text", b"converse\0", "usage", "TEXT is empty"),
    Row("cli argv", "a text of escapes", b"converse\0\x1b[2J\x07\r\n", "usage", "TEXT is empty"),
    Row("cli argv", "two texts", b"converse\0one\0two", "usage", "'two'"),
    Row("cli argv", "an unknown option", b"converse\0hi\0--loud", "usage", "--loud"),
    Row("cli argv", "a time that is no number", b"converse\0hi\0--timeout\0soon", "usage", "--timeout 'soon'"),
    Row("cli argv", "no time at all", b"converse\0hi\0--timeout", "usage", "--timeout"),
    Row("cli argv", "NaN seconds", b"converse\0hi\0--timeout=nan", "usage", "--timeout"),
    Row("cli argv", "an id that is none", b"converse\0--resume\0../x", "usage", "--resume"),
    Row("cli argv", "an id that nobody has", b"converse\0--resume\0abc", "not_found", "--resume"),
    Row("cli argv", "an id to cancel missing", b"cancel-converse", "usage", "ID"),
    Row("cli argv", "status of two", b"status\0adam\0sky", "usage", "'sky'"),
    Row("cli argv", "a text of 66 KB", b"converse\0" + b"x" * 66_000, "too_large", "66000"),
    Row("cli argv", "a text of 70 KB", b"converse\0" + TEXT_70_KB.encode(), "too_large", "limit is 65536"),
    Row("cli argv", "a text of 1 MB", b"converse\0" + MEGABYTE.encode(), "too_large", "266240"),
    Row("cli argv", "a message of 70 KB", b"send\0--to\0adam\0" + TEXT_70_KB.encode(), "too_large", "limit is 65536"),
    Row("cli argv", "a message to nobody", b"send\0hi", "usage", "--to is missing"),
    Row("cli argv", "a message to a pattern", b"send\0--to\0s*\0hi", "usage", "'s*'"),
    Row("cli argv", "an id of a message missing", b"ack", "usage", "ID is missing"),
    Row("cli argv", "an id that is a sentence", b"reply\0yes, do\0msg-1", "usage", "'yes, do'"),
    Row("cli argv", "a session that is not there", ("af_nobody", b"converse\0hi\0--no-listen"), "not_found", "'af_nobody'"),
    Row("cli argv", "no session", ("-", b"inbox"), "usage", "CLAWMUX_SESSION_ID"),
    Row("cli argv", "another content type", Http("POST", "/cli/af_sky", b"status", "text/plain"), "unsupported", "text/plain"),
    Row("cli argv", "a request id that is none", REQUEST_OF_NONE, "usage", "request id"),
]  # fmt: skip
CALLS = [
    Row("cli json", "broken JSON", b"{", "usage", "not JSON"),
    Row("cli json", "a list", b"[]", "usage", "list"),
    Row("cli json", "not UTF-8", b'{"text": "\xff"}', "usage", "UTF-8"),
    Row("cli json", "an unknown type", {"type": "shout"}, "usage", "'shout'"),
    Row("cli json", "an unknown field", {**GOODBYE, "voice": "af_sky"}, "usage", "'voice'"),
    Row("cli json", "no text", {"type": "converse"}, "usage", "'text' is missing"),
    Row("cli json", "a number as text", {**GOODBYE, "text": 7}, "usage", "'text'"),
    Row("cli json", "an empty text", {**GOODBYE, "text": " \0 "}, "usage", "'text' is empty"),
    Row("cli json", "a text of 66 KB", {**GOODBYE, "text": "x" * 66_000}, "too_large", "'text'"),
    Row("cli json", "a text of 1 MB", {**GOODBYE, "text": MEGABYTE}, "too_large", "69632"),
    Row("cli json", "a time below 0", {**GOODBYE, "timeout": -1}, "usage", "'timeout'"),
    Row("cli json", "a time beyond a float", {**GOODBYE, "timeout": 10**400}, "usage", "'timeout'"),
    Row("cli json", "an id that is none", {**GOODBYE, "id": "../../.."}, "usage", "request id"),
    Row("cli socket", "broken JSON", "{", "usage", "not JSON"),
    Row("cli socket", "an unknown type", {"type": "shout"}, "usage", "'shout'"),
    # On a unix socket the reset may overtake the number of the close.
    Row("cli socket", "a text of 1 MB", {**GOODBYE, "text": MEGABYTE}, "closed"),
    Row("mcp", "broken JSON", "{", "usage", "not JSON"),
    Row("mcp", "not UTF-8", b'{"message": "\xff"}', "usage", "UTF-8"),
    Row("mcp", "a number of 5000 digits", '{"message": ' + ENDLESS + "}", "usage", "number"),
    Row("mcp", "deep nesting", '{"message": ' + DEEP, "usage", "nested"),
    Row("mcp", "an unknown type", {"type": "shout"}, "usage", "'shout'"),
    Row("mcp", "an unknown field", {"type": "converse", "message": "hi", "loud": True}, "usage", "'loud'"),
    Row("mcp", "a text as switch", {"type": "converse", "message": "hi", "wait_for_response": "no"}, "usage", "'wait_for"),
    Row("mcp", "no message", {"type": "converse"}, "usage", "'message' is missing"),
    Row("mcp", "an empty message", {"type": "converse", "message": ""}, "usage", "'message' is empty"),
    Row("mcp", "a message of 70 KB", {"type": "converse", "message": TEXT_70_KB}, "too_large", "'message'"),
    Row("mcp", "a message over 1 MiB", {"type": "converse", "message": MEGABYTE}, "closed"),
]  # fmt: skip
MINE = 'title = "Mine"\nprogram = "sleep"\nready = ".*"\n'
MANIFESTS = [
    Row("manifest", "no TOML", "title = ", "bad_file", "Invalid value"),
    Row("manifest", "not UTF-8", b'title = "\xff"', "bad_file", "utf-8"),
    Row("manifest", "an unknown key", MINE + 'colour = "red"\n', "bad_file", "colour is not a key"),
    Row("manifest", "a missing key", 'title = "Mine"\nready = ".*"\n', "bad_file", "program is missing"),
    Row("manifest", "a key of the wrong type", MINE + 'arguments = "86400"\n', "bad_file", "arguments"),
    Row("manifest", "no regular expression", MINE.replace(".*", "("), "bad_file", "ready"),
    Row("manifest", "a number below 0", MINE + "converse_limit_seconds = -1\n", "bad_file", "converse_limit_seconds"),
    Row("manifest", "a file outside of the folder", MINE + '[files]\n"../x" = "y"\n', "bad_file", "files"),
    Row("manifest", "an unknown {field}", MINE + 'arguments = ["{colour}"]\n', "bad_file", "{colour}"),
    Row("manifest", "a number for ever", MINE + f"converse_limit_seconds = {ENDLESS}\n", "bad_file", "digits"),
    Row("manifest", "nested for ever", MINE + f"arguments = {DEEP}\n", "bad_file", "mine.toml"),
    Row("manifest", "an unknown key of input", MINE + '[input]\nprompt = ">"\nloud = 1\n', "bad_file", "input.loud"),
]
ROWS = [*PAGE, *FIRST, *CLASSIC, *REST, *ARGV, *CALLS, *MANIFESTS]
module_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub() -> AsyncIterator[LiveHub]:
    """One for all rows, with one session ``af_sky``."""
    async with LiveHub("stand-in") as hub:
        await hub.speech_is("ready")
        assert await hub.spawn() == SKY
        yield hub


@module_loop
@pytest.mark.parametrize("row", ROWS, ids=[f"{row.where}: {row.name}" for row in ROWS])
async def test_bad_input_is_named_and_the_hub_lives_on(hub: LiveHub, row: Row) -> None:
    answer = await WAYS[row.where](hub, row.sent)
    assert (answer.code, row.says in answer.text) == (row.code, True), answer
    assert len(answer.text) < 2000, "an error does not repeat all that was wrong"
    health = await hub.call("GET", "/api/health")
    assert health["ok"] and health["sessions"] == 1


@module_loop
async def test_nothing_was_our_own_fault(hub: LiveHub) -> None:
    """After all rows: no traceback in the log, and the hub still does its work."""
    for file in (hub.paths.hub_log, hub.home / "output"):
        assert not file.exists() or "Traceback" not in await asyncio.to_thread(file.read_text)
    async with StandInPage(hub.url, hub.token):
        assert (await hub.run(SKY, "converse", "Still here.", "--no-listen")).code == 0


@module_loop
async def test_half_good_settings_leave_no_trace(hub: LiveHub) -> None:
    await WAYS["rest"](hub, change(speech__speed=1.5, speech__silence_seconds=99))
    values = {row["name"]: row["value"] for row in await hub.call("GET", "/api/settings")}
    assert (values["speech.speed"], values["speech.silence_seconds"]) == (1.0, 1.2)
    assert not hub.paths.config_file.exists()


@module_loop
async def test_sound_of_an_unknown_slot_is_counted_and_dropped(hub: LiveHub) -> None:
    before = (await hub.call("GET", "/api/status"))["dropped_frames"]
    async with StandInPage(hub.url, hub.token) as page:
        assert page._socket is not None
        await page._socket.send_bytes(sound())
        await page.say({"type": "ping"})
        await page.until(lambda: page.moment("pong"))
    assert (await hub.call("GET", "/api/status"))["dropped_frames"] == before + 1


@module_loop
@pytest.mark.parametrize("ms", [1e308, -1e308, 0, 2**53])
async def test_playback_that_cannot_be_is_not_believed(hub: LiveHub, ms: float) -> None:
    """A position far beyond the stream, or before it, neither ends the question nor holds it up."""
    async with StandInPage(hub.url, hub.token, speed=4.0) as page:
        asking = asyncio.create_task(hub.run(SKY, "converse", "A sentence of some length to be played.", "--no-listen"))
        stream = await page.until(lambda: next(iter(page.heard), None))
        await page.say({"type": "playback_progress", "stream": stream, "ms": ms})
        await page.say({"type": "interrupt", "session_id": SKY, "stream": "another", "at_ms": ms})
        assert (await asking).code == 0
        assert page.moment("error") is None


@module_loop
@pytest.mark.parametrize("received", [10**30, 2**53, -1, 1.5, "all", None, True])
async def test_a_page_that_claims_to_hold_what_it_cannot_hold_stops_nothing(hub: LiveHub, received: Any) -> None:
    question = f"claimed-{str(received).replace('.', '-')}"
    request = {"type": "converse", "id": question, "text": "Who holds this?", "listen": False}
    headers = {"Authorization": f"Bearer {hub.token}"}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{hub.url}/ws", headers=headers) as socket:
        claims = {question: {"received": received, "done": False}, "other": 7}
        await socket.send_json(hello(client=question, last=10**30, streams=claims))
        await socket.send_json({"type": "audio_owner", "claim": True})
        await socket.send_json({"type": "playback_started", "stream": question})
        asking = asyncio.create_task(hub.call("POST", f"/cli/{SKY}", request))
        async with asyncio.timeout(20):
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT and (told := message.json())["type"] == "speech_end":
                    assert told["stream"] == question
                    break
            await socket.send_json({"type": "playback_done", "session_id": SKY, "stream": question})
            assert (await asking)["exit"] == 0


# -- at the start --


class Start(NamedTuple):
    name: str
    code: str
    says: tuple[str, ...]
    config: str | bytes = ""
    environ: dict[str, str] = {}  # noqa: RUF012 (a tuple's default, never changed)
    argv: tuple[str, ...] = ("--port", "0")


STARTS = [
    Start("an unknown key", "bad_file", ("config.toml", "'hub.prot'"), "[hub]\nprot = 1\n"),
    Start("a wrong type", "bad_file", ("config.toml", "hub.port", "a whole number"), "[hub]\nport = 'many'\n"),
    Start("out of range", "bad_file", ("config.toml", "speech.speed", "0.5 to 2"), "[speech]\nspeed = 9\n"),
    Start("no choice", "bad_file", ("config.toml", "speech.quality", "tiny"), "[speech]\nquality = 'best'\n"),
    Start("no TOML", "bad_file", ("config.toml", "line 2"), "[hub]\nport 1\n"),
    Start("not UTF-8", "bad_file", ("config.toml", "utf-8"), b"[hub]\nhost = '\xff'\n"),
    Start("a key outside of a table", "bad_file", ("config.toml", "port"), "port = 1\n"),
    Start("a wrong variable", "usage", ("CLAWMUX_SPEECH_SPEED", "fast"), environ={"CLAWMUX_SPEECH_SPEED": "fast"}),
    Start("a wrong variable of the older name", "usage", ("VOICE_CHAT_TIMEOUT",), environ={"VOICE_CHAT_TIMEOUT": "soon"}),
    Start("a wrong variable for a switch", "usage", ("CLAWMUX_MODELS_DOWNLOAD",), environ={"CLAWMUX_MODELS_DOWNLOAD": "maybe"}),
    Start("a port that is a word", "usage", ("hub.port", "'http'"), argv=("--port", "http")),
    Start("a port above 65535", "usage", ("hub.port", "65536"), argv=("--port", "65536")),
    Start("a port below 0", "usage", ("hub.port", "-1"), argv=("--port=-1",)),
    Start("a host beyond this machine without TLS", "usage", ("hub.host", "0.0.0.0"), '[hub]\nhost = "0.0.0.0"\n'),
    Start("a host that is none", "usage", ("hub.host", "no.such.host.invalid"), '[hub]\nhost = "no.such.host.invalid"\n'),
    Start("a certificate without its key", "usage", ("hub.tls_key",), '[hub]\ntls_certificate = "/x.pem"\n'),
    Start("a home that is a file", "bad_file", ("/etc/hostname",), environ={"CLAWMUX_HOME": "/etc/hostname"}),
    Start("a home too deep for sockets", "usage", ("CLAWMUX_HOME",), environ={"CLAWMUX_HOME": "/tmp/" + "x" * 120}),
]  # fmt: skip


@pytest.mark.parametrize("start", STARTS, ids=[start.name for start in STARTS])
async def test_a_hub_that_cannot_start_as_told_says_which_word_is_wrong(tmp_path: Path, start: Start) -> None:
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True, mode=0o700)
    content = start.config if isinstance(start.config, bytes) else start.config.encode()
    (home / "config" / "config.toml").write_bytes(content)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawmux", "start", "--foreground", *start.argv,
        env={**kept, "CLAWMUX_HOME": str(home), "PYTHONPATH": str(ROOT), **start.environ},
        cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(), 30)
    except TimeoutError:
        process.terminate()
        await process.wait()
        raise
    finally:
        # What is found wrong after the agents were looked for leaves their server, which is what agents need.
        await end_tmux(home / "state" / "run" / "tmux.sock")
    assert process.returncode == ERRORS[start.code].exit_code, err.decode()
    assert out == b"" and all(word in err.decode() for word in start.says), err.decode()
    assert b"Traceback" not in err


async def test_a_broken_manifest_keeps_no_hub_from_starting() -> None:
    """The agents that live in tmux want their hub back; the broken runtime is named when it is asked for."""
    async with LiveHub("none") as hub:
        session_id = await hub.spawn()
        await hub.stop()
        (hub.paths.user_runtimes / "mine.toml").write_text("colour = 1\n")
        await hub.start()
        (session,) = await hub.call("GET", "/api/sessions")
        assert session["id"] == session_id
