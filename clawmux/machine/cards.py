"""Which NVIDIA card the recogniser may use, and in which precision. Pure: reads a Hardware value only."""

from __future__ import annotations

from collections.abc import Sequence

from clawmux.hardware import Gpu, Hardware

# What the Linux wheel of CTranslate2 4.8.5 carries, read from its code sections: ready code for 6.0 to 8.9, and for anything
# newer an intermediate form that the driver translates at the first use if it serves CUDA 12.8.
_OLDEST_CAPABILITY = (6, 0)
_READY_CODE_BELOW = (9, 0)
_OLDEST_CUDA = (12, 0)
_OLDEST_CUDA_TO_TRANSLATE = (12, 8)

# From here on cuBLAS 12.8 is needed, which is 200 MB more to fetch than 12.4.
_BLACKWELL = (10, 0)

# CTranslate2: half precision and 8 bits together need tensor cores; 6.1 alone of the older ones computes with 8 bits.
_TENSOR_CORES = (7, 0)
_EIGHT_BITS = (6, 1)


def usable(hardware: Hardware) -> list[Gpu]:
    return [gpu for gpu in hardware.gpus if gpu.vendor == "nvidia" and not why_not(hardware, gpu)]


def best(gpus: Sequence[Gpu]) -> Gpu | None:
    """One that computes in half precision if there is one, then the one with the most memory free."""
    return max(gpus, key=lambda gpu: (is_fast(gpu), gpu.free_bytes or 0), default=None)


def is_fast(gpu: Gpu) -> bool:
    return gpu.compute_capability is not None and gpu.compute_capability >= _TENSOR_CORES


def is_translated(gpu: Gpu) -> bool:
    """The driver has to translate the recogniser's code for it once, which takes a while."""
    return gpu.compute_capability is not None and gpu.compute_capability >= _READY_CODE_BELOW


def overlay_of(gpus: Sequence[Gpu]) -> str:
    """The set of build/requirements with the CUDA libraries for these; those for Blackwell serve the older ones, too."""
    is_new = any(gpu.compute_capability is not None and gpu.compute_capability >= _BLACKWELL for gpu in gpus)
    return "nvidia-blackwell" if is_new else "nvidia"


def why_not(hardware: Hardware, gpu: Gpu) -> str:
    """One sentence, or nothing for a card that can be used."""
    if gpu.unusable:
        return gpu.unusable
    if hardware.system != "linux" or hardware.architecture != "x86_64":
        # The wheels of CTranslate2 for ARM carry no CUDA code.
        return "The recogniser's package for this processor is built without CUDA."
    if gpu.memory_bytes is None or gpu.free_bytes is None:
        return "Its driver does not tell how much memory is free."
    capability = gpu.compute_capability
    if capability is not None and capability < _OLDEST_CAPABILITY:
        return f"It is too old: its compute capability is {_version(capability)}, and {_version(_OLDEST_CAPABILITY)} is needed."
    needed = _OLDEST_CUDA_TO_TRANSLATE if is_translated(gpu) else _OLDEST_CUDA
    if hardware.cuda is not None and hardware.cuda < needed:
        return f"Its driver {hardware.driver} serves CUDA {_version(hardware.cuda)}, and {_version(needed)} is needed; update it."
    return ""


def precision_of(gpu: Gpu, is_short: bool) -> str:
    """is_short: rather save memory than be exact."""
    if is_fast(gpu):
        return "int8_float16" if is_short else "float16"
    return "int8" if gpu.compute_capability == _EIGHT_BITS else "float32"


def _version(pair: tuple[int, int]) -> str:
    return f"{pair[0]}.{pair[1]}"
