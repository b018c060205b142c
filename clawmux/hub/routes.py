"""The REST routes: sessions, settings, voices, health. Thin: each reads its request, asks, answers."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from clawmux import __version__, settings, settings_table
from clawmux.adapters.runtimes import manifest
from clawmux.hub.agents import Order
from clawmux.hub.binding import tls_context
from clawmux.hub.body import read_json
from clawmux.hub.browser import RUNTIME
from clawmux.hub.guard import ADDRESSES, is_at_hand
from clawmux.hub.phone import PHONE
from clawmux.settings import Settings
from clawmux.wire.codec import decode_as
from clawmux.wire.errors import ClawMuxError

STOPPING = web.AppKey("clawmux_stopping", asyncio.Event)
_DIGITS = re.compile("[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class VoiceWish:
    voice: str


async def health(request: web.Request) -> web.Response:
    return web.json_response(_health(request))


async def status(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    owner = runtime.pages.owner
    return web.json_response(
        {
            **_health(request),
            "audio_owner": owner.device if owner else None,
            "session_list": runtime.session_list()["sessions"],
            "dropped_frames": runtime.listener.dropped_frames,
        }
    )


def _health(request: web.Request) -> dict[str, Any]:
    runtime = request.app[RUNTIME]
    speech = runtime.speech.view()
    return {
        "ok": True,
        "version": __version__,
        "url": request.app[ADDRESSES].page_url,
        "uptime_seconds": round(time.time() - runtime.started, 1),
        "speech": {key: speech[key] for key in ("state", "reason", "progress", "serving", "wanted")},
        "sessions": len(runtime.agents.living),
        "pages": len(runtime.pages),
    }


async def list_sessions(request: web.Request) -> web.Response:
    """The living sessions; with ``?all=true`` those that have ended, too."""
    runtime = request.app[RUNTIME]
    sessions = list(runtime.session_list()["sessions"])
    if request.query.get("all") == "true":
        sessions += [runtime.session_view(session) for session in runtime.agents.ended()]
    return web.json_response(sessions)


async def spawn(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    order = decode_as(Order, await read_json(request), "the new session")
    session = await runtime.agents.spawn(order)
    runtime.projects.settings_of(session.id)  # so that what is wrong with the project's file is told at once
    runtime.pages.broadcast(runtime.session_list())
    return web.json_response(runtime.session_view(session), status=201)


async def kill(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    session = runtime.agents.find(request.match_info["id"])
    await runtime.agents.kill(session.id, "You ended it.")
    return web.json_response({"id": session.id})


async def set_voice(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    wish = decode_as(VoiceWish, await read_json(request), "the session's voice")
    session = runtime.agents.set_voice(runtime.agents.find(request.match_info["id"]).id, wish.voice)
    return web.json_response(runtime.session_view(session))


async def get_settings(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    existing = manifest.existing_choices(runtime.paths.user_runtimes)
    shown = settings_table.as_saved(runtime.settings, runtime.paths.config_file)
    return web.json_response(settings_table.rows(shown, runtime.paths.config_file, existing=existing))


async def put_settings(request: web.Request) -> web.Response:
    """Every value is checked before the first is saved. null takes a setting out of config.toml: what is weaker counts again."""
    runtime = request.app[RUNTIME]
    body = await read_json(request)
    existing = manifest.existing_choices(runtime.paths.user_runtimes)
    checked = {name: _checked(name, value, existing) for name, value in body.items()}
    request.app[PHONE].check(checked)
    _check_rights(request, checked)
    await _check_start(settings_table.as_saved(runtime.settings, runtime.paths.config_file), checked)
    settings.save_all(runtime.paths.config_file, checked)
    fresh = settings.load(runtime.paths.config_file)
    fields = {settings.FIELD_OF[name]: value for name, value in checked.items()}
    runtime.change_settings({field: getattr(fresh, field) if value is None else value for field, value in fields.items()})
    return await get_settings(request)


def _check_rights(request: web.Request, names: Iterable[str]) -> None:
    """Raises ``forbidden``. Taking a setting back is a change, too: its default may be the wider one."""
    theirs = [name for name in names if settings.declared(name).at_hand]
    if theirs and not is_at_hand(request):
        remedy = f"Change it on the page, or in your own shell: clawmux settings set {theirs[0]} VALUE"
        raise ClawMuxError("forbidden", f"{', '.join(theirs)}: not for a program's token to change.", remedy)


async def _check_start(saved: Settings, checked: dict[str, Any]) -> None:
    """Raises what the next start of the hub would: nobody could take it back on a page that is gone."""
    if checked.get("hub.host"):
        await asyncio.to_thread(tls_context, dataclasses.replace(saved, hub_host=checked["hub.host"]))


def _checked(name: str, value: Any, existing: dict[str, tuple[str, ...]]) -> Any:
    settings.declared(name, "field")
    return None if value is None else settings.check(name, value, "field", choices=existing.get(name, ()))


async def runtimes(request: web.Request) -> web.Response:
    listed = []
    for name, runtime in request.app[RUNTIME].agents.runtimes.read().items():
        reason = manifest.available(runtime)
        listed.append({"name": name, "title": runtime.title, "available": reason is None, "reason": reason or ""})
    for name, error in request.app[RUNTIME].agents.runtimes.broken.items():
        listed.append({"name": name, "title": name, "available": False, "reason": error.text})
    return web.json_response(listed)


async def stop(request: web.Request) -> web.Response:
    request.app[STOPPING].set()
    return web.json_response({"stopping": True})


def number(request: web.Request, name: str, default: int, low: int, high: int = 2**53) -> int:
    """A whole number in the query, or its default."""
    text = request.query.get(name)
    if text is None:
        return default
    if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
        raise ClawMuxError("usage", f"query field {name!r} is {text[:40]!r}; expected a whole number of at least {low}.")
    return int(text)


ROUTES = [
    web.get("/api/health", health),
    web.get("/api/status", status),
    web.get("/api/sessions", list_sessions),
    web.post("/api/sessions", spawn),
    web.delete("/api/sessions/{id}", kill),
    web.put("/api/sessions/{id}/voice", set_voice),
    web.get("/api/settings", get_settings),
    web.put("/api/settings", put_settings),
    web.get("/api/runtimes", runtimes),
    web.post("/api/stop", stop),
]
