"""What every check may look at, and the shape of a check. Looks at nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawmux.finding import Finding
from clawmux.hardware import Hardware
from clawmux.paths import Paths
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub of this data folder, by its lock."""

    pid: int
    url: str
    """Empty until it serves."""


def _no_hub(path: str) -> Any:
    raise ClawMuxError("hub_not_running", "the hub is not running.", "start it with `clawmux start`")


@dataclass(frozen=True, slots=True)
class Scene:
    paths: Paths
    settings: Settings
    """The defaults where ``settings_fault`` says that they cannot be read."""
    environ: Mapping[str, str]
    hardware: Callable[[], Hardware]
    """Waits for the reading that goes on beside the checks."""
    deep: bool = False
    hub: Hub | None = None
    ask: Callable[[str], Any] = _no_hub
    """GET from the running hub; raises its ClawMuxError."""
    settings_fault: ClawMuxError | None = None
    hub_fault: ClawMuxError | None = None
    """Why it cannot be said whether a hub runs."""

    @property
    def is_thin(self) -> bool:
        """This machine only shows the page of a hub elsewhere."""
        return bool(self.settings.hub_server_url) and self.hub is None


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    """As docs/doctor.md has it, and what stands in a finding when the check itself fails."""
    group: str
    look: Callable[[Scene], Iterable[Finding]]
    only_deep: bool = False
    for_hub: bool = False
    """Of no matter on a machine that only shows the page of a hub elsewhere."""
    alone: bool = False
    """Begun when all others have ended: it measures time."""
    seconds: float = field(default=15.0)
    """After so long it is given up; its own limits are shorter."""
