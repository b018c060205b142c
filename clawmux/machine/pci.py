"""Graphics cards as the PCI bus shows them, whether or not anything can use them. Reads /sys/bus/pci and pci.ids."""

from __future__ import annotations

from clawmux.hardware import Gpu
from clawmux.machine.sources import Sources

_DEVICES = "/sys/bus/pci/devices"
# PCI code and ID assignment: base class 03 is a display controller.
_DISPLAY = "0x03"
_VENDORS = {"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel"}
_TITLES = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel"}
_UNUSABLE = {
    "nvidia": "NVIDIA's driver does not answer for it.",
    "amd": "ClawMux's engines are not built for AMD graphics.",
    "intel": "ClawMux's engines are not built for Intel graphics.",
}
_NAMES = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")


def read(sources: Sources) -> tuple[Gpu, ...]:
    found = []
    for name in sources.names(_DEVICES):
        # A card is function 0 of its device; sound and whatever else it has are others.
        folder = f"{_DEVICES}/{name}"
        if name.endswith(".0") and sources.text_or_nothing(f"{folder}/class").startswith(_DISPLAY):
            vendor = sources.text_or_nothing(f"{folder}/vendor").strip().lower()
            if vendor in _VENDORS:
                found.append(_gpu(sources, folder, vendor, sources.text_or_nothing(f"{folder}/device").strip().lower()))
    return tuple(found)


def _gpu(sources: Sources, folder: str, vendor: str, device: str) -> Gpu:
    maker = _VENDORS[vendor]
    # The amdgpu driver tells these; nobody does for Intel, whose graphics mostly share the processor's memory.
    total = _number(sources.text_or_nothing(f"{folder}/mem_info_vram_total"))
    used = _number(sources.text_or_nothing(f"{folder}/mem_info_vram_used"))
    free = None if total is None or used is None else max(0, total - used)
    name = f"{_TITLES[maker]} {_product(sources, vendor, device)}"
    return Gpu(maker, name, total, free, unusable=_UNUSABLE[maker])


def _product(sources: Sources, vendor: str, device: str) -> str:
    numbers = f"graphics {vendor[2:]}:{device[2:]}"
    for file in _NAMES:
        text = sources.text_or_nothing(file)
        # A vendor's line begins in the first column, its devices' with one tab.
        start = text.find(f"\n{vendor[2:]} ")
        at = text.find(f"\n\t{device[2:]} ", start) if start >= 0 else -1
        if at >= 0 and "\n" not in text[start + 1 : at].replace("\n\t", "").replace("\n#", ""):
            return text[at:].split("\n", 2)[1].split(None, 1)[1].strip()
    return numbers


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None
