"""The stand-in hub's routes behind the settings: values, quality, the phone, devices, the debug view."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from clawmux import settings, settings_table
from clawmux.hub.phone_routes import qr_svg
from clawmux.wire.errors import ClawMuxError
from tests.stand_ins.page_rows import phone

if TYPE_CHECKING:
    from tests.stand_ins.page_hub import PageHub


class PageSettings:
    """Values are checked by the real table and kept in ``hub.settings``."""

    def __init__(self, hub: PageHub) -> None:
        self.hub = hub

    def table(self) -> list[web.RouteDef]:
        return [
            web.get("/api/settings", self._get_settings),
            web.put("/api/settings", self._put_settings),
            web.get("/api/tiers", self._tiers),
            web.get("/api/phone", self._phone),
            web.post("/api/phone", self._way),
            web.post("/api/phone/code", self._code),
            web.get("/api/devices", self._devices),
            web.delete("/api/devices/{id}", self._revoke),
            web.get("/api/debug", self._debug),
        ]

    async def _get_settings(self, _: web.Request) -> web.Response:
        existing = {"agents.runtime": ("claude", "demo")}
        return web.json_response(settings_table.rows(self.hub.settings, Path("none"), {}, existing))

    async def _put_settings(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.hub.requests.append(("PUT", "/api/settings", body))
        await self.hub.notify()
        try:
            values = {settings.FIELD_OF[name]: settings.check(name, value, "field") for name, value in body.items()}
        except ClawMuxError as error:
            return web.json_response(error.to_wire(), status=400)
        if self.hub.refuses_settings:
            return web.json_response(self.hub.refuses_settings, status=422)
        self.hub.settings = dataclasses.replace(self.hub.settings, **values)
        if "speech.quality" in body:
            await self.hub.speech(wanted=body["speech.quality"])
        return await self._get_settings(request)

    async def _tiers(self, _: web.Request) -> web.Response:
        return web.json_response({**self.hub.tiers, **self.hub.speech_state})

    async def _phone(self, _: web.Request) -> web.Response:
        return web.json_response(self.hub.phone)

    async def _way(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.hub.requests.append(("POST", "/api/phone", body))
        if self.hub.refuses_way:
            return web.json_response(self.hub.refuses_way, status=409)
        self.hub.phone = phone(body["way"])
        return web.json_response(self.hub.phone)

    async def _code(self, request: web.Request) -> web.Response:
        self.hub.requests.append(("POST", "/api/phone/code", await request.json()))
        link = f"{self.hub.phone['url']}/#k=K7QD-4MPX"
        trust = {"certificate_svg": qr_svg("a certificate")} if self.hub.phone["way"] == "lan" else {}
        made = {"url": self.hub.phone["url"], "code": "K7QD-4MPX", "link": link, "seconds": 300.0, "svg": qr_svg(link)}
        return web.json_response({**made, **trust})

    async def _devices(self, _: web.Request) -> web.Response:
        return web.json_response(self.hub.paired)

    async def _revoke(self, request: web.Request) -> web.Response:
        gone = request.match_info["id"]
        self.hub.requests.append(("DELETE", request.path, None))
        self.hub.paired = [device for device in self.hub.paired if device["id"] != gone]
        await self.hub.send({"type": "devices"})
        return web.json_response({"id": gone, "name": gone})

    async def _debug(self, _: web.Request) -> web.Response:
        return web.json_response(self.hub.debug)
