"""systemd's user manager, through systemctl."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from clawmux.adapters.service_unit import SYSTEMD_NAME, Unit, systemd_text
from clawmux.adapters.user_service import State, UserService, home, unreachable


class Systemd(UserService):
    tool = "systemctl"

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        runtime = Path(f"/run/user/{os.getuid()}")
        # Lost by su and cron, without a word about it from systemctl.
        if not self.environ.get("XDG_RUNTIME_DIR") and runtime.is_dir():
            self.environ["XDG_RUNTIME_DIR"] = str(runtime)

    @property
    def file(self) -> Path:
        config = self.environ.get("XDG_CONFIG_HOME", "")
        base = Path(config) if config.startswith("/") else home(self.environ) / ".config"
        return base / "systemd" / "user" / SYSTEMD_NAME

    def text(self, unit: Unit) -> str:
        return systemd_text(unit)

    def require(self) -> None:
        if shutil.which(self.tool, path=self.environ.get("PATH")) is None:
            raise unreachable("there is no systemd here.")
        done = self.run("--user", "show", "--property=Version")
        if done.returncode or not done.stdout.strip():
            said = (done.stderr.strip() or "it does not answer").splitlines()[-1]
            raise unreachable(f"the systemd user manager is not to be reached ({said}).")

    def enable(self) -> None:
        self.must("--user", "daemon-reload")
        self.must("--user", "enable", SYSTEMD_NAME)

    def start(self) -> None:
        self.run("--user", "reset-failed", SYSTEMD_NAME)  # five failed starts long ago would refuse this one
        self.must("--user", "start", SYSTEMD_NAME)

    def disable(self) -> None:
        self.must("--user", "disable", "--now", SYSTEMD_NAME)

    def forget(self) -> None:
        self.must("--user", "daemon-reload")
        self.run("--user", "reset-failed", SYSTEMD_NAME)

    def state(self) -> State:
        answer = self.must("--user", "show", SYSTEMD_NAME, "--property=ActiveState,UnitFileState,MainPID")
        facts = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
        running = facts.get("ActiveState") in ("active", "activating", "reloading")
        return State(facts.get("UnitFileState") == "enabled", running, int(facts.get("MainPID") or 0))

    def advice(self) -> str:
        user = getpass.getuser()
        if Path(f"/var/lib/systemd/linger/{user}").exists():
            return ""
        return f"It ends, with all agents, when you log out. To let it live on: loginctl enable-linger {user}"
