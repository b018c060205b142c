"""What people read: plain in a pipe, rich on a terminal, every verdict in words, nothing taken for markup."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from clawmux import tiers
from clawmux.doctor import page
from clawmux.doctor.examination import DEEP_ONLY, NOT_HERE, Grouped, Report
from clawmux.finding import Finding, Verdict
from clawmux.hardware import Apple, Gpu, Hardware
from tests.doctor.conftest import GIB, MACHINE

FINDINGS = (
    Grouped("Program", Finding(Verdict.OK, "Python", "Python 3.12.1, /opt/[red]/python.")),
    Grouped("Files", Finding(Verdict.FAIL, "private files", "token has mode 644.", "Run: chmod 600 token")),
    Grouped("Program", Finding(Verdict.WARN, "tmux", "tmux 3.1.", "Update tmux.")),
    Grouped("Speech", Finding(Verdict.SKIP, "speech round trip", DEEP_ONLY)),
)
REPORT = Report(MACHINE, tiers.recommend(MACHINE), FINDINGS)


def test_plain_text_has_all_of_it() -> None:
    text = page.plain(REPORT)
    assert "\x1b" not in text
    for words in ("AMD EPYC, 2 cores, avx2", "local: everything on this machine", *tiers.recommend(MACHINE).reasons):
        assert words in text
    assert "  ok       Python: Python 3.12.1, /opt/[red]/python.\n" in text
    assert "  FAILED   private files: token has mode 644.\n           Run: chmod 600 token\n" in text
    assert "  warning  tmux: tmux 3.1.\n           Update tmux.\n" in text
    assert text.endswith("Not tried: speech round trip. `clawmux doctor --deep` tries them too.\n1 failure and 1 warning.")


def test_what_a_thin_machine_does_not_need_is_one_line() -> None:
    skipped = tuple(Grouped("g", Finding(Verdict.SKIP, name, NOT_HERE)) for name in ("tmux", "models"))
    text = page.plain(Report(MACHINE, None, skipped))
    assert "Not needed on this machine, which shows the page of a hub elsewhere: tmux, models.\nAll is well." in text


def test_a_group_is_shown_once() -> None:
    lines = page.plain(REPORT).splitlines()
    assert lines.count("Program") == 1 and lines.count("Files") == 1 and "Speech" not in lines


def test_a_terminal_gets_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    odd = replace(REPORT, hardware=replace(MACHINE, cpu_name="AMD [bold]EPYC[/]"))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", page.rich_page(odd))
    assert "AMD [bold]EPYC[/], 2 cores" in shown
    for row in FINDINGS[:3]:
        assert row.finding.detail in shown and row.finding.remedy in shown
        assert page.WORDS[row.finding.verdict] in shown
    assert "[red]" in shown and "1 failure and 1 warning." in shown


def test_a_narrow_terminal_is_not_overrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", page.rich_page(REPORT)).splitlines()) <= 60


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ([Verdict.OK, Verdict.SKIP], "All is well."),
        ([Verdict.WARN, Verdict.WARN], "2 warnings."),
        ([Verdict.FAIL], "1 failure."),
        ([Verdict.FAIL, Verdict.FAIL, Verdict.WARN], "2 failures and 1 warning."),
    ],
)
def test_the_last_line(verdicts: list[Verdict], words: str) -> None:
    findings = tuple(Grouped("g", Finding(verdict, "a", "b")) for verdict in verdicts)
    assert page.plain(Report(MACHINE, None, findings)).splitlines()[-1] == words


NVIDIA = Gpu("nvidia", "NVIDIA GeForce RTX 3090", 24 * GIB, 23 * GIB, (8, 6))


@pytest.mark.parametrize(
    ("machine", "row"),
    [
        (MACHINE, ("graphics", "none that can be used")),
        (replace(MACHINE, gpus=(NVIDIA,)), ("graphics", "NVIDIA GeForce RTX 3090, 24 GB, 23 GB free, compute capability 8.6")),
        (
            replace(MACHINE, gpus=(Gpu("amd", "Radeon", unusable="No engine is built for it."),)),
            ("graphics", "Radeon; not used: No engine is built for it."),
        ),
        (
            replace(MACHINE, apple=Apple(3, "Pro", 6), gpus=(Gpu("apple", "Apple M3 Pro", 18 * GIB, None, is_unified=True),)),
            ("graphics", "Apple M3 Pro, 18 GB shared with the processor"),
        ),
        (replace(MACHINE, driver="550.54", cuda=(12, 4)), ("driver", "NVIDIA 550.54, CUDA 12.4")),
        (replace(MACHINE, cores=1.5, cores_of_host=16), ("processor", "AMD EPYC, 1.5 of 16 cores, avx2")),
        (replace(MACHINE, memory_of_host_bytes=64 * GIB), ("memory", "8 GB of the machine's 64 GB, 6 GB free")),
        (replace(MACHINE, memory_bytes=0), ("memory", "unknown")),
        (replace(MACHINE, wsl=2, container="docker"), ("system", "Linux 6.1.0, x86_64, glibc 2.36, in docker, WSL2")),
    ],
)
def test_the_card(machine: Hardware, row: tuple[str, str]) -> None:
    assert row in page.card(machine)


def test_a_thin_client_has_no_engines_to_name() -> None:
    advised = page.advice(tiers.recommend(MACHINE, tiers.Wishes(speech_url="http://gpu")))
    assert [word for word, _ in advised] == ["mode"]
