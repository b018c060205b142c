"""NVIDIA's cards, asked through NVML in a child process: a driver may hang or abort, and must not take us with it.

The child is nvml_child.py. It is started only where something hints at such a card.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clawmux.hardware import Gpu, Note
from clawmux.machine.sources import Finished, Sources

CHILD = Path(__file__).with_name("nvml_child.py")
# Where Windows puts the driver's library inside WSL.
WSL_LIBRARIES = "/usr/lib/wsl/lib"
_HINTS = ("/sys/module/nvidia", "/proc/driver/nvidia", "/dev/nvidia0", "/dev/nvidiactl", "/etc/nv_tegra_release", "/dev/nvgpu")

# Parts without memory of their own. For them, and only for them, "not supported" means: look at the processor's.
_INTEGRATED = ("GB10", "Orin", "Thor", "Xavier", "Tegra", "nvgpu", "Jetson")


@dataclass(frozen=True, slots=True)
class Found:
    gpus: tuple[Gpu, ...] = ()
    driver: str = ""
    cuda: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    remedy: str = ""


# nvml.h, nvmlReturn_t: what each means for the person in front of the machine.
FAILURES = {
    3: _Failure("The driver cannot tell this for the card."),
    4: _Failure("This user may not ask the NVIDIA driver.", "Add yourself to the group that owns /dev/nvidia0, often video."),
    9: _Failure("The NVIDIA driver is installed but not loaded.", "Run: sudo modprobe nvidia, or restart the machine."),
    12: _Failure(
        "An NVIDIA card is there, but not its driver's library libnvidia-ml.so.1.",
        "Install NVIDIA's driver; in a container, start it with the card, as docker run --gpus all does.",
    ),
    13: _Failure("The NVIDIA driver is too old to tell this.", "Install a newer driver."),
    15: _Failure("The card has dropped off the bus.", "Restart the machine; if that happens again, look at its power and seat."),
    16: _Failure("The card needs a reset before it can be used.", "Restart the machine."),
    17: _Failure(
        "The system keeps the NVIDIA driver from the card.",
        "In a container, start it with the card, as docker run --gpus all does.",
    ),
    18: _Failure("The NVIDIA driver was updated but the old one is still loaded.", "Restart the machine."),
    20: _Failure("The NVIDIA driver has no memory left.", "Restart the machine."),
    999: _Failure(
        "The NVIDIA driver answers with an error that it does not explain.", "Restart the machine; sudo dmesg may tell more."
    ),
}


def is_hinted(sources: Sources, on_bus: tuple[Gpu, ...]) -> bool:
    return (
        any(gpu.vendor == "nvidia" for gpu in on_bus)
        or any(sources.has(hint) for hint in _HINTS)
        or (sources.has("/dev/dxg") and sources.has(f"{WSL_LIBRARIES}/libnvidia-ml.so.1"))
    )


def read(sources: Sources, notes: list[Note], memory_bytes: int, free_bytes: int) -> Found:
    """memory_bytes, free_bytes: the processor's, which integrated parts share."""
    try:
        done = sources.run(_command(), _environment(sources), sources.driver_seconds)
    except OSError as error:
        notes.append(Note("nvidia", f"The NVIDIA driver could not be asked: {error.strerror or error}."))
        return Found()
    driver, cuda = "", None
    gpus: list[tuple[str, Gpu]] = []
    for told in _lines(done.out):
        driver = str(told.get("driver", driver))
        if version := told.get("cuda"):
            # 12040 is 12.4.
            cuda = (int(version) // 1000, int(version) % 1000 // 10)
        if "card" in told:
            card = told["card"]
            gpus.append((str(card.get("uuid", "")), _gpu(card, memory_bytes, free_bytes)))
        if "code" in told:
            notes.append(_note(told))
    if (note := _ending(done, sources.driver_seconds)) is not None:
        notes.append(note)
    return Found(numbered(gpus, sources.environ.get("CUDA_VISIBLE_DEVICES")), driver, cuda)


def numbered(told: list[tuple[str, Gpu]], chosen: str | None) -> tuple[Gpu, ...]:
    """With CUDA's numbers, and those marked that CUDA will not show. told: UUID and card; chosen: CUDA_VISIBLE_DEVICES."""
    gpus = [gpu for _, gpu in told]
    # A divided card is known by its slices only, and of all slices CUDA shows a program one.
    shown = [at for at, gpu in enumerate(gpus) if not gpu.unusable]
    if chosen is None:
        first = next((at for at in shown if gpus[at].is_mig_slice), None)
        order = [at for at in shown if not gpus[at].is_mig_slice or at == first]
        hidden = "CUDA shows a program only the first slice; CUDA_VISIBLE_DEVICES can name another one."
    else:
        order = _chosen(told, chosen)
        hidden = "The variable CUDA_VISIBLE_DEVICES hides it."
    return tuple(
        replace(gpu, number=order.index(at)) if at in order else replace(gpu, unusable=gpu.unusable or hidden)
        for at, gpu in enumerate(gpus)
    )


def _chosen(told: list[tuple[str, Gpu]], chosen: str) -> list[int]:
    """CUDA C programming guide, CUDA_VISIBLE_DEVICES: numbers or beginnings of UUIDs; what follows a wrong one is hidden."""
    cards = [at for at, (_, gpu) in enumerate(told) if not gpu.is_mig_slice]
    order: list[int] = []
    for word in (part.strip() for part in chosen.split(",")):
        found = [cards[int(word)]] if word.isdigit() and int(word) < len(cards) else []
        if word.startswith(("GPU-", "MIG-")):
            found = [at for at, (uuid, _) in enumerate(told) if uuid.startswith(word)]
        if len(found) != 1 or found[0] in order:
            break
        order += found
    return order


def _command() -> list[str]:
    """-I and -S: nothing of the user's folders or site-packages is loaded. So the child is told where pynvml lies."""
    from importlib.util import find_spec

    spec = find_spec("pynvml")
    folder = str(Path(spec.origin).parent) if spec is not None and spec.origin else ""
    return [sys.executable, "-I", "-S", str(CHILD), folder]


def _environment(sources: Sources) -> dict[str, str]:
    environ = dict(sources.environ)
    if sources.has(WSL_LIBRARIES):
        environ["LD_LIBRARY_PATH"] = ":".join(filter(None, [environ.get("LD_LIBRARY_PATH", ""), WSL_LIBRARIES]))
    return environ


def _lines(out: str) -> list[dict[str, Any]]:
    """One object a line. The last may be cut, and a driver may print words of its own."""
    found = []
    for line in out.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            found.append(told)
    return found


def _gpu(told: dict[str, Any], memory_bytes: int, free_bytes: int) -> Gpu:
    name, total, free = str(told["name"]), told.get("total"), told.get("free")
    is_unified = total is None and any(word in name for word in _INTEGRATED)
    if is_unified:
        total, free = memory_bytes or None, free_bytes or None
    capability = told.get("capability")
    return Gpu(
        "nvidia",
        name,
        total,
        free,
        (int(capability[0]), int(capability[1])) if capability else None,
        is_unified,
        bool(told.get("is_mig_slice")),
        "It is divided into slices (MIG), and only those can be used." if told.get("is_divided") else "",
    )


def _note(told: dict[str, Any]) -> Note:
    code, what = int(told["code"]), str(told.get("what", ""))
    failure = FAILURES.get(code) or _Failure(f"The NVIDIA driver answers with error {code} ({told.get('text', '')}).")
    return Note("nvidia", f"{what}: {failure.reason}" if what else failure.reason, failure.remedy)


def _ending(done: Finished, seconds: float) -> Note | None:
    if done.code == 0:
        return None
    if done.code is None:
        return Note(
            "nvidia", f"The NVIDIA driver has not answered for {seconds:g} s.", "Restart the machine; sudo dmesg may tell more."
        )
    if done.code < 0:
        number = -done.code
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return Note(
            "nvidia", f"The NVIDIA driver crashed when it was asked ({name}).", "Reinstall the driver, then restart the machine."
        )
    last = done.err.strip().rpartition("\n")[2][:200]
    return Note("nvidia", f"The NVIDIA driver could not be asked: {last or f'exit code {done.code}'}.")
