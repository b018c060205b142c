"""What a service manager is told about the hub: a systemd user unit and a launchd agent, as text. Pure.

The two promises that both texts make: the hub comes back when it has failed and not when it was stopped, and the agents'
tmux server, a child of the hub, is not ended with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawmux.wire.errors import ERRORS, ClawMuxError

SYSTEMD_NAME = "clawmux.service"
LAUNCHD_LABEL = "io.clawmux.hub"

_WRITTEN = "Written by `clawmux service install`; `clawmux service remove` takes it away."
# What decides where our files are and which programs the agents can start. Nothing that may hold a secret.
_HANDED_ON = ("PATH", "CLAWMUX_HOME", "CLAWMUX_MODELS", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
# These do not mend themselves: trying again would only fill the log.
_FINAL = ("usage", "conflict", "unsafe_files", "missing_program", "bad_file")


@dataclass(frozen=True, slots=True)
class Unit:
    """One installed service, as far as its file has to say."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    data: Path
    """The data folder of the hub that it runs: another one's ``clawmux start`` leaves it alone."""
    folders_made: int = 0
    """How many folders above the file were made for it, and go with it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What our comment at the top of a file tells about it."""

    data: Path
    folders_made: int


def environment_of(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Those of the caller's variables that the service is given."""
    return tuple((name, environ[name]) for name in _HANDED_ON if environ.get(name))


def systemd_text(unit: Unit) -> str:
    _check(unit)
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in unit.environment)
    program, *arguments = unit.argv
    if set(program) & set("\"'\\"):
        # Fit for an argument, but systemd runs no program of such a name ("contains special characters").
        program, arguments = "/bin/sh", ["-c", 'exec "$@"', "sh", *unit.argv]
    # systemd puts variables into the arguments, but not into the program's own path (systemd.service(5), COMMAND LINES).
    command = " ".join([_quoted(program), *(_quoted(word).replace("$", "$$") for word in arguments)])
    return f"""\
# {_WRITTEN}
# {_header(unit)}
[Unit]
Description=ClawMux: talk by voice with coding agents
StartLimitIntervalSec=120
StartLimitBurst=5

[Service]
Type=exec
ExecStart={command}
{environment}Restart=on-failure
RestartSec=2
RestartPreventExitStatus={" ".join(str(ERRORS[code].exit_code) for code in _FINAL)}
TimeoutStopSec=20
# The agents live in a tmux server that the hub has started. Only the hub itself is ended with the service,
# and an agent that runs out of memory does not take the hub along.
KillMode=process
OOMPolicy=continue

[Install]
WantedBy=default.target
"""


def launchd_text(unit: Unit) -> str:
    import plistlib  # the hub loads this module at its start, and needs no XML

    _check(unit)
    facts: dict[str, Any] = {
        "Label": LAUNCHD_LABEL,
        "ProgramArguments": list(unit.argv),
        "EnvironmentVariables": dict(unit.environment),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        # Without it launchd ends every process of the hub's group, and with them the agents' tmux server.
        "AbandonProcessGroup": True,
        "ProcessType": "Interactive",
    }
    head, line, rest = plistlib.dumps(facts).decode().partition("\n")
    return f"{head}{line}<!-- {_WRITTEN} -->\n<!-- {_header(unit)} -->\n{rest}"


def read_header(text: str) -> Header | None:
    """None when the file is not ours."""
    found = re.search(r"^(?:# |<!-- )(\{.*\})(?: -->)?$", text, re.MULTILINE)
    if _WRITTEN not in text or found is None:
        return None
    try:
        facts = json.loads(found[1])
        return Header(Path(facts["data"]), int(facts["folders_made"]))
    except (ValueError, KeyError, TypeError):
        return None


def _header(unit: Unit) -> str:
    text = json.dumps({"clawmux": 1, "data": str(unit.data), "folders_made": unit.folders_made})
    return text.replace("--", "-\\u002d")  # two of them may not stand in an XML comment


def _check(unit: Unit) -> None:
    """Neither kind of file can hold every name that a file system can."""
    for word in (*unit.argv, *(value for _, value in unit.environment), str(unit.data)):
        if not word.isprintable():  # lone surrogates, too: bytes that are no UTF-8
            raise ClawMuxError(
                "usage", f"{word!r} holds a character that a service file cannot.", "Use a path of printable UTF-8 characters."
            )
    if not unit.argv[0].startswith("/"):
        raise ClawMuxError("usage", f"{unit.argv[0]!r} is not an absolute path.", "Run the installed clawmux by its full path.")


def _quoted(word: str) -> str:
    """One word for systemd: in quotes, without its escapes and specifiers (systemd.syntax(7), systemd.unit(5))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
