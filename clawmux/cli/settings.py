"""Commands about what is configured: settings, token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clawmux import project_file, settings_table
from clawmux import settings as declared
from clawmux.cli import owner
from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result, Table
from clawmux.paths import locate, make_private
from clawmux.settings_table import Row
from clawmux.wire.errors import ClawMuxError

NEXT_START = "It takes effect at the next start of the hub."
# A file of a project is for everybody who works on it, as its other files are.
PROJECT_MODE = 0o644


def settings(argv: list[str]) -> Result:
    chosen = _arguments().parse_args(_this_folder_said(argv))
    action = chosen.action or "list"
    folder = _folder(getattr(chosen, "project", None))
    if action == "list":
        return _list(folder)
    declared.declared(chosen.name, "settings")
    if action == "get":
        return _get(chosen.name, folder)
    value = None if action == "unset" else _checked(chosen.name, chosen.value)
    if chosen.project is None:
        return _change(chosen.name, value)
    return _change_project(chosen.name, value, folder)


def token(argv: list[str]) -> Result:
    from clawmux.hub.auth import Token

    parser = Arguments("token", "Print the token that programs send to the HTTP API as `Authorization: Bearer`.")
    parser.add_argument("--rotate", action="store_true", help="make a new one; the old one and all logins end")
    rotate = parser.parse_args(argv).rotate
    token = Token.open(locate().token_file)
    # A running hub notices the new file by itself.
    value = token.rotate() if rotate else token.text()
    return Result({"token": value}, text=value)


class _Action(Arguments):
    """A word under ``settings``; named by argparse itself."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(facts["prog"].removeprefix("clawmux "), facts.get("description") or facts.get("help") or "")


def _arguments() -> Arguments:
    parser = Arguments(
        "settings", "Read and change settings; alone, list them.", "clawmux settings set speech.silence_seconds 1.5"
    )
    actions = parser.add_subparsers(dest="action", metavar="get|set|unset|list", parser_class=_Action)
    words = {
        "list": actions.add_parser("list", help="every setting with its value and where that comes from"),
        "get": actions.add_parser("get", help="the value of one setting"),
        "set": actions.add_parser("set", help="change one setting"),
        "unset": actions.add_parser("unset", help="take what was set back; what is weaker counts again"),
    }
    for word, action in words.items():
        if word != "list":
            action.add_argument("name", metavar="NAME")
        if word == "set":
            action.add_argument("value", metavar="VALUE")
        if word in ("set", "unset"):
            help = "in the clawmux.toml of a project, this folder's when DIR is left out, instead of for all"
            action.add_argument("--project", metavar="DIR", nargs="?", const=".", help=help)
        else:
            action.add_argument("--project", metavar="DIR", help="as an agent in that folder has it (default: this folder)")
    return parser


def _this_folder_said(argv: list[str]) -> list[str]:
    """In ``set --project speech.speed 1.2`` the word after the option is the setting, and no folder."""
    names = {declaration.name for declaration in declared.DECLARATIONS.values()}
    following = [*argv[1:], ""]
    return ["--project=." if word == "--project" and following[place] in names else word for place, word in enumerate(argv)]


def _folder(named: str | None) -> Path:
    try:
        folder = Path(named).expanduser().resolve() if named else Path.cwd()
    except (OSError, RuntimeError):  # "~" of nobody; a folder that was removed under our feet
        folder = Path("/")
    if named and not folder.is_dir():
        raise ClawMuxError("usage", f"--project {named!r} is not a folder.", "Name an existing one.")
    return folder


def _list(folder: Path) -> Result:
    rows, notes = _rows(folder)
    cells = tuple((row["name"], _text(row["value"]), row.get("source", ""), row["help"]) for row in rows)
    return Result(rows, table=Table(("NAME", "VALUE", "SOURCE", "WHAT IT DOES"), cells), note=notes)


def _get(name: str, folder: Path) -> Result:
    rows, notes = _rows(folder)
    row = next(row for row in rows if row["name"] == name)
    return Result(row, text=_text(row["value"]), note=notes)


def _checked(name: str, text: str) -> Any:
    from clawmux.adapters.runtimes.manifest import existing_choices

    existing = existing_choices(locate().user_runtimes)
    return declared.check(name, text, source="command line", choices=existing.get(name, ()))


def _change(name: str, value: Any) -> Result:
    """For all projects: the hub saves it and takes it over; without a hub it is only saved."""
    try:
        owner.call("PUT", "/api/settings", {name: value})
    except ClawMuxError as error:
        if error.code != "hub_not_running":
            raise
        make_private(locate().config)
        declared.save_all(locate().config_file, {name: value})
    note = "" if declared.declared(name).live else NEXT_START
    return Result({"name": name, "value": value}, note=note)


def _change_project(name: str, value: Any, folder: Path) -> Result:
    if not declared.declared(name).project:
        those = ", ".join(d.name for d in declared.DECLARATIONS.values() if d.project)
        raise ClawMuxError("usage", f"settings: {name} is not for a project to decide.", f"These are: {those}.")
    found = project_file.find(folder)
    # It may be a stranger's: a pipe, a device, a link to nothing.
    if found and (fault := project_file.read(found).fault):
        raise ClawMuxError("bad_file", f"{found} is not changed: {fault}.", "Mend it, or move it away.")
    file = found or folder / project_file.NAME
    declared.save_all(file, {name: value}, PROJECT_MODE)
    return Result({"name": name, "value": value, "file": str(file)}, note=f"In {file}.")


def _rows(folder: Path) -> tuple[list[Row], str]:
    """As they are for an agent in that folder, and what is to be said about its clawmux.toml."""
    project = project_file.project(folder)
    return settings_table.with_project(_rows_of_user(), project), "\n".join(project.notes)


def _rows_of_user() -> list[Row]:
    """As the hub has them, whose command line may differ from ours; without a hub, as it would have them."""
    try:
        rows: list[Row] = owner.call("GET", "/api/settings")
        return rows
    except ClawMuxError as error:
        if error.code != "hub_not_running":
            raise
    from clawmux.adapters.runtimes.manifest import existing_choices

    file = locate().config_file
    return settings_table.rows(declared.load(file), file, existing=existing_choices(locate().user_runtimes))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
