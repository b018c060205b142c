"""How the hub is reached: by itself, its port, its page from a browser here, and from a phone; and who keeps it running."""

from __future__ import annotations

import errno
import http.client
import shutil
import socket
import ssl
import sys
import threading
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import clawmux
from clawmux.adapters import processes, user_service
from clawmux.checks import web
from clawmux.checks.scene import Scene
from clawmux.finding import Finding, Verdict
from clawmux.wire.errors import ClawMuxError

NAME = "clawmux.localhost"
PAGE_SECONDS = 3.0
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
    detail = f"Version {health['version']} runs at {scene.hub.url} (pid {scene.hub.pid}), {health['sessions']} agents."
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


# --- a phone ------------------------------------------------------------------------------------

WHY_HTTPS = "Browsers give the microphone to a page from another machine, such as your phone, over https only"


def phone(scene: Scene) -> Iterable[Finding]:
    settings = scene.settings
    if settings.hub_tls_certificate:
        fault = _certificate_fault(settings.hub_tls_certificate, settings.hub_tls_key)
        if fault:
            remedy = "Give PEM files of a certificate chain and its key, or empty both settings."
            return [Finding(Verdict.FAIL, "phone", f"hub.tls_certificate, hub.tls_key: {fault}.", remedy)]
    if settings.hub_public_url:
        return [Finding(Verdict.OK, "phone", f"A phone opens {settings.hub_public_url}.")]
    is_open = not _is_loopback(settings.hub_host)
    if is_open and not settings.hub_tls_certificate:
        remedy = "Set hub.tls_certificate and hub.tls_key, or: clawmux settings set hub.host 127.0.0.1"
        return [Finding(Verdict.FAIL, "phone", f"hub.host = {settings.hub_host} without TLS: the hub refuses to start.", remedy)]
    if is_open:
        return [Finding(Verdict.OK, "phone", f"A phone opens https://{settings.hub_host}:{settings.hub_port}.")]
    detail = f"The page is for this machine only. {WHY_HTTPS}."
    remedy = "For a phone: put an https proxy in front of the hub and set hub.public_url to its address."
    if shutil.which("tailscale", path=scene.environ.get("PATH")):
        remedy = (
            f"For a phone: tailscale serve --bg http://127.0.0.1:{settings.hub_port}, "
            "then set hub.public_url to the https address that it prints."
        )
    return [Finding(Verdict.OK, "phone", detail, remedy)]


def _certificate_fault(certificate: str, key: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            Path(certificate).expanduser(), Path(key).expanduser() if key else None, password=""
        )
    except (OSError, ssl.SSLError, ValueError) as error:
        return web.reason(error)
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


# --- the service --------------------------------------------------------------------------------


def service(scene: Scene) -> Iterable[Finding]:
    manager = user_service.here(scene.environ)
    try:
        header = manager.header()
        if header is None:
            detail = "The hub is not kept by the system; it runs from `clawmux start` to `clawmux stop`."
            return [Finding(Verdict.SKIP, "service", detail, "To have it start with you: clawmux service install")]
        if header.data != scene.paths.data:
            return [Finding(Verdict.OK, "service", f"{manager.file} keeps another hub, that of {header.data}.")]
        manager.require()
        state = manager.state()
    except ClawMuxError as error:
        return [Finding(Verdict.WARN, "service", f"{error.text[:1].upper()}{error.text[1:]}", error.remedy)]
    return [judge_service(state, scene.hub is not None)]


def judge_service(state: user_service.State, hub_runs: bool) -> Finding:
    if state.running:
        if state.enabled:
            return Finding(Verdict.OK, "service", f"It runs (pid {state.pid}) and starts at login.")
        detail = f"It runs (pid {state.pid}) and does not start at the next login."
        return Finding(Verdict.WARN, "service", detail, "Run: clawmux service install")
    if hub_runs:
        return Finding(Verdict.OK, "service", "It is installed and not running; the hub was started by hand.")
    return Finding(Verdict.WARN, "service", "It is installed and not running.", "Run: clawmux start, and see `clawmux logs`.")
