"""What the detector could not read, or wants to be known, about this machine."""

from __future__ import annotations

from collections.abc import Iterable

from clawmux.checks.scene import Scene
from clawmux.finding import Finding, Verdict


def notes(scene: Scene) -> Iterable[Finding]:
    machine = scene.hardware()
    if not machine.notes:
        return [Finding(Verdict.OK, "hardware", "Every reading succeeded.")]
    return [
        # What nobody can do anything about is told and is no warning.
        Finding(Verdict.WARN if note.remedy else Verdict.OK, "hardware", f"{note.what}: {note.reason}", note.remedy)
        for note in machine.notes
    ]
