"""The user's Tailscale: whether it is up, and its ``serve``, which shows the page to the devices of the same tailnet over https.

Changes only what it has made: a port at which something else is served is left alone, and so is one that the whole
internet could see (a funnel).
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawmux.wire.errors import ClawMuxError
from clawmux.wire.text import clean

# Where the Mac's App Store puts the command line.
MAC_PROGRAM = Path("/Applications/Tailscale.app/Contents/MacOS/Tailscale")
# 443 needs no number in the address; the others are those that Tailscale's own examples use.
PORTS = (443, 8443, 10000)
STATUS_SECONDS = 5.0
SERVE_SECONDS = 20.0
# Where serve is not switched on for the tailnet, the program prints where to do that, and waits for ever.
_LINK = re.compile(r"https://login\.tailscale\.com/\S+")


@dataclass(frozen=True, slots=True)
class Tailnet:
    """How Tailscale stands on this machine."""

    state: str
    """``up``, ``missing``, ``down`` or ``no_https``."""
    name: str = ""
    """This machine's name in the tailnet, such as sky.tail1234.ts.net."""
    reason: str = ""
    remedy: str = ""


class Tailscale:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    @property
    def program(self) -> str:
        """Looked for each time: who is told that it is missing installs it while the hub runs. Empty: it is not there."""
        found = shutil.which("tailscale", path=self._environ.get("PATH"))
        return found or (str(MAC_PROGRAM) if MAC_PROGRAM.exists() else "")

    async def look(self) -> Tailnet:
        if not self.program:
            remedy = "Install it from https://tailscale.com/download on this machine and on the phone."
            return Tailnet("missing", reason="Tailscale is not installed.", remedy=remedy)
        try:
            facts = await self._ask("status", "--json", "--peers=false")
            own = facts.get("Self") or {}
            state, name = str(facts.get("BackendState", "")), str(own.get("DNSName", "")).rstrip(".").lower()
        except ClawMuxError as error:
            return Tailnet("down", reason=error.text, remedy=error.remedy)
        if state != "Running" or not name:
            return Tailnet("down", reason=f"Tailscale is not connected ({state or 'no state'}).", remedy="Run: tailscale up")
        if not facts.get("CertDomains"):
            remedy = "Switch on HTTPS certificates: https://login.tailscale.com/admin/dns"
            return Tailnet("no_https", name, "HTTPS is not switched on for your tailnet.", remedy)
        return Tailnet("up", name)

    async def serve(self, name: str, target: str) -> str:
        """Shows ``target`` under this machine's name; returns the https address. Raises ``conflict`` or ``missing_program``."""
        config = await self._config()
        port = choose_port(config, name, target)
        if _shown_at(config, name, port) != target:
            await self._do("serve", "--bg", f"--https={port}", target)
            config = await self._config()
        if _shown_at(config, name, port) != target:
            raise ClawMuxError("conflict", "tailscale serve did not take it up.", "Look at: tailscale serve status")
        return f"https://{name}" + ("" if port == 443 else f":{port}")

    async def stop(self, name: str, target: str) -> bool:
        """Ends it at every port where this ``target`` is shown; whether there was one."""
        ports = [port for port in PORTS if _shown_at(await self._config(), name, port) == target]
        for port in ports:
            await self._do("serve", f"--https={port}", "off")
        return bool(ports)

    async def _config(self) -> dict[str, Any]:
        return await self._ask("serve", "status", "--json")

    async def _ask(self, *words: str) -> dict[str, Any]:
        text = await self._do(*words, seconds=STATUS_SECONDS)
        try:
            found = json.loads(text or "{}")
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ClawMuxError("missing_program", f"tailscale {' '.join(words)} answered no JSON.", "Update Tailscale.")
        return found

    async def _do(self, *words: str, seconds: float = SERVE_SECONDS) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                self.program, *words, env=self._environ,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise ClawMuxError("missing_program", f"{self.program} cannot be run: {error.strerror}.", "Mend it.") from None
        out, err = bytearray(), bytearray()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(_collect(process.stdout, out), _collect(process.stderr, err))
                await process.wait()
        except TimeoutError:  # raised by _collect, too
            raise _failed(words, out + b"\n" + err) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise _failed(words, err or out)
        return out.decode(errors="replace")


def is_in_tailnet(url: str) -> bool:
    """Whether it is an address of some tailnet."""
    return url.partition("//")[2].partition(":")[0].rstrip("/").endswith(".ts.net")


def choose_port(config: Mapping[str, Any], name: str, target: str, ports: tuple[int, ...] = PORTS) -> int:
    """The first port that shows ``target`` already, or nothing. Raises ``conflict``."""
    used = config.get("TCP") or {}
    ours = [port for port in ports if _shown_at(config, name, port) == target]
    free = [port for port in ports if str(port) not in used and not _is_funnel(config, name, port)]
    for port in [*ours, *free]:
        if _is_funnel(config, name, port):
            text = f"a funnel shows port {port} of {name} to the whole internet."
            raise ClawMuxError("conflict", text, f"Switch it off: tailscale funnel --https={port} off")
        return port
    those = ", ".join(map(str, ports))
    raise ClawMuxError("conflict", f"tailscale serve shows other things at {those}.", "Look at: tailscale serve status")


def _shown_at(config: Mapping[str, Any], name: str, port: int) -> str:
    handlers = ((config.get("Web") or {}).get(f"{name}:{port}") or {}).get("Handlers") or {}
    return str((handlers.get("/") or {}).get("Proxy", ""))


def _is_funnel(config: Mapping[str, Any], name: str, port: int) -> bool:
    return bool((config.get("AllowFunnel") or {}).get(f"{name}:{port}"))


async def _collect(stream: asyncio.StreamReader | None, into: bytearray) -> None:
    while stream is not None and (part := await stream.read(4096)):
        into += part[: max(0, 65536 - len(into))]
        if _LINK.search(into.decode(errors="replace")):
            raise TimeoutError("it waits for a person")


def _failed(words: tuple[str, ...], said: bytes | bytearray) -> ClawMuxError:
    text = clean(bytes(said).decode(errors="replace"))
    if link := _LINK.search(text):
        return ClawMuxError("conflict", "tailscale serve is not switched on for your tailnet.", f"Switch it on: {link[0]}")
    if "denied" in text.lower():
        remedy = "Run once: sudo tailscale set --operator=$USER"
        return ClawMuxError("forbidden", "tailscale lets this user change nothing.", remedy)
    first = next(iter(text.splitlines()), "no answer")[:200].rstrip(".")
    return ClawMuxError("missing_program", f"tailscale {words[0]}: {first}.", "See: tailscale status")
