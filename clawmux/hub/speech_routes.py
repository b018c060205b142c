"""The REST routes of speech: the tiers, measuring the one that serves, trying a voice, trying another server."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from clawmux.hub.body import read_json
from clawmux.hub.browser import RUNTIME
from clawmux.hub.measuring import Measuring
from clawmux.hub.preview import Previews
from clawmux.hub.runtime import Runtime
from clawmux.wire.codec import decode_as
from clawmux.wire.voices import VOICES

MEASURING = web.AppKey("clawmux_measuring", Measuring)
PREVIEWS = web.AppKey("clawmux_previews", Previews)


@dataclass(frozen=True, slots=True)
class Listener:
    """The page on which a voice is to be heard."""

    client: str


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    """The setting that the address is for."""
    url: str


def join(app: web.Application, runtime: Runtime) -> None:
    """What these routes need beside the runtime."""
    talk = lambda: (bool(runtime.conversation.turns), runtime.speaker.is_at_work)  # noqa: E731
    app[MEASURING] = Measuring(runtime.speech, lambda: runtime.settings, talk, runtime.pages.broadcast)
    app[PREVIEWS] = Previews(runtime.pages, runtime.conversation, runtime.speaker)
    app.cleanup_ctx.append(_measuring)


async def _measuring(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[MEASURING].stop()


async def tiers(request: web.Request) -> web.Response:
    told = await request.app[RUNTIME].speech.tiers()
    return web.json_response({**told, "measuring": request.app[MEASURING].view()})


async def measure(request: web.Request) -> web.Response:
    await read_json(request)
    return web.json_response(request.app[MEASURING].start(), status=202)


async def stop_measuring(request: web.Request) -> web.Response:
    await request.app[MEASURING].stop()
    return web.json_response({"measuring": None})


async def voices(request: web.Request) -> web.Response:
    return web.json_response([dataclasses.asdict(voice) for voice in VOICES.values()])


async def preview(request: web.Request) -> web.Response:
    asked = decode_as(Listener, await read_json(request), "the preview")
    speed = request.app[RUNTIME].settings.speech_speed
    return web.json_response(await request.app[PREVIEWS].start(asked.client, request.match_info["id"], speed))


async def try_server(request: web.Request) -> web.Response:
    """Nothing is saved. Only the owner names addresses, as in the settings."""
    # Loaded when somebody tries one: most hubs never do.
    from clawmux.adapters.speech.inspection import inspect

    asked = decode_as(Server, await read_json(request), "the server")
    found = await inspect(asked.name, asked.url, request.app[RUNTIME].settings.speech_token_file)
    return web.json_response(dataclasses.asdict(found))


ROUTES = [
    web.get("/api/tiers", tiers),
    web.post("/api/tiers/measure", measure),
    web.delete("/api/tiers/measure", stop_measuring),
    web.get("/api/voices", voices),
    web.post("/api/voices/{id}/preview", preview),
    web.post("/api/speech/test", try_server),
]
