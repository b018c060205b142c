"""Agents, messages, devices and the rest, as a hub describes them to the page; a test changes what matters to it."""

from __future__ import annotations

import time
from typing import Any

Message = dict[str, Any]


def session(voice: str, **changes: Any) -> Message:
    """A session as the hub describes it."""
    row: Message = {
        "id": voice, "name": voice[3:], "voice": voice, "runtime": "demo", "dir": "/home/ann/work", "state": "active",
        "activity": "idle", "question": None, "needs_you": False, "created": time.time(), "last_active": time.time(),
        "first_n": 0, "accepts_text": True, "reason": "", "doing": doing("idle"), "report": None, "permission": None,
        "messages": {"waiting": 0, "failed": 0},
    }  # fmt: skip
    return {**row, **changes}


def doing(activity: str, kind: str = "", detail: str = "", *, since: float = 0.0, source: str = "hook") -> Message:
    """What the session does, as the hub has weighed it; ``since`` seconds ago."""
    now = time.time()
    return {"activity": activity, "kind": kind, "detail": detail, "source": source, "since": now - since, "seen": now}


def changed_file(path: str, change: str = "modified", added: int | None = 1, removed: int | None = 0, **more: Any) -> Message:
    """A changed file as the hub lists it; its key is its path."""
    row = {"key": path, "path": path, "before_key": "", "before": "", "change": change, "staged": False}
    return {**row, "added": added, "removed": removed, **more}


def message(message_id: str, **changes: Any) -> Message:
    """A message between agents as the hub describes it."""
    now = time.time()
    view: Message = {
        "id": message_id, "from": "af_sky", "to": "am_adam", "from_name": "sky", "to_name": "adam", "text": message_id,
        "state": "queued", "tries": 0, "expects_response": False, "re": "", "hops": 0, "batch": "",
        "reply": "", "reason": "", "held": "", "created": now, "changed": now,
    }  # fmt: skip
    return {**view, **changes}


def device(name: str, **changes: Any) -> Message:
    """A browser that is in, as the hub describes it."""
    now = time.time()
    row = {"id": name.replace(" ", "-"), "name": name, "address": "100.64.0.7", "paired": now, "seen": now - 3600}
    return {**row, "connected": False, "own": False, **changes}


def phone(way: str = "off", tailscale: str = "up") -> Message:
    """How other devices get in, as the hub describes it."""
    urls = {"tailscale": "https://sky.tail1234.ts.net", "proxy": "https://voice.example", "lan": "https://192.168.1.20:3461"}
    url = urls.get(way, "")
    missing = ("Tailscale is not installed.", "Install it from https://tailscale.com/download on this machine and on the phone.")
    reason, remedy = ("", "") if tailscale == "up" else missing
    lan = {
        "host": "192.168.1.20" if way == "lan" else "", "suggested": "192.168.1.20", "fault": "", "until": None,
        "urls": [url] if way == "lan" else [], "certificate": f"{url}/ca.crt" if way == "lan" else "",
        "fingerprint": ":".join(f"{n:02X}" for n in range(32)) if way == "lan" else "",
    }  # fmt: skip
    tailnet = {"state": tailscale, "name": "sky.tail1234.ts.net", "reason": reason, "remedy": remedy}
    return {"url": url, "way": way if url else "", "public_url": url, "tailscale": tailnet, "lan": lan}


_ENGINE = {"package": "faster-whisper", "model": "medium", "device": "cuda", "precision": "float16", "state": "ready"}
DEBUG: Message = {
    "version": "0.1.0", "python": "3.12.4", "system": "linux x86_64", "uptime_seconds": 11000.0, "agents": 5, "pages": 1,
    "dropped_frames": 0, "events": 1234, "timings": [],
    "speech": {
        "state": "ready", "reason": "", "serving": "medium", "wanted": "medium",
        "hearing": {**_ENGINE, "reason": "", "work": {"took_ms": 270, "sound_ms": 3200, "factor": 0.084}},
        "speaking": {**_ENGINE, "package": "kokoro-onnx", "model": "kokoro-fp16", "reason": "", "work": None},
    },
}  # fmt: skip  # fmt: skip
