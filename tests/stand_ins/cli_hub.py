"""A hub as the command line sees it: HTTP on a unix socket, answering what a test tells it. Threads, no asyncio."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["clawmux-request"]

    @property
    def words(self) -> list[bytes]:
        return self.body.split(b"\0")


@dataclass(frozen=True, slots=True)
class Reply:
    data: bytes
    """Everything that is sent before the connection closes."""


class Silence:
    """The hub is thinking: no answer until the connection is closed by somebody."""


Answer = Callable[[Request], Reply | Silence]


def answered(exit_code: int = 0, stdout: bytes = b"", stderr: bytes = b"") -> Reply:
    body = stderr + stdout
    head = f"HTTP/1.1 200 OK\r\nClawmux-Exit: {exit_code}\r\nClawmux-Stderr: {len(stderr)}\r\nContent-Length: {len(body)}\r\n\r\n"
    return Reply(head.encode() + body)


def as_json(value: Any, status: int = 200) -> Reply:
    body = json.dumps(value).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Reply(head.encode() + body)


class CliHub:
    """``with CliHub(path, answer) as hub``; ``hub.requests`` holds what came. Can be left and entered again."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self.path = path
        self.answer = answer
        self.requests: queue.Queue[Request] = queue.Queue()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """As when the hub is killed: every connection ends, the socket file stays. Twice is once."""
        if not self._threads:
            return
        # close() alone would leave accept() waiting (accept(2)).
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            _end(connection)
        for thread in self._threads:
            thread.join()
        self._open.clear()
        self._threads.clear()

    def next(self, seconds: float = 10.0) -> Request:
        return self.requests.get(timeout=seconds)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                request = _read(connection)
                if request is None:
                    return
                self.requests.put(request)
                reply = self.answer(request)
                if isinstance(reply, Silence):
                    connection.recv(1)
                else:
                    connection.sendall(reply.data)
            except OSError:
                pass  # the client, or the end of this hub, was faster


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has ended by itself


def _read(connection: socket.socket) -> Request | None:
    with connection.makefile("rb") as stream:
        first = stream.readline().split()
        if len(first) != 3:
            return None
        headers = {}
        while line := stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
    return Request(first[0].decode(), first[1].decode(), headers, body)
