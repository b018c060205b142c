"""Which agent programs there are and how each is started: one TOML file a runtime, shipped beside this module or the user's own.

Reads the files and says whether their programs are here. Every key is explained in claude.toml; what is made of a manifest for a
session is ``launch.py``'s.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawmux.adapters.runtimes.fields import FIELD_NAMES, WITH_FIELDS, Content, filled, misspelt
from clawmux.adapters.runtimes.manifest_keys import CHANNEL_KEYS, INPUT_KEYS, NEED_KEYS, RUNTIME_KEYS, SCREEN_KEYS, bad, checked
from clawmux.adapters.runtimes.screens import ScreenRule
from clawmux.adapters.screen import InputRules
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Activity, Kind

FIRST_CONTACT = "first_contact"
"""Value of ``ready``: the agent is ready when it first runs ``clawmux``."""


@dataclass(frozen=True, slots=True)
class Need:
    """A screen on which the agent waits for its user."""

    screen: str
    """Regex."""
    reason: str
    """What the page says then; {name} is the session's."""


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """A way of the program's own to be handed a text."""

    kind: str
    """Name of one in ``channels.CHANNELS``."""
    first: bool = True
    """Rather than its input box; False: only where the box refuses before anything was typed."""
    always: bool = False
    """Read also while the agent waits in ``clawmux converse``."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One manifest."""

    name: str
    """The file's name without .toml."""
    title: str
    program: str
    """First word of the command; looked up on PATH."""
    ready: str
    """Regex on the screen, or ``first_contact``."""
    install: str = ""
    """The command that installs the program."""
    arguments: tuple[str, ...] = ()
    skip_permissions_arguments: tuple[str, ...] = ()
    """Put before ``arguments`` while the setting agents.skip_permissions is on."""
    environment: Mapping[str, Content] = field(default_factory=dict)
    root_environment: Mapping[str, Content] = field(default_factory=dict)
    """Besides ``environment``, when the hub runs as root."""
    pass_environment: tuple[str, ...] = ()
    """Variables handed on from the hub's own environment; a trailing * stands for any rest."""
    files: Mapping[str, Content] = field(default_factory=dict)
    """Path below the session's folder -> content."""
    instructions: str = ""
    """Takes the place of instructions.md, the text that teaches ``clawmux converse``."""
    notes: str = ""
    """Put after the instructions: what is special about this runtime's shell tool."""
    converse_limit_seconds: float = 0.0
    """The runtime ends or abandons a command after so long; 0 = it does not."""
    needs: tuple[Need, ...] = ()
    screens: tuple[ScreenRule, ...] = ()
    """In order; the first that matches says what the agent does."""
    records: str = ""
    """Which reader knows what the program writes about itself; empty: none does."""
    interrupt_key: str = ""
    """Characters that stop a turn when they are typed; empty: nothing does."""
    interrupt_presses: int = 1
    suspended: str = ""
    """Regex of its screen when a key there has suspended it; empty: none does, or a shell is there to go on with it."""
    foreground: bool = False
    """What its terminal's foreground runs beside the program itself is what the agent does."""
    input: InputRules | None = None
    """None: the hub types nothing into this agent's terminal."""
    channel: ChannelRules | None = None


def load_runtimes(user_folder: Path) -> dict[str, Runtime]:
    """The shipped manifests, then the user's; one of the same name takes the shipped one's place."""
    return {name: load_runtime(file) for name, file in runtime_files(user_folder).items()}


def runtime_files(user_folder: Path) -> dict[str, Path]:
    """Name -> the file that is in force for it."""
    shipped = Path(__file__).parent
    return {file.stem: file for file in [*sorted(shipped.glob("*.toml")), *sorted(user_folder.glob("*.toml"))]}


def existing_choices(user_folder: Path) -> dict[str, tuple[str, ...]]:
    """For the settings that name a runtime: those there are."""
    return {"agents.runtime": tuple(runtime_files(user_folder))}


def load_runtime(file: Path) -> Runtime:
    """Raises ``bad_file`` that names the file, the key and what was expected."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:  # TOML, UTF-8, endless numbers; endless nesting; the disk
        raise ClawMuxError("bad_file", f"{file}: {error}.", "Mend it, or move the file away.") from None
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", file.stem):
        raise bad(file, "the file's name", "small letters, digits, - and _ before .toml")
    values = checked(file, "", table, RUNTIME_KEYS)
    if "input" in values:
        values["input"] = InputRules(**checked(file, "input.", values["input"], INPUT_KEYS))
    values["needs"] = tuple(
        Need(**checked(file, f"needs[{number}].", need, NEED_KEYS)) for number, need in enumerate(values.get("needs", ()))
    )
    values["screens"] = tuple(
        _screen_rule(checked(file, f"screens[{number}].", rule, SCREEN_KEYS))
        for number, rule in enumerate(values.get("screens", ()))
    )
    if "channel" in values:
        values["channel"] = ChannelRules(**checked(file, "channel.", values["channel"], CHANNEL_KEYS))
    runtime = Runtime(name=file.stem, **values)
    texts = {f.name: getattr(runtime, f.name) for f in dataclasses.fields(runtime) if f.name in WITH_FIELDS}
    for key, found, allowed in misspelt(texts):
        raise bad(file, f"{found} in {key}", ", ".join(f"{{{name}}}" for name in allowed))
    return runtime


def available(runtime: Runtime, environ: Mapping[str, str] = os.environ) -> str | None:
    """Why this runtime cannot be started here, or None when it can."""
    program = _program(runtime, environ)
    if program is None or shutil.which(program, path=search_path(environ)) is not None:
        return None
    return f"{program} is not installed." + (f" Install it: {runtime.install}" if runtime.install else "")


def needs_user(runtime: Runtime, screen: str, name: str) -> str | None:
    """What this screen of the session ``name`` asks of the user, or None."""
    reasons = (need.reason for need in runtime.needs if re.search(need.screen, screen, re.MULTILINE))
    return next((reason.replace("{name}", name) for reason in reasons), None)


def search_path(environ: Mapping[str, str]) -> str:
    """PATH, and after it where agents' own installers put them; a hub started by the desktop lacks these."""
    home = environ.get("HOME", "")
    return ":".join(
        [environ.get("PATH") or os.defpath, *(f"{home}/{place}" for place in (".local/bin", ".opencode/bin") if home)]
    )


def _screen_rule(values: dict[str, Any]) -> ScreenRule:
    return ScreenRule(**{**values, "activity": Activity(values["activity"]), "kind": Kind(values.get("kind", ""))})


def _program(runtime: Runtime, environ: Mapping[str, str]) -> str | None:
    """None when it comes with ClawMux."""
    if runtime.program == "{interpreter}":
        return None
    return filled(runtime.program, {**dict.fromkeys(FIELD_NAMES, ""), "shell": environ.get("SHELL") or "/bin/sh"})
