"""A Mac's launchd, through launchctl. Written after launchctl's manual and output that others recorded; not tried on a Mac."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from clawmux.adapters.service_unit import LAUNCHD_LABEL, Unit, launchd_text
from clawmux.adapters.user_service import State, UserService, home, unreachable


class Launchd(UserService):
    tool = "launchctl"

    @property
    def file(self) -> Path:
        return home(self.environ) / "Library" / "LaunchAgents" / f"{LAUNCHD_LABEL}.plist"

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"

    @property
    def _target(self) -> str:
        return f"{self._domain}/{LAUNCHD_LABEL}"

    def text(self, unit: Unit) -> str:
        return launchd_text(unit)

    def require(self) -> None:
        if shutil.which(self.tool, path=self.environ.get("PATH")) is None:
            raise unreachable("there is no launchctl here.")
        if self.run("print", self._domain).returncode:
            raise unreachable("you are not logged in at this Mac's screen, and launchd keeps agents for those who are only.")

    def enable(self) -> None:
        self.must("enable", self._target)

    def start(self) -> None:
        if self.run("print", self._target).returncode:
            self.must("bootstrap", self._domain, str(self.file))  # RunAtLoad starts it
        else:
            self.must("kickstart", self._target)

    def disable(self) -> None:
        self.run("bootout", self._target)  # it says no when nothing is loaded, which is as well

    def forget(self) -> None:
        pass

    def state(self) -> State:
        disabled = self.run("print-disabled", self._domain).stdout
        answer = self.run("print", self._target)
        enabled = self.file.exists() and not re.search(rf'"{LAUNCHD_LABEL}" => (?:true|disabled)', disabled)
        if answer.returncode:
            return State(enabled)
        pid = re.search(r"^\s*pid = (\d+)$", answer.stdout, re.MULTILINE)
        return State(enabled, bool(pid), int(pid[1]) if pid else 0)

    def advice(self) -> str:
        return ""
