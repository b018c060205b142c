"""How checks are run: all at once, each within its time, and whatever happens inside one is its finding."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from clawmux.checks.scene import Check, Hub, Scene
from clawmux.checks.tier import wanted_models
from clawmux.doctor import examination
from clawmux.doctor.examination import CHECKS, DEEP_ONLY, NOT_HERE, examine, exit_code
from clawmux.finding import Finding, Verdict
from clawmux.wire.errors import ClawMuxError
from tests.doctor.conftest import MACHINE, MakeScene

FINE = Finding(Verdict.OK, "a", "It is.")


def fine(scene: Scene) -> Iterable[Finding]:
    return [FINE]


def raising(error: Exception) -> Callable[[Scene], Iterable[Finding]]:
    def look(scene: Scene) -> Iterable[Finding]:
        yield FINE
        raise error

    return look


def run(scene: Scene, *checks: Check) -> list[Finding]:
    return [row.finding for row in examine(scene, lambda names: None, checks).findings]


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 0),
        ([Verdict.OK, Verdict.SKIP], 0),
        ([Verdict.OK, Verdict.WARN], 1),
        ([Verdict.FAIL, Verdict.WARN], 2),
        ([Verdict.SKIP, Verdict.FAIL], 2),
    ],
)
def test_exit_codes(verdicts: list[Verdict], code: int) -> None:
    assert exit_code([replace(FINE, verdict=verdict) for verdict in verdicts]) == code


@pytest.mark.parametrize(
    ("error", "detail", "remedy"),
    [
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero", "Report this"),
        (ClawMuxError("missing_program", "tmux is missing.", "Install it."), "Tmux is missing.", "Install it."),
    ],
)
def test_an_error_inside_a_check_is_its_finding(scene: MakeScene, error: Exception, detail: str, remedy: str) -> None:
    broken, other = run(scene(), Check("b", "g", raising(error)), Check("a", "g", fine))
    assert (broken.verdict, broken.what) == (Verdict.FAIL, "b")
    assert detail in broken.detail and remedy in broken.remedy
    assert other == FINE


def test_a_finding_holds_no_password_and_nothing_that_a_terminal_obeys(scene: MakeScene) -> None:
    detail = "\x1b]0;owned\x07http://ann:hu@sh@host:1/x says \x1b[31m\x07no to 'ann:hush@host'; see bob@host."
    (found,) = run(scene(), Check("a", "g", lambda scene: [Finding(Verdict.FAIL, "a", detail, "Ask http://ann@host.")]))
    assert (found.detail, found.remedy) == ("http://host:1/x says no to 'host'; see bob@host.", "Ask http://host.")
    report = examine(scene({"speech_whisper_url": "http://ann:hush@host"}), lambda names: None, [])
    assert "hush" not in str(report.to_json()) and "http://host" in str(report.to_json())


def test_a_check_that_does_not_end_is_given_up(scene: MakeScene) -> None:
    def hang(scene: Scene) -> Iterable[Finding]:
        threading.Event().wait(30)
        return [FINE]

    slow, other = run(scene(), Check("slow", "g", hang, seconds=0.2), Check("a", "g", fine))
    assert slow.verdict is Verdict.FAIL and "0 s" in slow.detail
    assert other == FINE


def test_the_last_one_is_given_up_too(scene: MakeScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "TELL_SECONDS", 0.1)

    def hang(scene: Scene) -> Iterable[Finding]:
        time.sleep(3)
        return []

    (slow,) = run(scene(), Check("slow", "g", hang, seconds=0.2))
    assert slow.verdict is Verdict.FAIL and "did not end" in slow.detail


def test_a_machine_that_cannot_be_read_costs_only_what_needs_it(scene: MakeScene) -> None:
    def broken() -> None:
        raise OSError("no /proc")

    needs = Check("n", "g", lambda scene: [Finding(Verdict.OK, "n", scene.hardware().system)])
    report = examine(scene(hardware=broken), lambda names: None, [needs, Check("a", "g", fine)])
    assert [row.finding.verdict for row in report.findings][:2] == [Verdict.FAIL, Verdict.OK]
    assert report.exit_code == 2


def test_deep_checks_are_left_out_and_named(scene: MakeScene) -> None:
    checks = (Check("deep", "g", fine, only_deep=True), Check("a", "g", fine))
    assert run(scene(), *checks) == [Finding(Verdict.SKIP, "deep", DEEP_ONLY), FINE]
    assert run(scene(deep=True), *checks) == [FINE, FINE]


def test_a_machine_that_only_shows_the_page_is_not_asked_for_tmux(scene: MakeScene) -> None:
    checks = (
        Check("tmux", "g", fine, for_hub=True),
        Check("deep", "g", fine, only_deep=True, for_hub=True),
        Check("a", "g", fine),
    )
    thin = scene({"hub_server_url": "https://hub.example"})
    assert [finding.detail for finding in run(thin, *checks)] == [NOT_HERE, NOT_HERE, FINE.detail]
    assert examine(thin, lambda names: None, checks).to_json()["recommendation"]["mode"] == "thin"
    assert run(replace(thin, hub=Hub(1, "http://x")), checks[0]) == [FINE], "a hub that runs here all the same is looked at"
    assert wanted_models(thin) == []


def test_what_measures_time_begins_when_the_others_have_ended(scene: MakeScene) -> None:
    ended: list[str] = []

    def slow(scene: Scene) -> Iterable[Finding]:
        time.sleep(0.2)
        ended.append("slow")
        return [FINE]

    def alone(scene: Scene) -> Iterable[Finding]:
        assert ended == ["slow"]
        return [FINE]

    assert run(scene(), Check("alone", "g", alone, alone=True), Check("slow", "g", slow)) == [FINE, FINE]


def test_who_waits_is_told_for_what(scene: MakeScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clawmux.doctor.examination.TELL_SECONDS", 0.1)
    told: list[tuple[str, ...]] = []

    def slow(scene: Scene) -> Iterable[Finding]:
        time.sleep(0.4)
        return [FINE]

    examine(scene(), lambda names: told.append(tuple(names)), [Check("slow", "g", slow), Check("a", "g", fine)])
    assert told == [("slow",), ()]


def test_nobody_is_told_anything_of_quick_checks(scene: MakeScene) -> None:
    told: list[object] = []
    examine(scene(), told.append, [Check("a", "g", fine)])
    assert told == []


def test_the_report_names_machine_and_recommendation(scene: MakeScene) -> None:
    report = examine(scene(), lambda names: None, [Check("a", "g", fine)])
    told = report.to_json()
    assert report.hardware == MACHINE and told["recommendation"]["reasons"]
    assert told["findings"] == [{"group": "g", "verdict": "ok", "what": "a", "detail": "It is.", "remedy": ""}]


def test_names_of_checks_are_one_each() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
