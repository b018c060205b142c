"""The plan: what a machine, the user's words and what is on disk come to. Pure, so tables say it all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawmux import paths
from clawmux.catalog import MODELS
from clawmux.hardware import Gpu, Hardware
from clawmux.tiers import Mode, Packages
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Tier
from installer import arguments, plan, programs, sheet
from installer.arguments import Choices
from installer.bundle import Bundle
from installer.disk import Disk
from installer.launcher import Launcher
from installer.place import Place
from installer.programs import Program
from installer.receipt import Receipt
from installer.shell_files import ShellFile

GB = 10**9
HOME = Path("/home/jo")
PLACE = Place(Path("/src"), HOME / ".local/share/clawmux", HOME / ".local/bin/clawmux", paths.locate({"HOME": "/home/jo"}), HOME)
NAMES = {packages: f"1-{packages.value}" for packages in Packages}
CUDA = {"nvidia": "nvidia-1", "nvidia-blackwell": "nvidia-blackwell-1"}
EMPTY = Disk(NAMES, cuda_names=CUDA, shell_files=(ShellFile(HOME / ".bashrc"),), free_bytes=100 * GB)
LAPTOP = Hardware("linux", "6.8", "x86_64", "glibc 2.39", "A laptop", frozenset({"avx2"}), 4.0, 4, 16 * GB, 16 * GB, 12 * GB)
TINY = ("whisper-tiny.en", "kokoro-int8", "voices")


def card(capability: tuple[int, int], gigabytes: int = 24) -> Hardware:
    return replace(
        LAPTOP, gpus=(Gpu("nvidia", "A card", gigabytes << 30, gigabytes << 30, capability),), cuda=(13, 0), driver="580"
    )


WITH_CARD = card((8, 6))
MUSL = replace(LAPTOP, libc="musl")
INSTALLED = replace(
    EMPTY,
    versions=frozenset({"1-cpu"}),
    folders=frozenset({"1-cpu"}),
    current="1-cpu",
    launcher=Launcher(b"x", is_right=True),
    receipt=Receipt(name="1-cpu", mode="local"),
    models=frozenset(TINY),
    shell_files=(ShellFile(HOME / ".bashrc", has_lines=True),),
)


NO_WORDS = Choices()


def made(hardware: Hardware = LAPTOP, choices: Choices = NO_WORDS, disk: Disk = EMPTY) -> plan.Plan:
    return plan.make(hardware, choices, disk, PLACE)


def keys(drawn: plan.Plan) -> list[str]:
    return [task.key for task in drawn.to_do]


def test_of_models_that_are_there_nothing_is_said_to_be_copied() -> None:
    for disk in (EMPTY, INSTALLED):
        assert made(disk=disk).tasks[-1].title == f"fetch the speech models {', '.join(TINY)}"


@pytest.mark.parametrize(
    ("hardware", "choices", "mode", "packages", "cuda", "tier"),
    [
        (LAPTOP, Choices(), "local", "cpu", "", "tiny"),
        (WITH_CARD, Choices(), "local", "nvidia", "nvidia-1", "high"),
        (card((12, 0)), Choices(), "local", "nvidia", "nvidia-blackwell-1", "high"),
        (WITH_CARD, Choices(tier=Tier.LOW), "local", "nvidia", "nvidia-1", "low"),
        (WITH_CARD, Choices(speech_url="http://x"), "split", "cpu", "", "high"),
        (WITH_CARD, Choices(server_url="http://x"), "thin", "hub", "", "high"),
        (LAPTOP, Choices(mode=Mode.THIN), "thin", "hub", "", "tiny"),
        (MUSL, Choices(), "split", "hub", "", "tiny"),
    ],
)
def test_what_is_installed_where(hardware: Hardware, choices: Choices, mode: str, packages: str, cuda: str, tier: str) -> None:
    drawn = made(hardware, choices)
    assert (drawn.mode, drawn.packages, drawn.cuda, drawn.tier) == (mode, packages, cuda, tier)
    assert drawn.name == f"1-{packages}"
    assert ("models" in keys(drawn)) == (mode == "local")
    assert drawn.reasons


def test_the_order_of_an_installation() -> None:
    everything = replace(EMPTY, leftovers=(HOME / "x",), folders=frozenset({"0", "00"}), current="0", previous="00")
    assert keys(made(WITH_CARD, disk=everything)) == [
        "tidy", "version", "cuda", "switch", "launcher", "settings", "check", "path", "models", "old",
    ]  # fmt: skip


def test_nothing_to_do_when_all_is_right() -> None:
    drawn = made(disk=INSTALLED)
    assert keys(drawn) == [] and drawn.download_bytes == drawn.disk_bytes == 0
    assert "nothing has to be changed" in sheet.as_text(drawn, PLACE, INSTALLED)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"versions": frozenset()}, ["version"]),
        ({"current": ""}, ["switch", "check"]),
        ({"launcher": Launcher(b"x")}, ["launcher"]),
        ({"receipt": None}, ["check"]),
        ({"receipt": Receipt(name="0-cpu", mode="local")}, ["check"]),
        ({"models": frozenset({"voices"})}, ["models"]),
        ({"shell_files": (ShellFile(HOME / ".bashrc"),)}, ["path"]),
        ({"shell_files": (ShellFile(HOME / ".bashrc"),), "is_on_path": True}, []),
        ({"shell_files": (ShellFile(HOME / ".bashrc", fault="no"),)}, []),
        ({"leftovers": (HOME / "x",)}, ["tidy"]),
        ({"folders": frozenset({"1-cpu", "0", "00"}), "previous": "0"}, ["old"]),
    ],
)
def test_only_what_is_missing_is_done(change: dict[str, Any], expected: list[str]) -> None:
    assert keys(made(disk=replace(INSTALLED, **change))) == expected


def test_old_versions_but_not_the_way_back() -> None:
    after_switch = replace(INSTALLED, folders=frozenset({"1-cpu", "0", "00"}), previous="0")
    assert made(disk=after_switch).old_versions == ("00",)
    upgrade = replace(after_switch, current="0", previous="00")
    assert made(disk=upgrade).old_versions == ("00",)


@pytest.mark.parametrize(
    ("choices", "settings", "hardware", "expected"),
    [
        (Choices(), {}, LAPTOP, {}),
        (Choices(), {}, WITH_CARD, {"speech.quality": "high"}),
        (Choices(), {"speech.quality": "low"}, WITH_CARD, {}),
        (Choices(tier=Tier.TINY), {}, LAPTOP, {"speech.quality": "tiny"}),
        (Choices(tier=Tier.TINY), {"speech.quality": "tiny"}, LAPTOP, {}),
        (Choices(tier=Tier.MEDIUM), {"speech.quality": "low"}, WITH_CARD, {"speech.quality": "medium"}),
        (Choices(speech_url="http://x"), {}, LAPTOP, {"speech.whisper_url": "http://x", "speech.kokoro_url": "http://x"}),
        (Choices(mode=Mode.LOCAL), {"speech.whisper_url": "http://x"}, LAPTOP, {"speech.whisper_url": ""}),
        (Choices(server_url="http://h"), {}, LAPTOP, {"hub.server_url": "http://h"}),
        (Choices(mode=Mode.THIN), {}, WITH_CARD, {}),
    ],
)
def test_settings_are_written_where_somebody_has_said_something_or_nobody_anything(
    choices: Choices, settings: dict[str, Any], hardware: Hardware, expected: dict[str, Any]
) -> None:
    assert made(hardware, choices, replace(EMPTY, settings=settings)).settings == expected


@pytest.mark.parametrize(
    ("disk", "mode", "tier"),
    [
        ({"settings": {"speech.quality": "low"}}, "local", "low"),
        ({"settings": {"speech.quality": "nonsense"}}, "local", "high"),
        ({"settings": {"speech.whisper_url": "http://x"}}, "split", "high"),
        ({"receipt": Receipt(name="0", mode="thin", server_url="http://h")}, "thin", "high"),
        ({"receipt": Receipt(name="0", mode="nonsense")}, "local", "high"),
        ({"receipt": Receipt(folders=("/x",), mode="thin")}, "local", "high"),
    ],
)
def test_what_was_said_before_holds(disk: dict[str, Any], mode: str, tier: str) -> None:
    drawn = made(WITH_CARD, disk=replace(EMPTY, **disk))
    assert (drawn.mode, drawn.tier) == (mode, tier)


def test_a_new_word_replaces_an_old_one() -> None:
    before = replace(EMPTY, receipt=Receipt(name="0", mode="split"), settings={"speech.whisper_url": "http://x"})
    assert made(WITH_CARD, Choices(mode=Mode.LOCAL), before).mode is Mode.LOCAL


class TestFromAFolder:
    def disk(self, *models: str, wheels: tuple[str, ...] = ("ctranslate2",)) -> Disk:
        return replace(EMPTY, bundle=Bundle(frozenset(wheels), frozenset(models)))

    def test_the_best_quality_that_it_brings(self) -> None:
        drawn = made(WITH_CARD, Choices(bundle=Path("/b")), self.disk("whisper-tiny.en", "whisper-small", "kokoro", "voices"))
        assert drawn.tier is Tier.LOW and drawn.download_bytes == 0

    def test_what_the_user_says_is_done_all_the_same(self) -> None:
        drawn = made(WITH_CARD, Choices(bundle=Path("/b"), tier=Tier.HIGH), self.disk("whisper-small", "kokoro", "voices"))
        assert drawn.tier is Tier.HIGH
        assert drawn.download_bytes == MODELS["whisper-large-v3-turbo"].size

    def test_without_libraries_for_the_card(self) -> None:
        drawn = made(WITH_CARD, Choices(bundle=Path("/b")), self.disk("whisper-small"))
        assert drawn.cuda == "" and any("no libraries for the graphics card" in warning for warning in drawn.warnings)
        wheels = ("ctranslate2", "nvidia_cublas_cu12")
        assert made(WITH_CARD, Choices(bundle=Path("/b")), self.disk("whisper-small", wheels=wheels)).cuda == "nvidia-1"


@pytest.mark.parametrize(
    ("disk", "choices", "code", "text"),
    [
        ({"launcher": Launcher(b"", is_ours=False)}, Choices(), "conflict", "not from this installer"),
        ({"free_bytes": GB}, Choices(), "disk_full", "1.0 GB free; 1.3 GB are needed, of which 839 MB stay"),
        ({"models_free_bytes": GB // 10}, Choices(), "disk_full", "models has 100 MB free"),
        ({"can_make_environments": Program("venv", fault="none.")}, Choices(), "missing_program", "none"),
        ({}, Choices(mode=Mode.SPLIT), "usage", "needs an address for speech"),
        ({"settings_fault": "torn."}, Choices(tier=Tier.LOW), "bad_file", "torn"),
    ],
)
def test_what_would_fail_later_is_refused_now(disk: dict[str, Any], choices: Choices, code: str, text: str) -> None:
    with pytest.raises(ClawMuxError, match=text) as refused:
        made(choices=choices, disk=replace(EMPTY, **disk))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("disk", "text"),
    [
        ({"tmux": Program("tmux", fault="no tmux.", remedy="Install it.")}, "no tmux. Install it."),
        ({"settings_fault": "torn."}, "torn. Mend it"),
        ({"shadow": "/opt/clawmux", "is_on_path": True}, "runs /opt/clawmux, another program"),
        ({"shell_files": (ShellFile(HOME / ".bashrc", fault="it is no text"),)}, ".bashrc is left alone: it is no text"),
    ],
)
def test_what_is_worth_knowing(disk: dict[str, Any], text: str) -> None:
    drawn = made(disk=replace(EMPTY, **disk))
    assert any(text in warning for warning in drawn.warnings)
    assert "Worth knowing" in sheet.as_text(drawn, PLACE, EMPTY)


def test_a_machine_without_agents_needs_no_tmux() -> None:
    missing = replace(EMPTY, tmux=Program("tmux", fault="no tmux."))
    assert made(choices=Choices(mode=Mode.THIN), disk=missing).warnings == ()


def test_the_sheet_shows_sizes_and_reasons() -> None:
    drawn = made(WITH_CARD)
    text = sheet.as_text(drawn, PLACE, EMPTY)
    assert all(" ".join(reason.split()) in " ".join(text.split()) for reason in drawn.reasons)
    assert "363 MB to fetch" in text and "100.0 GB are free" in text and "local: hub, agents and speech" in text
    assert all(len(line) <= sheet.WIDTH for line in text.splitlines())
    told = json.loads(sheet.as_json("install", sheet.result(drawn, PLACE, EMPTY)))["result"]
    assert told["cuda"] == "nvidia-1" and told["tasks"][0]["key"] == "version"


@pytest.mark.parametrize(
    ("manager", "expected"),
    [
        ("apt-get", "sudo apt-get install tmux"),
        ("brew", "brew install tmux"),
        ("apk", "sudo apk add tmux"),
        ("", "package manager"),
    ],
)
def test_the_right_command_is_named(manager: str, expected: str) -> None:
    assert expected in programs.install_line("tmux", lambda name: name if name == manager else None)


def test_a_python_that_cannot_make_environments_is_known() -> None:
    assert "cannot make environments" in programs.look_for_venv(lambda name: None).fault
    assert programs.look_for_venv(lambda name: name).fault == ""


def test_every_word_of_the_command_line() -> None:
    said = arguments.read(["--from", "~/x", "--prefix", "y", "--tier", "low", "--no-models", "--no-modify-path", "--start"])
    assert said.bundle == Path.home() / "x" and said.prefix == Path.cwd() / "y" and said.tier is Tier.LOW
    assert (said.models, said.modify_path, said.start, said.yes) == (False, False, True, False)
