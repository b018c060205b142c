"""Commands about what is configured: settings, token."""

from __future__ import annotations

from typing import Any

from clawmux import settings as declared
from clawmux.cli import owner
from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result, Table
from clawmux.paths import locate, make_private
from clawmux.wire.errors import ClawMuxError


def settings(argv: list[str]) -> Result:
    parser = Arguments("settings", "Read and change settings.", "clawmux settings set speech.silence_seconds 1.5")
    actions = parser.add_subparsers(dest="action", required=True, metavar="get|set|list", parser_class=_Action)
    actions.add_parser("list", help="every setting with its value")
    get = actions.add_parser("get", help="the value of one setting")
    get.add_argument("name", metavar="NAME")
    put = actions.add_parser("set", help="change one setting")
    put.add_argument("name", metavar="NAME")
    put.add_argument("value", metavar="VALUE")
    chosen = parser.parse_args(argv)
    if chosen.action == "list":
        return _list()
    if chosen.name not in declared.FIELD_OF:
        raise ClawMuxError(
            "usage", f"settings: there is no setting {chosen.name!r}.", "See `clawmux settings list` for the names."
        )
    return _get(chosen.name) if chosen.action == "get" else _set(chosen.name, chosen.value)


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


def _list() -> Result:
    rows = _rows()
    cells = tuple((row["name"], _text(row["value"]), _text(row["default"]), row["help"]) for row in rows)
    return Result(rows, table=Table(("NAME", "VALUE", "DEFAULT", "WHAT IT DOES"), cells))


def _get(name: str) -> Result:
    row = next(row for row in _rows() if row["name"] == name)
    return Result(row, text=_text(row["value"]))


def _set(name: str, text: str) -> Result:
    value = declared.check(name, text, source="command line")
    try:
        owner.call("PUT", "/api/settings", {name: value})
    except ClawMuxError as error:
        if error.code != "hub_not_running":
            raise
        make_private(locate().config)
        declared.save(locate().config_file, name, value)
    live = declared.DECLARATIONS[declared.FIELD_OF[name]].live
    return Result({"name": name, "value": value}, note="" if live else "It takes effect at the next start of the hub.")


def _rows() -> list[dict[str, Any]]:
    """As the hub has them, whose command line may differ from ours; without a hub, as it would have them."""
    try:
        rows: list[dict[str, Any]] = owner.call("GET", "/api/settings")
        return rows
    except ClawMuxError as error:
        if error.code != "hub_not_running":
            raise
    values, defaults = declared.load(locate().config_file), declared.Settings()
    return [
        {"name": d.name, "value": getattr(values, field), "default": getattr(defaults, field), "help": d.help}
        for field, d in declared.DECLARATIONS.items()
    ]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
