"""The sockets the hub listens on, and its TLS: made, or refused with the setting that must change. Serves nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import stat
from pathlib import Path

from clawmux.adapters.authority import is_private
from clawmux.hub.addresses import is_loopback
from clawmux.paths import make_private
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError

BACKLOG = 128


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS when it is set; refuses to be reachable from other machines without it."""
    certificate, key = settings.hub_tls_certificate, settings.hub_tls_key
    if bool(certificate) != bool(key):
        missing = "hub.tls_key" if certificate else "hub.tls_certificate"
        raise ClawMuxError("usage", f"{missing} is not set, but its counterpart is.", "Set both, or neither.")
    if not certificate:
        if not all(is_loopback(ip) for ip in _resolve(settings.hub_host)):
            raise ClawMuxError(
                "usage",
                f"hub.host = {settings.hub_host!r} is reachable from other machines, and hub.tls_certificate is not set.",
                "Set hub.tls_certificate and hub.tls_key, or leave hub.host at 127.0.0.1.",
            )
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise ClawMuxError(
            "bad_file", f"hub.tls_certificate {certificate} with hub.tls_key {key}: {error}.", "Name a PEM chain and its key."
        ) from None
    return context


def bind_tcp(host: str, port: int) -> list[socket.socket]:
    """Listening sockets, all on one port. Raises ``port_busy``, or ``usage`` naming hub.host.

    For 127.0.0.1 the IPv6 loopback is taken too: browsers try ``[::1]`` first for ``*.localhost``, and another user of
    this machine who sat there would be handed our cookie.
    """
    ips = _resolve(host)
    optional = [] if set(ips) != {"127.0.0.1"} else ["::1"]
    for _ in range(8 if port == 0 else 1):
        listeners: list[socket.socket] = []
        try:
            for ip in [*ips, *optional]:
                try:
                    listeners.append(_listen(ip, port or (listeners[0].getsockname()[1] if listeners else 0)))
                except OSError as error:
                    if ip not in optional or error.errno == errno.EADDRINUSE:
                        raise
            return listeners
        except OSError as error:
            failed = error
            for listener in listeners:
                listener.close()
    raise _bind_error(failed, host, port)


def bind_lan(ip: str, port: int) -> socket.socket:
    """A listening socket at one private address. Raises ``usage`` naming hub.lan_host, or ``port_busy``."""
    try:
        if not is_private(ip):
            raise OSError("it is not a private address")
        return _listen(ip, port)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            text = f"port {port} on {ip} is held by {_holder(port)}."
            raise ClawMuxError("port_busy", text, "End it, or set hub.lan_port (0 picks a free one).") from None
        remedy = "Name a private address that this machine has now: clawmux phone --lan ADDRESS"
        raise ClawMuxError("usage", f"hub.lan_host = {ip!r} cannot be listened on: {reason}.", remedy) from None


def bind_unix(file: Path) -> socket.socket:
    """A listening 0600 socket in a 0700 folder; replaces one that nobody serves any more."""
    make_private(file.parent)
    if os.path.lexists(file) and not stat.S_ISSOCK(file.lstat().st_mode):
        # A plain file refuses connections just as a dead socket does, but it is nothing of ours.
        raise ClawMuxError("unsafe_files", f"{file} is in the way, and it is no socket.", "Move it away.")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(file))
        except (ConnectionRefusedError, FileNotFoundError):
            file.unlink(missing_ok=True)
        except OSError as error:
            raise ClawMuxError("unsafe_files", f"{file} is in the way: {error}.", "Remove it.") from None
        else:
            raise ClawMuxError("conflict", f"another hub serves {file}.", "Stop it first: clawmux stop")
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(file))
        # The folder is closed to others, so nobody could come between these two.
        file.chmod(0o600)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _resolve(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ClawMuxError("usage", f"hub.host = {host!r} is no address of this machine.", "Leave it at 127.0.0.1.") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _listen(ip: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
    try:
        if ":" in ip:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Connections of a hub that just ended must not hold the port for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ip, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _bind_error(error: OSError, host: str, port: int) -> ClawMuxError:
    if error.errno == errno.EADDRINUSE:
        return ClawMuxError(
            "port_busy", f"port {port} on {host} is held by {_holder(port)}.", "End it, or set hub.port (0 picks a free one)."
        )
    if error.errno == errno.EACCES:
        return ClawMuxError("usage", f"hub.port = {port} needs rights this user lacks.", "Choose one above 1023.")
    return ClawMuxError("usage", f"hub.host = {host!r} cannot be listened on: {error}.", "Leave it at 127.0.0.1.")


def _holder(port: int) -> str:
    import psutil

    # Another user's process has no pid here, and macOS tells nothing at all: then the port alone must do.
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "another program"
