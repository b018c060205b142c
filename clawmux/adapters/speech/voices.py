"""What each of the voices speaks, as speech engines name it. Standard library only; loads no model."""

from __future__ import annotations

from dataclasses import dataclass

from clawmux.wire import voices
from clawmux.wire.errors import ClawMuxError


@dataclass(frozen=True, slots=True)
class Voice:
    id: str
    """Kokoro's name, as in ``af_sky``."""
    name: str
    """The part people say: ``sky``."""
    language: str
    """BCP 47 tag of what it speaks."""
    gender: str
    """``female`` or ``male``."""
    espeak: str
    """The language as espeak-ng names it for phonemes."""

    def to_wire(self) -> dict[str, str]:
        return {"id": self.id, "name": self.name, "language": self.language, "gender": self.gender}


_LANGUAGES = {
    "a": ("en-US", "en-us"),
    "b": ("en-GB", "en-gb"),
    "e": ("es", "es"),
    "f": ("fr", "fr-fr"),
    "h": ("hi", "hi"),
    "i": ("it", "it"),
    "j": ("ja", "ja"),
    "p": ("pt-BR", "pt-br"),
    "z": ("zh", "cmn"),
}


def _voice(named: voices.Voice) -> Voice:
    language, espeak = _LANGUAGES[named.id[0]]
    return Voice(named.id, named.name, language, named.gender, espeak)


VOICES: dict[str, Voice] = {voice_id: _voice(voices.VOICES[voice_id]) for voice_id in sorted(voices.VOICES)}


def find_voice(name: str) -> Voice:
    """The voice of that id or bare name (``fable`` is ``bm_fable``, as OpenAI's clients ask); raises ``not_found``."""
    if name in VOICES:
        return VOICES[name]
    # Several languages have a "santa": the first listed, an English one where there is one.
    for voice in VOICES.values():
        if voice.name == name:
            return voice
    raise ClawMuxError(
        "not_found",
        f"voice: {name[:40]!r} is not a voice of Kokoro, such as af_sky or bm_fable.",
        "GET /v1/audio/voices lists all of them.",
    )
