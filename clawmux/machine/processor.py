"""Name and abilities of a Linux machine's processor, from /proc/cpuinfo. Pure but for the texts it is given."""

from __future__ import annotations

# As Linux spells them on x86 and on ARM, where asimd is the name of NEON in 64 bits.
_X86 = ("sse2", "sse4_1", "avx2", "avx_vnni", "avx512f", "avx512_vnni")
FEATURES = {**{word: word for word in _X86}, "asimd": "neon", "neon": "neon"}

# Linux gives numbers where other systems give names: implementer and part, as in the register MIDR_EL1.
_ARM_PARTS = {
    ("0x41", "0xd03"): "ARM Cortex-A53",
    ("0x41", "0xd05"): "ARM Cortex-A55",
    ("0x41", "0xd07"): "ARM Cortex-A57",
    ("0x41", "0xd08"): "ARM Cortex-A72",
    ("0x41", "0xd0b"): "ARM Cortex-A76",
    ("0x41", "0xd0c"): "ARM Neoverse-N1",
    ("0x41", "0xd40"): "ARM Neoverse-V1",
    ("0x41", "0xd42"): "ARM Cortex-A78AE",
    ("0x41", "0xd49"): "ARM Neoverse-N2",
    ("0x41", "0xd4f"): "ARM Neoverse-V2",
    ("0x41", "0xd85"): "ARM Cortex-X925",
    ("0x41", "0xd87"): "ARM Cortex-A725",
    ("0x4e", "0x003"): "NVIDIA Denver 2",
    ("0x4e", "0x004"): "NVIDIA Carmel",
    ("0x61", "0x022"): "Apple M1",
    ("0x61", "0x023"): "Apple M1",
    ("0x61", "0x032"): "Apple M2",
    ("0x61", "0x033"): "Apple M2",
    ("0xc0", "0xac3"): "Ampere-1",
}


def name_of(cpuinfo: str, model: str) -> str:
    """model: the board's name, where the machine has one."""
    for key in ("model name", "Processor", "cpu model", "cpu"):
        if (name := " ".join(_value(cpuinfo, key).split())) and "rev" not in name:
            return name
    implementer, parts = _value(cpuinfo, "CPU implementer").lower(), _values(cpuinfo, "CPU part")
    # A big.LITTLE machine has several kinds; the last ones listed are the big ones.
    known = [_ARM_PARTS.get((implementer, part.lower())) for part in reversed(parts)]
    found = next((name for name in known if name), "")
    if not found and implementer and parts:
        found = f"ARM processor {implementer}:{parts[-1].lower()}"
    return f"{found} ({model})" if found and model else found or model


def features_of(cpuinfo: str) -> frozenset[str]:
    """Those that every processor has: a program runs on any of them."""
    lists = _values(cpuinfo, "flags") or _values(cpuinfo, "Features")
    common = set(lists[0].split()).intersection(*(line.split() for line in lists[1:])) if lists else set()
    return frozenset(FEATURES[word] for word in common if word in FEATURES)


def count_of(cpuinfo: str) -> int:
    return len(_values(cpuinfo, "processor"))


def size_of_list(text: str) -> int:
    """How many a kernel's list names: ``0-3,8`` are five."""
    total = 0
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            total += max(0, int(last or first) - int(first) + 1)
    return total


def _value(cpuinfo: str, key: str) -> str:
    return next(iter(_values(cpuinfo, key)), "")


def _values(cpuinfo: str, key: str) -> list[str]:
    found = []
    for line in cpuinfo.splitlines():
        # The same few lines for each of maybe hundreds of processors: the first letters sort most of them out.
        if line.startswith(key):
            name, _, value = line.partition(":")
            if name.strip() == key:
                found.append(value.strip())
    return found
