"""Whether a phone, or any other machine, can open the page and talk: that takes https."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

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
