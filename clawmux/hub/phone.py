"""How another device gets to the page: the https addresses there are, and the three ways to one. Pairing is ``hub/login.py``'s.

    app[PHONE].view()        what there is and what could be
    app[PHONE].use(...)      take a way: ``tailscale``, ``proxy`` (the user's own), ``lan`` (our own authority); ``off``: none
    app[PHONE].check(...)    refuses settings that could not be followed

What is chosen is a setting (hub.public_url, hub.lan_host), so that it outlives the hub; the addresses follow the settings
while it runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from clawmux.adapters.authority import is_private, load
from clawmux.adapters.network import local_address
from clawmux.adapters.tailscale import Tailnet, Tailscale, is_in_tailnet
from clawmux.hub.addresses import Addresses, check_public
from clawmux.hub.authority import Authority
from clawmux.hub.binding import bind_lan
from clawmux.hub.doors import DOORS, Doors
from clawmux.hub.guard import ADDRESSES
from clawmux.hub.lan import LanDoor
from clawmux.hub.runtime import Runtime
from clawmux.settings import FIELD_OF, save_all
from clawmux.wire.errors import ClawMuxError

log = logging.getLogger(__name__)

WAYS = ("tailscale", "proxy", "lan", "off")


class Phone:
    def __init__(self, app: web.Application, runtime: Runtime, environ: Mapping[str, str] = os.environ) -> None:
        self._app = app
        self._runtime = runtime
        self.authority = Authority(runtime.paths.data / "tls")
        self.lan = LanDoor(self.authority, self._moved)
        self._tailscale = Tailscale(environ)
        self._turn = asyncio.Lock()
        self._has_followed = asyncio.Event()
        """The settings of the start have been followed, as far as that was possible."""

    @property
    def addresses(self) -> Addresses:
        return self._app[ADDRESSES]

    @property
    def _doors(self) -> Doors:
        return self._app[DOORS]

    async def running(self, app: web.Application) -> AsyncIterator[None]:
        """For ``cleanup_ctx``. The doors open after the app has started, so ours is a task."""
        self._runtime.on_settings = self._follow

        async def run() -> None:
            await self._doors.are_open.wait()
            try:
                if self._runtime.settings.hub_lan_host:
                    await asyncio.to_thread(load)
                self._follow()
            except Exception:
                log.exception("the door in the local network could not be opened")
            self._has_followed.set()
            await self.lan.watch()

        task = asyncio.create_task(run(), name="door in the local network")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.lan.close()

    def check(self, values: Mapping[str, Any]) -> None:
        """Raises ``usage`` for values of settings, by their dotted names, that we could not follow."""
        check_public(values.get("hub.public_url") or "")
        if host := values.get("hub.lan_host"):
            check_private(host)

    def _follow(self) -> None:
        """The settings may have changed."""
        settings = self._runtime.settings
        if self._doors.are_open.is_set():
            self.lan.want(self._doors, settings.hub_lan_host, settings.hub_lan_port)
        self._moved()

    def _moved(self) -> None:
        try:
            self.addresses.serve(self._runtime.settings.hub_public_url, self.lan.names)
        except ClawMuxError as error:
            self._runtime.notice(None, "error", error.text, error.remedy)

    # -- the ways --

    async def use(self, way: str, url: str = "", host: str = "") -> None:
        """Raises ``usage``, ``conflict``, ``port_busy``, ``forbidden`` or ``missing_program``; then nothing has changed."""
        await self._has_followed.wait()
        async with self._turn:
            if way == "tailscale":
                self._save({"hub.public_url": await self._serve_tailscale()})
            elif way == "proxy":
                check_public(url or "no address")
                self._save({"hub.public_url": url})
            elif way == "lan":
                await asyncio.to_thread(load)
                self._open_lan(host or self.lan.host or self._runtime.settings.hub_lan_host or _suggested())
            elif way == "off":
                await self._stop_tailscale()
                self._save({"hub.public_url": None, "hub.lan_host": None})
            else:
                raise ClawMuxError(
                    "usage", f"way is {way[:40]!r}; expected one of {', '.join(WAYS)}.", "See `clawmux phone --help`."
                )

    async def _serve_tailscale(self) -> str:
        tailnet = await self._tailscale.look()
        if tailnet.state != "up":
            raise ClawMuxError("missing_program", tailnet.reason, tailnet.remedy)
        target = self.addresses.proxied
        if not target.startswith("http:"):
            raise ClawMuxError("conflict", "hub.tls_certificate is set: the hub itself speaks https.", "Use that address.")
        return await self._tailscale.serve(tailnet.name, target)

    async def _stop_tailscale(self) -> None:
        """Only where it was ours: an address of the tailnet that leads to this hub."""
        if is_in_tailnet(self._runtime.settings.hub_public_url):
            tailnet = await self._tailscale.look()
            if tailnet.name:
                await self._tailscale.stop(tailnet.name, self.addresses.proxied)

    def _open_lan(self, host: str) -> None:
        check_private(host)
        before, port = self._runtime.settings.hub_lan_host, self._runtime.settings.hub_lan_port
        if self.lan.is_open and host != self.lan.host:
            # Who came in by the door that is open is cut when it closes: not for one that cannot be opened.
            bind_lan(host, port).close()
        self.lan.want(self._doors, host, port)
        if fault := self.lan.fault:
            self.lan.want(self._doors, before, port)
            raise fault
        self._save({"hub.lan_host": host})

    def _save(self, values: dict[str, Any]) -> None:
        save_all(self._runtime.paths.config_file, values)
        self._runtime.change_settings({FIELD_OF[name]: value or "" for name, value in values.items()})

    # -- the view --

    async def view(self) -> dict[str, Any]:
        await self._has_followed.wait()
        url = self.addresses.phone_url
        public = self._runtime.settings.hub_public_url
        tailnet = await self._tailscale.look()
        if self.authority.exists:
            await asyncio.to_thread(load)
        return {
            "url": url,
            "way": _way_of(url, public, self.lan),
            "public_url": public,
            "tailscale": _tailnet_view(tailnet),
            "lan": self._lan_view(),
        }

    def _lan_view(self) -> dict[str, Any]:
        facts = self.authority.certificate() if self.authority.exists else None
        urls = self.lan.urls
        return {
            "host": self.lan.host,
            "suggested": local_address(),
            "urls": urls,
            "fault": self.lan.fault.text if self.lan.fault else "",
            "certificate": f"{urls[0]}/ca.crt" if urls else "",
            "fingerprint": facts.fingerprint if facts else "",
            "until": facts.until.timestamp() if facts else None,
        }


PHONE = web.AppKey("clawmux_phone", Phone)


def check_private(host: str) -> None:
    """Raises ``usage`` unless it is a private address."""
    try:
        is_fit = is_private(host)
    except ValueError:
        is_fit = False
    if not is_fit:
        text = f"hub.lan_host = {host[:80]!r} is not a private address, such as 192.168.1.20."
        raise ClawMuxError("usage", text, "For the internet put an https proxy of yours before the hub: --public-url URL")


def _suggested() -> str:
    if found := local_address():
        return found
    remedy = "Name one: clawmux phone --lan ADDRESS"
    raise ClawMuxError("not_found", "this machine has no private address in a network now.", remedy)


def _way_of(url: str, public: str, lan: LanDoor) -> str:
    if not url:
        return ""
    if public:
        return "tailscale" if is_in_tailnet(public) else "proxy"
    return "lan" if lan.is_open else "tls"


def _tailnet_view(tailnet: Tailnet) -> dict[str, str]:
    return {"state": tailnet.state, "name": tailnet.name, "reason": tailnet.reason, "remedy": tailnet.remedy}
