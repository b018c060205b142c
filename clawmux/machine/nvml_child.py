"""Asks NVIDIA's driver and prints what it says, one JSON object a line, each as soon as it is known.

Run by nvidia.py as ``python -I -S nvml_child.py FOLDER``, where FOLDER holds pynvml; it loads nothing else of ours. What is
printed before the driver hangs or aborts is not lost.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

NOT_SUPPORTED, NOT_FOUND, FUNCTION_NOT_FOUND = 3, 6, 13


def say(**told: object) -> None:
    print(json.dumps(told), flush=True)


def main(folder: str) -> int:
    leave_no_core()
    if folder:
        sys.path.insert(0, folder)
    try:
        import pynvml as nvml
    except ImportError:
        return 0
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        say(code=error.value, text=str(error))
        return 0
    ask(nvml, "driver", lambda: say(driver=nvml.nvmlSystemGetDriverVersion()))
    ask(nvml, "CUDA", lambda: say(cuda=nvml.nvmlSystemGetCudaDriverVersion_v2()))
    count = ask(nvml, "cards", nvml.nvmlDeviceGetCount) or 0
    for number in range(count):
        ask(nvml, f"card {number}", partial(tell_gpu, nvml, number))
    return 0


def leave_no_core() -> None:
    """A driver that aborts would drop hundreds of MB into the user's folder."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def ask(nvml: Any, what: str, question: Callable[[], Any], quiet: tuple[int, ...] = ()) -> Any:
    """The answer, or None and a line that tells the error."""
    try:
        return question()
    except nvml.NVMLError as error:
        if error.value not in quiet:
            say(what=what, code=error.value, text=str(error))
        return None


def tell_gpu(nvml: Any, number: int) -> None:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    name = str(nvml.nvmlDeviceGetName(handle))
    capability = ask(nvml, name, lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    mode = ask(nvml, name, lambda: nvml.nvmlDeviceGetMigMode(handle), quiet=(NOT_SUPPORTED, FUNCTION_NOT_FOUND))
    slices = mig_slices(nvml, handle) if mode and mode[0] else []
    unusable = "It is divided into slices (MIG), and only those can be used." if mode and mode[0] else ""
    tell(nvml, handle, name, capability, unusable=unusable)
    for part in slices:
        tell(nvml, part, str(nvml.nvmlDeviceGetName(part)), capability, is_mig=True)


def mig_slices(nvml: Any, handle: Any) -> list[Any]:
    count = ask(nvml, "MIG slices", lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0
    asked = (
        ask(nvml, "MIG slice", partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, at), quiet=(NOT_FOUND,))
        for at in range(count)
    )
    return [part for part in asked if part is not None]


def tell(nvml: Any, handle: Any, name: str, capability: Any, **more: object) -> None:
    memory = ask(nvml, name, lambda: memory_of(nvml, handle), quiet=(NOT_SUPPORTED,))
    uuid = ask(nvml, name, lambda: nvml.nvmlDeviceGetUUID(handle), quiet=(NOT_SUPPORTED, FUNCTION_NOT_FOUND))
    total, free = memory or (None, None)
    say(gpu={"name": name, "total": total, "free": free, "capability": capability, "uuid": uuid or "", **more})


def memory_of(nvml: Any, handle: Any) -> tuple[int, int]:
    try:
        # The first version of this call counts what the driver keeps for itself as used by somebody.
        memory = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    except nvml.NVMLError as error:
        # Drivers before 510 do not have it.
        if error.value != FUNCTION_NOT_FOUND:
            raise
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return int(memory.total), int(memory.free)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
