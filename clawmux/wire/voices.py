"""The 54 voices of Kokoro v1.0 and the agent names made from them.

The first letter of an id is the language, the second the gender: ``bm_fable`` is British and male
(VOICES.md of hexgrad/Kokoro-82M).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

LANGUAGES: dict[str, str] = {
    "a": "American English", "b": "British English", "e": "Spanish", "f": "French", "h": "Hindi",
    "i": "Italian", "j": "Japanese", "p": "Brazilian Portuguese", "z": "Mandarin Chinese",
}  # fmt: skip

# The seven of the first description come first; agents are named in this order.
_IDS = """
af_sky af_alloy af_sarah am_adam am_echo am_onyx bm_fable
af_heart af_bella af_nova af_nicole af_aoede af_jessica af_kore af_river
am_eric am_fenrir am_liam am_michael am_puck am_santa
bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_george bm_lewis
ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola
jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex pm_santa
zf_xiaobei zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang
""".split()


@dataclass(frozen=True, slots=True)
class Voice:
    id: str
    name: str
    language: str
    gender: str


VOICES: dict[str, Voice] = {v: Voice(v, v.split("_")[1], LANGUAGES[v[0]], "female" if v[1] == "f" else "male") for v in _IDS}


def next_voice(taken_ids: Collection[str], preferred: str = "") -> str:
    """The preferred one or else the first that no living session has; the first of all when every one is taken."""
    order = [preferred, *VOICES] if preferred in VOICES else VOICES
    return next((v for v in order if v not in taken_ids), _IDS[0])


def free_id(voice: str, taken_ids: Collection[str]) -> str:
    """A session id derived from a voice: ``af_sky``, then ``af_sky-2`` and so on."""
    if voice not in taken_ids:
        return voice
    number = 2
    while f"{voice}-{number}" in taken_ids:
        number += 1
    return f"{voice}-{number}"


def name_of(session_id: str) -> str:
    """The friendly name in a session id: ``af_sky-2`` -> ``sky-2``."""
    return session_id.split("_", 1)[-1]
