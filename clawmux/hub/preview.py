"""Trying a voice: one short sentence on the page that asks for it, as an agent would speak it, and never in the way of one."""

from __future__ import annotations

import secrets
from typing import Any

from clawmux.core.conversation import Conversation
from clawmux.hub.pages import Page, Pages
from clawmux.hub.speaker import Speaker
from clawmux.hub.stream import Utterance
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.voices import VOICES

PREVIEW = "preview-"
"""How the ids of such streams begin."""

_SENTENCES = {
    "American English": "Hello, I am {name}. This is how I sound when I tell you what I have done.",
    "British English": "Hello, I am {name}. This is how I sound when I tell you what I have done.",
    "Spanish": "Hola, soy {name}. Así sueno cuando te cuento lo que he hecho.",
    "French": "Bonjour, je suis {name}. Voici ma voix quand je vous dis ce que j’ai fait.",
    "Hindi": "नमस्ते, मैं {name} हूँ। जब मैं अपना काम बताता हूँ, तो मेरी आवाज़ ऐसी होती है।",
    "Italian": "Ciao, sono {name}. Questa è la mia voce quando ti dico che cosa ho fatto.",
    "Japanese": "こんにちは、{name}です。仕事の報告をするときは、こんな声です。",
    "Brazilian Portuguese": "Olá, eu sou {name}. É assim que eu falo quando conto o que fiz.",
    "Mandarin Chinese": "你好，我是{name}。我汇报工作的时候，就是这个声音。",
}


def sentence(voice: str) -> str:
    """What this voice says of itself, in its language."""
    return _SENTENCES[VOICES[voice].language].format(name=VOICES[voice].name.capitalize())


class Previews:
    """One at a time. The page ends it as it ends every stream; the hub is told by ``playback_done``."""

    def __init__(self, pages: Pages, conversation: Conversation, speaker: Speaker) -> None:
        self._pages = pages
        self._conversation = conversation
        self._speaker = speaker
        self._last = ""

    async def start(self, client: str, voice: str, speed: float) -> dict[str, Any]:
        """The stream's id, once there is sound of it. Raises ``not_found``, ``conflict`` or ``speech_down``."""
        if voice not in VOICES:
            raise ClawMuxError("not_found", f"there is no voice {voice[:40]!r}.", "GET /api/voices lists them.")
        page = next((page for page in self._pages if page.client == client and not page.classic), None)
        if page is None:
            raise ClawMuxError("conflict", "This page is not connected to the hub.", "Try again in a moment.")
        self._check_silence()
        self._pages.give_audio(page)
        self._check_silence()  # a question may have waited for this page
        self._stop(page)
        self._last = f"{PREVIEW}{secrets.token_hex(6)}"
        self._speaker.speak(Utterance(self._last, "", sentence(voice), voice, speed), page)
        stream = self._last
        if reason := await self._speaker.begun(stream):
            raise ClawMuxError("speech_down", reason)
        return {"stream": stream}

    def _check_silence(self) -> None:
        conversation = self._conversation
        if conversation.floor in conversation.questions:
            raise ClawMuxError("conflict", "An agent is speaking.", "Try the voice when it has finished.")
        if conversation.turns:
            raise ClawMuxError("conflict", "The microphone is open.", "Try the voice when you have finished.")

    def _stop(self, page: Page) -> None:
        self._speaker.stop(self._last, page, "replaced")
