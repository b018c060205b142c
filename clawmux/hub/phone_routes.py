"""The routes of phone access: how it stands, taking a way, a pairing code with its QR picture, and the authority's certificate.

app.add_routes(ROUTES)      GET and POST /api/phone, POST /api/phone/code, GET /ca.crt
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from importlib import import_module

from aiohttp import hdrs, web

from clawmux.hub.body import read_json
from clawmux.hub.guard import AUTH
from clawmux.hub.logins import CODE_SECONDS
from clawmux.hub.phone import PHONE
from clawmux.wire.codec import decode_as
from clawmux.wire.errors import ClawMuxError


@dataclass(frozen=True, slots=True)
class Wish:
    """One of ``hub/phone.py``'s ways."""

    way: str
    url: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    way: str = ""
    """``lan``: a link to the door in the local network, also where there is another address."""


async def get_phone(request: web.Request) -> web.Response:
    return web.json_response(await request.app[PHONE].view())


async def put_way(request: web.Request) -> web.Response:
    phone = request.app[PHONE]
    wish = decode_as(Wish, await read_json(request), "phone access")
    await phone.use(wish.way, wish.url.rstrip("/"), wish.host)
    return web.json_response(await phone.view())


async def new_code(request: web.Request) -> web.Response:
    """A code that lets one device in, once; the link carries it in its fragment, which no server or log sees."""
    asked = decode_as(Asked, await read_json(request), "the code")
    phone, auth = request.app[PHONE], request.app[AUTH]
    url = next(iter(phone.lan.urls), "") if asked.way == "lan" else phone.addresses.phone_url
    if not url:
        remedy = "Make one: clawmux phone"
        raise ClawMuxError("conflict", "there is no https address that another device could open.", remedy)
    await asyncio.to_thread(import_module, "segno")  # 0.1 s, the first time
    code = auth.logins.issue_code(auth.clock())
    answer = {"url": url, "code": code, "link": link_of(url, code), "seconds": CODE_SECONDS}
    # Where the device must be told first to trust the authority.
    trust = {"certificate_svg": qr_svg(f"{url}/ca.crt")} if url in phone.lan.urls else {}
    return web.json_response({**answer, "svg": qr_svg(link_of(url, code)), **trust})


async def certificate(request: web.Request) -> web.Response:
    """What iOS and Android take for an authority's certificate."""
    facts = request.app[PHONE].authority.certificate()
    return web.Response(body=facts.der, headers={hdrs.CONTENT_TYPE: "application/x-x509-ca-cert"})


def link_of(url: str, code: str) -> str:
    return f"{url}/#k={code}"


def qr_svg(text: str) -> str:
    """A picture of its own, black on white whatever the page's colours: that is what cameras read."""
    import segno

    out = io.BytesIO()
    segno.make_qr(text, error="m").save(out, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False)
    return out.getvalue().decode()


ROUTES = [
    web.get("/api/phone", get_phone),
    web.post("/api/phone", put_way),
    web.post("/api/phone/code", new_code),
    web.get("/ca.crt", certificate),
]
