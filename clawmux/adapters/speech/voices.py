"""The 54 voices of Kokoro 1.0: what each speaks and how it is called. Standard library only; loads no model.

A voice's first letter is its language, the second its gender: ``bm_fable`` is a British man.
"""

from __future__ import annotations

from dataclasses import dataclass

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

_IDS = """
    af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky
    am_adam am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa
    bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable bm_george bm_lewis
    ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola
    jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex pm_santa
    zf_xiaobei zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang
"""


def _voice(voice_id: str) -> Voice:
    prefix, name = voice_id.split("_")
    language, espeak = _LANGUAGES[prefix[0]]
    return Voice(voice_id, name, language, {"f": "female", "m": "male"}[prefix[1]], espeak)


VOICES: dict[str, Voice] = {voice_id: _voice(voice_id) for voice_id in _IDS.split()}


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
