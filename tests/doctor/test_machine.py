"""What the detector has to say becomes findings: a warning where something can be done about it."""

from __future__ import annotations

from dataclasses import replace

from clawmux.checks import machine as checks
from clawmux.finding import Verdict
from clawmux.hardware import Note
from tests.doctor.conftest import MACHINE, MakeScene


def test_nothing_to_say(scene: MakeScene) -> None:
    assert [finding.verdict for finding in checks.notes(scene())] == [Verdict.OK]


def test_each_note_is_a_finding(scene: MakeScene) -> None:
    notes = (Note("nvidia", "The driver is not loaded.", "Restart the machine."), Note("cpu name", "It could not be read."))
    loaded, unread = checks.notes(scene(machine=replace(MACHINE, notes=notes)))
    assert (loaded.verdict, loaded.detail, loaded.remedy) == (
        Verdict.WARN,
        "nvidia: The driver is not loaded.",
        "Restart the machine.",
    )
    assert (unread.verdict, unread.remedy) == (Verdict.OK, "")
