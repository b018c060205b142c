"""A stand-in of OpenCode's own server: sessions, prompts, questions and events, with its password. Threads, no asyncio."""

from __future__ import annotations

import base64
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class OpenCodeStandIn:
    """Context manager; listens on a free port of 127.0.0.1."""

    def __init__(self, secret: str = "s3cret") -> None:
        self.secret = secret
        self.sessions: list[dict[str, Any]] = []
        self.status: dict[str, Any] = {}
        self.permissions: list[dict[str, Any]] = []
        self.prompts: list[tuple[str, str]] = []
        """(session, text)"""
        self.replies: list[tuple[str, Any]] = []
        self.loses_answers = False
        """It takes a prompt, and ends the connection."""
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        """What its stream sends next; None ends the connection."""
        self.streams = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,)).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.events.put(None)
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: Any) -> Any:
        """None: no such thing."""
        place = path.partition("?")[0]
        answers: dict[str, Any] = {
            "/session": self.sessions,
            "/session/status": self.status,
            "/permission": self.permissions,
            "/question": [],
        }
        if method == "POST" and place.endswith("/prompt_async"):
            session = place.split("/")[2]
            self.prompts.append((session, body["parts"][0]["text"]))
            return "taken"
        if method == "POST" and place.endswith("/reply"):
            self.replies.append((place.split("/")[2], body))
            return True
        if place.endswith("/message"):
            session = place.split("/")[2]
            return [{"parts": [{"type": "text", "text": text}]} for where, text in self.prompts if where == session]
        return answers.get(place)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                if not self._is_allowed():
                    return self._send(401, b"", "text/plain")
                if self.path == "/event":
                    return self._stream()
                return self._answer(None)

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                return self._answer(json.loads(data)) if self._is_allowed() else self._send(401, b"", "text/plain")

            def _is_allowed(self) -> bool:
                word = base64.b64encode(f"opencode:{outer.secret}".encode()).decode()
                return self.headers.get("Authorization") == f"Basic {word}"

            def _answer(self, body: Any) -> None:
                answer = outer.answer(self.command, self.path, body)
                if answer == "taken" and outer.loses_answers:
                    self.close_connection = True
                elif answer == "taken":
                    self._send(204, b"", "")
                elif answer is None:
                    self._send(200, b"<!doctype html>", "text/html")
                else:
                    self._send(200, json.dumps(answer).encode(), "application/json")

            def _send(self, status: int, data: bytes, kind: str) -> None:
                self.send_response(status)
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _stream(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                outer.streams += 1
                self.close_connection = True
                while (event := outer.events.get()) is not None:
                    self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                    self.wfile.flush()

        return Handler
