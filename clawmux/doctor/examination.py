"""All checks at once: each in a thread of its own, with a time limit, and with one boundary that nothing passes.

CHECKS      every check there is, in the order in which people read them
examine()   runs them; tells who is still at work
Report      what came of it
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from clawmux import hardware, tiers
from clawmux.checks import files, machine, phone, program, reach, remote, runtimes, service, speech, terminal
from clawmux.checks.scene import Check, Scene
from clawmux.finding import Finding, Verdict
from clawmux.hardware import Hardware
from clawmux.shown import harmless
from clawmux.tiers import Mode, Recommendation, Wishes
from clawmux.wire.errors import ClawMuxError

MACHINE, PROGRAM, AGENTS, FILES, REACH, SPEECH = (
    "Machine", "Program", "Agents and their terminal", "Files", "Hub and page", "Speech",
)  # fmt: skip

CHECKS: tuple[Check, ...] = (
    Check("hardware", MACHINE, machine.notes),
    Check("disk", MACHINE, files.disk),
    Check("clock", MACHINE, files.clock),
    Check("Python", PROGRAM, program.interpreter),
    Check("installation", PROGRAM, program.installation),
    Check("settings", PROGRAM, program.settings),
    Check("service", PROGRAM, service.service, for_hub=True),
    Check("tmux", AGENTS, terminal.tmux_version, for_hub=True),
    Check("typing", AGENTS, terminal.typing, only_deep=True, for_hub=True, seconds=60.0),
    Check("agent programs", AGENTS, runtimes.runtimes, for_hub=True, seconds=30.0),
    Check("private files", FILES, files.modes),
    Check("hub", REACH, reach.hub, for_hub=True),
    Check("port", REACH, reach.port, for_hub=True),
    Check("page", REACH, reach.page, for_hub=True),
    Check("phone", REACH, phone.phone, for_hub=True),
    Check("server", REACH, reach.server),
    Check("quality", SPEECH, speech.quality, for_hub=True),
    Check("engine packages", SPEECH, speech.packages, for_hub=True),
    Check("CUDA libraries", SPEECH, speech.graphics, for_hub=True),
    Check("models", SPEECH, speech.models, for_hub=True, seconds=600.0),
    Check("remote speech", SPEECH, remote.servers, for_hub=True, seconds=30.0),
    Check("speech round trip", SPEECH, speech.speaking, only_deep=True, for_hub=True, alone=True, seconds=300.0),
)

DEEP_ONLY = "Only looked at by `clawmux doctor --deep`."
NOT_HERE = "Not needed on this machine: it shows the page of a hub elsewhere."
# Who waits this long wants to know for what.
TELL_SECONDS = 1.0

T = TypeVar("T")
Tell = Callable[[Sequence[str]], None]
"""Called with the names of the checks that are still at work."""


@dataclass(frozen=True, slots=True)
class Grouped:
    group: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Report:
    hardware: Hardware | None
    """None where a fault of the detector has become a finding."""
    recommendation: Recommendation | None
    findings: tuple[Grouped, ...]

    @property
    def exit_code(self) -> int:
        return exit_code([row.finding for row in self.findings])

    def to_json(self) -> dict[str, Any]:
        return {
            "hardware": hardware.to_json(self.hardware) if self.hardware else None,
            "recommendation": dataclasses.asdict(self.recommendation) if self.recommendation else None,
            "findings": [{"group": row.group, **dataclasses.asdict(row.finding)} for row in self.findings],
        }


def exit_code(findings: Iterable[Finding]) -> int:
    """0 fine, 1 something to know, 2 something broken."""
    verdicts = {finding.verdict for finding in findings}
    return 2 if Verdict.FAIL in verdicts else 1 if Verdict.WARN in verdicts else 0


def examine(scene: Scene, tell: Tell, checks: Sequence[Check] = CHECKS) -> Report:
    """``scene.hardware`` is what everybody waits for who needs it; it is asked here too, for the card."""
    chosen = [check for check in checks if not _why_not(check, scene)]
    found = _run([check for check in chosen if not check.alone], scene, tell)
    found |= _run([check for check in chosen if check.alone], scene, tell)
    machine, recommendation, faults = _judge(scene)
    rows = [
        Grouped(check.group, finding)
        for check in checks
        for finding in found.get(check.name, [Finding(Verdict.SKIP, check.name, _why_not(check, scene))])
    ]
    return Report(machine, recommendation, (*rows, *(Grouped(MACHINE, fault) for fault in faults)))


def _why_not(check: Check, scene: Scene) -> str:
    """Why it is left out; empty when it is not."""
    if check.for_hub and scene.is_thin:
        return NOT_HERE
    return DEEP_ONLY if check.only_deep and not scene.deep else ""


def beside(work: Callable[[], T]) -> Callable[[], T]:
    """Begins at once in a thread; what is returned waits for it, as often as it is asked. A daemon: nobody waits at the end."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result


def wishes_of(scene: Scene) -> Wishes:
    """What the settings say about what runs where. The quality is left open: that is what is recommended."""
    if scene.is_thin:
        return Wishes(mode=Mode.THIN, server_url=scene.settings.hub_server_url)
    return Wishes(speech_url=scene.settings.speech_whisper_url or scene.settings.speech_kokoro_url)


def _judge(scene: Scene) -> tuple[Hardware | None, Recommendation | None, list[Finding]]:
    machine = None
    try:
        machine = scene.hardware()
        advice = tiers.recommend(machine, wishes_of(scene))
        return machine, dataclasses.replace(advice, reasons=tuple(map(harmless, advice.reasons))), []
    except Exception as error:
        return machine, None, [_fault("recommendation", error)]


def _run(checks: Sequence[Check], scene: Scene, tell: Tell) -> dict[str, list[Finding]]:
    began = time.monotonic()
    done: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()
    for check in checks:
        threading.Thread(target=lambda check: done.put((check.name, look(check, scene))), args=(check,), daemon=True).start()
    waiting = {check.name: check for check in checks}
    found: dict[str, list[Finding]] = {}
    told: tuple[str, ...] = ()
    while waiting:
        now = time.monotonic() - began
        for name in [name for name, check in waiting.items() if now >= check.seconds]:
            found[name] = [_too_slow(waiting.pop(name))]
        if not waiting:
            break
        if now >= TELL_SECONDS and told != tuple(waiting):
            told = tuple(waiting)
            tell(told)
        ends = [check.seconds for check in waiting.values()] + ([TELL_SECONDS] if now < TELL_SECONDS else [])
        try:
            name, findings = done.get(timeout=max(0.0, min(ends) - now))
        except queue.Empty:
            continue
        if waiting.pop(name, None):
            found[name] = findings
    if told:
        tell(())
    return found


def look(check: Check, scene: Scene) -> list[Finding]:
    """The boundary: whatever goes wrong inside a check becomes its finding."""
    try:
        found = list(check.look(scene))
    except Exception as error:
        found = [_fault(check.name, error)]
    # Other programs' words are among them, and addresses; and all of it is sent along when somebody asks for help.
    return [Finding(each.verdict, each.what, harmless(each.detail), harmless(each.remedy)) for each in found]


def _fault(what: str, error: Exception) -> Finding:
    if isinstance(error, ClawMuxError):
        return Finding(Verdict.FAIL, what, f"{error.text[:1].upper()}{error.text[1:]}", error.remedy)
    remedy = "Report this with the output of `clawmux doctor --json`."
    return Finding(Verdict.FAIL, what, f"It could not be looked at: {type(error).__name__}: {error}.", remedy)


def _too_slow(check: Check) -> Finding:
    remedy = "Try again when the machine is less busy; if it stays so, report it."
    return Finding(Verdict.FAIL, check.name, f"Looking at it did not end within {check.seconds:.0f} s.", remedy)
