"""Which quality fits which machine: the table of tiers, and the one function that judges. Pure: reads a Hardware value only.

Installer, doctor, hub and settings page all ask here, so that all of them say the same.

TIERS        what each tier needs
recommend()  what should be installed and run on a machine, with the reasons in words
fit()        one tier on a machine
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clawmux.catalog import MODELS
from clawmux.hardware import Gpu, Hardware
from clawmux.machine import cards, delays
from clawmux.machine.amounts import GB, MB
from clawmux.machine.amounts import amount as amount  # noqa: PLC0414  (others ask for it here)
from clawmux.machine.engines import uses_metal
from clawmux.machine.engines import why_no_engines as why_no_engines  # noqa: PLC0414  (and for this)
from clawmux.machine.remarks import remarks
from clawmux.wire.words import Tier


class Mode(StrEnum):
    THIN = "thin"
    """A page on this machine, everything else on a server."""
    SPLIT = "split"
    """Hub and agents here, engines on another machine."""
    LOCAL = "local"
    """Everything here."""


class Packages(StrEnum):
    """The named requirement sets of build/requirements: what is installed."""

    HUB = "hub"
    CPU = "cpu"
    NVIDIA = "nvidia"
    APPLE = "apple"


@dataclass(frozen=True, slots=True)
class Engine:
    """How one half of speech runs."""

    package: str
    """``faster-whisper``, ``kokoro-onnx``, ``pywhispercpp``, ``mlx-audio`` …, or ``remote``."""
    device: str
    """``cpu``, ``cuda:0``, ``metal``; empty for remote."""
    precision: str
    """``int8``, ``float16``, ``int8_float16``, ``float32``."""
    model: str
    """Name in clawmux.catalog.MODELS; empty for remote."""
    memory_bytes: int
    """Of the device, at work."""
    threads: int = 0
    """Of the processor; 0 where it is not the processor that computes."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One tier on one machine."""

    tier: Tier
    fits: bool
    recogniser: Engine
    speaker: Engine
    delay_seconds: float
    """From the end of an utterance of 5 s to its words: an estimate, also where we have measured a machine like this one."""
    reason: str
    """One sentence for the user: why it fits, or why not."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user has said; empty where they leave it to us."""

    mode: Mode | None = None
    tier: Tier | None = None
    speech_url: str = ""
    server_url: str = ""
    """Address of a hub elsewhere, for the thin mode."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    mode: Mode
    tier: Tier
    packages: Packages
    recogniser: Engine
    speaker: Engine
    models: tuple[str, ...]
    """Names in clawmux.catalog.MODELS that this needs on this machine."""
    fits: tuple[Fit, ...]
    """Every tier, best first."""
    reasons: tuple[str, ...]
    """Sentences for the user, the weightiest first."""
    overlay: str = ""
    """The set of build/requirements with CUDA libraries that lies beside the packages; empty without an NVIDIA card."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one tier takes."""

    title: str
    model: str
    processor_bytes: int
    """Memory at work in int8, measured."""
    card_bytes: int
    """The card's memory at work in float16; an estimate from the size of the weights."""
    card_free_bytes: int
    """A card is used when so much of it is free: other programs need some, and what is free changes."""
    unified_bytes: int
    """Apple: the machine's memory, which system, agents and browser share."""


# Best first.
TIERS: dict[Tier, Need] = {
    Tier.HIGH: Need("Best", "whisper-large-v3-turbo", 1636 * MB, 2600 * MB, 6 * GB, 16 * GB),
    Tier.MEDIUM: Need("Good", "whisper-medium", 1545 * MB, 2400 * MB, int(3.3 * GB), 12 * GB),
    Tier.LOW: Need("Fast", "whisper-small", 610 * MB, 1100 * MB, int(1.8 * GB), 8 * GB),
    Tier.TINY: Need("Smallest", "whisper-tiny.en", 250 * MB, 500 * MB, 1 * GB, 0),
}

# Kokoro at work, a sentence at a time, measured.
_KOKORO_BYTES, _KOKORO_INT8_BYTES = 690 * MB, 415 * MB
# An estimate: the weights, 330 MB in spite of the "bf16" in their name, and what MLX and its packages hold beside them.
_KOKORO_MLX_BYTES = 1000 * MB
# What a process that computes on a card takes of the processor's memory; an estimate.
_CARD_HOST_BYTES = 600 * MB
# Hub, system and one agent beside the engines.
_REST_BYTES = 512 * MB
# Below this the smaller Kokoro leaves more for the agents.
_SHORT_OF_MEMORY_BYTES = 6 * GB
# Kokoro in int8 is up to twice as slow on ARM as in float32, so there only little memory speaks for it.
_SHORT_OF_MEMORY_ON_ARM_BYTES = int(3.5 * GB)
# On the processor more than the tiny tier is worth its delay only here.
CORES_FOR_LOW = 8
_REMOTE = Engine("remote", "", "", "", 0)


def recommend(hardware: Hardware, wishes: Wishes = Wishes()) -> Recommendation:
    """What to install and run here. Always an answer: where no engine runs, the rest of ClawMux does."""
    fits = tuple(fit(hardware, tier) for tier in TIERS)
    deaf = why_no_engines(hardware)
    lacking = deaf or ("" if any(each.fits for each in fits) else fits[-1].reason)
    mode, reasons = _mode(deaf, lacking, wishes)
    tier, why = _tier(hardware, fits, wishes)
    if mode is not Mode.LOCAL:
        # The ear, which tells when somebody speaks and has ended, stays beside the hub; it comes with the engines.
        packages = Packages.CPU if mode is Mode.SPLIT and not deaf else Packages.HUB
        return Recommendation(mode, tier, packages, _REMOTE, _REMOTE, (), fits, tuple(reasons))
    chosen = next(each for each in fits if each.tier is tier)
    models = (chosen.recogniser.model, *voice_models(chosen.speaker))
    reasons += [*why, *remarks(hardware, chosen, fits[0], TIERS[Tier.HIGH].card_free_bytes)]
    packages, overlay = _packages(hardware)
    said = tuple(dict.fromkeys(reasons))
    return Recommendation(mode, tier, packages, chosen.recogniser, chosen.speaker, models, fits, said, overlay)


def fit(hardware: Hardware, tier: Tier) -> Fit:
    """Where this tier would run, how fast, and whether there is room for it."""
    if lacking := why_no_engines(hardware):
        recogniser, speaker = _on_processor(hardware, tier), _speaker(hardware, tier)
        return Fit(tier, False, recogniser, speaker, delays.on_processor(hardware, tier), lacking)
    if uses_metal(hardware):
        return _fit_apple(hardware, tier)
    usable = cards.usable(hardware)
    roomy = [card for card in usable if (card.free_bytes or 0) >= _card_need(card, tier)]
    beside = _speaker(hardware, tier).memory_bytes + _CARD_HOST_BYTES + _REST_BYTES
    if (card := cards.best(roomy)) is not None and (not hardware.memory_bytes or hardware.memory_bytes >= beside):
        return _fit_card(hardware, card, tier)
    return _fit_processor(hardware, tier, cards.best(usable))


def voice_models(speaker: Engine) -> tuple[str, ...]:
    """What speaking needs: beside an engine that nobody has heard yet, the smallest Kokoro of the processor to fall back on."""
    spare = ("kokoro-int8",) if speaker.package == "mlx-audio" else ()
    return (speaker.model, *spare, "voices")


def _mode(deaf: str, lacking: str, wishes: Wishes) -> tuple[Mode, list[str]]:
    """``deaf``: why no engine can be installed; ``lacking``: that, or why none of them would have room."""
    if wishes.mode is Mode.THIN or (lacking and wishes.server_url and wishes.mode is None):
        server = f" of {wishes.server_url}" if wishes.server_url else ""
        why = f"{lacking} So this machine" if lacking else "As you asked, this machine"
        return Mode.THIN, [f"{why} only shows the page{server}."]
    if deaf:
        return Mode.SPLIT, [deaf, "Text works. For voice, show the page of another machine's hub with --server."]
    if wishes.mode is Mode.SPLIT or (wishes.speech_url and (lacking or wishes.mode is None)):
        url = wishes.speech_url or "another machine"
        return Mode.SPLIT, [f"Hub and agents run here; speech is recognised and spoken by {url}."]
    if lacking:
        hint = "Text works. For speech, name another machine's engines with --speech-url, or its hub with --server."
        return Mode.SPLIT, [lacking, hint]
    if wishes.server_url:
        return Mode.LOCAL, [
            f"This machine can do everything itself; to only show the page of {wishes.server_url}, add --mode thin."
        ]
    return Mode.LOCAL, []


def _tier(hardware: Hardware, fits: tuple[Fit, ...], wishes: Wishes) -> tuple[Tier, list[str]]:
    """The best tier that answers soon enough, or what the user wishes as far as there is room."""
    room = [each for each in fits if each.fits]
    if not room:
        return wishes.tier or Tier.TINY, []
    quick = [each for each in room if _is_quick(hardware, each)] or room[-1:]
    if wishes.tier is None:
        return quick[0].tier, [quick[0].reason]
    wished = next(each for each in fits if each.tier is wishes.tier)
    if wished.fits:
        return wished.tier, [f"As you asked, {wished.tier}. {wished.reason}"]
    order = list(TIERS)
    below = [each for each in room if order.index(each.tier) > order.index(wished.tier)] or room[-1:]
    return below[0].tier, [f"{wished.tier.capitalize()} has no room here, so {below[0].tier} is taken. {wished.reason}"]


def _is_quick(hardware: Hardware, each: Fit) -> bool:
    if each.recogniser.device != "cpu" or each.tier is Tier.TINY:
        return True
    has_vectors = bool(hardware.cpu_features & {"avx2", "neon"})
    return each.tier is Tier.LOW and hardware.cores >= CORES_FOR_LOW and has_vectors


def _fit_card(hardware: Hardware, card: Gpu, tier: Tier) -> Fit:
    need, free = TIERS[tier], card.free_bytes or 0
    precision = cards.precision_of(card, is_short=free < TIERS[Tier.HIGH].card_free_bytes)
    size = int(need.card_bytes * _RELATIVE_SIZE[precision])
    recogniser = Engine("faster-whisper", f"cuda:{card.number}", precision, need.model, size)
    reason = f"{card.name} has {amount(free)} free, and {tier} needs {amount(_card_need(card, tier))}."
    return Fit(tier, True, recogniser, _speaker(hardware, tier), delays.on_nvidia(card.compute_capability, tier), reason)


# Of float16.
_RELATIVE_SIZE = {"float16": 1.0, "int8_float16": 0.6, "int8": 0.6, "float32": 1.8}


def _card_need(card: Gpu, tier: Tier) -> int:
    need = TIERS[tier].card_free_bytes
    return need if cards.is_fast(card) else int(need * max(1.0, _RELATIVE_SIZE[cards.precision_of(card, True)]))


def _fit_apple(hardware: Hardware, tier: Tier) -> Fit:
    assert hardware.apple is not None
    # No Apple Silicon was sold with less.
    need, memory = TIERS[tier], hardware.memory_bytes or 8 * GB
    fits = memory >= need.unified_bytes
    # whisper.cpp reads weights of its own form.
    model = next(name for name in (f"{need.model}-ggml", need.model) if name in MODELS)
    recogniser = Engine("pywhispercpp", "metal", "float16", model, need.card_bytes)
    # With less, as in a virtual machine, the processor's Kokoro leaves more for the agents.
    is_roomy = memory >= TIERS[Tier.LOW].unified_bytes
    speaker = Engine("mlx-audio", "metal", "float32", "kokoro-mlx", _KOKORO_MLX_BYTES) if is_roomy else _speaker(hardware, tier)
    compared = f"{tier} is for {amount(need.unified_bytes)} and more" if need.unified_bytes else f"{tier} runs on any"
    reason = f"{hardware.cpu_name or 'This Mac'} has {amount(memory)} of memory, and {compared}."
    return Fit(tier, fits, recogniser, speaker, delays.on_apple(hardware.apple, tier), reason)


def _fit_processor(hardware: Hardware, tier: Tier, card: Gpu | None) -> Fit:
    recogniser, speaker = _on_processor(hardware, tier), _speaker(hardware, tier)
    needed = recogniser.memory_bytes + speaker.memory_bytes + _REST_BYTES
    delay = delays.on_processor(hardware, tier)
    if hardware.memory_bytes and hardware.memory_bytes < needed:
        reason = (
            f"{tier.capitalize()} needs {amount(needed)} of memory, and only {amount(hardware.memory_bytes)} are there for us."
        )
        return Fit(tier, False, recogniser, speaker, delay, reason)
    return Fit(tier, True, recogniser, speaker, delay, _processor_reason(hardware, tier, card))


def _processor_reason(hardware: Hardware, tier: Tier, card: Gpu | None) -> str:
    cores = f"{hardware.cores:g} processor{'s' if hardware.cores != 1 else ''}"
    said = f"On {cores} {tier} takes {delays.in_words(hardware, tier)} for an utterance"
    if tier is Tier.HIGH:
        said += f", longer than medium with {delays.in_words(hardware, Tier.MEDIUM)}: it is made for graphics cards"
    if card is None:
        return f"{said}."
    return f"{card.name} has only {amount(card.free_bytes or 0)} free, and {tier} needs {amount(_card_need(card, tier))}. {said}."


def _on_processor(hardware: Hardware, tier: Tier) -> Engine:
    need = TIERS[tier]
    return Engine("faster-whisper", "cpu", "int8", need.model, need.processor_bytes, delays.threads_of(hardware.cores))


def _speaker(hardware: Hardware, tier: Tier) -> Engine:
    """Kokoro stays on the processor beside an NVIDIA card, too: its engine would want a second set of CUDA libraries."""
    threads = delays.threads_of(hardware.cores)
    is_arm = hardware.architecture == "arm64"
    least = _SHORT_OF_MEMORY_ON_ARM_BYTES if is_arm else _SHORT_OF_MEMORY_BYTES
    is_short = 0 < hardware.memory_bytes < least
    if is_short or (tier is Tier.TINY and not is_arm):
        return Engine("kokoro-onnx", "cpu", "int8", "kokoro-int8", _KOKORO_INT8_BYTES, threads)
    return Engine("kokoro-onnx", "cpu", "float32", "kokoro", _KOKORO_BYTES, threads)


def _packages(hardware: Hardware) -> tuple[Packages, str]:
    """The set, and the overlay beside it."""
    if uses_metal(hardware):
        return Packages.APPLE, ""
    # By all of their memory: a card that is busy now serves later.
    worth_it = [card for card in cards.usable(hardware) if (card.memory_bytes or 0) >= _card_need(card, Tier.LOW)]
    if worth_it:
        return Packages.NVIDIA, cards.overlay_of(worth_it)
    return Packages.CPU, ""
