"""Whether a phone, or any other machine, can open the page and talk: that takes https."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from clawmux.adapters.authority import is_private
from clawmux.adapters.tailscale import Tailscale
from clawmux.checks import web
from clawmux.checks.scene import Scene
from clawmux.finding import Finding, Verdict

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
    if settings.hub_lan_host:
        return [_in_the_network(settings.hub_lan_host, settings.hub_lan_port)]
    detail = f"The page is for this machine only. {WHY_HTTPS}."
    by = "by tailscale serve, which is installed" if Tailscale(scene.environ).program else "with or without Tailscale"
    return [Finding(Verdict.OK, "phone", detail, f"For a phone: clawmux phone makes such an address, {by}.")]


def _in_the_network(host: str, port: int) -> Finding:
    """The door of our own authority."""
    remedy = "Name a private address that this machine has now: clawmux phone --lan ADDRESS"
    try:
        is_fit = is_private(host)
    except ValueError:
        is_fit = False
    if not is_fit:
        return Finding(Verdict.FAIL, "phone", f"hub.lan_host = {host!r} is not a private address.", remedy)
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
    except OSError as error:
        return Finding(Verdict.WARN, "phone", f"No door at hub.lan_host = {host} now: {error.strerror or error}.", remedy)
    shown = f"[{host}]" if ":" in host else host
    return Finding(
        Verdict.OK, "phone", f"A phone in your network opens https://{shown}:{port}, once it trusts the hub's certificate."
    )


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
