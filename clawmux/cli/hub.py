"""Commands about the hub itself: start, stop, open, logs."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from clawmux import settings as declared
from clawmux.cli import owner
from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result
from clawmux.paths import Paths, locate
from clawmux.wire.errors import ClawMuxError

if TYPE_CHECKING:
    from clawmux.hub import lock
    from clawmux.hub.log_file import LogHandler


def start(argv: list[str]) -> Result:
    parser = Arguments(
        "start", "Start the hub and print the URL of its page, which lets you in once.", "clawmux start --port 3470"
    )
    parser.add_argument("--port", metavar="N", help="serve the page on this port (default: the setting hub.port, 3460)")
    parser.add_argument("--foreground", action="store_true", help="stay in this terminal; Ctrl-C stops the hub")
    parser.add_argument("--no-open", action="store_true", help="print the URL, open no browser")
    parser.add_argument("--ready-fd", type=int, default=-1, help="(internal) descriptor that is told when the hub serves")
    chosen = parser.parse_args(argv)
    overrides = {"hub.port": chosen.port} if chosen.port is not None else {}
    paths = locate()
    settings = declared.load(paths.config_file, overrides=overrides)
    if chosen.foreground:
        return _foreground(settings, paths, chosen.ready_fd, chosen.no_open)
    return _background(paths, overrides, chosen.no_open)


def stop(argv: list[str]) -> Result:
    from clawmux.hub import service

    Arguments("stop", "Stop the hub. Agents stay alive in tmux; the next start finds them again.").parse_args(argv)
    paths = locate()
    gone = service.stop(paths, lambda: owner.call("POST", "/api/stop", {}, socket_file=paths.hub_socket))
    return Result({"pid": gone.pid}, text="The hub has stopped. Agents stay alive; `clawmux start` finds them again.")


def open_page(argv: list[str]) -> Result:
    parser = Arguments("open", "Print the URL of the page, with a key that lets you in once within 60 s, and open it.")
    parser.add_argument("--no-open", action="store_true", help="print the URL, open no browser")
    chosen = parser.parse_args(argv)
    try:
        url = _keyed_url(owner.socket_path())
    except ClawMuxError as error:
        elsewhere = declared.load(locate().config_file).hub_server_url
        if error.code != "hub_not_running" or not elsewhere:
            raise
        return _open_elsewhere(elsewhere, chosen.no_open)
    return Result({"url": url}, text=url, note=_show_page(url, locate(), chosen.no_open))


def _open_elsewhere(url: str, no_open: bool) -> Result:
    """The page of another machine's hub, which keeps its own keys."""
    if no_open or not sys.stdout.isatty() or not _has_display():
        return Result({"url": url}, text=url, note="The hub runs there (setting hub.server_url). Open this page in your browser.")
    import webbrowser

    note = "Opening it in your browser." if webbrowser.open(url) else "No browser could be started: open this page yourself."
    return Result({"url": url}, text=url, note=note)


def logs(argv: list[str]) -> Result:
    parser = Arguments("logs", "The last 50 lines of the hub's log.", "clawmux logs -f")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is written; Ctrl-C ends it")
    chosen = parser.parse_args(argv)
    file = locate().hub_log
    if not file.exists():
        raise ClawMuxError("not_found", f"there is no log yet ({file}).", owner.START_HINT)
    if chosen.follow:
        print(file, file=sys.stderr, flush=True)
        os.execvp("tail", ["tail", "-n", "50", "-F", str(file)])
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-50:]
    return Result({"file": str(file), "lines": lines}, text="\n".join(lines), note=str(file))


def _background(paths: Paths, overrides: dict[str, str], no_open: bool) -> Result:
    from clawmux.hub import service

    arguments = ["--port", overrides["hub.port"]] if overrides else []
    try:
        facts = (None if overrides else _as_service(paths)) or service.start(paths, arguments)
    except ClawMuxError as error:
        if error.code != "conflict":
            raise
        return _running_already(paths, error)
    url = _keyed_url(paths.hub_socket)
    note = _show_page(url, paths, no_open)
    return Result({"url": url, "pid": facts.pid, "log": str(paths.hub_log)}, text=url, note=note)


def _as_service(paths: Paths) -> lock.Running | None:
    """Started by the service manager, which then keeps it; None when no service is installed for this hub."""
    from clawmux.cli.service import installed_for, wait_serving
    from clawmux.hub import lock

    kept_by = installed_for(paths)
    if kept_by is None:
        return None
    if holder := lock.running(paths):
        raise lock.already_running(holder)
    return wait_serving(kept_by, paths)


def _running_already(paths: Paths, error: ClawMuxError) -> Result:
    try:
        url = _keyed_url(paths.hub_socket)
    except ClawMuxError:
        raise error from None
    return Result({"url": url}, text=url, error=error)


def _foreground(settings: declared.Settings, paths: Paths, ready_descriptor: int, no_open: bool) -> Result:
    from clawmux.hub import service

    if ready_descriptor >= 0:
        service.run_detached(settings, paths, ready_descriptor)
        return Result({})
    import logging

    from clawmux.adapters import user_service

    if user_service.is_the_service(os.environ, os.getpid()):
        logging.basicConfig(level=logging.INFO, handlers=[_service_log(paths)])
    else:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def announce(facts: lock.Running) -> None:
        # A service manager keeps what we print: only a person at a terminal is shown a key.
        if not sys.stdout.isatty():
            print(facts.url, flush=True)
            return
        # The hub answers on the loop that is calling us, so the request needs a thread of its own.
        threading.Thread(target=_announce_key, args=(paths, no_open), daemon=True).start()

    service.run_foreground(settings, paths, announce)
    return Result({})


def _service_log(paths: Paths) -> LogHandler:
    """The hub's own log instead of the service manager's, so that `clawmux logs` shows it whoever started the hub."""
    from clawmux.hub.log_file import LogHandler, open_log
    from clawmux.paths import make_private

    log = open_log(make_private(paths.state) / paths.hub_log.name)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    return LogHandler(paths.hub_log)


def _announce_key(paths: Paths, no_open: bool) -> None:
    url = _keyed_url(paths.hub_socket)
    print(url, flush=True)
    print(_show_page(url, paths, no_open), file=sys.stderr)


def _keyed_url(socket_file: Path) -> str:
    return str(owner.call("POST", "/api/open", {}, socket_file=socket_file)["url"])


def _show_page(url: str, paths: Paths, no_open: bool) -> str:
    """Open the browser where a person sits in front of one; returns the remark to print."""
    if no_open or not sys.stdout.isatty() or not _has_display():
        return "Open this page in your browser. The key in it works once, within 60 s; `clawmux open` makes another."
    import webbrowser

    if webbrowser.open(_redirect_file(url, paths).as_uri()):
        return "Opening it in your browser. The key works once, within 60 s; `clawmux open` makes another."
    return "No browser could be started: open this page yourself. `clawmux open` makes a fresh URL."


def _redirect_file(url: str, paths: Paths) -> Path:
    """A private file that leads on to the URL: a browser's arguments can be read by every user of the machine."""
    file = paths.run / "open.html"
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(
            f'<!doctype html><meta charset="utf-8"><title>ClawMux</title><meta http-equiv="refresh" content="0;url={url}">\n'
        )
    return file


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32"):
        return not os.environ.get("SSH_CONNECTION")
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
