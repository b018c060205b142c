"""One small HTTP request with a time limit, without any framework. Follows no redirect and no proxy."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult

# A page or a health answer; more is neither.
MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def get(address: SplitResult, path: str, headers: Mapping[str, str], seconds: float, verify: bool = True) -> Answer:
    """Raises OSError (TimeoutError, ssl.SSLError … among them) or http.client.HTTPException."""
    host, port = address.hostname or "", address.port
    if address.scheme == "https":
        context = ssl.create_default_context() if verify else _trusting()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.putrequest("GET", path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return Answer(response.status, response.read(MOST_BYTES))
    finally:
        connection.close()


def _trusting() -> ssl.SSLContext:
    """For our own hub, whose certificate is for its public name and not for the address it is asked at."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def reason(error: Exception) -> str:
    """In a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
