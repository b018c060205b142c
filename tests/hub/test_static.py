"""The page's files as the hub serves them: by build, which their contents name, and a worker that knows its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from clawmux.hub.static import BUILD_HEADER, Assets

INDEX = '<link rel="manifest" href="/static/page.webmanifest"><script type="module" src="/static/app.js"></script>'
FILES = {
    "index.html": INDEX,
    "app.js": "import './more.js'",
    "more.js": "",
    "sw.js": "keep()",
    "sw-push.js": "",
    "page.webmanifest": "{}",
}


def assets(folder: Path, **changes: str) -> Assets:
    folder.mkdir()
    for name, text in {**FILES, **changes}.items():
        (folder / name).write_text(text)
    return Assets(folder)


async def get(assets: Assets, path: str = "") -> web.Response:
    request = make_mocked_request("GET", "/", match_info={"path": path} if path else {})
    return await assets.serve(request)


async def text(assets: Assets, path: str = "") -> str:
    body = (await get(assets, path)).body
    assert isinstance(body, bytes)
    return body.decode()


async def test_the_page_names_its_files_by_build(tmp_path: Path) -> None:
    page = assets(tmp_path / "a")
    assert f'src="/static/{page.build}/app.js"' in await text(page)
    assert 'href="/static/page.webmanifest"' in await text(page)
    assert (await get(page)).headers[BUILD_HEADER] == page.build
    assert (await get(page)).headers["Cache-Control"] == "no-cache"
    assert "immutable" in (await get(page, f"{page.build}/app.js")).headers["Cache-Control"]
    assert (await get(page, "app.js")).headers["Cache-Control"] == "no-cache"


async def test_another_build_is_not_there(tmp_path: Path) -> None:
    page, same = assets(tmp_path / "a"), assets(tmp_path / "b")
    other = assets(tmp_path / "c", **{"more.js": "1"})
    assert page.build == same.build != other.build
    for path in (f"{other.build}/app.js", f"{page.build}/none.js", f"{page.build}/", f"{page.build}/{page.build}/app.js"):
        with pytest.raises(web.HTTPNotFound):
            await get(page, path)


async def test_the_worker_knows_its_build_and_what_to_keep(tmp_path: Path) -> None:
    page = assets(tmp_path / "a")
    worker = (await page.serve_worker(make_mocked_request("GET", "/sw.js"))).body
    assert isinstance(worker, bytes)
    first, rest = worker.decode().split("\n", 1)
    assert first == f'const BUILD = "{page.build}", FILES = {json.dumps(["app.js", "index.html", "more.js"])};'
    assert rest == "keep()"
