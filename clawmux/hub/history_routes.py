"""The REST routes of what was said: a piece of a conversation, a search in it, all of it as a file."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

from aiohttp import hdrs, web

from clawmux.core.session import Session
from clawmux.core.transcript import heading, passage
from clawmux.hub.browser import RUNTIME
from clawmux.hub.routes import number
from clawmux.hub.runtime import Runtime
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.search import excerpt, searched

MOST_ENTRIES = 200
QUERY_CHARACTERS = 200
MOST_EXCERPTS = 50
"""Found in all conversations at a time: each may be of a text of a megabyte."""
EXPORT_VERSION = 1
# So much is read, and handed to the socket, at a time.
_EXPORT_ENTRIES = 500
_TYPES = {"markdown": "text/markdown; charset=utf-8", "json": "application/json; charset=utf-8"}
_ENDINGS = {"markdown": "md", "json": "json"}


async def history(request: web.Request) -> web.Response:
    """A session's entries, oldest first: the newest ``limit`` before number ``before``, or the oldest after number ``after``.

    ``more``: there are others beyond. With the words ``q``: where they stand, the newest first; without ``session_id`` in the
    conversations of all living agents.
    """
    runtime = request.app[RUNTIME]
    before = number(request, "before", runtime.journal.next_n, 0)
    limit = number(request, "limit", 50, 1, MOST_ENTRIES)
    words = request.query.get("q", "").strip()
    if words and "session_id" not in request.query:
        return web.json_response(await _search_all(runtime, words, before, limit))
    session = runtime.agents.find_ever(request.query.get("session_id", ""))
    if words:
        return web.json_response(await _search(runtime, session, words, before, limit))
    if "after" in request.query:
        after = number(request, "after", 0, 0)
        entries = runtime.store.events_following(session.id, max(after, session.first_n - 1), limit + 1)
        return web.json_response({"entries": entries[:limit], "more": len(entries) > limit})
    entries = runtime.store.events_before(session.id, session.first_n, before, limit + 1)
    return web.json_response({"entries": entries[-limit:], "more": len(entries) > limit})


def _check_words(words: str) -> None:
    if len(words) > QUERY_CHARACTERS:
        raise ClawMuxError("usage", f"query field 'q' has {len(words)} characters; expected up to {QUERY_CHARACTERS}.")


async def _search_all(runtime: Runtime, words: str, before: int, limit: int) -> dict[str, Any]:
    """Each with the piece of its text around the words. Most texts are short; of the long ones a thread cuts the pieces."""
    _check_words(words)
    if not searched(words):
        return {"hits": [], "more": False}
    first_ns = {session.id: session.first_n for session in runtime.agents.living}
    found = await runtime.store.events_anywhere_with(words, first_ns, before, min(limit, MOST_EXCERPTS) + 1)
    shown = found[: min(limit, MOST_EXCERPTS)]
    excerpts = await asyncio.to_thread(lambda: [excerpt(text, words) for *_, text in shown])
    hits = [
        {"n": n, "session_id": session_id, "type": kind, "ts": ts, "excerpt": list(piece)}
        for (n, session_id, kind, ts, _), piece in zip(shown, excerpts, strict=True)
    ]
    return {"hits": hits, "more": len(found) > len(shown)}


async def _search(runtime: Runtime, session: Session, words: str, before: int, limit: int) -> dict[str, Any]:
    _check_words(words)
    if not searched(words):
        return {"hits": [], "more": False}
    found = await runtime.store.events_with(words, session.id, session.first_n, before, limit + 1)
    hits = [{"n": n, "type": kind, "ts": ts} for n, kind, ts in found[:limit]]
    return {"hits": hits, "more": len(found) > limit}


async def export(request: web.Request) -> web.StreamResponse:
    """The whole conversation as a file to keep: ``format`` markdown for people, json with every entry as it is stored."""
    runtime = request.app[RUNTIME]
    session = runtime.agents.find_ever(request.query.get("session_id", ""))
    form = request.query.get("format", "markdown")
    if form not in _TYPES:
        raise ClawMuxError("usage", f"query field 'format' is {form[:40]!r}; expected markdown or json.")
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: _TYPES[form],
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{_file_name(session)}.{_ENDINGS[form]}"',
        }
    )
    await response.prepare(request)
    written = _as_markdown(runtime, session) if form == "markdown" else _as_json(runtime, session)
    for piece in written:
        await response.write(piece.encode("utf-8", "replace"))
    await response.write_eof()
    return response


def _file_name(session: Session) -> str:
    """Of plain letters, whatever somebody has called the agent."""
    return f"clawmux-{re.sub('[^A-Za-z0-9_-]+', '-', session.name or session.id).strip('-') or 'conversation'}"


def _as_markdown(runtime: Runtime, session: Session) -> Iterator[str]:
    yield heading(session.name, session.directory, session.runtime)
    for entries in _pages(runtime, session):
        yield "".join(passage(entry, session.name) for entry in entries)


def _as_json(runtime: Runtime, session: Session) -> Iterator[str]:
    told = {"id": session.id, "name": session.name, "dir": session.directory, "runtime": session.runtime}
    yield f'{{"version": {EXPORT_VERSION}, "session": {json.dumps(told, ensure_ascii=False)}, "entries": ['
    comma = "\n"
    for entries in _pages(runtime, session):
        for entry in entries:
            yield comma + json.dumps(entry, ensure_ascii=False)
            comma = ",\n"
    yield "\n]}\n"


def _pages(runtime: Runtime, session: Session) -> Iterator[list[dict[str, Any]]]:
    after = session.first_n - 1
    while entries := runtime.store.events_following(session.id, after, _EXPORT_ENTRIES):
        yield entries
        after = entries[-1]["n"]


ROUTES = [web.get("/api/history", history), web.get("/api/history/export", export)]
