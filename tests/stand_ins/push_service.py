"""A push service on loopback and the devices behind it: it checks the sender's signature, and they read what is meant for them.

async with PushService() as service:
    device = service.device()           # device.subscription is what its browser would give
    service.answers[device.name] = [429, 201]
    await service.until(lambda: device.messages)
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clawmux.adapters.webpush import decoded, encoded
from clawmux.hub.push import Reach

HERE = Reach(frozenset({"http", "https"}), None, lambda address: address == "127.0.0.1")
"""What a test lets messages reach: this machine, and nothing else."""
WAIT_SECONDS = 15.0


@dataclass(eq=False)
class Device:
    """The browser's side of RFC 8291, written from the RFC and not from the sender's code."""

    key: ec.EllipticCurvePrivateKey
    auth: bytes
    name: str = ""
    endpoint: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """What has come, as it was meant to be read."""
    headers: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def new(cls, name: str = "") -> Device:
        return cls(ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16), name)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def subscription(self) -> dict[str, Any]:
        return {"endpoint": self.endpoint, "p256dh": encoded(self.public), "auth": encoded(self.auth)}

    def read(self, body: bytes) -> bytes:
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert length == 65 and len(sealed) <= size
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        secret = HKDF(SHA256(), 32, self.auth, b"WebPush: info\0" + self.public + sender).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        record = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert record.endswith(b"\2"), "the last record ends in 2"
        return record[:-1]


def signed_by(header: str) -> dict[str, Any]:
    """Claims and key of an Authorization header (RFC 8292). Raises InvalidSignature."""
    token, _, key = header.removeprefix("vapid t=").partition(", k=")
    head, claims, signature = token.split(".")
    assert json.loads(decoded(head)) == {"typ": "JWT", "alg": "ES256"}
    raw = decoded(signature)
    assert len(raw) == 64
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(key))
    public.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(SHA256()))
    return {"key": key, **json.loads(decoded(claims))}


class PushService:
    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self.answers: dict[str, list[int]] = {}
        """What to answer to a device's next messages, before 201 for all."""
        self.retry_after = ""
        self.location = ""
        self.requests: list[tuple[str, int]] = []
        """Device and answer of each."""
        self.holds = asyncio.Event()
        """Cleared: a message is not answered before it is set again."""
        self.holds.set()
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.post("/push/{name}", self._push)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.holds.set()
        await self._runner.cleanup()

    def device(self, name: str = "phone") -> Device:
        device = self.devices[name] = Device.new(name)
        device.endpoint = f"{self.origin}/push/{name}"
        return device

    async def until(self, condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"waited {seconds:g} s; there were {self.requests}") from None

    async def _push(self, request: web.Request) -> web.Response:
        device = self.devices[request.match_info["name"]]
        body = await request.read()
        sender = signed_by(request.headers["Authorization"])
        assert sender["aud"] == self.origin and 0 < sender["exp"] - time.time() <= 86400
        assert sender["sub"].startswith(("mailto:", "https:"))
        assert request.headers["Content-Encoding"] == "aes128gcm" and int(request.headers["TTL"]) >= 0
        assert "Cookie" not in request.headers
        await self.holds.wait()
        waiting = self.answers.get(device.name, [])
        status = waiting.pop(0) if waiting else 201
        if status == 201:
            device.messages.append(json.loads(device.read(body)))
            device.headers.append(dict(request.headers))
        async with self._changed:
            self.requests.append((device.name, status))
            self._changed.notify_all()
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        return web.Response(status=status, headers=headers | ({"Location": self.location} if 300 <= status < 400 else {}))
