"""The owner's door to the hub: its REST API, and the agents' verbs, over the unix socket. Prints nothing."""

from __future__ import annotations

import http.client
import json
import os
import socket
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clawmux.paths import locate
from clawmux.wire.cli import ARGV_TYPE
from clawmux.wire.errors import ERRORS, ClawMuxError

START_HINT = "start it with `clawmux start`"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("clawmux", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def socket_path() -> Path:
    return Path(os.environ["CLAWMUX_SOCKET"]) if os.environ.get("CLAWMUX_SOCKET") else locate().hub_socket


def call(method: str, path: str, body: Any = None, *, socket_file: Path | None = None, timeout: float = 30.0) -> Any:
    """One request; the decoded answer. The hub's error object is raised as the error it is."""
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if content else {}
    status, _, data = _exchange(method, path, content, headers, socket_file or socket_path(), timeout)
    return _decode(status, data)


def ask(*words: str) -> Any:
    """What an agents' verb answers with ``--json``, said by nobody's session."""
    content = b"\0".join(map(os.fsencode, [*words, "--json"]))
    status, headers, data = _exchange("POST", "/cli/-", content, {"Content-Type": ARGV_TYPE}, socket_path(), 30.0)
    if "Clawmux-Exit" not in headers:
        return _decode(status, data)
    told, answer = data[: int(headers["Clawmux-Stderr"])], data[int(headers["Clawmux-Stderr"]) :]
    exit_code = int(headers["Clawmux-Exit"])
    if exit_code:
        code = next((code for code, row in ERRORS.items() if row.exit_code == exit_code), "internal")
        text, _, remedy = told.decode().removeprefix("clawmux: ").strip().partition("\n")
        raise ClawMuxError(code, text, remedy)
    return json.loads(answer)["result"]


def _exchange(
    method: str, path: str, content: bytes | None, headers: dict[str, str], socket_file: Path, timeout: float
) -> tuple[int, Message, bytes]:
    connection = _Connection(socket_file, timeout)
    try:
        with suppress(BrokenPipeError):  # a hub that refuses early has answered already
            connection.request(method, path, content, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    except TimeoutError:
        raise ClawMuxError("timeout", f"the hub did not answer within {timeout:g} s.", "See `clawmux logs`.") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or error
        raise ClawMuxError("hub_not_running", f"the hub is not running ({socket_file}: {reason}).", START_HINT) from None
    finally:
        connection.close()


def sessions() -> list[dict[str, Any]]:
    """Living and ended."""
    listed: list[dict[str, Any]] = call("GET", "/api/sessions?all=true")
    return listed


def find_session(name: str) -> dict[str, Any]:
    """The one session whose id or name is exactly this."""
    listed = sessions()
    found = [session for session in listed if name in (session["id"], session["name"])]
    # A dead session keeps its name until it is taken again; the living one is meant.
    found.sort(key=lambda session: session.get("state") == "dead")
    if not found:
        names = ", ".join(sorted(session["name"] for session in listed)) or "none"
        raise ClawMuxError("not_found", f"there is no agent {name!r}; there are: {names}.", "See `clawmux status`.")
    chosen: dict[str, Any] = found[0]
    return chosen


def session_address(session_id: str) -> str:
    return "/api/sessions/" + quote(session_id, safe="")


def _decode(status: int, data: bytes) -> Any:
    try:
        value = json.loads(data) if data else None
    except ValueError:
        raise ClawMuxError("internal", f"the hub answered {status} without JSON.", "See `clawmux logs`.") from None
    if status < 400:
        return value
    fields = value if isinstance(value, dict) else {}
    code = fields.get("code") if fields.get("code") in ERRORS else "internal"
    raise ClawMuxError(
        code or "internal", str(fields.get("text") or f"the hub answered {status}."), str(fields.get("remedy") or "")
    )
