"""Settings, declared once: name, type, default, help, limits. The page, the docs and ``settings list`` derive from here.

Strength grows in this order: default, config.toml, environment, command line.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from clawmux.wire.errors import ClawMuxError


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is true of one setting, whatever its value."""

    name: str
    """Dotted name: table and key in config.toml."""
    help: str
    older_names: tuple[str, ...] = ()
    """Environment variables accepted besides ``CLAWMUX_<TABLE>_<KEY>``."""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = True
    """False: takes effect at the next start of the hub."""

    @property
    def environment(self) -> tuple[str, ...]:
        return ("CLAWMUX_" + self.name.upper().replace(".", "_"), *self.older_names)


def _declare(default: Any, name: str, help: str, **facts: Any) -> Any:
    return field(default=default, metadata={"declaration": Declaration(name, help, **facts)})


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force. Frozen: a change makes a new value."""

    hub_host: str = _declare("127.0.0.1", "hub.host", "Address the page is served on; beyond loopback needs TLS.", live=False)
    hub_port: int = _declare(
        3460,
        "hub.port",
        "Port the page is served on; 0 picks a free one.",
        low=0,
        high=65535,
        live=False,
        older_names=("VOICE_CHAT_HUB_PORT",),
    )
    hub_public_url: str = _declare("", "hub.public_url", "Further https address under which a proxy shows the page.", live=False)
    hub_tls_certificate: str = _declare(
        "", "hub.tls_certificate", "PEM file with the certificate chain, for hosts beyond loopback.", live=False
    )
    hub_tls_key: str = _declare("", "hub.tls_key", "PEM file with the private key of hub.tls_certificate.", live=False)

    agents_runtime: str = _declare("claude", "agents.runtime", "Runtime of a new agent when none is named.")
    agents_idle_minutes: float = _declare(
        30.0,
        "agents.idle_minutes",
        "Minutes without any activity after which a session ends; 0 = never.",
        low=0,
        high=100000,
        older_names=("VOICE_CHAT_TIMEOUT",),
    )
    agents_skip_permissions: bool = _declare(
        True, "agents.skip_permissions", "Start agents without permission questions where the runtime can."
    )

    speech_quality: str = _declare(
        "tiny", "speech.quality", "Recognition quality: high, medium, low or tiny.", choices=("high", "medium", "low", "tiny")
    )
    speech_language: str = _declare("en", "speech.language", "Language spoken to the microphone, as an ISO 639-1 code.")
    speech_silence_seconds: float = _declare(
        1.2, "speech.silence_seconds", "Silence that ends your turn in auto mode.", low=0.5, high=3.0
    )
    speech_auto_listen: bool = _declare(True, "speech.auto_listen", "Open the microphone when an agent has asked something.")
    speech_listen_seconds: float = _declare(
        60.0,
        "speech.listen_seconds",
        "Auto mode closes a microphone that heard nothing for so long; the question stays open.",
        low=5,
        high=3600,
    )
    speech_answer_minutes: float = _declare(
        60.0,
        "speech.answer_minutes",
        "Minutes a question stays open before the agent is told that nothing was heard.",
        low=0.1,
        high=1440,
    )
    speech_speed: float = _declare(1.0, "speech.speed", "Speaking speed.", low=0.5, high=2.0)
    speech_whisper_url: str = _declare(
        "",
        "speech.whisper_url",
        "Recognition on another server: its base URL, ours or any with the OpenAI endpoints.",
        older_names=("WHISPER_URL",),
    )
    speech_kokoro_url: str = _declare(
        "",
        "speech.kokoro_url",
        "Speaking on another server: its base URL, ours or any with the OpenAI endpoints.",
        older_names=("KOKORO_URL",),
    )
    speech_token_file: str = _declare("", "speech.token_file", "File with the bearer token of those servers.")

    models_download: bool = _declare(True, "models.download", "Fetch missing model files when the hub finds them missing.")
    models_mirror: str = _declare("", "models.mirror", "Base URL tried first for model files: <mirror>/<sha256>.")


DECLARATIONS: dict[str, Declaration] = {
    f.name: cast(Declaration, f.metadata["declaration"]) for f in dataclasses.fields(Settings)
}
FIELD_OF: dict[str, str] = {d.name: field_name for field_name, d in DECLARATIONS.items()}


def load(file: Path, environ: Mapping[str, str] = os.environ, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings in force. ``overrides`` maps dotted names to values of the command line.

    Raises ``bad_file`` naming file and key, or ``usage`` naming the variable.
    """
    values: dict[str, Any] = {}
    for name, value in _read_file(file).items():
        values[FIELD_OF[name]] = check(name, value, source=str(file), code="bad_file")
    for field_name, declaration in DECLARATIONS.items():
        for variable in reversed(declaration.environment):
            if text := environ.get(variable):
                values[field_name] = check(declaration.name, text, source=f"environment variable {variable}")
    for name, value in (overrides or {}).items():
        values[FIELD_OF[name]] = check(name, value, source="command line")
    return Settings(**values)


def check(name: str, value: Any, source: str = "settings", code: str = "usage") -> Any:
    """The value in its declared type. Texts are read as their type, so that every source is checked alike."""
    if name not in FIELD_OF:
        raise ClawMuxError(code, f"{source}: there is no setting {_short(name)}.", "See `clawmux settings list` for the names.")
    declaration = DECLARATIONS[FIELD_OF[name]]
    default = _default(FIELD_OF[name])
    try:
        value = _as_type(value, type(default))
    except (TypeError, ValueError, OverflowError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a text of one line"}[type(default)]
        raise ClawMuxError(code, f"{source}: {name} = {_short(value)} is not {wanted}.", declaration.help) from None
    if declaration.choices and value not in declaration.choices:
        raise ClawMuxError(
            code, f"{source}: {name} = {_short(value)} is not one of {', '.join(declaration.choices)}.", declaration.help
        )
    if (declaration.low is not None and value < declaration.low) or (declaration.high is not None and value > declaration.high):
        raise ClawMuxError(
            code, f"{source}: {name} = {_short(value)} is outside {declaration.low:g} to {declaration.high:g}.", declaration.help
        )
    return value


def save(file: Path, name: str, value: Any) -> None:
    """Set one value in config.toml; other lines, comments included, stay as the user wrote them."""
    save_all(file, {name: value})


def save_all(file: Path, values: Mapping[str, Any]) -> None:
    """Set all of these values, or none of them."""
    values = {name: check(name, value) for name, value in values.items()}
    text = _read_text(file)
    lines = text.removesuffix("\n").split("\n") if text else []
    for name, value in values.items():
        table, key = name.split(".", 1)
        lines = _with_line(lines, table, key, f"{key} = {_toml(value)}")
    changed = "\n".join(lines) + "\n"
    # TOML can be written in ways that a change of lines does not do justice to: then the file stays as it is.
    if not _says(changed, {**_parse(text, file), **values}):
        names = ", ".join(values)
        raise ClawMuxError("bad_file", f"{file} is written in a way in which {names} cannot be changed.", "Edit it by hand.")
    _replace(file, changed)


def _says(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return _parse(text, Path()) == wanted
    except ClawMuxError:
        return False


def _replace(file: Path, text: str) -> None:
    """Whole or not at all, with its mode; where it is a link, the file that it leads to."""
    file.parent.mkdir(parents=True, exist_ok=True)
    target = file.resolve()
    temporary = target.with_name(target.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as out:
        temporary.chmod(stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(target)


def _with_line(lines: list[str], table: str, key: str, line: str) -> list[str]:
    inside, insert_at = False, None
    for number, existing in enumerate(lines):
        bare = existing.split("#")[0].strip()
        if bare.startswith("["):
            inside = bare == f"[{table}]"
        elif inside and bare.split("=")[0].strip() == key:
            return [*lines[:number], line, *lines[number + 1 :]]
        if inside and bare:
            insert_at = number + 1
    if insert_at is not None:
        return [*lines[:insert_at], line, *lines[insert_at:]]
    return [*lines, *([""] if lines else []), f"[{table}]", line]


def _read_file(file: Path) -> dict[str, Any]:
    return _parse(_read_text(file), file)


def _read_text(file: Path) -> str:
    try:
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
        return value if isinstance(value, str) and not _UNSPEAKABLE.search(value) else _refuse()
    number = wanted(value)
    # int() takes 3460.5 for 3460, and both read "34_60" as Python does.
    if (isinstance(value, str) and "_" in value) or (not isinstance(value, str) and number != value):
        return _refuse()
    return number if math.isfinite(number) else _refuse()


# Control characters and half characters: no address, path or code has them, and TOML could not hold them all.
_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _short(value: Any) -> str:
    """As it stands in an error: enough to recognise it."""
    return f"{value!r:.80}"


def _refuse() -> Any:
    raise ValueError


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
