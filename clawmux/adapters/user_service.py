"""A hub kept by the user's service manager, whichever that is: its one file, and the command line tool that is run.

Asks for no privileges and touches no system service. The text of the file is service_unit's; systemd.py and launchd.py
hold what is different.
"""

from __future__ import annotations

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from clawmux.adapters.service_unit import LAUNCHD_LABEL, Header, Unit, read_header
from clawmux.wire.errors import ClawMuxError

# `systemctl start` waits for the program to be executed, nothing longer; on a busy machine a reload takes seconds.
TOOL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class State:
    enabled: bool = False
    """It starts when the user logs in."""
    running: bool = False
    pid: int = 0


class UserService(ABC):
    """One hub kept by the user's service manager. ``require`` first; everything else may then be called."""

    tool = ""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)

    @property
    @abstractmethod
    def file(self) -> Path: ...

    @abstractmethod
    def text(self, unit: Unit) -> str: ...

    @abstractmethod
    def require(self) -> None:
        """Raises ``missing_program`` where the service manager is not to be reached, with what to do instead."""

    @abstractmethod
    def enable(self) -> None:
        """After its file was written: known, and started at the next login."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def disable(self) -> None:
        """Stopped and forgotten, while its file is still there. Agents go on."""

    @abstractmethod
    def forget(self) -> None:
        """After its file was removed."""

    @abstractmethod
    def state(self) -> State: ...

    @abstractmethod
    def advice(self) -> str:
        """What the user may want to do beyond this; empty when there is nothing."""

    def header(self) -> Header | None:
        """Of the file that is there; ``conflict`` when somebody else wrote it."""
        try:
            found = self.file.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            text = f"{self.file} cannot be read: {error.strerror}."
            raise ClawMuxError("conflict", text, "Move it away, then try again.") from None
        header = read_header(found)
        if header is None:
            raise ClawMuxError("conflict", f"{self.file} was not written by ClawMux.", "Move it away, then try again.")
        return header

    def write(self, unit: Unit) -> bool:
        """The file, whole or not at all; whether anything changed."""
        before = self.header()
        made = _missing(self.file.parent) if before is None else []
        text = self.text(replace(unit, folders_made=before.folders_made if before else len(made)))
        if before is not None and self.file.read_text(encoding="utf-8") == text:
            return False
        new = self.file.with_name(f".{self.file.name}.new")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(text, encoding="utf-8")
            new.replace(self.file)
        except OSError as error:
            # Some keep this folder elsewhere, as a link that nobody may write through.
            remedy = f"Look who may write in {self.file.parent}. `clawmux start` runs the hub without a service."
            raise ClawMuxError("bad_file", f"{self.file} cannot be written: {error.strerror}.", remedy) from None
        return True

    def delete(self, header: Header) -> None:
        """The file, and the folders that were made for it, as far as nobody else uses them now."""
        self.file.unlink(missing_ok=True)
        for folder in list(self.file.parents)[: header.folders_made]:
            try:
                folder.rmdir()
            except OSError:
                return

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The tool's answer, whatever it is."""
        try:
            return subprocess.run(
                [self.tool, *words],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TOOL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ClawMuxError("timeout", f"`{self.tool} {' '.join(words)}` did not end.", "Try it by hand.") from None

    def must(self, *words: str) -> str:
        """What the tool prints; its complaint becomes an error."""
        done = self.run(*words)
        if done.returncode:
            said = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
            raise ClawMuxError("internal", f"`{self.tool} {' '.join(words)}` failed: {said}", "Try it by hand.")
        return done.stdout


def here(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> UserService:
    """The service manager of this system, whether or not it can be reached."""
    from clawmux.adapters.launchd import Launchd
    from clawmux.adapters.systemd import Systemd

    return Launchd(environ) if platform == "darwin" else Systemd(environ)


def is_the_service(environ: Mapping[str, str], pid: int) -> bool:
    """Whether a service manager itself started this process (systemd.exec(5); launchd tells its label)."""
    return environ.get("SYSTEMD_EXEC_PID") == str(pid) or environ.get("XPC_SERVICE_NAME") == LAUNCHD_LABEL


def _missing(folder: Path) -> list[Path]:
    return [above for above in (folder, *folder.parents) if not above.exists()]


def home(environ: Mapping[str, str]) -> Path:
    """The user's home folder."""
    return Path(environ.get("HOME") or Path.home())


def unreachable(why: str) -> ClawMuxError:
    """What ``require`` raises."""
    return ClawMuxError("missing_program", f"no service can be kept: {why}", "`clawmux start` runs the hub without a service.")
