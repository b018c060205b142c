"""Where ClawMux keeps its things, and how it runs itself again. Creates nothing on import.

Linux follows the XDG base directory specification (0.8); macOS and Windows their own customs.
``CLAWMUX_HOME`` puts everything under one folder instead.
Run files stay out of ``$XDG_RUNTIME_DIR``: it vanishes at logout while the agents live on.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clawmux.wire.errors import ClawMuxError

# sun_path holds 108 bytes on Linux and 104 on macOS, with the final NUL (unix(7)).
SOCKET_PATH_LIMIT = 103


@dataclass(frozen=True, slots=True)
class Paths:
    config: Path
    """User settings: config.toml and runtimes/*.toml. Written only by ``settings set``."""
    data: Path
    """The store, sessions' own folders, and models unless ``models`` says otherwise."""
    state: Path
    """Logs and run files."""
    models: Path
    """Content-addressed model files; may be shared between installations."""

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def user_runtimes(self) -> Path:
        return self.config / "runtimes"

    @property
    def store_file(self) -> Path:
        return self.data / "clawmux.db"

    @property
    def lock_file(self) -> Path:
        return self.data / "hub.lock"

    @property
    def token_file(self) -> Path:
        return self.data / "token"

    @property
    def sessions(self) -> Path:
        """One folder a session: what ClawMux writes for that agent lives here."""
        return self.data / "sessions"

    @property
    def workspace(self) -> Path:
        """Where an agent works when nobody names a folder. Not the home folder: agents ask for trust there at every start."""
        return self.data / "workspace"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def hub_socket(self) -> Path:
        return self.run / "hub.sock"

    @property
    def speech_socket(self) -> Path:
        return self.run / "speech.sock"

    @property
    def tmux_socket(self) -> Path:
        return self.run / "tmux.sock"

    @property
    def hub_log(self) -> Path:
        return self.state / "hub.log"

    @property
    def speech_log(self) -> Path:
        return self.state / "speech.log"

    @property
    def speech_tier(self) -> Path:
        """The tier that served last, for the next start of the hub."""
        return self.state / "speech-tier"

    @property
    def measured(self) -> Path:
        """What the qualities of speech took when they were measured here."""
        return self.state / "measured.json"


def locate(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Paths:
    """The folders for this user. Pure: reads the mapping, touches no file."""
    if one_folder := environ.get("CLAWMUX_HOME"):
        root = Path(one_folder)
        return Paths(root / "config", root / "data", root / "state", _models(environ, root / "data"))
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if platform == "darwin":
        support = home / "Library" / "Application Support" / "clawmux"
        return Paths(support / "config", support / "data", support / "state", _models(environ, support / "data"))
    if platform == "win32":
        local = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "clawmux"
        return Paths(local / "config", local / "data", local / "state", _models(environ, local / "data"))
    data = _xdg(environ, "XDG_DATA_HOME", home / ".local" / "share")
    state = _xdg(environ, "XDG_STATE_HOME", home / ".local" / "state")
    return Paths(_xdg(environ, "XDG_CONFIG_HOME", home / ".config"), data, state, _models(environ, data))


def _xdg(environ: Mapping[str, str], name: str, fallback: Path) -> Path:
    value = environ.get(name, "")
    # "All paths must be absolute. If relative, consider it invalid and ignore it." (XDG 0.8)
    return (Path(value) if value.startswith("/") else fallback) / "clawmux"


def _models(environ: Mapping[str, str], data: Path) -> Path:
    return Path(environ["CLAWMUX_MODELS"]) if environ.get("CLAWMUX_MODELS") else data / "models"


def make_private(folder: Path) -> Path:
    """The folder, there and 0700 and ours; refuses links and other owners rather than trusting them."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        text = f"the folder {folder} cannot be made: {error.strerror}."
        raise ClawMuxError("unsafe_files", text, "Move away what is there, or set CLAWMUX_HOME to another folder.") from None
    check_private(folder)
    return folder


def check_private(path: Path) -> None:
    """Raises ``unsafe_files`` unless path is ours and closed to group and others; a link never passes."""
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        raise ClawMuxError("unsafe_files", f"{path} is a symbolic link.", "Remove the link; ClawMux makes its own.")
    if facts.st_uid != os.getuid():
        raise ClawMuxError("unsafe_files", f"{path} belongs to user {facts.st_uid}.", f"Run: sudo chown {os.getuid()} {path}")
    if facts.st_mode & 0o077:
        mode = "700" if stat.S_ISDIR(facts.st_mode) else "600"
        raise ClawMuxError(
            "unsafe_files",
            f"{path} has mode {stat.S_IMODE(facts.st_mode):o}; others could read it.",
            f"Run: chmod {mode} {path}",
        )


def check_socket_path(path: Path) -> Path:
    """Refuses a path that the kernel would cut."""
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise ClawMuxError(
            "usage",
            f"the socket path {path} is longer than {SOCKET_PATH_LIMIT} bytes.",
            "Set CLAWMUX_HOME to a shorter folder.",
        )
    return path


def static_files() -> Path:
    """The page's files: inside the wheel as clawmux/static, in a checkout beside the package."""
    inside = Path(__file__).parent / "static"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "static"


def run_self() -> list[str]:
    """The argv that runs this same ClawMux again, for children of the hub."""
    if launcher := os.environ.get("CLAWMUX_LAUNCHER"):
        return [launcher]
    return [sys.executable, *isolation(), str(start_file())]


def start_file() -> Path:
    """Started as a script, the whole command line, from wherever the package lies."""
    return Path(__file__).parent / "cli" / "start.py"


def isolation() -> list[str]:
    """Options for a Python that runs the same package: of ours, those that keep other packages out."""
    options = (("-I", sys.flags.isolated), ("-S", sys.flags.no_site))
    return [option for option, is_set in options if is_set]
