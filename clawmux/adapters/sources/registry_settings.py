"""What the user told pip and npm: index addresses, certificates, proxies, tokens. Read only where those tools are missing.

Reads their files and variables, writes nothing, asks no network. A key that is not about reaching a registry is skipped.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    indexes: tuple[str, ...]
    """Base addresses, in the order they are asked."""
    certificates: str | None = None
    """PEM file to trust instead of the system's."""
    proxy: str | None = None
    tokens: tuple[tuple[str, str], ...] = ()
    """Address prefix without scheme, and the value of the Authorization header for it."""

    def headers(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        place = f"//{parts.netloc}{parts.path}"
        return next(({"Authorization": value} for prefix, value in self.tokens if place.startswith(prefix)), {})


def pip_settings(environ: Mapping[str, str] = os.environ, prefix: str = sys.prefix) -> RegistrySettings:
    """pip's documented order: global file, user file, the environment's own file, PIP_CONFIG_FILE, variables."""
    values: dict[str, str] = {}
    for file in _pip_files(environ, prefix):
        values |= _pip_file(file)
    for key in ("index-url", "extra-index-url", "cert", "proxy", "no-index"):
        if value := environ.get("PIP_" + key.replace("-", "_").upper()):
            values[key] = value
    indexes = [values.get("index-url", "https://pypi.org/simple"), *values.get("extra-index-url", "").split()]
    if values.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        indexes = []
    return RegistrySettings(tuple(url.rstrip("/") for url in indexes), values.get("cert"), values.get("proxy"))


def npm_settings(environ: Mapping[str, str] = os.environ) -> RegistrySettings:
    """The user's .npmrc below ``npm_config_*`` variables, which npm takes in any case of letters."""
    variables = {key.lower(): value for key, value in environ.items() if key.lower().startswith("npm_config_") and value}
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    values: dict[str, str] = {}
    for file in (variables.get("npm_config_globalconfig"), variables.get("npm_config_userconfig") or home / ".npmrc"):
        if file:
            values |= _npmrc(Path(file), environ)
    for key in ("registry", "cafile", "https-proxy", "proxy"):
        if value := variables.get("npm_config_" + key.replace("-", "_")):
            values[key] = value
    tokens = [
        *((key.removesuffix(":_authToken"), f"Bearer {value}") for key, value in values.items() if key.endswith(":_authToken")),
        *((key.removesuffix(":_auth"), f"Basic {value}") for key, value in values.items() if key.endswith(":_auth")),
    ]
    registry = values.get("registry", "https://registry.npmjs.org").rstrip("/")
    return RegistrySettings((registry,), values.get("cafile"), values.get("https-proxy") or values.get("proxy"), tuple(tokens))


def _pip_files(environ: Mapping[str, str], prefix: str) -> list[Path]:
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:  # pip's documented way to load no file at all
        return []
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    user_config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = [Path(folder) / "pip" / "pip.conf" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    mac = Path("Library/Application Support/pip/pip.conf")
    files = [Path("/") / mac, *shared, Path("/etc/pip.conf"), home / ".pip/pip.conf", home / mac, user_config / "pip/pip.conf"]
    if os.name == "nt":
        files = [Path(environ.get("APPDATA") or home) / "pip" / "pip.ini"]
    return [*files, Path(prefix) / ("pip.ini" if os.name == "nt" else "pip.conf"), *([Path(named)] if named else [])]


def _pip_file(file: Path) -> dict[str, str]:
    """The [global] values and, stronger, those of [download]; a file that cannot be read says nothing."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    sections = [dict(parser.items(name)) for name in ("global", "download") if parser.has_section(name)]
    return {key.replace("_", "-"): value for section in sections for key, value in section.items()}


def _npmrc(file: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and line.strip()[:1] not in ("#", ";"))
    return {
        key.strip(): re.sub(r"\$\{(\w+)\}", lambda match: environ.get(match[1], ""), value.strip().strip("\"'"))
        for key, _, value in pairs
    }
