"""Whether a project's own recogniser is asked for: looked at seldom, and again when there was none."""

from __future__ import annotations

from typing import Any, cast

import pytest

from clawmux.core.engine import Engine, Service
from clawmux.hub import project_quality
from clawmux.hub.machine import Machine
from clawmux.hub.project_quality import ProjectQuality
from clawmux.settings import Settings
from clawmux.wire.words import Tier


class Facts:
    """What is asked of a Machine here."""

    def __init__(self) -> None:
        self.why = "whisper-small is not on this machine"
        self.looks = 0

    async def why_no_further(self, tier: Tier) -> str:
        self.looks += 1
        return self.why


async def test_a_model_that_came_later_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    facts, engine = Facts(), Engine(serving=Service(1, Tier.TINY, 0.0))
    quality = ProjectQuality(cast(Machine, facts), engine, Settings, lambda *words: told.append(words))
    assert [await quality.of("s", "low"), await quality.of("s", "low"), facts.looks, len(told)] == ["", "", 1, 1]
    facts.why = ""
    assert await quality.of("s", "low") == "", "it was looked at just now"
    monkeypatch.setattr(project_quality, "LOOK_AGAIN_SECONDS", 0.0)
    assert [await quality.of("s", "low"), await quality.of("s", "low"), facts.looks, len(told)] == ["low", "low", 2, 1]
