"""The REST routes of what an agent has changed in its folder: which files since the last commit, and the lines of one.

Reads only. Several pages that ask for the same at once get one answer: looking through a large folder costs seconds.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web

from clawmux.adapters import git
from clawmux.core.patch import Change, ChangedFile, files, lines
from clawmux.hub.browser import RUNTIME
from clawmux.wire.errors import ClawMuxError

FILES_MOST = 500
"""Listed; a folder in which more has changed has usually one that should be ignored."""
# git reads whole files; two at a time leave the machine to the agents.
_AT_ONCE = 2


class Changes:
    """The two routes, and what they share."""

    def __init__(self) -> None:
        self._looking = asyncio.Semaphore(_AT_ONCE)
        self._asked: dict[Path, asyncio.Task[dict[str, Any]]] = {}

    async def list_files(self, request: web.Request) -> web.Response:
        folder = _folder(request)
        task = self._asked.get(folder)
        if task is None:
            task = self._asked[folder] = asyncio.create_task(_listed(folder, self._looking), name=f"changes of {folder}")
            task.add_done_callback(lambda done: self._answered(folder, done))
        return web.json_response(await asyncio.shield(task))

    def _answered(self, folder: Path, done: asyncio.Task[dict[str, Any]]) -> None:
        self._asked.pop(folder, None)
        if not done.cancelled():
            done.exception()  # those who wait for it are told; perhaps nobody does any more

    async def one_file(self, request: web.Request) -> web.Response:
        """The lines of one of them, by the ``key`` that the list gave it."""
        path, before = _unkeyed(request, "file"), _unkeyed(request, "before")
        if not path:
            raise ClawMuxError("usage", "query field 'file' is missing; expected the key of a file from GET .../changes.")
        folder = _folder(request)
        try:
            async with self._looking, git.reader(await git.find(folder)) as reader:
                said = await reader.patch(path, before)
                if not said.data and path in (await reader.untracked()).data.split(b"\0"):
                    said = await reader.patch_of_untracked(path)
        except git.NoRepository as error:
            raise ClawMuxError("conflict", str(error)) from None
        found, is_cut = lines(said.data.decode("utf-8", "replace"))
        return web.json_response({"lines": [list(asdict(line).values()) for line in found], "cut": is_cut or said.is_cut})


def routes() -> list[web.RouteDef]:
    here = Changes()
    return [
        web.get("/api/sessions/{id}/changes", here.list_files),
        web.get("/api/sessions/{id}/changes/file", here.one_file),
    ]


def _folder(request: web.Request) -> Path:
    return Path(request.app[RUNTIME].agents.find(request.match_info["id"]).directory)


async def _listed(folder: Path, looking: asyncio.Semaphore) -> dict[str, Any]:
    async with looking:
        try:
            place = await git.find(folder)
        except git.NoRepository as error:
            return {"repository": "", "branch": "", "why": str(error), "files": [], "more": False}
        async with git.reader(place) as reader:
            changed, untracked, unstaged = await reader.changed(), await reader.untracked(), await reader.unstaged()
    found = files(_whole(changed))
    found += [ChangedFile(path, Change.UNTRACKED) for path in _whole(untracked).split(b"\0") if path]
    open_paths = set(unstaged.data.split(b"\0"))
    rows = [_row(file, file.path not in open_paths) for file in sorted(found, key=lambda file: file.path)]
    is_more = changed.is_cut or untracked.is_cut or len(rows) > FILES_MOST
    return {"repository": str(place.top), "branch": place.branch, "why": "", "files": rows[:FILES_MOST], "more": is_more}


def _whole(said: git.Output) -> bytes:
    """Without a last entry that was cut."""
    return said.data.rpartition(b"\0")[0] if said.is_cut else said.data


def _row(file: ChangedFile, is_staged: bool) -> dict[str, Any]:
    """``key`` names a file that may have any bytes for a name; ``path`` is for people."""
    return {
        "key": _key(file.path),
        "path": _shown(file.path),
        "before_key": _key(file.before),
        "before": _shown(file.before),
        "change": file.change.value,
        "staged": is_staged and file.change not in (Change.UNTRACKED, Change.CONFLICTED),
        "added": file.added,
        "removed": file.removed,
    }


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _key(path: bytes) -> str:
    return base64.urlsafe_b64encode(path).decode("ascii")


def _unkeyed(request: web.Request, name: str) -> bytes:
    try:
        path = base64.b64decode(request.query.get(name, "").encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        path = b"\0"
    if b"\0" in path or path.startswith(b"/") or b".." in path.split(b"/"):
        raise ClawMuxError("usage", f"query field {name!r} is no key of a file; expected one from GET .../changes.")
    return path
