"""Where the speech engines can be installed at all, and which of a Mac's parts they use. Pure: reads a Hardware value only.

What is refused here was read from the wheels that build/requirements locks.
"""

from __future__ import annotations

from clawmux.hardware import Hardware


def why_no_engines(hardware: Hardware) -> str:
    """Why no speech engine can be installed here, in one sentence; empty where they can."""
    if hardware.system not in ("linux", "darwin"):
        return "ClawMux needs tmux, which this system does not have; on Windows, install it inside WSL2."
    if hardware.architecture not in ("x86_64", "arm64"):
        return f"The speech engines are not built for {hardware.architecture or 'this kind of'} processors."
    if "sse2" in hardware.cpu_features and "sse4_1" not in hardware.cpu_features:
        return (
            "The speech engines need SSE4.1, which this processor lacks; for a virtual machine, choose the processor type host."
        )
    if hardware.libc.startswith("musl"):
        return "The speech engines are not built for musl, the C library of this system (Alpine and others)."
    if (glibc := _version(hardware.libc.removeprefix("glibc "))) and glibc < (2, 28):
        return f"The speech engines need glibc 2.28 or newer, and this system has {hardware.libc.removeprefix('glibc ')}."
    oldest = (14,) if hardware.architecture == "arm64" else (13,)
    if hardware.system == "darwin" and (macos := _version(hardware.release)) and macos < oldest:
        return f"The speech engines need macOS {oldest[0]} or newer, and this is {hardware.release}."
    if hardware.python != (0, 0) and not (3, 11) <= hardware.python <= (3, 13):
        return f"The speech engines are built for Python 3.11 to 3.13, and this is {hardware.python[0]}.{hardware.python[1]}."
    return ""


def uses_metal(hardware: Hardware) -> bool:
    return hardware.apple is not None and any(gpu.vendor == "apple" and not gpu.unusable for gpu in hardware.gpus)


def _version(text: str) -> tuple[int, ...]:
    """``2.36`` as numbers; nothing for what is no version."""
    parts = text.split(".")
    return tuple(int(part) for part in parts[:2]) if all(part.isdigit() for part in parts[:2]) else ()
