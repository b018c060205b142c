"""The address of a speech server, and faults on the way to one, in words. No numpy: the hub uses it, too."""

from __future__ import annotations

import aiohttp
from yarl import URL

from clawmux.wire.errors import ClawMuxError


def base_of(url: str) -> URL:
    """The server's base, whether or not the setting ends in /v1 or in an endpoint; raises ``usage``."""
    try:
        parsed = URL(url.strip().rstrip("/"))
        is_usable = parsed.scheme in ("http", "https") and bool(parsed.host) and parsed.explicit_port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ClawMuxError(
            "usage", f"the speech server's address {url[:80]!r} is not an http or https URL.", "Set it as http://HOST:PORT."
        )
    path = parsed.path
    for ending in ("/audio/transcriptions", "/audio/speech", "/v1"):
        path = path.removesuffix(ending).rstrip("/")
    return parsed.with_path(path or "/").with_query(None).with_fragment(None)


def shown(base: URL) -> str:
    """Without a password."""
    return str(base.with_user(None)).rstrip("/")


def choose_model(ids: list[str], half: str) -> str:
    """Which of a server's models to name. Pure."""
    word, otherwise = ("whisper", "whisper-1") if half == "stt" else ("kokoro", "kokoro")
    fitting = [name for name in ids if word in name.lower()]
    return fitting[0] if fitting else (ids[0] if len(ids) == 1 else otherwise)


def why(error: aiohttp.ClientError) -> str:
    """In a few words; aiohttp's own sentences name its classes and sockets."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not accepted"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "it does not speak TLS as we do"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known here"
    if isinstance(error, aiohttp.ClientConnectorError):
        return (error.os_error.strerror or "no connection").lower()
    return "it broke the connection off"
