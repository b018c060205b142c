"""``clawmux``: picks the command's module from a table and runs it. Imports no command before it is chosen."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own would cost more than all of `clawmux --version`
if TYPE_CHECKING:
    from collections.abc import Callable

    from clawmux.cli.render import Result


class Command:
    """A plain class: a NamedTuple or a dataclass would take longer to import than all of ``clawmux --version``."""

    __slots__ = ("arguments", "function", "help", "module")

    def __init__(self, module: str, function: str, arguments: str, help: str) -> None:
        self.module = module
        self.function = function
        """Takes the arguments after the command's name; returns a clawmux.cli.render.Result or an exit code."""
        self.arguments = arguments
        self.help = help


# Its function takes the command's name, too.
AGENT_VERBS = "clawmux.cli.agent_verbs"

COMMANDS: dict[str, Command] = {
    "start": Command("clawmux.cli.hub", "start", "[--port N] [--foreground] [--no-open]", "start the hub, print the page's URL"),
    "stop": Command("clawmux.cli.hub", "stop", "", "stop the hub; agents stay alive in tmux"),
    "status": Command("clawmux.cli.status", "status", "[NAME] [--all]", "what runs, and what it is doing"),
    "open": Command("clawmux.cli.hub", "open_page", "[--no-open]", "open the page; prints its URL with a one-time key"),
    "phone": Command(
        "clawmux.cli.phone", "main", "[--lan [ADDRESS]|--public-url URL|--devices|--revoke NAME|--off]", "let a phone in"
    ),
    "logs": Command("clawmux.cli.hub", "logs", "[-f]", "the end of the hub's log"),
    "spawn": Command("clawmux.cli.agents", "spawn", "[--voice V] [--runtime R] [--dir D] [--name N]", "start an agent"),
    "kill": Command("clawmux.cli.agents", "kill", "NAME", "end an agent"),
    "attach": Command("clawmux.cli.agents", "attach", "NAME", "see an agent's terminal; Ctrl-B D leaves it"),
    "settings": Command("clawmux.cli.settings", "settings", "[get|set|unset|list]", "read and change settings"),
    "doctor": Command("clawmux.cli.doctor", "main", "[--deep] [--json]", "what is well here, what is not, and what to do"),
    "token": Command("clawmux.cli.settings", "token", "[--rotate]", "the token for programs that use the HTTP API"),
    "service": Command("clawmux.cli.service", "main", "install|remove|status", "start the hub at login, and again when it fails"),
    "models": Command("clawmux.cli.models", "main", "list|pull|rm|path", "speech models on this machine"),
    "tier": Command("clawmux.cli.tier", "main", "[NAME|--measure]", "the quality of speech: what fits here, and changing it"),
    "speech": Command("clawmux.adapters.speech.server", "main", "", "run the speech service by itself"),
    "mcp": Command("clawmux.mcp_server", "main", "", "converse as an MCP server on stdin and stdout"),
    "send": Command(AGENT_VERBS, "run", "--to NAME TEXT [--wait-ack|--wait-response]", "a message to an agent"),
    "messages": Command("clawmux.cli.messages", "messages", "[--with NAME] [--limit N]", "messages between agents, newest last"),
    "trace": Command("clawmux.cli.messages", "trace", "ID", "every step of one message"),
    "cancel": Command(AGENT_VERBS, "run", "ID", "take a message back that has not been typed yet"),
    "interrupt": Command(AGENT_VERBS, "run", "NAME", "end what an agent does right now"),
    "approve": Command(AGENT_VERBS, "run", "NAME", "allow what an agent asks permission for"),
    "deny": Command(AGENT_VERBS, "run", "NAME [TEXT]", "refuse what an agent asks permission for"),
    "converse": Command(AGENT_VERBS, "run", "TEXT [--no-listen] [--goodbye]", "an agent speaks and listens"),
    "ack": Command(AGENT_VERBS, "run", "ID", "an agent has read a message"),
    "reply": Command(AGENT_VERBS, "run", "ID TEXT", "an agent answers a message"),
    "inbox": Command(AGENT_VERBS, "run", "[show ID]", "what waits for an agent; a message that was too long to be typed"),
    "report": Command(AGENT_VERBS, "run", "TEXT", "an agent says what it is working on"),
    "hook": Command(AGENT_VERBS, "run", "", "an agent program's hooks report through this"),
    "cancel-converse": Command(AGENT_VERBS, "run", "ID", "an agent takes its question back"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if not words:
        sys.stderr.write(help_text())
        return 2
    name, arguments = words[0], words[1:]
    if name in ("--version", "-V"):
        from clawmux import __version__

        print(f"clawmux {__version__}")
        return 0
    if name in ("--help", "-h", "help"):
        sys.stdout.write(help_text())
        return 0
    if name not in COMMANDS:
        sys.stderr.write(_unknown(name))
        return 2
    return _run(name, arguments)


def _run(name: str, arguments: list[str]) -> int:
    from clawmux.cli import render

    # Inside: what its import raises is shown like every other error.
    def call(words: list[str]) -> Result | int:
        command = COMMANDS[name]
        return _function(command)([name, *words] if command.module == AGENT_VERBS else words)

    return render.run(name, call, arguments)


def _function(command: Command) -> Callable[[list[str]], Result | int]:
    """What runs the command. An installation for the thin mode has no packages for speech."""
    from importlib import import_module

    try:
        function: Callable[[list[str]], Result | int] = getattr(import_module(command.module), command.function)
    except ModuleNotFoundError as error:
        if (error.name or "clawmux").partition(".")[0] == "clawmux":
            raise
        from clawmux.wire.errors import ClawMuxError

        raise ClawMuxError(
            "missing_program",
            f"this installation has no package {error.name}, which the command needs.",
            "Run install.sh again with --mode local for all of them.",
        ) from None
    return function


def help_text() -> str:
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name.ljust(width)}  {command.help}" for name, command in COMMANDS.items()]
    return (
        "ClawMux: talk by voice with several coding agents through one hub.\n\n"
        "usage: clawmux COMMAND [ARGUMENTS]\n\n" + "\n".join(lines) + "\n\n"
        "`clawmux COMMAND --help` tells more. `clawmux --version` prints the version.\n"
        "First time: `clawmux start` opens the page; there, start an agent and talk.\n"
    )


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, n=1)
    hint = f"Did you mean `clawmux {close[0]}`?" if close else "See `clawmux --help` for the commands."
    return f"clawmux: there is no command {name!r}.\n{hint}\n"
