"""A sentence spoken and understood again by the very speech service that the product uses: the running hub's, or one of our own
on a private socket for as long as this takes.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import time
import wave
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clawmux.checks.programs import how_it_ended
from clawmux.checks.scene import Scene
from clawmux.checks.scratch import scratch
from clawmux.paths import run_self
from clawmux.wire.errors import ClawMuxError

if TYPE_CHECKING:
    from clawmux.adapters.speech.client import SpeechClient

SENTENCE = "Please run the tests again, and tell me which of them have failed."
VOICE = "af_sky"
SPOKEN_RATE = 24000
# The largest model from a slow disk takes tens of seconds.
LOAD_SECONDS = 120.0
LOOK_AGAIN_SECONDS = 0.1
TERM_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Trip:
    engines: str
    """Which ones served, for people."""
    where: str
    said: str
    heard: str
    error_rate: float
    first_sound_seconds: float
    speak_seconds: float
    sound_seconds: float
    hear_seconds: float
    shortfall: str = ""
    """Why the service does not serve as it should, in its words."""


def round_trip(scene: Scene) -> Trip:
    """Blocks for seconds. Raises ClawMuxError that says how the service ended or why it does not serve."""
    return asyncio.run(_round_trip(scene))


async def _round_trip(scene: Scene) -> Trip:
    if socket := _hubs_socket(scene):
        from clawmux.adapters.speech.client import SpeechClient

        async with SpeechClient(socket) as client:
            health = await _ready(client, None)
            return await _there_and_back(client, health, "in the running hub's speech service")
    async with _own_service(scene) as (client, service):
        began = time.monotonic()
        try:
            health = await _ready(client, service)
            loaded = f"loaded within {time.monotonic() - began:.1f} s in a process of their own"
            return await _there_and_back(client, health, loaded)
        except ClawMuxError as error:
            # Its end tells more than our broken connection; the kernel may need a moment to say it.
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(service.process.wait, 2.0)
            raise service.ended() or error from None


def _hubs_socket(scene: Scene) -> Path | None:
    """Of the hub's newest speech service: while the quality is being changed there are two."""
    if scene.hub is None:
        return None
    return max(scene.paths.run.glob("speech-*.sock"), key=lambda socket: socket.stat().st_mtime, default=None)


async def _there_and_back(client: SpeechClient, health: dict[str, Any], where: str) -> Trip:
    began, first = time.monotonic(), 0.0
    pcm = bytearray()
    async for chunk in client.synthesize(SENTENCE, VOICE):
        first = first or time.monotonic() - began
        pcm += chunk
    speak_seconds = time.monotonic() - began
    sound = _wav(bytes(pcm))
    # The first recognition of an engine's life warms it up; the second is what the user will wait for.
    await client.transcribe(sound, "audio/wav", "en")
    began = time.monotonic()
    heard = await client.transcribe(sound, "audio/wav", "en")
    hear_seconds = time.monotonic() - began
    rate = word_error_rate(SENTENCE, heard)
    seconds = len(pcm) / 2 / SPOKEN_RATE
    shortfall = str(health.get("reason") or "")
    return Trip(_engines(health), where, SENTENCE, heard.strip(), rate, first, speak_seconds, seconds, hear_seconds, shortfall)


def _wav(pcm: bytes) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SPOKEN_RATE)
        file.writeframes(pcm)
    return out.getvalue()


def _engines(health: dict[str, Any]) -> str:
    """``whisper-tiny.en (faster-whisper, cpu int8) and kokoro-int8 (kokoro-onnx)``, as far as the service tells."""
    return " and ".join(_half(health.get(half)) for half in ("stt", "tts"))


def _half(told: object) -> str:
    facts = told if isinstance(told, dict) else {}
    how = " ".join(str(facts[key]) for key in ("device", "precision") if facts.get(key))
    about = ", ".join(word for word in (str(facts.get("engine") or ""), how, str(facts.get("url") or "")) if word)
    return f"{facts.get('model') or 'an engine'}" + (f" ({about})" if about else "")


async def _ready(client: SpeechClient, service: _Service | None) -> dict[str, Any]:
    """Its health, once both engines are loaded."""
    deadline = time.monotonic() + LOAD_SECONDS
    reason = "it does not answer"
    while time.monotonic() < deadline:
        if service is not None and (fault := service.ended()):
            raise fault
        try:
            health = await client.health()
        except ClawMuxError:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            continue
        reason = str(health.get("reason") or "")
        if health.get("state") == "ready":
            return health
        if health.get("state") in ("failed", "missing_models"):
            raise ClawMuxError("speech_down", f"The speech service cannot serve: {reason}.", "See the speech log.")
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    raise ClawMuxError(
        "timeout", f"The engines were not loaded after {LOAD_SECONDS:.0f} s: {reason}.", "Choose a smaller quality: clawmux tier"
    )


@dataclass(frozen=True, slots=True)
class _Service:
    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> ClawMuxError | None:
        """How, when it has."""
        status = self.process.poll()
        if status is None:
            return None
        # A launcher of the shell tells the signal of its child as 128 + number.
        status = 128 - status if 128 < status < 160 else status
        last = next((line for line in reversed(self.log.read_text(errors="replace").splitlines()) if line.strip()), "")
        said = f" Its last words: {last.strip()[:300]}" if last else ""
        remedy = _REMEDIES.get(-status, "Report this with the output of `clawmux doctor --json`.")
        return ClawMuxError("speech_down", f"The engine ended by {how_it_ended(status)}.{said}", remedy)


ELSEWHERE = "let another machine do speech: speech.whisper_url and speech.kokoro_url"
_REMEDIES = {
    signal.SIGILL.value: f"This processor lacks something that the engine was built with; {ELSEWHERE}.",
    signal.SIGKILL.value: f"Memory may be short: choose a smaller quality (clawmux tier), or {ELSEWHERE}.",
}


@asynccontextmanager
async def _own_service(scene: Scene) -> AsyncIterator[tuple[SpeechClient, _Service]]:
    from clawmux.adapters.speech.client import SpeechClient

    with scratch() as (folder, at_end):
        socket, log = folder / "speech.sock", folder / "log"
        arguments = ["--socket", str(socket), "--quality", scene.settings.speech_quality, "--parent-pid", str(os.getpid())]
        process = _start([*run_self(), "speech", *arguments], scene.environ, log)
        at_end(lambda: _end(process))
        async with SpeechClient(socket) as client:
            yield client, _Service(process, log)


def _start(argv: Sequence[str], environ: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=dict(environ))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(TERM_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def word_error_rate(said: str, heard: str) -> float:
    """Words to add, drop or change over the words said; case and signs do not count."""
    wanted, got = _words(said), _words(heard)
    row = list(range(len(got) + 1))
    for number, word in enumerate(wanted, 1):
        above, row = row, [number]
        for at, other in enumerate(got):
            row.append(min(above[at + 1] + 1, row[at] + 1, above[at] + (word != other)))
    return row[-1] / max(1, len(wanted))


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()
