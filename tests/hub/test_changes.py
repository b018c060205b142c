"""The routes of what an agent has changed in its folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from clawmux.wire.errors import ClawMuxError
from tests.adapters.test_git import repository, run  # noqa: F401 (a fixture)
from tests.live_hub import LiveHub


async def agent_in(hub: LiveHub, folder: Path) -> str:
    return str((await hub.call("POST", "/api/sessions", {"runtime": "demo", "dir": str(folder)}))["id"])


async def test_files_and_their_lines(repository: Path) -> None:  # noqa: F811
    (repository / "kept.txt").write_text("one\n2\nthree\n")
    (repository / "ünew\n.txt").write_text("x\n")
    run(repository, "mv", "moved.txt", "elsewhere.txt")
    run(repository, "add", "kept.txt")
    async with LiveHub("none") as hub:
        agent = await agent_in(hub, repository)
        asked = [hub.call("GET", f"/api/sessions/{agent}/changes") for _ in range(5)]
        found, *others = await asyncio.gather(*asked)
        assert all(other == found for other in others)
        assert (found["repository"], found["branch"], found["why"], found["more"]) == (str(repository), "main", "", False)
        rows = {row["path"]: row for row in found["files"]}
        told = ("change", "before", "staged", "added", "removed")
        assert {path: tuple(row[key] for key in told) for path, row in rows.items()} == {
            "elsewhere.txt": ("renamed", "moved.txt", True, 0, 0),
            "kept.txt": ("modified", "", True, 1, 1),
            "ünew\n.txt": ("untracked", "", False, None, None),
        }

        async def lines_of(path: str) -> Any:
            query = f"file={rows[path]['key']}&before={rows[path]['before_key']}"
            return await hub.call("GET", f"/api/sessions/{agent}/changes/file?{query}")

        kept = await lines_of("kept.txt")
        assert ["-", 2, 0, "two"] in kept["lines"]
        assert ["+", 0, 2, "2"] in kept["lines"]
        assert await lines_of("ünew\n.txt") == {"lines": [["@", 0, 1, ""], ["+", 0, 1, "x"]], "cut": False}
        assert await lines_of("elsewhere.txt") == {"lines": [], "cut": False}


async def test_no_repository_is_no_error_and_keys_lead_nowhere_else(tmp_path: Path) -> None:
    async with LiveHub("none") as hub:
        agent = await agent_in(hub, tmp_path)
        found = await hub.call("GET", f"/api/sessions/{agent}/changes")
        assert found == {
            "repository": "",
            "branch": "",
            "why": "Its folder is not in a git repository.",
            "files": [],
            "more": False,
        }
        for key in ("", "Li4veA==", "L2V0Yy9wYXNzd2Q=", "AAA=", "not-base64!"):
            with pytest.raises(ClawMuxError) as refused:
                await hub.call("GET", f"/api/sessions/{agent}/changes/file?file={key}")
            assert refused.value.code == "usage", key
        with pytest.raises(ClawMuxError, match="not in a git repository"):
            await hub.call("GET", f"/api/sessions/{agent}/changes/file?file=YQ==")
        with pytest.raises(ClawMuxError) as unknown:
            await hub.call("GET", "/api/sessions/nobody/changes")
        assert unknown.value.code == "not_found"
