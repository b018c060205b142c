"""The server that each OpenCode has for its own windows: HTTP on loopback, with a password that only its session knows.

Blocks: call it in a thread. Which port it listens on is seen from its process, so nobody else's server is ever spoken to.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clawmux.adapters.runtimes.launch import SECRET_FILE
from clawmux.adapters.runtimes.running import listening_ports
from clawmux.wire.errors import ClawMuxError

ANSWER_SECONDS = 5.0
# It sends a heartbeat every 10 s.
SILENT_SECONDS = 25.0
ANSWER_BYTES = 8 << 20
EVENT_BYTES = 4 << 20
REMEDY = "Try again when it is up."


class OpenCodeServer:
    def __init__(self, pid: int, folder: Path) -> None:
        self._pid = pid
        self._folder = folder
        self._port = 0

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """Raises ``conflict`` when the server is not there or refuses; nothing has happened then."""
        return self._ask("POST", path, body)

    def events(self) -> EventStream:
        """What happens from now on. Raises ``conflict``."""
        # One that is only just starting may take the connection and never answer.
        connection, response = self._send("GET", "/event", None, ANSWER_SECONDS)
        return EventStream(connection, response)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        connection, response = self._send(method, path, body, ANSWER_SECONDS)
        with contextlib.closing(connection):
            try:
                data = response.read(ANSWER_BYTES)
                return json.loads(data) if data else None
            except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
                raise _away(f"its server did not answer in full: {error}") from None

    def _send(
        self, method: str, path: str, body: Any, timeout: float
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """To the port that answered last, else to each one that its processes listen on."""
        reason = "its server is not up yet"
        for port in dict.fromkeys([*([self._port] if self._port else []), *listening_ports(self._pid)]):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
            try:
                connection.request(method, path, None if body is None else json.dumps(body), self._headers())
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                reason = f"its server does not answer: {error}"
                continue
            kind = response.headers.get_content_type()
            # What it does not know it answers with its web page.
            if response.status in (200, 204) and (response.status == 204 or kind in ("application/json", "text/event-stream")):
                self._port = port
                return connection, response
            connection.close()
            reason = f"its server answered {response.status} to {method} {path}"
        raise _away(reason)

    def _headers(self) -> dict[str, str]:
        try:
            secret = (self._folder / SECRET_FILE).read_text().strip()
        except OSError:
            raise _away("the password of its server is not there") from None
        word = base64.b64encode(f"opencode:{secret}".encode()).decode()
        return {"Authorization": f"Basic {word}", "Content-Type": "application/json"}


class EventStream:
    """Iterate to wait for events; ``close`` from another thread ends the wait."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        # http.client lets go of the socket once the answer has begun.
        self._socket = response.fp.raw._sock if response.fp is not None else None  # type: ignore[attr-defined]
        if self._socket is not None:
            self._socket.settimeout(SILENT_SECONDS)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Ends when the connection does."""
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            while line := self._response.readline(EVENT_BYTES):
                if line.startswith(b"data:"):
                    with contextlib.suppress(ValueError, RecursionError):
                        event = json.loads(line[5:])
                        if isinstance(event, dict):
                            yield event

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _away(reason: str) -> ClawMuxError:
    return ClawMuxError("conflict", f"nothing was given to OpenCode: {reason}.", REMEDY)
