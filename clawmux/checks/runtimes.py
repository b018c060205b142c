"""Agent programs: which are here, and their versions. Asks each for ``--version`` and starts none of them otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from clawmux.adapters.runtimes import manifest
from clawmux.adapters.runtimes.manifest import Runtime
from clawmux.checks import programs
from clawmux.checks.scene import Scene
from clawmux.finding import Finding, Verdict
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError

# Some of them are Node programs that take half a second and more on a busy machine; without --deep nobody waits for that.
QUICK_SECONDS = 0.6
DEEP_SECONDS = 15.0


def runtimes(scene: Scene) -> Iterable[Finding]:
    findings, known = [], {}
    for name, file in manifest.runtime_files(scene.paths.user_runtimes).items():
        try:
            known[name] = manifest.load_runtime(file)
        except ClawMuxError as error:
            findings.append(Finding(Verdict.FAIL, f"runtime {name}", error.text, error.remedy))
    missing = {name: why for name, r in known.items() if (why := manifest.available(r, scene.environ)) is not None}
    asked = [runtime for name, runtime in known.items() if name not in missing and _is_program_of_others(runtime)]
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        findings += pool.map(lambda runtime: _version(runtime, scene), asked)
    findings += [Finding(Verdict.SKIP, known[name].title, why) for name, why in missing.items()]
    return [*findings, *judge_choice(scene.settings.agents_runtime, known, set(missing))]


def _is_program_of_others(runtime: Runtime) -> bool:
    """Not the demo agent, and not the user's shell, of which some take ``--version`` for a file's name."""
    return not runtime.program.startswith("{")


def _version(runtime: Runtime, scene: Scene) -> Finding:
    program = shutil.which(runtime.program, path=manifest.search_path(scene.environ)) or runtime.program
    limit = DEEP_SECONDS if scene.deep else QUICK_SECONDS
    environ = {**scene.environ, "PATH": manifest.search_path(scene.environ), "NO_COLOR": "1"}
    try:
        ran = programs.run([program, "--version"], environ, limit)
    except OSError as error:
        remedy = f"Install it anew: {runtime.install}" if runtime.install else ""
        return Finding(Verdict.FAIL, runtime.title, f"{program} cannot be started: {error.strerror}.", remedy)
    if ran.status is None:
        verdict = Verdict.WARN if scene.deep else Verdict.OK
        return Finding(verdict, runtime.title, f"{program}; it did not tell its version within {limit:g} s.")
    if ran.status != 0:
        remedy = f"Run it yourself: {program} --version" + (f"; or install it anew: {runtime.install}" if runtime.install else "")
        ended = programs.how_it_ended(ran.status)
        return Finding(Verdict.WARN, runtime.title, f"{program} --version ended with {ended}: {ran.first_line[:200]}", remedy)
    return Finding(Verdict.OK, runtime.title, f"{ran.first_line[:80]}, {program}.")


def judge_choice(chosen: str, known: dict[str, Runtime], missing: set[str]) -> list[Finding]:
    """Whether the runtime that new agents get can be started. That nothing is installed yet is no fault: the demo agent runs."""
    ready = [name for name, runtime in known.items() if name not in missing and _is_program_of_others(runtime)]
    if chosen not in known:
        names = ", ".join(known)
        return [Finding(Verdict.WARN, "agents.runtime", f"There is no runtime {chosen!r}; there are {names}.", _SET + "NAME")]
    if chosen not in missing:
        return []
    if ready:
        detail = f"New agents are to run {known[chosen].title}, which is not installed; {known[ready[0]].title} is."
        return [Finding(Verdict.WARN, "agents.runtime", detail, f"{_SET}{ready[0]}")]
    install = known[chosen].install
    if chosen != Settings().agents_runtime:
        detail = f"New agents are to run {known[chosen].title}, which is not installed."
        return [Finding(Verdict.WARN, "agents.runtime", detail, f"Install it: {install}" if install else _SET + "NAME")]
    remedy = f"For {known[chosen].title}: {install}. Until then: clawmux spawn --runtime demo"
    return [Finding(Verdict.SKIP, "agents.runtime", "No coding agent is installed yet; the demo agent needs none.", remedy)]


_SET = "Run: clawmux settings set agents.runtime "
