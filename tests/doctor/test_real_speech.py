"""``clawmux doctor --deep`` with the real engines and the tiny set of models: it ends green and shows what it measured."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from clawmux.adapters.models import ModelStore
from tests.doctor.test_command import doctor

pytestmark = pytest.mark.speech


@pytest.fixture
def models() -> Path:
    folder = os.environ.get("CLAWMUX_MODELS")
    if not folder or ModelStore(Path(folder)).missing("tiny"):
        pytest.skip("the tiny set is not in CLAWMUX_MODELS (clawmux models pull --set tiny)")
    return Path(folder)


def test_a_sentence_is_spoken_and_understood(home: Path, models: Path) -> None:
    (home / ".config" / "clawmux").mkdir(parents=True, mode=0o700)
    (home / ".config" / "clawmux" / "config.toml").write_text("[hub]\nport = 0\n")
    done = doctor("--deep", "--json", seconds=300)
    told = json.loads(done.stdout)["result"]
    assert done.returncode == 0, [row for row in told["findings"] if row["verdict"] in ("warn", "fail")]
    details = {row["what"]: row["detail"] for row in told["findings"]}
    assert "whisper-tiny.en" in details["engines"] and "kokoro-int8" in details["engines"]
    assert "intact by SHA-256" in details["models"]
    assert re.match(
        r"word error rate \d+ %; first sound after [\d.]+ s, [\d.]+ s of speech made in", details["speech round trip"]
    )
