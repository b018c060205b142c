"""The sentences beside a recommendation: what is not used and why, what is in the way, what will be slow. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clawmux.hardware import Hardware
from clawmux.machine import cards, delays
from clawmux.machine.amounts import amount
from clawmux.wire.words import Tier

if TYPE_CHECKING:
    from clawmux.tiers import Fit


def remarks(hardware: Hardware, chosen: Fit, better: Fit, roomy_bytes: int) -> list[str]:
    """What else the user should know, the weightiest first. better: the best tier; roomy_bytes: what it needs of a card."""
    cores_alone = chosen.recogniser.device == "cpu"
    said = [_about_better(hardware)] if cores_alone and better.fits and chosen.tier in (Tier.LOW, Tier.TINY) else []
    said += _about_cards(hardware, chosen, roomy_bytes)
    said += [f"{note.reason} {note.remedy}".strip() for note in hardware.notes if note.what in _NOTES_TO_TELL]
    if cores_alone and hardware.cpu_features and not hardware.cpu_features & {"avx2", "neon"}:
        said.append("This processor has neither AVX2 nor NEON, so speech is slow.")
    if delays.is_slow_board(hardware):
        said.append("This is a slow board: engines on another machine (--speech-url) would answer sooner.")
    if hardware.memory_bytes and hardware.memory_bytes < hardware.memory_of_host_bytes:
        said.append(f"Of the machine's {amount(hardware.memory_of_host_bytes)} only {amount(hardware.memory_bytes)} are for us.")
    needed = chosen.speaker.memory_bytes + (chosen.recogniser.memory_bytes if cores_alone else 0)
    if 0 < hardware.memory_free_bytes < needed <= hardware.memory_bytes:
        said.append(f"Only {amount(hardware.memory_free_bytes)} of memory are free just now, and speech takes {amount(needed)}.")
    if chosen.speaker.package == "mlx-audio":
        said.append("Kokoro speaks with mlx-audio, which we have not tried on a Mac yet; if it fails, the processor takes over.")
    if chosen.speaker.model == "kokoro-int8":
        said.append("The smaller Kokoro speaks, which needs less memory and a smaller download.")
    return said


_NOTES_TO_TELL = ("nvidia", "rosetta", "wsl")


def _about_better(hardware: Hardware) -> str:
    """Why not the best, where it would run on the processor."""
    high, medium = (delays.in_words(hardware, tier) for tier in (Tier.HIGH, Tier.MEDIUM))
    return f"High would take {high}, longer than medium with {medium}: both are made for graphics cards."


def _about_cards(hardware: Hardware, chosen: Fit, roomy_bytes: int) -> list[str]:
    said = []
    for gpu in hardware.gpus:
        if gpu.vendor != "apple" and (why := cards.why_not(hardware, gpu)):
            said.append(f"{gpu.name} is not used: {why}")
    card = cards.best(cards.usable(hardware))
    if card is None or card.memory_bytes is None or card.free_bytes is None:
        return said
    if chosen.tier is not Tier.HIGH and card.free_bytes < roomy_bytes <= card.memory_bytes:
        held = amount(card.memory_bytes - card.free_bytes)
        said.insert(0, f"{held} of {card.name} are in use just now; a better tier fits when more of it is free.")
    if cards.is_translated(card) and chosen.recogniser.device != "cpu":
        said.append(f"The first start takes longer: the driver has to translate the recogniser's code for {card.name}.")
    return said
