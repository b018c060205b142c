"""Asks NVIDIA's driver and prints what it says, one JSON object a line, each as soon as it is known.

Run by nvidia.py as ``python -I -S nvml_child.py FOLDER``, where FOLDER holds pynvml; it loads nothing else of ours. What is
printed before the driver hangs or aborts is not lost. The installer looks at a machine before anything is installed on it:
without pynvml the few calls that are needed are made directly.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

# nvml.h, nvmlReturn_t
NOT_SUPPORTED, NOT_FOUND, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND = 3, 6, 12, 13
# For a card that cannot be divided, or a driver that knows nothing of it.
QUIET = (NOT_SUPPORTED, FUNCTION_NOT_FOUND)


def say(**told: object) -> None:
    print(json.dumps(told), flush=True)


def main(folder: str) -> int:
    leave_no_core()
    nvml = load(folder)
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        say(code=error.value, text=str(error))
        return 0
    ask(nvml, "driver", lambda: say(driver=nvml.nvmlSystemGetDriverVersion()))
    ask(nvml, "CUDA", lambda: say(cuda=nvml.nvmlSystemGetCudaDriverVersion_v2()))
    count = ask(nvml, "cards", nvml.nvmlDeviceGetCount) or 0
    for number in range(count):
        ask(nvml, f"card {number}", partial(tell_card, nvml, number))
    return 0


def leave_no_core() -> None:
    """A driver that aborts would drop hundreds of MB into the user's folder."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def load(folder: str) -> Any:
    if folder:
        sys.path.insert(0, folder)
    try:
        import pynvml
    except ImportError:
        return Direct()
    return pynvml


def ask(nvml: Any, what: str, question: Callable[[], Any], quiet: tuple[int, ...] = ()) -> Any:
    """The answer, or None and a line that tells the error."""
    try:
        return question()
    except nvml.NVMLError as error:
        if error.value not in quiet:
            say(what=what, code=error.value, text=str(error))
        return None


def tell_card(nvml: Any, number: int) -> None:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    name = str(nvml.nvmlDeviceGetName(handle))
    capability = ask(nvml, name, partial(nvml.nvmlDeviceGetCudaComputeCapability, handle))
    mode = ask(nvml, name, partial(nvml.nvmlDeviceGetMigMode, handle), QUIET)
    is_divided = bool(mode and mode[0])
    tell(nvml, handle, name, capability, is_divided=is_divided)
    for part in slices(nvml, handle) if is_divided else ():
        tell(nvml, part, str(nvml.nvmlDeviceGetName(part)), capability, is_mig_slice=True)


def slices(nvml: Any, handle: Any) -> list[Any]:
    """Handles of the slices that there are; the places for more of them are empty."""
    count = ask(nvml, "slices", partial(nvml.nvmlDeviceGetMaxMigDeviceCount, handle)) or 0
    asked = [
        ask(nvml, "slice", partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, at), (NOT_FOUND,)) for at in range(count)
    ]
    return [part for part in asked if part is not None]


def tell(nvml: Any, handle: Any, name: str, capability: Any, **more: object) -> None:
    memory = ask(nvml, name, partial(memory_of, nvml, handle), (NOT_SUPPORTED,))
    uuid = ask(nvml, name, partial(nvml.nvmlDeviceGetUUID, handle), QUIET)
    total, free = memory or (None, None)
    say(card={"name": name, "total": total, "free": free, "capability": capability, "uuid": uuid or "", **more})


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


class DirectError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class _Memory2(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint),
        *((name, ctypes.c_ulonglong) for name in ("total", "reserved", "free", "used")),
    ]


class Direct:
    """As much of pynvml as is used here, under the same names."""

    NVMLError = DirectError
    # The size of the structure and its version in the highest byte.
    nvmlMemory_v2 = ctypes.sizeof(_Memory2) | 2 << 24

    def nvmlInit(self) -> None:
        try:
            self._library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            raise DirectError(LIBRARY_NOT_FOUND) from None
        self._call("nvmlInit_v2")

    def nvmlSystemGetDriverVersion(self) -> str:
        return self._text("nvmlSystemGetDriverVersion")

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return self._number("nvmlSystemGetCudaDriverVersion_v2")

    def nvmlDeviceGetCount(self) -> int:
        return self._number("nvmlDeviceGetCount_v2")

    def nvmlDeviceGetHandleByIndex(self, number: int) -> ctypes.c_void_p:
        return self._handle("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(number))

    def nvmlDeviceGetName(self, handle: ctypes.c_void_p) -> str:
        return self._text("nvmlDeviceGetName", handle)

    def nvmlDeviceGetUUID(self, handle: ctypes.c_void_p) -> str:
        return self._text("nvmlDeviceGetUUID", handle)

    def nvmlDeviceGetCudaComputeCapability(self, handle: ctypes.c_void_p) -> tuple[int, int]:
        return self._pair("nvmlDeviceGetCudaComputeCapability", handle)

    def nvmlDeviceGetMigMode(self, handle: ctypes.c_void_p) -> tuple[int, int]:
        return self._pair("nvmlDeviceGetMigMode", handle)

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: ctypes.c_void_p) -> int:
        return self._number("nvmlDeviceGetMaxMigDeviceCount", handle)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: ctypes.c_void_p, number: int) -> ctypes.c_void_p:
        return self._handle("nvmlDeviceGetMigDeviceHandleByIndex", handle, ctypes.c_uint(number))

    def nvmlDeviceGetMemoryInfo(self, handle: ctypes.c_void_p, version: int = 0) -> Any:
        memory: Any = _Memory2(version=version) if version else _Memory()
        self._call("nvmlDeviceGetMemoryInfo_v2" if version else "nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
        return memory

    def _call(self, name: str, *arguments: Any) -> None:
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise DirectError(FUNCTION_NOT_FOUND) from None
        if code := function(*arguments):
            raise DirectError(code)

    def _text(self, name: str, *arguments: Any) -> str:
        text = ctypes.create_string_buffer(96)
        self._call(name, *arguments, text, ctypes.c_uint(len(text)))
        return text.value.decode("utf-8", "replace")

    def _number(self, name: str, *arguments: Any) -> int:
        number = ctypes.c_int()
        self._call(name, *arguments, ctypes.byref(number))
        return number.value

    def _pair(self, name: str, *arguments: Any) -> tuple[int, int]:
        first, second = ctypes.c_int(), ctypes.c_int()
        self._call(name, *arguments, ctypes.byref(first), ctypes.byref(second))
        return first.value, second.value

    def _handle(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        self._call(name, *arguments, ctypes.byref(handle))
        return handle


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
