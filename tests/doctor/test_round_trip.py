"""The round trip through a speech service in a process of its own: one that serves, and those that end, fail or hang."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import pytest

from clawmux.checks import round_trip as trips
from clawmux.checks import speech
from clawmux.checks.round_trip import SENTENCE, Trip, word_error_rate
from clawmux.checks.scene import Hub, Scene
from clawmux.finding import Finding, Verdict
from tests.doctor.conftest import ROOT, AddProgram, MakeScene
from tests.live_hub import LiveHub
from tests.stand_ins.speech_service import WORDS

REMOTE = {"speech_whisper_url": "http://127.0.0.1:1", "speech_kokoro_url": "http://127.0.0.1:1"}
STAND_IN = f'shift; cd {ROOT}; exec {sys.executable} -m tests.stand_ins.speech_service "$@"'

DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.stand_ins import speech_service as stand_in
stand_in.tone = lambda *_: os.kill(os.getpid(), signal.SIGILL)
asyncio.run(stand_in.serve(Path(sys.argv[sys.argv.index("--socket") + 1]), "tiny"))
"""


@pytest.fixture
def speaking(scene: MakeScene, program: AddProgram, monkeypatch: pytest.MonkeyPatch, home: Path) -> object:
    """The findings with this script in place of ``clawmux``; nothing it needs may be left."""
    (home / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(home / "tmp"))

    def run(script: str, **facts: object) -> list[Finding]:
        monkeypatch.setenv("CLAWMUX_LAUNCHER", str(program("launcher", script)))
        # With both servers named, models of our own are not asked for.
        findings = list(speech.speaking(scene(REMOTE, deep=True, **facts)))
        assert list((home / "tmp").iterdir()) == []
        return findings

    return run


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill -ILL $$", "signal 4 (illegal instruction)"),
        (f"{sys.executable} -c 'import os; os.kill(os.getpid(), 4)'; exit $?", "signal 4 (illegal instruction)"),
        ("kill -KILL $$", "signal 9 (killed, as the system does when memory is short)"),
        ("echo no such library >&2; exit 1", "exit status 1. Its last words: no such library"),
    ],
)
def test_an_engine_that_ends_is_a_finding(speaking: object, script: str, words: str) -> None:
    assert callable(speaking)
    [finding] = speaking(script)
    assert (finding.verdict, finding.what) == (Verdict.FAIL, "engines")
    assert words in finding.detail and finding.remedy


def test_an_engine_that_ends_at_work(speaking: object, home: Path) -> None:
    """It loads, says that it is ready, and dies of the first sentence."""
    assert callable(speaking)
    service = home / "dies.py"
    service.write_text(DIES)
    [finding] = speaking(f'shift; cd {ROOT}; exec {sys.executable} {service} "$@"')
    assert finding.verdict is Verdict.FAIL and "signal 4 (illegal instruction)" in finding.detail


def test_a_service_that_says_it_failed(speaking: object) -> None:
    assert callable(speaking)
    behaviour = '{"tiny": {"state": "failed", "reason": "kokoro cannot be loaded"}}'
    [finding] = speaking(f"echo '{behaviour}' > \"${{3%/*}}/behaviour.json\"; {STAND_IN}")
    assert finding.verdict is Verdict.FAIL and "kokoro cannot be loaded" in finding.detail


def test_a_service_that_hangs_is_ended(speaking: object, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(speaking)
    monkeypatch.setattr(trips, "LOAD_SECONDS", 0.5)
    [finding] = speaking(f"echo $$ > {home}/pid; exec sleep 60")
    assert finding.verdict is Verdict.FAIL and "not loaded after" in finding.detail
    with pytest.raises(ProcessLookupError):
        os.kill(int((home / "pid").read_text()), 0)


def test_a_service_that_understands_nothing(speaking: object) -> None:
    """The stand-in hears the same two words in everything."""
    assert callable(speaking)
    engines, trip = speaking(STAND_IN)
    assert engines.verdict is Verdict.OK and "in a process of their own" in engines.detail
    assert trip.verdict is Verdict.FAIL
    assert f"heard: {WORDS!r}" in trip.detail and "word error rate" in trip.detail


async def test_the_running_hubs_service_is_used(scene: MakeScene) -> None:
    async with LiveHub("stand-in") as hub:
        await hub.speech_is("ready")
        drawn: Scene = scene(REMOTE, deep=True, paths=hub.paths, hub=Hub(1, hub.url))
        engines, trip = await asyncio.to_thread(lambda: list(speech.speaking(drawn)))
    assert engines.verdict is Verdict.OK and "running hub's" in engines.detail
    assert trip.what == "speech round trip"


@pytest.mark.parametrize(
    ("heard", "rate"),
    [
        (SENTENCE, 0),
        (SENTENCE.upper().replace(",", ""), 0),
        ("", 1),
        (SENTENCE.replace("failed", "sailed"), 1 / 13),
        (SENTENCE.replace("please ", "").replace("Please ", ""), 1 / 13),
        (f"Oh {SENTENCE}", 1 / 13),
        ("the answer", 12 / 13),
    ],
)
def test_word_error_rate(heard: str, rate: float) -> None:
    assert word_error_rate(SENTENCE, heard) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("rate", "hear_seconds", "load", "verdict"),
    [
        (0.0, 0.7, 0.5, Verdict.OK),
        (0.15, 0.7, 0.5, Verdict.OK),
        (0.3, 0.7, 0.5, Verdict.WARN),
        (0.8, 0.7, 0.5, Verdict.FAIL),
        (0.8, 0.7, 9.0, Verdict.FAIL),
        (0.0, 6.0, 0.5, Verdict.WARN),
        (0.0, 6.0, 1.9, Verdict.WARN),
    ],
)
def test_what_a_trip_means(rate: float, hear_seconds: float, load: float, verdict: Verdict) -> None:
    _, finding = speech.judge_trip(Trip("whisper and kokoro", "here", SENTENCE, "words", rate, 0.4, 1.0, 3.0, hear_seconds), load)
    assert finding.verdict is verdict
    assert f"word error rate {rate * 100:.0f} %" in finding.detail and "first sound after 0.4 s" in finding.detail
    assert bool(finding.remedy) == (verdict is not Verdict.OK)


def test_engines_that_are_not_the_wanted_ones() -> None:
    trip = Trip("whisper-tiny.en", "here", SENTENCE, SENTENCE, 0.0, 0.4, 1.0, 3.0, 0.7, "cuBLAS is missing; the processor serves")
    engines, _ = speech.judge_trip(trip, 0.5)
    assert engines.verdict is Verdict.WARN and "cuBLAS is missing; the processor serves." in engines.detail and engines.remedy


def test_a_busy_machine_is_not_blamed_on_the_engines() -> None:
    _, finding = speech.judge_trip(Trip("whisper", "here", SENTENCE, SENTENCE, 0.0, 9.0, 20.0, 3.0, 8.0), 7.0)
    assert finding.verdict is Verdict.OK and "busy with 7.0 programs for each processor" in finding.detail
