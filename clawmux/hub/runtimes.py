"""The runtimes that an agent can be started with, as their files are now: ours, and those the user has dropped in."""

from __future__ import annotations

from pathlib import Path

from clawmux.adapters.runtimes import manifest
from clawmux.adapters.runtimes.manifest import Runtime
from clawmux.wire.errors import ClawMuxError


class Runtimes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Runtime] = {}
        self.broken: dict[str, ClawMuxError] = {}
        """Those whose file could not be read when it was last tried, and why."""

    def read(self) -> dict[str, Runtime]:
        """Read the files again; a broken one stands alone."""
        self._known, self.broken = {}, {}
        for name, file in manifest.runtime_files(self._folder).items():
            try:
                self._known[name] = manifest.load_runtime(file)
            except ClawMuxError as error:
                self.broken[name] = error
        return self._known

    def get(self, name: str) -> Runtime | None:
        """As it was last read: this is asked often."""
        return self._known.get(name)

    def usable(self, name: str) -> Runtime:
        """For a new agent; raises what keeps it from being one."""
        known = self.read()
        if name in self.broken:
            raise self.broken[name]
        if name not in known:
            raise ClawMuxError("not_found", f"field 'runtime': there is no runtime {name!r}.", f"Known: {', '.join(known)}.")
        if reason := manifest.available(known[name]):
            raise ClawMuxError("missing_program", reason, "The runtime `demo` needs nothing: clawmux spawn --runtime demo")
        return known[name]
