"""What was said, as it is asked for: pieces in both directions, searched, and all of it as a file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from clawmux.wire.errors import ClawMuxError
from tests.live_hub import LiveHub

MANY = 10_000
LIMIT_SECONDS = 0.2
TS = 1_790_000_000.0


def entry(kind: str, **body: Any) -> dict[str, Any]:
    return {"type": kind, **body}


TALK = [
    entry("user_text", msg_id="u1", text="Why did it fail?", via="typed"),
    entry("work", items=[{"tool": "Bash", "detail": "grep -r Überweisung", "seconds": 1.0, "ok": True}], seconds=1.0, left=0),
    entry("assistant_text", msg_id="m1", text="The **retry** loop\nhas no upper bound.", question=False),
    entry("agent_message", msg_id="g1", direction="out", peer="am_adam", peer_name="adam", text="Is ÄRGER known?", re=""),
    entry("not_spoken", msg_id="m1", reason="retry: speech was off"),
    entry("notice", level="warn", text="The tax table was reloaded.", remedy=""),
]


async def filled(hub: LiveHub, entries: Iterable[dict[str, Any]]) -> tuple[str, int]:
    """A session with these entries in the store, and the number of the first; the hub is started anew with them."""
    (session,), first = await all_filled(hub, entries)
    return session, first


async def all_filled(hub: LiveHub, entries: Iterable[dict[str, Any]], agents: int = 1) -> tuple[list[str], int]:
    """The same for several sessions, to which the entries belong by turns."""
    sessions = [await hub.spawn() for _ in range(agents)]
    await hub.stop()
    with sqlite3.connect(hub.paths.store_file) as store:
        (first,) = store.execute("SELECT coalesce(max(n), 0) + 1 FROM events").fetchone()
        for n, body in enumerate(entries, first):
            session = sessions[(n - first) % agents]
            event = {**body, "n": n, "ts": TS + n, "session_id": session}
            row = (n, session, body["type"], TS + n, json.dumps(event, ensure_ascii=False))
            store.execute("INSERT INTO events (n, session_id, type, ts, body) VALUES (?, ?, ?, ?, ?)", row)
    store.close()
    await hub.start()
    return sessions, first


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        yield hub


async def export(hub: LiveHub, session: str, form: str) -> tuple[str, str]:
    """(name of the file, text)"""
    connector = aiohttp.UnixConnector(str(hub.paths.hub_socket))
    url = f"http://clawmux/api/history/export?session_id={session}&format={form}"
    async with aiohttp.ClientSession(connector=connector) as client, client.get(url) as response:
        assert response.status == 200, await response.text()
        return response.headers["Content-Disposition"], await response.text()


async def test_pieces_in_both_directions(hub: LiveHub) -> None:
    session, first = await filled(hub, [entry("user_text", msg_id=f"u{i}", text=str(i), via="typed") for i in range(10)])

    async def piece(query: str) -> tuple[list[int], bool]:
        page = await hub.call("GET", f"/api/history?session_id={session}&{query}")
        return [e["n"] - first for e in page["entries"]], page["more"]

    assert await piece("limit=3") == ([7, 8, 9], True)
    assert await piece(f"limit=3&before={first + 3}") == ([0, 1, 2], False)
    assert await piece(f"limit=3&after={first + 3}") == ([4, 5, 6], True)
    assert await piece(f"limit=3&after={first + 6}") == ([7, 8, 9], False)
    assert await piece("limit=3&after=0") == ([0, 1, 2], True)
    assert await piece(f"after={first + 9}") == ([], False)


FOUND = {
    "FAIL": [0],
    "retry loop has": [2],  # the marks of markdown and the line's end are not what a reader sees
    "überweisung": [1],
    "ärger": [3],
    "the": [5, 2],
    "speech was off": [],
    "nobody said this": [],
    "**": [],
    '"text"': [],  # how it is stored
}


async def test_words_are_found_where_a_reader_sees_them(hub: LiveHub) -> None:
    session, first = await filled(hub, TALK)
    with sqlite3.connect(hub.paths.store_file) as store:
        # Another agent's, and one that the disk has spoilt.
        store.execute("INSERT INTO events VALUES (?, 'other', 'user_text', 0, ?)", (first + 50, json.dumps(TALK[0])))
        store.execute("INSERT INTO events VALUES (?, ?, 'user_text', 0, 'fail')", (first + 51, session))
    store.close()
    for words, found in FOUND.items():
        page = await hub.call("GET", f"/api/history?session_id={session}&q={quote(words)}")
        assert ([hit["n"] - first for hit in page["hits"]], page["more"]) == (found, False), words


async def test_words_of_the_store_are_no_words_of_the_agent(hub: LiveHub) -> None:
    session, first = await filled(hub, TALK)
    for words, found in {"bash grep": [1], "seconds": [], "true": []}.items():
        page = await hub.call("GET", f"/api/history?session_id={session}&q={quote(words)}")
        assert [hit["n"] - first for hit in page["hits"]] == found, words


async def test_all_conversations_are_searched_at_once(hub: LiveHub) -> None:
    (sky, alloy), first = await all_filled(hub, TALK, agents=2)
    with sqlite3.connect(hub.paths.store_file) as store:
        # From before this agent had its name, another agent's who is gone, and one that the disk has spoilt.
        other = json.dumps({**TALK[0], "text": "the old needle"})
        store.execute("INSERT INTO events VALUES (0, ?, 'user_text', 0, ?)", (sky, other))
        store.execute("INSERT INTO events VALUES (?, 'gone', 'user_text', 0, ?)", (first + 50, other))
        store.execute("INSERT INTO events VALUES (?, ?, 'user_text', 0, 'needle')", (first + 51, sky))
    store.close()

    async def hits(words: str) -> list[dict[str, Any]]:
        page = await hub.call("GET", f"/api/history?q={quote(words)}")
        assert page["more"] is False
        return list(page["hits"])

    assert [(h["n"] - first, h["session_id"], h["type"]) for h in await hits("THE")] == [
        (5, alloy, "notice"), (2, sky, "assistant_text")
    ]  # fmt: skip
    assert (await hits("loop has"))[0]["excerpt"] == ["The retry ", "loop has", " no upper bound."]
    assert (await hits("überweisung"))[0]["excerpt"] == ["Bash grep -r ", "Überweisung", ""]
    assert await hits("needle") == await hits("**") == []


async def test_the_search_of_all_goes_on_where_it_ended_and_is_bounded(hub: LiveHub) -> None:
    text = f"{'a' * 5000} needle {'b' * 5000}"
    _, first = await all_filled(hub, [entry("user_text", msg_id=f"u{i}", text=text, via="typed") for i in range(60)], agents=2)
    page = await hub.call("GET", "/api/history?q=needle&limit=200")
    assert ([hit["n"] - first for hit in page["hits"]], page["more"]) == (list(range(59, 9, -1)), True)
    assert len(json.dumps(page)) < 50 * 400
    page = await hub.call("GET", f"/api/history?q=needle&limit=200&before={page['hits'][-1]['n']}")
    assert ([hit["n"] - first for hit in page["hits"]], page["more"]) == (list(range(9, -1, -1)), False)
    with pytest.raises(ClawMuxError, match="'q' has 201 characters"):
        await hub.call("GET", f"/api/history?q={'x' * 201}")


async def test_a_search_goes_on_where_it_ended_and_is_bounded(hub: LiveHub) -> None:
    session, first = await filled(hub, [entry("user_text", msg_id=f"u{i}", text="needle", via="typed") for i in range(5)])
    page = await hub.call("GET", f"/api/history?session_id={session}&q=needle&limit=3")
    assert ([hit["n"] - first for hit in page["hits"]], page["more"]) == ([4, 3, 2], True)
    page = await hub.call("GET", f"/api/history?session_id={session}&q=needle&limit=3&before={page['hits'][-1]['n']}")
    assert ([hit["n"] - first for hit in page["hits"]], page["more"]) == ([1, 0], False)
    with pytest.raises(ClawMuxError, match="'q' has 201 characters"):
        await hub.call("GET", f"/api/history?session_id={session}&q={'x' * 201}")


async def test_ten_thousand_entries_are_searched_and_paged_at_once(hub: LiveHub) -> None:
    words = "The retry loop has no upper bound, so a single slow response blocked the whole batch. " * 4
    long = (
        entry("assistant_text", msg_id=f"m{i}", text=f"{words} {'needle' if i == 70 else i}", question=False) for i in range(MANY)
    )
    session, first = await filled(hub, long)
    took = {}
    here = f"session_id={session}&"
    beyond = (f"before={first + 100}", f"after={first + 5000}", "limit=200")
    for what in ("q=needle", "q=absent", f"{here}q=needle", f"{here}q=absent", *(here + place for place in beyond)):
        best = 9.0
        for _ in range(5):  # the machine may be busy with something else
            began = time.perf_counter()
            page = await hub.call("GET", f"/api/history?{what}")
            best = min(best, time.perf_counter() - began)
        took[what] = best
        if what.endswith("q=needle"):
            assert [hit["n"] - first for hit in page["hits"]] == [70]
    assert max(took.values()) < LIMIT_SECONDS, took


async def test_a_conversation_is_exported_whole(hub: LiveHub) -> None:
    session, first = await filled(hub, TALK)
    name, text = await export(hub, session, "markdown")
    view = next(s for s in await hub.call("GET", "/api/sessions") if s["id"] == session)
    assert name == f'attachment; filename="clawmux-{view["name"]}.md"'
    assert text.startswith(f"# {view['name']}\n\nquiet in {hub.home}. Times are UTC.\n\n## You, 2026-09-")
    assert "The **retry** loop\nhas no upper bound.\n" in text
    assert f"> **{view['name']} → adam**, 2026-" in text and "- grep -r Überweisung\n" in text
    name, text = await export(hub, session, "json")
    assert name.endswith('.json"')
    told = json.loads(text)
    assert (told["version"], told["session"]["id"]) == (1, session)
    assert [e["n"] - first for e in told["entries"]] == list(range(len(TALK)))
    assert told["entries"][2]["text"] == TALK[2]["text"]
    with pytest.raises(ClawMuxError, match="expected markdown or json"):
        await hub.call("GET", f"/api/history/export?session_id={session}&format=html")


async def test_others_are_answered_while_a_long_conversation_is_exported(hub: LiveHub) -> None:
    many = 3000
    session, _ = await filled(hub, [entry("user_text", msg_id=f"u{i}", text="x" * 3000, via="typed") for i in range(many)])
    exporting = asyncio.create_task(export(hub, session, "json"))
    answered = 0
    while not exporting.done():
        await hub.call("GET", "/api/health")
        answered += 1
    _, text = await exporting
    assert len(json.loads(text)["entries"]) == many
    assert answered >= 3
