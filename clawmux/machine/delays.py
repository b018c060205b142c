"""How long recognition takes, from the end of an utterance of 5 s to its words. Pure: measured figures and estimates from them.

Measured on one machine of ours, with faster-whisper in int8, two threads, on two cores of an x86_64 server with AVX-512 VNNI. The
times of medium and high there were taken with weights of the right size and random content, which cost the same. For every other
machine they are an estimate: these figures scaled by threads and instruction set, or what the makers of an engine have published.
What a machine takes itself can be measured (``machine.measured``).
"""

from __future__ import annotations

from clawmux.hardware import Apple, Hardware
from clawmux.wire.words import Tier

MEASURED_ON_TWO_CORES = {Tier.HIGH: 6.1, Tier.MEDIUM: 3.7, Tier.LOW: 1.15, Tier.TINY: 0.29}

# Told for a card of the class of an RTX 3070 Ti: high and tiny; the two between are guessed from their sizes. Turbo is faster
# there than medium, which has six times its decoder layers.
_ON_NVIDIA = {Tier.HIGH: 0.2, Tier.MEDIUM: 0.3, Tier.LOW: 0.12, Tier.TINY: 0.05}
# Times that, for cards without any tensor cores, and for the first ones that had them.
_NO_TENSOR_CORES, _FIRST_TENSOR_CORES = 3.0, 1.5

# Published for an M4 and whisper.cpp: high; the rest is guessed from the sizes, and other chips are scaled.
_ON_APPLE = {Tier.HIGH: 1.2, Tier.MEDIUM: 1.1, Tier.LOW: 0.45, Tier.TINY: 0.15}
_GENERATIONS = {1: 1.8, 2: 1.4, 3: 1.2, 4: 1.0}
_VARIANTS = {"": 1.0, "Pro": 0.75, "Max": 0.5, "Ultra": 0.45}

# Times what AVX-512 VNNI takes. int8 without any of them is computed one number at a time.
_INSTRUCTIONS = (("avx512_vnni", 1.0), ("avx_vnni", 1.1), ("avx512f", 1.2), ("avx2", 1.5), ("neon", 1.6))
_NO_INSTRUCTIONS = 4.0
# Nobody told what it has: most of those in use have AVX2 or NEON.
_UNKNOWN = 2.0
# Small boards' processors: half and less of a server's clock, and narrow.
_SLOW = {"Cortex-A76": 2.5, "Cortex-A72": 5.0, "Cortex-A57": 6.0, "Cortex-A55": 8.0, "Cortex-A53": 10.0}
_SLOW_BOARD = 5.0

# Encoding is one large product of matrices: more threads help, less and less.
_THREADS_EXPONENT = 0.8
# Measured: one thread instead of two.
_ONE_THREAD = 1.65
MOST_THREADS = 8


def threads_of(cores: float) -> int:
    """Processors are mostly two to a core, and the agents want some: half of them where there are many."""
    return max(1, min(int(cores), max(4, int(cores) // 2), MOST_THREADS))


def on_processor(hardware: Hardware, tier: Tier) -> float:
    threads = threads_of(hardware.cores)
    scale = _ONE_THREAD if threads == 1 else (2 / threads) ** _THREADS_EXPONENT
    if 0 < hardware.cores < 1:
        scale /= hardware.cores
    return round(MEASURED_ON_TWO_CORES[tier] * scale * _slowness(hardware), 2)


def in_words(hardware: Hardware, tier: Tier) -> str:
    """On the processor: ``about 6.1 s``."""
    return f"about {on_processor(hardware, tier):.2g} s"


def on_nvidia(capability: tuple[int, int] | None, tier: Tier) -> float:
    major = capability[0] if capability else 0
    return round(_ON_NVIDIA[tier] * (_NO_TENSOR_CORES if major < 7 else _FIRST_TENSOR_CORES if major == 7 else 1.0), 2)


def on_apple(apple: Apple, tier: Tier) -> float:
    generation = _GENERATIONS.get(apple.generation, 1.0 if apple.generation else max(_GENERATIONS.values()))
    return round(_ON_APPLE[tier] * generation * _VARIANTS.get(apple.variant, 1.0), 2)


def is_slow_board(hardware: Hardware) -> bool:
    return any(name in hardware.cpu_name for name, factor in _SLOW.items() if factor >= _SLOW_BOARD)


def _slowness(hardware: Hardware) -> float:
    if hardware.apple is not None:
        return 1.0
    slow = next((factor for name, factor in _SLOW.items() if name in hardware.cpu_name), None)
    if slow is not None:
        return slow
    otherwise = _NO_INSTRUCTIONS if hardware.cpu_features else _UNKNOWN
    return next((factor for word, factor in _INSTRUCTIONS if word in hardware.cpu_features), otherwise)
