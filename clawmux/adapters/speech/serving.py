"""Where the speech service listens, and when it ends: its sockets, its parent, its stdin."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from clawmux import paths
from clawmux.adapters.speech.guests import tcp_door
from clawmux.adapters.speech.local import log
from clawmux.wire.errors import ClawMuxError


@dataclass(frozen=True, slots=True)
class Address:
    """A unix socket, or a TCP port where ``socket`` is None."""

    socket: Path | None
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None


@asynccontextmanager
async def opened(runner: web.AppRunner, address: Address) -> AsyncIterator[None]:
    if address.socket is None:
        async with AsyncExitStack() as stack:
            try:
                names = await stack.enter_async_context(tcp_door(runner, address.host, address.port, address.tls))
            except OSError as error:
                raise ClawMuxError(
                    "port_busy", f"{address.host}:{address.port} cannot be opened ({error.strerror}).", "Choose another --port."
                ) from None
            log.info("serving on %s", ", ".join(f"{name[0]}:{name[1]}" for name in names))
            yield
        return
    listening = _unix_socket(address.socket)
    ours = address.socket.stat().st_ino
    await web.SockSite(runner, listening).start()
    log.info("serving on %s", address.socket)
    try:
        yield
    finally:
        # A successor may have put its own socket there already.
        if address.socket.exists() and address.socket.stat().st_ino == ours:
            address.socket.unlink()


def _unix_socket(path: Path) -> socket.socket:
    """Bound and closed to others; a socket that nobody serves is replaced, one that is served is refused."""
    paths.check_socket_path(path)
    paths.make_private(path.parent)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if path.exists() or path.is_symlink():
        _remove_stale(path)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    return listening


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ClawMuxError("conflict", f"{path} exists and is not a socket.", "Move it away, or choose another --socket.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise ClawMuxError("conflict", f"a speech service serves on {path} already.", "Stop it first, or choose another --socket.")


# --- when to end --------------------------------------------------------------------------------


@asynccontextmanager
async def watching(parent_pid: int | None, over: asyncio.Event) -> AsyncIterator[None]:
    """Sets ``over`` when the parent ends, or when the pipe that is our stdin closes."""
    loop = asyncio.get_running_loop()
    watched: list[int] = []
    poll: asyncio.Task[None] | None = None
    try:
        if parent_pid is not None:
            poll = asyncio.create_task(_poll_parent(parent_pid, over))
            if hasattr(os, "pidfd_open"):
                try:
                    watched.append(os.pidfd_open(parent_pid))
                    loop.add_reader(watched[-1], over.set)
                except ProcessLookupError:
                    over.set()
                except OSError:
                    log.info("the parent is watched by looking once a second")
        if _is_pipe(0):
            loop.add_reader(0, lambda: None if os.read(0, 4096) else over.set())
        yield
    finally:
        if poll is not None:
            poll.cancel()
        for fd in watched:
            loop.remove_reader(fd)
            os.close(fd)


async def _poll_parent(pid: int, over: asyncio.Event) -> None:
    """For systems without pidfd; cheap enough to run beside it."""
    while not over.is_set():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            over.set()
        except PermissionError:
            pass
        await asyncio.sleep(1.0)


def _is_pipe(fd: int) -> bool:
    """Only a pipe's end means anything: /dev/null is at its end from the start."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
