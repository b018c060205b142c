"""The REST route of what the projects of the living agents decide for themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import web

from clawmux.core.session import Session
from clawmux.hub.browser import RUNTIME
from clawmux.project_file import project
from clawmux.settings import DECLARATIONS
from clawmux.shown import harmless


async def projects(request: web.Request) -> web.Response:
    """For each agent in whose folder a clawmux.toml counts: its values by name, and what of it was refused."""
    living = request.app[RUNTIME].agents.living
    found = await asyncio.to_thread(lambda: [_decided(session) for session in living])
    return web.json_response([row for row in found if row])


def _decided(session: Session) -> dict[str, Any] | None:
    found = project(Path(session.directory))
    if found.file is None:
        return None
    return {
        "session_id": session.id,
        "file": harmless(str(found.file)),
        "values": {DECLARATIONS[field].name: value for field, value in found.values.items()},
        "notes": [harmless(note) for note in found.notes],
    }


ROUTES = [web.get("/api/projects", projects)]
