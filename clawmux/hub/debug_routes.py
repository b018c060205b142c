"""The REST route of what somebody wants to see who looks for a fault: the hub, its engines, how long the last turns took.

What people say and where their files lie is not in it: it is made to be copied into a question to others.
"""

from __future__ import annotations

import dataclasses
import platform
import sys
import time
from typing import Any

from aiohttp import web

from clawmux import __version__
from clawmux.hub.browser import RUNTIME
from clawmux.hub.runtime import Runtime
from clawmux.shown import harmless

# Not their addresses: those may have a password in them.
_TOLD = ("package", "model", "device", "precision", "state", "reason")


async def debug(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    return web.json_response(
        {
            "version": __version__,
            "python": platform.python_version(),
            "system": f"{sys.platform} {platform.machine()}",
            "uptime_seconds": round(time.time() - runtime.started, 1),
            "agents": len(runtime.agents.living),
            "pages": len(runtime.pages),
            "dropped_frames": runtime.listener.dropped_frames,
            "events": runtime.journal.next_n - 1,
            "speech": _speech(runtime),
            "timings": [dataclasses.asdict(timed) for timed in runtime.floor.timing.newest()],
        }
    )


def _speech(runtime: Runtime) -> dict[str, Any]:
    view, health = runtime.speech.view(), runtime.speech.client.health
    return {
        **{key: view[key] for key in ("state", "reason", "serving", "wanted")},
        "hearing": {**_engine(health.get("stt")), "work": _work(runtime.listener.last_work)},
        "speaking": {**_engine(health.get("tts")), "work": _work(runtime.speaker.last_work)},
    }


def _engine(half: Any) -> dict[str, str]:
    known = half if isinstance(half, dict) else {}
    return {key: harmless(str(known.get(key) or ""))[:300] for key in _TOLD}


def _work(work: tuple[float, float] | None) -> dict[str, float] | None:
    """How long the last piece of sound took: ``factor`` below 1 is faster than it sounds."""
    if work is None or work[1] <= 0:
        return None
    took_ms, sound_ms = work
    return {"took_ms": round(took_ms), "sound_ms": round(sound_ms), "factor": round(took_ms / sound_ms, 3)}


ROUTES = [web.get("/api/debug", debug)]
