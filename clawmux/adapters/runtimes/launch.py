"""What a session of a runtime is started with: its files, written into its own folder, its command and its environment.

Starts nothing, and never touches the user's project or home settings.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clawmux.adapters.runtimes.fields import FACT_FIELDS, filled
from clawmux.adapters.runtimes.launcher import write_launcher, write_private
from clawmux.adapters.runtimes.manifest import Runtime, search_path

SECRET_FILE = "secret"
"""In the session's folder, where the manifest has {secret}."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a session's files and command are made from."""

    session_id: str
    name: str
    voice: str
    directory: Path
    """Where the agent works: the user's project."""
    folder: Path
    """The session's own folder: the only place that is written."""
    socket: Path
    """Of the hub."""
    interpreter: Path
    package_root: Path
    """The folder that holds the package ``clawmux``."""
    skip_permissions: bool = True
    is_root: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """The hub's own environment."""


@dataclass(frozen=True, slots=True)
class Launch:
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    """To be set for the agent besides what the tmux server gives it."""
    files: tuple[Path, ...]
    """What was written."""


def prepare(runtime: Runtime, facts: Facts) -> Launch:
    """Write the session's files and say what to start. The same again overwrites the same files."""
    fields = _fields(runtime, facts)
    written = [write_launcher(facts.folder, facts.interpreter, facts.package_root)]
    for path, content in {"instructions.md": "{instructions}", **runtime.files}.items():
        target = facts.folder / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(target, filled(content, fields, indent=2))
        written.append(target)
    if fields["secret"]:
        written.append(facts.folder / SECRET_FILE)
    asked = (*runtime.skip_permissions_arguments, *runtime.arguments) if facts.skip_permissions else runtime.arguments
    given = {**runtime.environment, **(runtime.root_environment if facts.is_root else {})}
    environ = {
        **_passed_on(runtime, facts.environ),
        **{name: filled(content, fields) for name, content in given.items()},
        "CLAWMUX_SESSION_ID": facts.session_id,
        "VOICE_HUB_SESSION_ID": facts.session_id,
        "CLAWMUX_SOCKET": os.fspath(facts.socket),
        "PATH": f"{facts.folder / 'bin'}:{search_path(facts.environ)}",
    }
    return Launch(tuple(filled(word, fields) for word in (runtime.program, *asked)), environ, tuple(written))


def _fields(runtime: Runtime, facts: Facts) -> dict[str, str]:
    own = json.dumps([runtime.arguments, dict(runtime.environment), dict(runtime.files)], default=dict)
    fields = {
        **{name: str(getattr(facts, name)) for name in FACT_FIELDS},
        "launcher": os.fspath(facts.folder / "bin" / "clawmux"),
        "shell": facts.environ.get("SHELL") or "/bin/sh",
        "home": facts.environ.get("HOME", ""),
        "secret": _secret(facts.folder) if "{secret}" in own else "",
        "port": str(_free_port()) if "{port}" in own else "",
    }
    text = runtime.instructions or (Path(__file__).parent / "instructions.md").read_text(encoding="utf-8")
    return {**fields, "instructions": filled(f"{text.strip()}\n\n{runtime.notes.strip()}", fields).strip()}


def _free_port() -> int:
    """A TCP port of the loopback address on which nobody listens just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _secret(folder: Path) -> str:
    """A random word that only the hub and this session know; the same for as long as the folder is there."""
    file = folder / SECRET_FILE
    if not file.is_file():
        write_private(file, secrets.token_hex(16))
    return file.read_text(encoding="utf-8")


def _passed_on(runtime: Runtime, environ: Mapping[str, str]) -> dict[str, str]:
    def wanted(name: str) -> bool:
        return any(name.startswith(word[:-1]) if word.endswith("*") else name == word for word in runtime.pass_environment)

    return {name: value for name, value in environ.items() if wanted(name)}
