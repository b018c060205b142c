"""Speech on this machine: the quality, its packages, its models, and with ``--deep`` a sentence spoken and understood again.

Loads no engine here: engines run in the service, which is a process of its own and may die by a signal.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from clawmux import catalog, tiers
from clawmux.adapters.models import Broken, ModelStore
from clawmux.checks.round_trip import ELSEWHERE, Trip, round_trip
from clawmux.checks.scene import Scene
from clawmux.checks.tier import missing_models, wanted_fit, wanted_models
from clawmux.finding import Finding, Verdict
from clawmux.hardware import Hardware
from clawmux.tiers import Fit
from clawmux.wire.errors import ClawMuxError

# Package of a Fit -> modules that it needs to be imported.
_MODULES = {
    "faster-whisper": ("ctranslate2", "faster_whisper"),
    "kokoro-onnx": ("kokoro_onnx", "onnxruntime"),
    "pywhispercpp": ("pywhispercpp",),
    "mlx-whisper": ("mlx", "mlx_whisper"),
    "mlx-audio": ("mlx", "mlx_audio"),
}
# One word in five wrong is still understood by an agent; more is not.
GOOD_ERROR_RATE = 0.2
BAD_ERROR_RATE = 0.5
# A conversation bears no longer wait for one's words.
SLOW_SECONDS = 5.0
# The engines alone come to one program for each processor; with more than twice that the delay tells of the others.
BUSY_LOAD = 2.0


def quality(scene: Scene) -> Iterable[Finding]:
    if _all_remote(scene):
        return [Finding(Verdict.OK, "quality", "Other servers do recognition and speaking; their quality is theirs.")]
    return [judge_quality(wanted_fit(scene), scene.hardware())]


def judge_quality(chosen: Fit, machine: Hardware) -> Finding:
    detail = f"{chosen.tier.value}: {chosen.reason}"
    if not chosen.fits:
        remedy = "Choose one that fits: clawmux tier, or: clawmux settings set speech.quality NAME"
        return Finding(Verdict.WARN, "quality", detail, remedy)
    return Finding(Verdict.OK, "quality", detail)


def packages(scene: Scene) -> Iterable[Finding]:
    """Whether the engines' packages are installed; only looked for, never imported."""
    halves = _local_packages(scene)
    if not halves:
        return [Finding(Verdict.SKIP, "engine packages", "Not needed here: other servers do both halves of speech.")]
    modules = [module for package in halves for module in _MODULES.get(package, ())]
    return [judge_packages(halves, modules, [module for module in modules if find_spec(module) is None], scene.hardware())]


def judge_packages(halves: Sequence[str], wanted: Sequence[str], missing: Sequence[str], machine: Hardware) -> Finding:
    if not missing:
        return Finding(Verdict.OK, "engine packages", f"{' and '.join(halves)} are installed.")
    if lacking := tiers.why_no_engines(machine):
        return Finding(Verdict.WARN, "engine packages", f"{lacking} The page works in text.", f"For speech, {ELSEWHERE}.")
    remedy = f"Install them: sh install.sh --mode local; or {ELSEWHERE}."
    if len(missing) == len(wanted):
        # As somebody may have wanted it who uses text only, or names a server next.
        detail = "No engine is installed, so there is no speech; the page works in text."
        return Finding(Verdict.WARN, "engine packages", detail, remedy)
    return Finding(Verdict.FAIL, "engine packages", f"{', '.join(missing)} not installed, beside others that are.", remedy)


def models(scene: Scene) -> Iterable[Finding]:
    wanted = wanted_models(scene)
    if not wanted:
        return [Finding(Verdict.SKIP, "models", "Not needed here: other servers do both halves of speech.")]
    store = ModelStore(scene.paths.models)
    missing = missing_models(scene)
    there = [name for name in catalog.MODELS if store.path(name) is not None]
    findings = judge_missing(missing, there, store.root)
    if scene.hub is None and scene.settings.models_download:
        # As after install.sh --no-models: nothing is broken yet.
        findings = [replace(f, verdict=Verdict.WARN, detail=f"{f.detail} The hub fetches them when it starts.") for f in findings]
    intact = [name for name in wanted if name in there]
    findings += judge_broken(store.examine(*intact) if scene.deep and intact else [])
    if findings:
        return findings
    checked = "intact by SHA-256" if scene.deep else "of the right sizes"
    return [Finding(Verdict.OK, "models", f"{', '.join(wanted)} are in {store.root}, {checked}.")]


def judge_missing(missing: Sequence[str], there: Sequence[str], root: Path) -> list[Finding]:
    if not missing:
        return []
    size = sum(catalog.MODELS[name].size for name in missing) / 1e6
    detail = f"{', '.join(missing)} ({size:.0f} MB) missing in {root}"
    remedy = f"Run: clawmux models pull {' '.join(missing)}"
    substitutes = [next((other for other in there if _can_stand_in(other, name)), "") for name in missing]
    if all(substitutes):
        serves = "serves" if len(substitutes) == 1 else "serve"
        return [Finding(Verdict.WARN, "models", f"{detail}; {', '.join(substitutes)} {serves} until then.", remedy)]
    return [Finding(Verdict.FAIL, "models", f"{detail}.", remedy)]


def judge_broken(broken: Sequence[Broken]) -> list[Finding]:
    return [
        Finding(
            Verdict.FAIL,
            "models",
            f"{file.path} is not what was put there: its SHA-256 is wrong.",
            f"Run: clawmux models pull {file.model}",
        )
        for file in broken
    ]


def _can_stand_in(other: str, wanted: str) -> bool:
    """As the service has it: a smaller recogniser, or the other Kokoro."""
    if other.partition("-")[0] != wanted.partition("-")[0]:
        return False
    is_smaller = catalog.MODELS[other].size < catalog.MODELS[wanted].size
    return is_smaller or not other.startswith("whisper") or other in ("whisper-base", "whisper-tiny")


def graphics(scene: Scene) -> Iterable[Finding]:
    """Where the recogniser is to run on an NVIDIA card: whether its CUDA libraries are there."""
    if scene.settings.speech_whisper_url or not wanted_fit(scene).recogniser.device.startswith("cuda"):
        return [Finding(Verdict.SKIP, "CUDA libraries", "Not needed here.")]
    from clawmux.adapters.speech import cuda

    return [
        judge_graphics(cuda.folders(), [folder for folder in _system_folders(scene) if (folder / cuda.LIBRARIES[-1]).exists()])
    ]


def judge_graphics(ours: Sequence[Path], of_the_system: Sequence[Path]) -> Finding:
    if ours or of_the_system:
        whose = "" if ours else ", the system's own"
        return Finding(Verdict.OK, "CUDA libraries", f"cuBLAS is in {[*ours, *of_the_system][0]}{whose}.")
    detail = "The graphics card fits, and cuBLAS, which the recogniser needs for it, is not found: the processor will do it."
    return Finding(Verdict.WARN, "CUDA libraries", detail, "Run install.sh again; it fetches cuBLAS.")


def _system_folders(scene: Scene) -> list[Path]:
    named = [Path(folder) for folder in scene.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    usual = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/cuda/lib64")
    return [*named, *map(Path, usual), *Path("/usr/local").glob("cuda-12*/lib64")]


def speaking(scene: Scene) -> Iterable[Finding]:
    """The engines in the speech service, and a sentence through both of them."""
    lacking = [f for look in (packages, _there) for f in look(scene) if f.verdict in (Verdict.FAIL, Verdict.WARN)]
    if lacking and not _all_remote(scene):
        return [Finding(Verdict.SKIP, "speech round trip", "Engines or models are missing; see above.")]
    try:
        trip = round_trip(scene)
    except ClawMuxError as error:
        return [Finding(Verdict.FAIL, "engines", error.text, error.remedy)]
    return judge_trip(trip, os.getloadavg()[0] / (os.cpu_count() or 1))


def _there(scene: Scene) -> list[Finding]:
    """What stands in the way of any speech at all: a model without a substitute."""
    store = ModelStore(scene.paths.models)
    there = [name for name in catalog.MODELS if store.path(name) is not None]
    return [f for f in judge_missing(missing_models(scene), there, store.root) if f.verdict is Verdict.FAIL]


def judge_trip(trip: Trip, load: float) -> list[Finding]:
    """``load``: the machine's load average, by its processors."""
    engines = Finding(Verdict.OK, "engines", f"{trip.engines}, {trip.where}.")
    if trip.shortfall:
        remedy = "See `clawmux logs` and the findings about models, packages and libraries above."
        engines = Finding(Verdict.WARN, "engines", f"{trip.engines}, {trip.where}. {trip.shortfall}.", remedy)
    percent = f"word error rate {trip.error_rate * 100:.0f} %"
    delays = (
        f"first sound after {trip.first_sound_seconds:.1f} s, {trip.sound_seconds:.1f} s of speech made in "
        f"{trip.speak_seconds:.1f} s, understood in {trip.hear_seconds:.1f} s"
    )
    detail = f"{percent}; {delays}."
    if trip.error_rate > GOOD_ERROR_RATE:
        verdict = Verdict.FAIL if trip.error_rate > BAD_ERROR_RATE else Verdict.WARN
        remedy = "Choose a better quality: clawmux tier; check the models: clawmux models list --verify"
        return [engines, Finding(verdict, "speech round trip", f"{detail} Said: {trip.said!r}; heard: {trip.heard!r}.", remedy)]
    if trip.hear_seconds > SLOW_SECONDS and load > BUSY_LOAD:
        detail = f"{detail} That is slow, but this machine is busy with {load:.1f} programs for each processor."
        return [engines, Finding(Verdict.OK, "speech round trip", detail, "For its true delay look again when less is going on.")]
    if trip.hear_seconds > SLOW_SECONDS:
        remedy = "Choose a smaller quality: clawmux tier; or let another machine do it: speech.whisper_url"
        return [engines, Finding(Verdict.WARN, "speech round trip", f"{detail} That is slow for a conversation.", remedy)]
    return [engines, Finding(Verdict.OK, "speech round trip", detail)]


def _all_remote(scene: Scene) -> bool:
    return bool(scene.settings.speech_whisper_url and scene.settings.speech_kokoro_url)


def _local_packages(scene: Scene) -> list[str]:
    chosen = wanted_fit(scene)
    found = [] if scene.settings.speech_whisper_url else [chosen.recogniser.package]
    found += [] if scene.settings.speech_kokoro_url else [chosen.speaker.package]
    return [package for package in dict.fromkeys(found) if package != "remote"]
