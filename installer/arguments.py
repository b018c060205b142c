"""What the user has said on the command line of install.sh, as one value. Looks at nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from clawmux.tiers import Mode
from clawmux.wire.words import Tier

EPILOG = """\
examples:
  sh install.sh --start                  show the plan, ask, install, start, open the page
  sh install.sh --dry-run                only show the plan
  sh install.sh --yes --mode split --speech-url https://speech.example:3461
  sh install.sh --from /media/stick --yes --start   without a network
  sh install.sh --uninstall --keep-data  remove the program, keep conversations, settings and models

Everything goes into folders of your own and no root is needed. Before anything is done you see the plan and are asked,
also when this script comes through a pipe; where no terminal is, say --yes or --start. A second run changes nothing
that is already right.
"""


@dataclass(frozen=True, slots=True)
class Choices:
    """Empty where the user leaves it to us."""

    mode: Mode | None = None
    tier: Tier | None = None
    speech_url: str = ""
    server_url: str = ""
    bundle: Path | None = None
    """Folder with everything that would be downloaded (--from)."""
    prefix: Path | None = None
    start: bool = False
    models: bool = True
    modify_path: bool = True
    dry_run: bool = False
    as_json: bool = False
    yes: bool = False
    uninstall: bool = False
    keep_data: bool = False


def read(argv: list[str]) -> Choices:
    parser = _parser()
    said = parser.parse_args(argv)
    for option, wants, is_wrong in (
        ("--keep-data", "--uninstall", said.keep_data and not said.uninstall),
        ("--json", "--dry-run", said.as_json and not said.dry_run),
        ("--server", "--mode thin", said.server_url and said.mode not in (None, Mode.THIN)),
        ("--speech-url", "--mode split", said.speech_url and said.mode not in (None, Mode.SPLIT)),
        ("--tier", "a mode with speech on this machine", said.tier and said.mode not in (None, Mode.LOCAL)),
    ):
        if is_wrong:
            parser.error(f"{option} goes with {wants}")
    return Choices(**vars(said))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="install.sh",
        description="Install ClawMux for this user.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--start", action="store_true", help="start the hub afterwards and open its page")
    add("--yes", action="store_true", help="ask nothing")
    add("--dry-run", action="store_true", help="show the plan and write nothing")
    add("--json", action="store_true", dest="as_json", help="with --dry-run: the plan as one JSON object")
    add("--mode", type=_one_of(Mode), metavar="MODE", help="local, split or thin (default: what fits this machine)")
    add("--tier", type=_one_of(Tier), metavar="TIER", help="high, medium, low or tiny recognition (default: what fits)")
    add("--speech-url", type=_address, default="", metavar="URL", help="speech runs there: the base URL of its service")
    add("--server", type=_address, default="", dest="server_url", metavar="URL", help="the hub runs there: the URL of its page")
    add("--from", type=_folder, dest="bundle", metavar="DIR", help="take everything from this folder, nothing from the network")
    add("--prefix", type=_folder, metavar="DIR", help="put the program here instead of ~/.local")
    add("--no-modify-path", action="store_false", dest="modify_path", help="leave the shell's start-up files alone")
    add("--no-models", action="store_false", dest="models", help="fetch no speech models; the page then works in text")
    add("--uninstall", action="store_true", help="end hub and agents, remove program and data")
    add("--keep-data", action="store_true", help="with --uninstall: keep conversations, settings and models")
    return parser


def _one_of(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def read(text: str) -> StrEnum:
        if text not in list(kind):
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(kind)}")
        return kind(text)

    return read


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _address(text: str) -> str:
    if not text:
        return text  # argparse reads its default, too
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address that begins with http:// or https://")
    return text.rstrip("/")
