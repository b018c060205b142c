"""How the hub is reached: by itself, its port, its page from a browser here, and the hub of a machine that has none."""

from __future__ import annotations

import errno
import http.client
import socket
import sys
import threading
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

import clawmux
from clawmux.adapters import processes
from clawmux.checks import web
from clawmux.checks.phone import WHY_HTTPS
from clawmux.checks.scene import Scene
from clawmux.finding import Finding, Verdict
from clawmux.wire.errors import ClawMuxError

NAME = "clawmux.localhost"
PAGE_SECONDS = 3.0
QUICK_SECONDS = 0.7
RESOLVE_SECONDS = 0.5
_RESTART = "Run: clawmux stop, then clawmux start. Agents live on."


def hub(scene: Scene) -> Iterable[Finding]:
    if scene.hub_fault is not None:
        return [Finding(Verdict.FAIL, "hub", scene.hub_fault.text, scene.hub_fault.remedy)]
    if scene.hub is None:
        return [Finding(Verdict.SKIP, "hub", "It is not running; `clawmux start` starts it.")]
    if not scene.hub.url:
        return [Finding(Verdict.WARN, "hub", f"It is starting (pid {scene.hub.pid}).", "Look again in a moment.")]
    try:
        health = scene.ask("/api/health")
    except ClawMuxError as error:
        detail = f"It runs (pid {scene.hub.pid}) and does not answer: {error.text}"
        return [Finding(Verdict.FAIL, "hub", detail, f"See `clawmux logs`. To end it: kill {scene.hub.pid}")]
    agents = "1 agent" if health["sessions"] == 1 else f"{health['sessions']} agents"
    detail = f"Version {health['version']} runs at {scene.hub.url} (pid {scene.hub.pid}), {agents}."
    if health["version"] != clawmux.__version__:
        return [Finding(Verdict.WARN, "hub", f"{detail} This command is {clawmux.__version__}.", _RESTART)]
    return [Finding(Verdict.OK, "hub", detail)]


# --- the port -----------------------------------------------------------------------------------


def port(scene: Scene) -> Iterable[Finding]:
    host, wanted = scene.settings.hub_host, scene.settings.hub_port
    if scene.hub is not None:
        serves = urlsplit(scene.hub.url).port
        if not scene.hub.url or wanted in (0, serves):
            return [Finding(Verdict.OK, "port", f"{serves or wanted} is ours.")]
        return [Finding(Verdict.OK, "port", f"{serves} is ours; hub.port = {wanted} is in force from the next start on.")]
    if wanted == 0:
        return [Finding(Verdict.OK, "port", "The hub will pick a free one (hub.port = 0).")]
    return [judge_port(host, wanted)]


def judge_port(host: str, wanted: int) -> Finding:
    """By taking it for an instant, as the hub would."""
    family, kind, _, _, address = socket.getaddrinfo(host, wanted, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                remedy = "Choose another address: clawmux settings set hub.host 127.0.0.1"
                return Finding(Verdict.FAIL, "port", f"{host}:{wanted} cannot be opened: {error.strerror}.", remedy)
            owner = processes.port_owner(wanted)
            detail = f"{host}:{wanted} is in use" + (f" by {owner}." if owner else " by another program.")
            return Finding(Verdict.FAIL, "port", detail, "Stop that program, or: clawmux settings set hub.port N")
    return Finding(Verdict.OK, "port", f"{host}:{wanted} is free.")


# --- the page -----------------------------------------------------------------------------------


def page(scene: Scene) -> Iterable[Finding]:
    if scene.hub is None or not scene.hub.url:
        return [Finding(Verdict.SKIP, "page", "The hub is not running."), *_name()]
    address = urlsplit(scene.hub.url)
    # Its name is for browsers; we ask at the address behind it.
    asked = address._replace(netloc=f"{_literal(scene)}:{address.port or 443}")
    try:
        shown = web.get(asked, "/", {"Host": address.netloc}, PAGE_SECONDS, verify=False)
        stranger = web.get(asked, "/", {"Host": "stranger.example"}, PAGE_SECONDS, verify=False)
    except (OSError, http.client.HTTPException) as error:
        return [Finding(Verdict.FAIL, "page", f"{scene.hub.url} does not answer: {web.reason(error)}.", _RESTART)]
    return [judge_page(scene.hub.url, shown, stranger), *_name()]


def judge_page(url: str, shown: web.Answer, stranger: web.Answer) -> Finding:
    if shown.status != 200 or b"<title>" not in shown.body:
        return Finding(Verdict.FAIL, "page", f"{url} answers {shown.status} and not the page.", f"See `clawmux logs`. {_RESTART}")
    if stranger.status != 421:
        detail = f"{url} answers {stranger.status} to a name that is not its own; a strange web page could reach it."
        return Finding(Verdict.FAIL, "page", detail, "Take away the proxy in front of the hub that rewrites the Host header.")
    return Finding(Verdict.OK, "page", f"{url} answers, and refuses names that are not its own.")


def _literal(scene: Scene) -> str:
    host = scene.settings.hub_host
    loopback = {"0.0.0.0": "127.0.0.1", "localhost": "127.0.0.1", "::": "[::1]"}
    return loopback.get(host, f"[{host}]" if ":" in host else host)


def _name() -> Iterable[Finding]:
    return [judge_name(_resolves(NAME), sys.platform)]


def judge_name(found: bool, platform: str) -> Finding:
    if found:
        return Finding(Verdict.OK, "page's name", f"{NAME} leads to this machine.")
    if platform == "darwin":
        remedy = "In Safari use http://127.0.0.1:PORT, or add the name to /etc/hosts."
        detail = f"This system does not know {NAME}; Chrome and Firefox know it by themselves."
        return Finding(Verdict.OK, "page's name", detail, remedy)
    return Finding(Verdict.OK, "page's name", f"This system does not know {NAME}; browsers know it by themselves.")


def _resolves(name: str) -> bool:
    """getaddrinfo has no time limit, and a name server that is away takes many seconds."""
    found: list[str] = []

    def ask() -> None:
        try:
            found.extend(str(row[4][0]) for row in socket.getaddrinfo(name, None))
        except OSError:
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(RESOLVE_SECONDS)
    return any(ip_address(address).is_loopback for address in found)


# --- a hub elsewhere ----------------------------------------------------------------------------


def server(scene: Scene) -> Iterable[Finding]:
    """The hub of a machine that only shows the page."""
    url = scene.settings.hub_server_url
    if not url:
        return [Finding(Verdict.SKIP, "server", "The hub is to run on this machine (hub.server_url is empty).")]
    address = urlsplit(url if "://" in url else f"http://{url}")
    limit = PAGE_SECONDS if scene.deep else QUICK_SECONDS
    try:
        shown = web.get(address, "/", {}, limit)
    except (OSError, http.client.HTTPException, ValueError) as error:
        remedy = "Start the hub there, or set hub.server_url to its address."
        return [Finding(Verdict.FAIL, "server", f"{url} cannot be reached: {web.reason(error)}.", remedy)]
    return [judge_server(url, shown)]


def judge_server(url: str, shown: web.Answer) -> Finding:
    if shown.status == 421:
        remedy = "On that machine set hub.host or hub.public_url to the name that you use here."
        return Finding(Verdict.FAIL, "server", f"{url} is a hub that does not answer to this name.", remedy)
    if shown.status != 200 or b"<title>" not in shown.body:
        detail = f"{url} answers {shown.status} and not the page."
        return Finding(Verdict.FAIL, "server", detail, "Look whether the hub runs there, and at hub.server_url.")
    if not url.startswith("https:"):
        return Finding(Verdict.WARN, "server", f"{url} answers. {WHY_HTTPS}.", "Give that hub a certificate: hub.tls_certificate")
    return Finding(Verdict.OK, "server", f"The hub runs at {url} and answers.")
