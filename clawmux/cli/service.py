"""``clawmux service``: the hub kept by the user's service manager, so that it starts at login and comes back when it fails."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result
from clawmux.paths import Paths, locate, run_self
from clawmux.wire.errors import ClawMuxError

if TYPE_CHECKING:
    from clawmux.adapters.user_service import State, UserService
    from clawmux.hub.lock import Running

# As long as a start without a service may take (clawmux.hub.service).
READY_SECONDS = 60.0
_LOOK_SECONDS = 0.1


def main(argv: list[str]) -> Result:
    parser = Arguments("service", "Keep the hub running: start it at login, and again when it fails.", "clawmux service install")
    actions = parser.add_subparsers(dest="action", required=True, metavar="install|remove|status", parser_class=_Action)
    for action, text in _ACTIONS.items():
        actions.add_parser(action, help=text)
    chosen = parser.parse_args(argv)
    return {"install": _install, "remove": _remove, "status": _status}[chosen.action](locate())


_ACTIONS = {
    "install": "start the hub at login, and now, under systemd or launchd",
    "remove": "stop the hub and take the service away; agents stay alive in tmux",
    "status": "whether it is installed, enabled and running",
}


class _Action(Arguments):
    """A word under ``service``; named by argparse itself."""

    def __init__(self, **facts: Any) -> None:
        command = facts["prog"].removeprefix("clawmux ")
        text = _ACTIONS[command.removeprefix("service ")]
        super().__init__(command, f"{text[0].upper()}{text[1:]}.", f"clawmux {command}")


def _install(paths: Paths) -> Result:
    from clawmux.adapters import user_service
    from clawmux.adapters.service_unit import Unit, environment_of
    from clawmux.hub import lock

    service = user_service.here()
    service.header()  # a stranger's file is named before anything else is asked
    service.require()
    unit = Unit((*run_self(), "start", "--foreground"), environment_of(_absolute(os.environ)), paths.data.absolute())
    changed = service.write(unit)
    service.enable()
    holder = lock.running(paths)
    facts = {"installed": True, "file": str(service.file), "changed": changed}
    if holder is None:
        holder = wait_serving(service, paths)
        text = f"The hub runs as a service at {holder.url}. It starts at login; `clawmux open` shows its page."
    elif service.state().pid == holder.pid:
        text = "The service was there and runs." if not changed else "The service has changed; the next start of the hub uses it."
    else:
        text = "The service is installed. A hub runs already without it: `clawmux stop`, then `clawmux start`, hands it over."
    return Result({**facts, "pid": holder.pid, "url": holder.url}, text=text, note=service.advice())


def _remove(paths: Paths) -> Result:
    from clawmux.adapters import user_service

    service = user_service.here()
    header = service.header()
    if header is None:
        return Result({"removed": False}, text=f"There is no service ({service.file} does not exist).")
    try:
        service.require()
    except ClawMuxError:
        # Nobody runs it now, and without its file nobody will.
        service.delete(header)
    else:
        service.disable()
        service.delete(header)
        service.forget()
    text = "The service is gone, and its hub stopped. Agents stay alive."
    return Result({"removed": True, "file": str(service.file)}, text=text)


def _status(paths: Paths) -> Result:
    from clawmux.adapters import user_service

    service = user_service.here()
    header = service.header()
    facts: dict[str, Any] = {"manager": service.tool, "file": str(service.file), "installed": header is not None}
    facts["data"] = str(header.data) if header else None
    try:
        service.require()
    except ClawMuxError as error:
        facts |= {"enabled": False, "running": False, "pid": 0}
        return Result(facts, text=f"installed: {_yes(header)}", error=error)
    state = service.state() if header else user_service.State()
    facts |= {"enabled": state.enabled, "running": state.running, "pid": state.pid}
    lines = [f"installed: {_yes(header)}", f"enabled: {_yes(state.enabled)}", f"running: {_running(state)}"]
    if header and header.data != paths.data.absolute():
        lines.append(f"for another hub: {header.data}")
    note = service.advice() if header else "Install it with: clawmux service install"
    return Result(facts, text="\n".join(lines), note=note)


def installed_for(paths: Paths) -> UserService | None:
    """The service that keeps the hub of these folders, where there is one and its manager answers."""
    from clawmux.adapters import user_service

    service = user_service.here()
    try:
        header = service.header()
        if header is None or header.data != paths.data.absolute():
            return None
        service.require()
    except ClawMuxError:
        return None  # the hub can be started without it
    return service


def wait_serving(service: UserService, paths: Paths) -> Running:
    """Start it and wait until the hub answers; raises with the last line of its log when it does not."""
    from clawmux.hub import lock
    from clawmux.hub.service import last_line

    service.start()
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        holder = lock.running(paths)
        if holder is not None and holder.url:
            return holder
        if holder is None and not service.state().running:
            break
        time.sleep(_LOOK_SECONDS)
    said = last_line(paths.hub_log) if paths.hub_log.exists() else "it wrote nothing"
    raise ClawMuxError("internal", f"the service did not come up: {said}", f"See {paths.hub_log}.")


def _absolute(environ: Any) -> dict[str, str]:
    """A service has another folder than the shell that installs it."""
    found = dict(environ)
    for name in ("CLAWMUX_HOME", "CLAWMUX_MODELS"):
        if found.get(name):
            found[name] = str(Path(found[name]).absolute())
    return found


def _yes(is_so: object) -> str:
    return "yes" if is_so else "no"


def _running(state: State) -> str:
    return f"yes (pid {state.pid})" if state.running and state.pid else _yes(state.running)
