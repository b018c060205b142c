"""What the user wants: what is said now, else what was said before; and which of it goes into the settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawmux.settings import DECLARATIONS, FIELD_OF
from clawmux.tiers import Mode, Recommendation, Wishes
from clawmux.wire.words import Tier
from installer.arguments import Choices
from installer.disk import Disk


def wishes(choices: Choices, disk: Disk) -> Wishes:
    """An upgrade does not change its mind because a card is busy today."""
    said_before = disk.receipt if disk.receipt and disk.receipt.name else None
    speech_url = choices.speech_url or str(disk.settings.get("speech.whisper_url", ""))
    server_url = choices.server_url or (said_before.server_url if said_before else "")
    mode = choices.mode
    if mode is None and choices.speech_url:
        mode = Mode.SPLIT
    elif mode is None and choices.server_url:
        mode = Mode.THIN
    elif mode is None and said_before and said_before.mode in list(Mode):
        mode = Mode(said_before.mode)
    if mode is Mode.LOCAL:
        speech_url = ""
    tier = choices.tier
    if tier is None and disk.settings.get("speech.quality") in list(Tier):
        tier = Tier(disk.settings["speech.quality"])
    return Wishes(mode, tier, speech_url, server_url if mode in (None, Mode.THIN) else "")


def settings(choices: Choices, disk: Disk, advice: Recommendation) -> dict[str, Any]:
    """Only what the user has said, and what nobody has said anything about yet."""
    wanted: dict[str, Any] = {}
    if choices.tier:
        wanted["speech.quality"] = choices.tier.value
    elif advice.mode is Mode.LOCAL and "speech.quality" not in disk.settings and advice.tier is not Tier.TINY:
        wanted["speech.quality"] = advice.tier.value
    urls = ("speech.whisper_url", "speech.kokoro_url")
    if choices.speech_url:
        wanted |= dict.fromkeys(urls, choices.speech_url)
    elif choices.mode is Mode.LOCAL:
        wanted |= {name: "" for name in urls if disk.settings.get(name)}
    if choices.server_url and "hub.server_url" in FIELD_OF:
        wanted["hub.server_url"] = choices.server_url
    return {name: value for name, value in wanted.items() if disk.settings.get(name) != value}


def need_a_start(changes: Mapping[str, Any]) -> bool:
    """Whether a hub that runs goes by these only after its next start."""
    return any(not DECLARATIONS[FIELD_OF[name]].live for name in changes)
