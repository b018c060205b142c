"""A Mac, by what sysctl and vm_stat say. Starts at most three small programs."""

from __future__ import annotations

import re

from clawmux.hardware import Apple, Gpu, Hardware, Note, architecture_of
from clawmux.machine.attempt import attempt
from clawmux.machine.sources import Sources

_SECONDS = 2.0
_SYSCTL = "/usr/sbin/sysctl"
_KEYS = (
    "hw.optional.arm64",
    "hw.memsize",
    "hw.logicalcpu",
    "hw.perflevel0.physicalcpu",
    "hw.optional.avx2_0",
    "hw.optional.avx512f",
    "hw.optional.avx512vnni",
    "machdep.cpu.brand_string",
    "kern.osproductversion",
    "kern.hv_vmm_present",
)
# Every Mac that runs a macOS of the last ten years has the first two.
_ALWAYS = frozenset({"sse2", "sse4_1"})
_FEATURES = {"hw.optional.avx2_0": "avx2", "hw.optional.avx512f": "avx512f", "hw.optional.avx512vnni": "avx512_vnni"}


def read(sources: Sources, notes: list[Note]) -> Hardware:
    nothing: dict[str, str] = {}
    told = attempt(notes, "system's facts", lambda: _sysctl(sources, [_SYSCTL]), nothing)
    # 1 even for a process under Rosetta, which is told by uname that it runs on x86_64.
    is_arm = told.get("hw.optional.arm64") == "1" or architecture_of(sources.machine) == "arm64"
    is_translated = is_arm and architecture_of(sources.machine) != "arm64"
    if is_translated and "Apple M" not in told.get("machdep.cpu.brand_string", ""):
        # Rosetta shows an invented processor to those that it translates.
        told = told | attempt(notes, "system's facts", lambda: _sysctl(sources, ["/usr/bin/arch", "-arm64", _SYSCTL]), nothing)
    name = told.get("machdep.cpu.brand_string", "")
    memory, cores = _number(told, "hw.memsize"), _number(told, "hw.logicalcpu") or 1
    if not memory:
        notes.append(Note("memory", "The size of the memory could not be read: sysctl does not tell hw.memsize."))
    free = attempt(notes, "free memory", lambda: _free(sources), memory)
    if is_translated:
        notes.append(
            Note(
                "rosetta",
                "This Python is an Intel program that runs translated (Rosetta) on Apple Silicon.",
                "Install from a native shell, which arch -arm64 zsh starts.",
            )
        )
    apple = _apple(name, _number(told, "hw.perflevel0.physicalcpu"), is_translated) if is_arm else None
    gpus: tuple[Gpu, ...] = ()
    if apple is not None:
        is_virtual = told.get("kern.hv_vmm_present") == "1"
        unusable = "In a virtual machine Apple's graphics are not fit for engines." if is_virtual else ""
        gpus = (Gpu("apple", name or "Apple Silicon", memory or None, free or None, is_unified=True, unusable=unusable),)
    return Hardware(
        system="darwin",
        release=told.get("kern.osproductversion", "") or _product_version(sources.release),
        architecture="arm64" if is_arm else architecture_of(sources.machine),
        libc="",
        cpu_name=name,
        cpu_features=frozenset({"neon"})
        if is_arm
        else _ALWAYS | {word for key, word in _FEATURES.items() if told.get(key) == "1"},
        cores=cores,
        cores_of_host=cores,
        memory_bytes=memory,
        memory_of_host_bytes=memory,
        memory_free_bytes=min(free, memory) if memory else free,
        apple=apple,
        gpus=gpus,
    )


def _sysctl(sources: Sources, program: list[str]) -> dict[str, str]:
    """It answers for the keys it knows and ends with 1 for the others."""
    done = sources.run([*program, *_KEYS], sources.environ, _SECONDS)
    pairs = (line.partition(": ") for line in done.out.splitlines())
    told = {name: value.strip() for name, between, value in pairs if between}
    if not told:
        raise OSError(0, f"sysctl tells nothing ({done.err.strip()[:100] or 'its time ran out'})")
    return told


def _number(told: dict[str, str], key: str) -> int:
    text = told.get(key, "")
    return int(text) if text.isdigit() else 0


def _apple(name: str, performance_cores: int, is_translated: bool) -> Apple:
    """``Apple M4 Pro`` is generation 4, variant Pro."""
    words = re.match(r"Apple M(\d+)(?: (Pro|Max|Ultra))?", name)
    generation, variant = (int(words[1]), words[2] or "") if words else (0, "")
    return Apple(generation, variant, performance_cores, is_translated)


def _free(sources: Sources) -> int:
    """Pages that are free, or are dropped or cleaned when somebody asks."""
    done = sources.run(["/usr/bin/vm_stat"], sources.environ, _SECONDS)
    size = re.search(r"page size of (\d+) bytes", done.out)
    pages = {name: int(count) for name, count in re.findall(r"^Pages ([a-z ]+):\s+(\d+)\.", done.out, re.MULTILINE)}
    if size is None or "free" not in pages:
        raise OSError(0, f"vm_stat tells nothing ({done.err.strip()[:100] or 'its time ran out'})")
    return int(size[1]) * (pages["free"] + pages.get("inactive", 0) + pages.get("speculative", 0))


def _product_version(kernel: str) -> str:
    """macOS by its kernel: 20 was macOS 11, and since 25 the number is one more than the kernel's (macOS 26)."""
    major = kernel.partition(".")[0]
    if not major.isdigit() or int(major) < 20:
        return ""
    return str(int(major) - 9 if int(major) < 25 else int(major) + 1)
