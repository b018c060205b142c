"""Settings, declared once: name, type, default, help, limits. The page, the docs and ``settings list`` derive from here.

Strength grows in this order: default, config.toml, environment, command line, and for the few settings that a project
may decide, its clawmux.toml: it is the nearest to what is being talked about, and it has no power that could do harm.
"""

from __future__ import annotations

import dataclasses
import errno
import math
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from clawmux import toml_lines
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.voices import VOICES

# The longest path on Linux (PATH_MAX), and more than any address; a value is read and written with every change.
TEXT_CHARACTERS = 4096

# What Whisper knows, by its own codes, and "auto": whatever it hears.
LANGUAGES = tuple(
    "auto af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is it"
    " ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq"
    " sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh".split()
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is true of one setting, whatever its value."""

    name: str
    """Dotted name: table and key in config.toml."""
    title: str
    """What the page calls it."""
    help: str
    older_names: tuple[str, ...] = ()
    """Environment variables accepted besides ``CLAWMUX_<TABLE>_<KEY>``."""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = True
    """False: takes effect at the next start of the hub."""
    project: bool = False
    """A project's clawmux.toml may decide it. Only what can do no harm: such a file comes with strangers' repositories."""
    at_hand: bool = False
    """It opens the hub or what is said to others, or widens what agents may do: only a person changes it while the hub runs, on
    the page or in their own shell. A program with the API token, which agents of this user could read, does not."""

    @property
    def environment(self) -> tuple[str, ...]:
        return ("CLAWMUX_" + self.name.upper().replace(".", "_"), *self.older_names)


def _declare(default: Any, name: str, title: str, help: str, **facts: Any) -> Any:
    return field(default=default, metadata={"declaration": Declaration(name, title, help, **facts)})


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force. Frozen: a change makes a new value."""

    hub_host: str = _declare(
        "127.0.0.1",
        "hub.host",
        "Address",
        "The address on which the page is served. 127.0.0.1: for this machine alone; any other needs a certificate and its key.",
        live=False,
        at_hand=True,
    )
    hub_port: int = _declare(
        3460,
        "hub.port",
        "Port",
        "The port on which the page is served; 0 takes a free one.",
        low=0,
        high=65535,
        live=False,
        older_names=("VOICE_CHAT_HUB_PORT",),
    )
    hub_public_url: str = _declare(
        "",
        "hub.public_url",
        "Public address",
        "A further https address of the page, by `tailscale serve` or a proxy of yours; `clawmux phone` sets it.",
        at_hand=True,
    )
    hub_lan_host: str = _declare(
        "",
        "hub.lan_host",
        "Address in your network",
        "The address of this machine in your own network at which phones open the page over https; empty: at none."
        " `clawmux phone --lan` sets it.",
        at_hand=True,
    )
    hub_lan_port: int = _declare(
        3461, "hub.lan_port", "Port in your network", "Port at that address; 0 takes a free one.", low=0, high=65535, live=False
    )
    hub_tls_certificate: str = _declare(
        "",
        "hub.tls_certificate",
        "Certificate",
        "File with the certificate of the page's address and those above it (PEM), for an address that others can reach.",
        live=False,
        at_hand=True,
    )
    hub_tls_key: str = _declare(
        "",
        "hub.tls_key",
        "Key of the certificate",
        "File with the private key of that certificate (PEM).",
        live=False,
        at_hand=True,
    )
    hub_server_url: str = _declare(
        "",
        "hub.server_url",
        "ClawMux on another machine",
        "The address of its page: where ClawMux does not run here, `clawmux open` shows that one.",
        at_hand=True,
    )

    agents_runtime: str = _declare(
        "claude", "agents.runtime", "Program of a new agent", "What a new agent runs, unless you choose another program for it."
    )
    agents_voice: str = _declare(
        "",
        "agents.voice",
        "Voice of a new agent",
        "The voice that a new agent gets while no other agent has it; empty: the next free one.",
        choices=("", *VOICES),
    )
    agents_idle_minutes: float = _declare(
        30.0,
        "agents.idle_minutes",
        "End idle agents after",
        "Minutes in which nothing happens, after which an agent is ended; 0: never.",
        low=0,
        high=100000,
        older_names=("VOICE_CHAT_TIMEOUT",),
    )
    agents_skip_permissions: bool = _declare(
        True,
        "agents.skip_permissions",
        "Start without permission questions",
        "New agents run commands and change files without asking you first, where their program can be started so.",
        at_hand=True,
    )

    speech_quality: str = _declare(
        "tiny",
        "speech.quality",
        "Quality",
        "How exactly you are understood: high, medium, low or tiny. The better, the more memory and time it takes.",
        choices=("high", "medium", "low", "tiny"),
        project=True,
    )
    speech_language: str = _declare(
        "en",
        "speech.language",
        "Language you speak",
        "What you talk to your agents in; `auto` finds out by itself. In files and commands its short code, such as `en`.",
        choices=LANGUAGES,
        project=True,
    )
    speech_silence_seconds: float = _declare(
        1.2,
        "speech.silence_seconds",
        "Pause before sending",
        "Seconds of silence after which what you said is sent, in auto mode.",
        low=0.5,
        high=3.0,
        project=True,
    )
    speech_auto_listen: bool = _declare(
        True,
        "speech.auto_listen",
        "Listen by itself after a question",
        "Open the microphone when an agent has asked something.",
        project=True,
    )
    speech_listen_seconds: float = _declare(
        60.0,
        "speech.listen_seconds",
        "Close a microphone that hears nothing after",
        "Seconds after which auto mode closes a microphone that has heard nothing; the question stays open.",
        low=5,
        high=3600,
        project=True,
    )
    speech_answer_minutes: float = _declare(
        60.0,
        "speech.answer_minutes",
        "Keep a question open for",
        "Minutes a question stays open before the agent is told that nothing was heard.",
        low=0.1,
        high=1440,
    )
    speech_speed: float = _declare(
        1.0,
        "speech.speed",
        "Speaking speed",
        "How fast agents speak; 1 is the voice's own speed.",
        low=0.5,
        high=2.0,
        project=True,
    )
    speech_whisper_url: str = _declare(
        "",
        "speech.whisper_url",
        "Server that understands you",
        "Address of a speech server that understands what you say; empty: this machine does. One of ClawMux, or any"
        " other with the endpoints of OpenAI.",
        older_names=("WHISPER_URL",),
        live=False,
        at_hand=True,
    )
    speech_kokoro_url: str = _declare(
        "",
        "speech.kokoro_url",
        "Server that speaks",
        "Address of a speech server that speaks for the agents; empty: this machine does. One of ClawMux, or any"
        " other with the endpoints of OpenAI.",
        older_names=("KOKORO_URL",),
        live=False,
        at_hand=True,
    )
    speech_token_file: str = _declare(
        "",
        "speech.token_file",
        "Token for those servers",
        "File with the token that those servers ask for; nobody but you may read it.",
        live=False,
        at_hand=True,
    )

    models_download: bool = _declare(
        True,
        "models.download",
        "Fetch missing speech models",
        "Fetch what the chosen quality lacks, from the internet or from your mirror.",
    )
    models_mirror: str = _declare(
        "",
        "models.mirror",
        "Mirror of the models",
        "An address or a folder of yours that is tried first for model files, each by its checksum: `<mirror>/<sha256>`.",
    )


DECLARATIONS: dict[str, Declaration] = {
    f.name: cast(Declaration, f.metadata["declaration"]) for f in dataclasses.fields(Settings)
}
FIELD_OF: dict[str, str] = {d.name: field_name for field_name, d in DECLARATIONS.items()}


def load(file: Path, environ: Mapping[str, str] = os.environ, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings in force. ``overrides`` maps dotted names to values of the command line.

    Raises ``bad_file`` naming file and key, or ``usage`` naming the variable.
    """
    values: dict[str, Any] = {}
    for name, value in stored(file).items():
        values[FIELD_OF[name]] = check(name, value, source=str(file), code="bad_file")
    for field_name, declaration in DECLARATIONS.items():
        for variable in reversed(declaration.environment):
            if text := environ.get(variable):
                values[field_name] = check(declaration.name, text, source=f"environment variable {variable}")
    for name, value in (overrides or {}).items():
        values[FIELD_OF[name]] = check(name, value, source="command line")
    return Settings(**values)


def declared(name: str, source: str = "settings", code: str = "usage") -> Declaration:
    """What is declared of the setting of that name; refuses a name that there is not."""
    if name not in FIELD_OF:
        raise ClawMuxError(code, f"{source}: there is no setting {short(name)}.", "See `clawmux settings list` for the names.")
    return DECLARATIONS[FIELD_OF[name]]


def check(name: str, value: Any, source: str = "settings", code: str = "usage", choices: Sequence[str] = ()) -> Any:
    """The value in its declared type. Texts are read as their type, so that every source is checked alike.

    ``choices``: those that there are on this machine, for a setting whose declaration cannot know them.
    """
    declaration = declared(name, source, code)
    default, said = _default(FIELD_OF[name]), short(value)
    try:
        value = _as_type(value, type(default))
    except (TypeError, ValueError, OverflowError):
        wanted = {
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            str: f"a text of one line of at most {TEXT_CHARACTERS} characters",
        }[type(default)]
        raise ClawMuxError(code, f"{source}: {name} = {said} is not {wanted}.", declaration.help) from None
    choices = choices or declaration.choices
    if choices and value not in choices:
        those = ", ".join(choices) if len(choices) <= _TOLD else f"the {len(choices)} that there are, such as {_example(choices)}"
        raise ClawMuxError(code, f"{source}: {name} = {said} is not one of {those}.", declaration.help)
    if (declaration.low is not None and value < declaration.low) or (declaration.high is not None and value > declaration.high):
        raise ClawMuxError(
            code, f"{source}: {name} = {said} is outside {declaration.low:g} to {declaration.high:g}.", declaration.help
        )
    return value


def save(file: Path, name: str, value: Any) -> None:
    """Set one value in config.toml; other lines, comments included, stay as the user wrote them."""
    save_all(file, {name: value})


def save_all(file: Path, values: Mapping[str, Any], new_mode: int = 0o600) -> None:
    """Set all of these values, or none of them. None takes a setting out of the file."""
    wanted = {name: None if value is None else check(name, value) for name, value in values.items()}
    with toml_lines.alone(file):
        text = _read_text(file)
        changed = _changed(file, text, wanted)
        if changed != text:
            _write(file, changed, new_mode)


def _changed(file: Path, text: str, wanted: dict[str, Any]) -> str:
    before = _parse(text, file)
    changed = text
    for name, value in wanted.items():
        table, key = name.split(".", 1)
        if value is not None:
            changed = toml_lines.with_value(changed, table, key, value)
        elif name in before:
            changed = toml_lines.without_key(changed, table, key)
    after = {name: value for name, value in {**before, **wanted}.items() if value is not None}
    # TOML can be written in ways that a change of lines does not do justice to: then the file stays as it is.
    if not _says(changed, after):
        names = ", ".join(wanted)
        raise ClawMuxError("bad_file", f"{file} is written in a way in which {names} cannot be changed.", "Edit it by hand.")
    return changed


def _write(file: Path, text: str, new_mode: int) -> None:
    try:
        toml_lines.replace(file, text, new_mode)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ClawMuxError(
                "disk_full", f"{file} cannot be written: {error.strerror}.", "Make room, then try again."
            ) from None
        remedy = f"Look who may write in {file.parent}."
        raise ClawMuxError("bad_file", f"{file} cannot be written: {error.strerror or error}.", remedy) from None


def _says(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return _parse(text, Path()) == wanted
    except ClawMuxError:
        return False


def stored(file: Path) -> dict[str, Any]:
    """What stands in config.toml, by dotted name. Raises ``bad_file``."""
    return _parse(_read_text(file), file)


def _read_text(file: Path) -> str:
    try:
        if file.is_fifo():
            raise OSError("it is a pipe, which would be waited for without end")
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ClawMuxError("bad_file", f"{file} cannot be read: {error}.", "Mend it, or move it away.") from None


def _parse(text: str, file: Path) -> dict[str, Any]:
    """Dotted names to values, each of a setting that there is."""
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ClawMuxError("bad_file", f"{file}: a value is nested too deeply.", "Mend it, or move the file away.") from None
    except ValueError as error:  # TOMLDecodeError, and Python's guard against numbers of thousands of digits
        raise ClawMuxError("bad_file", f"{file}: {error}.", "Mend that line, or move the file away.") from None
    found: dict[str, Any] = {}
    for table, entries in tables.items():
        if not isinstance(entries, dict):
            raise ClawMuxError("bad_file", f"{file}: {table} stands outside a [table].", "See `clawmux settings list`.")
        for key, value in entries.items():
            check(f"{table}.{key}", value, source=str(file), code="bad_file")
            found[f"{table}.{key}"] = value
    return found


def _default(field_name: str) -> Any:
    return next(f.default for f in dataclasses.fields(Settings) if f.name == field_name)


_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _as_type(value: Any, wanted: type) -> Any:
    if wanted is bool:
        if isinstance(value, bool):
            return value
        return _BOOLEANS[value.lower()] if isinstance(value, str) and value.lower() in _BOOLEANS else _refuse()
    if isinstance(value, bool):
        return _refuse()
    if wanted is str:
        fits = isinstance(value, str) and len(value) <= TEXT_CHARACTERS and not _UNSPEAKABLE.search(value)
        return value if fits else _refuse()
    number = wanted(value)
    # int() takes 3460.5 for 3460, and both read "34_60" as Python does.
    if (isinstance(value, str) and "_" in value) or (not isinstance(value, str) and number != value):
        return _refuse()
    return number if math.isfinite(number) else _refuse()


# Control characters and half characters: no address, path or code has them, and TOML could not hold them all.
_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


# More choices than these are not told one by one.
_TOLD = 40


def _example(choices: Sequence[str]) -> str:
    """The usual ones come first, after what stands for none of them."""
    return "en" if "en" in choices else next(choice for choice in choices if choice)


def short(value: Any) -> str:
    """As it stands in an error: enough to recognise it."""
    return f"{value!r:.80}"


def _refuse() -> Any:
    raise ValueError
