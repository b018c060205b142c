"""Which agent programs there are and how each is started: one TOML file a runtime, shipped beside this module or the user's own.

Reads and checks the files, and writes what a session needs into that session's own folder. Starts nothing, and never touches
the user's project or home settings. Every key is explained in claude.toml.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
import shutil
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawmux.adapters.runtimes.launcher import write_launcher, write_private
from clawmux.adapters.runtimes.screens import ScreenRule
from clawmux.adapters.screen import InputRules
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Activity, Kind

FIRST_CONTACT = "first_contact"
"""Value of ``ready``: the agent is ready when it first runs ``clawmux``."""

SECRET_FILE = "secret"
"""In the session's folder, where the manifest has {secret}."""

Content = str | Mapping[str, Any]
"""Text with {fields}; a table is written as JSON."""


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
        raise _bad(file, "the file's name", "small letters, digits, - and _ before .toml")
    values = _checked(file, "", table, RUNTIME_KEYS)
    if "input" in values:
        values["input"] = InputRules(**_checked(file, "input.", values["input"], INPUT_KEYS))
    values["needs"] = tuple(
        Need(**_checked(file, f"needs[{number}].", need, NEED_KEYS)) for number, need in enumerate(values.get("needs", ()))
    )
    values["screens"] = tuple(
        _screen_rule(_checked(file, f"screens[{number}].", rule, SCREEN_KEYS))
        for number, rule in enumerate(values.get("screens", ()))
    )
    if "channel" in values:
        values["channel"] = ChannelRules(**_checked(file, "channel.", values["channel"], CHANNEL_KEYS))
    runtime = Runtime(name=file.stem, **values)
    _check_fields(file, runtime)
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


def prepare(runtime: Runtime, facts: Facts) -> Launch:
    """Write the session's files and say what to start. The same again overwrites the same files."""
    fields = _fields(runtime, facts)
    written = [write_launcher(facts.folder, facts.interpreter, facts.package_root)]
    for path, content in {"instructions.md": "{instructions}", **runtime.files}.items():
        target = facts.folder / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(target, _filled(content, fields, indent=2))
        written.append(target)
    if fields["secret"]:
        written.append(facts.folder / SECRET_FILE)
    asked = (*runtime.skip_permissions_arguments, *runtime.arguments) if facts.skip_permissions else runtime.arguments
    given = {**runtime.environment, **(runtime.root_environment if facts.is_root else {})}
    environ = {
        **_passed_on(runtime, facts.environ),
        **{name: _filled(content, fields) for name, content in given.items()},
        "CLAWMUX_SESSION_ID": facts.session_id,
        "VOICE_HUB_SESSION_ID": facts.session_id,
        "CLAWMUX_SOCKET": os.fspath(facts.socket),
        "PATH": f"{facts.folder / 'bin'}:{search_path(facts.environ)}",
    }
    return Launch(tuple(_filled(word, fields) for word in (runtime.program, *asked)), environ, tuple(written))


def search_path(environ: Mapping[str, str]) -> str:
    """PATH, and after it where agents' own installers put them; a hub started by the desktop lacks these."""
    home = environ.get("HOME", "")
    return ":".join(
        [environ.get("PATH") or os.defpath, *(f"{home}/{place}" for place in (".local/bin", ".opencode/bin") if home)]
    )


# Keys: what stands in the file -> how it is checked, and whether it must be there.


@dataclass(frozen=True, slots=True)
class Key:
    expected: str
    fits: Callable[[Any], bool]
    required: bool = False


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(table, dict) for table in value)


def _contents(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(content, str | dict) for content in value.values())


def _environment(value: Any) -> bool:
    return _contents(value) and all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in value)


def _files(value: Any) -> bool:
    return _contents(value) and all(not path.startswith("/") and ".." not in Path(path).parts for path in value)


def _count(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and _count(value)


def _regex(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _regexes(value: Any) -> bool:
    return _texts(value) and all(_regex(word) for word in value)


RUNTIME_KEYS: dict[str, Key] = {
    "title": Key("a text", _text, required=True),
    "program": Key("a text: the program's name or path", lambda value: _text(value) and bool(value), required=True),
    "ready": Key('"first_contact" or a regular expression', _regex, required=True),
    "install": Key("a text", _text),
    "arguments": Key("a list of texts", _texts),
    "skip_permissions_arguments": Key("a list of texts", _texts),
    "environment": Key("a table of variable names to texts or tables", _environment),
    "root_environment": Key("a table of variable names to texts or tables", _environment),
    "pass_environment": Key("a list of texts", _texts),
    "files": Key("a table of relative paths to texts or tables", _files),
    "instructions": Key("a text", _text),
    "notes": Key("a text", _text),
    "converse_limit_seconds": Key("a number of seconds, 0 or more", _count),
    "needs": Key("a list of tables", _tables),
    "screens": Key("a list of tables", _tables),
    "records": Key("a text", _text),
    "interrupt_key": Key("one to four characters, or an empty text", lambda value: _text(value) and len(value) <= 4),
    "interrupt_presses": Key("a whole number from 1 to 3", lambda value: _whole(value) and 1 <= value <= 3),
    "suspended": Key("a regular expression", _regex),
    "foreground": Key("true or false", lambda value: isinstance(value, bool)),
    "input": Key("a table", lambda value: isinstance(value, dict)),
    "channel": Key("a table", lambda value: isinstance(value, dict)),
}
CHANNEL_KEYS: dict[str, Key] = {
    "kind": Key("a text", _text, required=True),
    "first": Key("true or false", lambda value: isinstance(value, bool)),
    "always": Key("true or false", lambda value: isinstance(value, bool)),
}
NEED_KEYS: dict[str, Key] = {
    "screen": Key("a regular expression", _regex, required=True),
    "reason": Key("a text", _text, required=True),
}
SCREEN_KEYS: dict[str, Key] = {
    "screen": Key("a regular expression", _regex, required=True),
    "activity": Key(f"one of {', '.join(Activity)}", lambda value: value in list(Activity), required=True),
    "kind": Key(f"one of {', '.join(kind for kind in Kind if kind)}", lambda value: value in list(Kind)),
    "detail": Key("a text", _text),
    "lines": Key("a whole number", _whole),
}
INPUT_KEYS: dict[str, Key] = {
    "prompt": Key("a regular expression", _regex, required=True),
    "frame": Key("a regular expression", _regex),
    "dialogs": Key("a list of texts", _texts),
    "closed": Key("a list of texts", _texts),
    "placeholders": Key("a list of regular expressions", _regexes),
    "queued": Key("a regular expression", _regex),
    "stash_key": Key("one control character, or an empty text", lambda value: _text(value) and len(value) <= 1),
    "clear_key": Key("one control character, or an empty text", lambda value: _text(value) and len(value) <= 1),
    "mid_turn": Key("true or false", lambda value: isinstance(value, bool)),
    "chunk_chars": Key("a whole number", _whole),
    "chunk_lines": Key("a whole number", _whole),
    "chunk_pause_ms": Key("a whole number", _whole),
    "settle_ms": Key("a whole number", _whole),
    "steady_ms": Key("a whole number", _whole),
    "trailing_space": Key("true or false", lambda value: isinstance(value, bool)),
    "most_chars": Key("a whole number", _whole),
    "most_lines": Key("a whole number", _whole),
    "commands": Key("a text", _text),
}


def _screen_rule(values: dict[str, Any]) -> ScreenRule:
    return ScreenRule(**{**values, "activity": Activity(values["activity"]), "kind": Kind(values.get("kind", ""))})


def _checked(file: Path, where: str, table: Mapping[str, Any], keys: Mapping[str, Key]) -> dict[str, Any]:
    for name in table:
        if name not in keys:
            raise _bad(file, f"{where}{name}", f"one of {', '.join(keys)}", "is not a key")
    for name, key in keys.items():
        if name not in table and key.required:
            raise _bad(file, f"{where}{name}", key.expected, "is missing")
        if name in table and not key.fits(table[name]):
            raise _bad(file, f"{where}{name}", key.expected, f"= {table[name]!r} is wrong")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}


def _bad(file: Path, key: str, expected: str, what: str = "is wrong") -> ClawMuxError:
    return ClawMuxError("bad_file", f"{file}: {key} {what}; expected {expected}.", "Every key is explained in claude.toml.")


# Fields: {name} in any text of a manifest; {json:name} gives the value as a quoted JSON text.

_FIELD = re.compile(r"\{(json:)?([a-z_]+)\}")
_FACT_FIELDS = ("session_id", "name", "voice", "directory", "folder", "socket", "interpreter", "package_root")
_FIELD_NAMES = frozenset([*_FACT_FIELDS, "launcher", "shell", "home", "instructions", "secret", "port"])


def _fields(runtime: Runtime, facts: Facts) -> dict[str, str]:
    own = json.dumps([runtime.arguments, dict(runtime.environment), dict(runtime.files)], default=dict)
    fields = {
        **{name: str(getattr(facts, name)) for name in _FACT_FIELDS},
        "launcher": os.fspath(facts.folder / "bin" / "clawmux"),
        "shell": facts.environ.get("SHELL") or "/bin/sh",
        "home": facts.environ.get("HOME", ""),
        "secret": _secret(facts.folder) if "{secret}" in own else "",
        "port": str(_free_port()) if "{port}" in own else "",
    }
    text = runtime.instructions or (Path(__file__).parent / "instructions.md").read_text(encoding="utf-8")
    return {**fields, "instructions": _filled(f"{text.strip()}\n\n{runtime.notes.strip()}", fields).strip()}


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


def _filled(content: Content, fields: Mapping[str, str], indent: int | None = None) -> str:
    if isinstance(content, str):
        return _FIELD.sub(lambda found: json.dumps(fields[found[2]]) if found[1] else fields[found[2]], content)
    return json.dumps(_filled_values(content, fields), indent=indent, ensure_ascii=False) + ("\n" if indent else "")


def _filled_values(value: Any, fields: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _filled(value, fields)
    if isinstance(value, Mapping):
        return {key: _filled_values(inner, fields) for key, inner in value.items()}
    return [_filled_values(inner, fields) for inner in value] if isinstance(value, list) else value


def _check_fields(file: Path, runtime: Runtime) -> None:
    """A misspelt {field} is found when the file is read, not when an agent is started."""
    texts: dict[str, Any] = {f.name: getattr(runtime, f.name) for f in dataclasses.fields(runtime) if f.name in _WITH_FIELDS}
    for key, value in texts.items():
        for found in _FIELD.finditer(json.dumps(value, default=dict)):
            allowed = _FIELD_NAMES - _NOT_IN.get(key, frozenset())
            if found[2] not in allowed:
                raise _bad(file, f"{found[0]} in {key}", ", ".join(f"{{{name}}}" for name in sorted(allowed)))


# What stands in a command line is seen by everybody on the machine.
_NOT_IN = {
    "instructions": frozenset({"instructions", "secret"}),
    "notes": frozenset({"instructions", "secret"}),
    "program": frozenset({"secret"}),
    "arguments": frozenset({"secret"}),
    "skip_permissions_arguments": frozenset({"secret"}),
}
_WITH_FIELDS = frozenset(
    ["program", "arguments", "skip_permissions_arguments", "environment", "root_environment", "files", "instructions", "notes"]
)


def _passed_on(runtime: Runtime, environ: Mapping[str, str]) -> dict[str, str]:
    def wanted(name: str) -> bool:
        return any(name.startswith(word[:-1]) if word.endswith("*") else name == word for word in runtime.pass_environment)

    return {name: value for name, value in environ.items() if wanted(name)}


def _program(runtime: Runtime, environ: Mapping[str, str]) -> str | None:
    """None when it comes with ClawMux."""
    if runtime.program == "{interpreter}":
        return None
    return _filled(runtime.program, {**dict.fromkeys(_FIELD_NAMES, ""), "shell": environ.get("SHELL") or "/bin/sh"})
