"""Which models the quality in force needs on this machine, and which of them are not there. Reads no content."""

from __future__ import annotations

from clawmux import catalog, tiers
from clawmux.adapters.models import ModelStore
from clawmux.checks.scene import Scene
from clawmux.tiers import Fit
from clawmux.wire.words import Tier


def wanted_fit(scene: Scene) -> Fit:
    return tiers.fit(scene.hardware(), Tier(scene.settings.speech_quality))


def wanted_models(scene: Scene) -> list[str]:
    """Names in the catalogue; none for a half that another server does, or where no hub is to run."""
    if scene.is_thin:
        return []
    chosen = wanted_fit(scene)
    names = [] if scene.settings.speech_whisper_url else [chosen.recogniser.model]
    names += [] if scene.settings.speech_kokoro_url else [*tiers.voice_models(chosen.speaker)]
    return [name for name in names if name in catalog.MODELS]


def missing_models(scene: Scene) -> list[str]:
    store = ModelStore(scene.paths.models)
    return [name for name in wanted_models(scene) if store.path(name) is None]
