"""One small HTTP request with a time limit, without any framework. Follows no redirect and no proxy."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
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
    began = time.monotonic()
    host, port = address.hostname or "", address.port
    if address.scheme == "https":
        context = ssl.create_default_context() if verify else _trusting()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
    # The limit of a socket is for each byte: a server that sends one now and then would keep us for ever.
    connection.connect()
    cut = threading.Timer(max(0.0, began + seconds - time.monotonic()), _cut, [connection.sock])
    cut.daemon = True
    cut.start()
    try:
        connection.putrequest("GET", path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        answer = Answer(response.status, response.read(MOST_BYTES))
    except (OSError, http.client.HTTPException):
        if time.monotonic() - began >= seconds:
            raise TimeoutError from None
        raise
    finally:
        cut.cancel()
        connection.close()
    if time.monotonic() - began >= seconds:
        raise TimeoutError
    return answer


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # below TLS, whose reader then sees an end


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
