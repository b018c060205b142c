"""``clawmux phone`` with a real hub: the address, the QR code as a terminal shows it, devices and revoking."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import segno

from tests.live_hub import ROOT, LiveHub, Said, said
from tests.stand_ins import tailscale as stand_in

HERE = "127.0.0.3"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[LiveHub]:
    """Its tailscale is not connected; a test says otherwise."""
    found = stand_in.install(tmp_path, backend="Stopped")
    async with LiveHub(speech="none", environ={**found, "CLAWMUX_HUB_LAN_PORT": "0"}) as hub:
        yield hub


async def phone(hub: LiveHub, *words: str, stdout: int = asyncio.subprocess.PIPE) -> Said:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawmux", "phone", *words, env={**hub.environ, "PYTHONUTF8": "1"}, cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL, stdout=stdout, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    return await said(process) if stdout == asyncio.subprocess.PIPE else Said(await process.wait(), "", "")


async def result(hub: LiveHub, *words: str) -> Any:
    answer = await phone(hub, *words, "--json")
    assert answer.code == 0, answer
    return json.loads(answer.out)["result"]


async def pair(url: str, code: str, device: str) -> int:
    """As a phone's page does it, whatever its certificate."""
    headers = {"Origin": url, "Content-Type": "application/json"}
    body = json.dumps({"key": code, "device": device})
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/api/login", data=body, headers=headers, ssl=False) as answer,
    ):
        return answer.status


async def test_without_any_way_all_three_are_told(hub: LiveHub) -> None:
    answer = await phone(hub)
    assert (answer.code, answer.out) == (20, "") and "Tailscale is not connected" in answer.err
    assert all(words in answer.err for words in ("tailscale up", "--public-url", "--lan"))


async def test_pairing_and_revoking_over_our_own_certificate(hub: LiveHub) -> None:
    made = await result(hub, "--lan", HERE)
    assert made["way"] == "lan" and re.fullmatch(rf"https://{HERE}:\d+", made["url"])
    assert await pair(made["url"], made["code"].lower().replace("-", " "), "Safari on iPhone") == 200
    assert await pair(made["url"], made["code"], "Eve on iPhone") == 403
    listed = await phone(hub, "--devices")
    assert re.search(r"^Safari on iPhone +\d+ s ago +127\.0\.0\.1$", listed.out, re.MULTILINE)
    trust = await phone(hub, "--certificate")
    assert f"{made['url']}/ca.crt" in trust.out and "Certificate Trust Settings" in trust.out
    shown = re.search(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", trust.out)
    async with aiohttp.ClientSession() as client, client.get(f"{made['url']}/ca.crt", ssl=False) as answer:
        der = await answer.read()
    assert shown and ssl.create_default_context(cadata=der).get_ca_certs()
    assert (await result(hub, "--certificate"))["fingerprint"] == shown[0]
    assert (await phone(hub, "--revoke", "Nobody")).code == 12
    gone = await phone(hub, "--revoke", "Safari on iPhone")
    assert (gone.code, gone.err) == (0, "Safari on iPhone is out.\n")
    assert "No device is in" in (await phone(hub, "--devices")).out
    assert (await phone(hub, "--off")).code == 0
    assert (await phone(hub, "--certificate")).code == 12
    logs = [file.read_text() for file in (hub.home / "output", hub.paths.hub_log) if file.exists()]
    assert logs and not [log for log in logs if made["code"] in log]


async def test_the_door_opens_again_after_a_restart_of_the_hub(hub: LiveHub) -> None:
    await result(hub, "--lan", HERE)
    await hub.stop()
    await hub.start()

    async def view() -> Any:
        return await hub.call("GET", "/api/phone")

    made = await result(hub)
    assert made["way"] == "lan" and (await view())["lan"]["host"] == HERE
    assert await pair(made["url"], made["code"], "Safari on iPhone") == 200


async def test_tailscale_is_taken_when_it_is_up(hub: LiveHub, tmp_path: Path) -> None:
    stand_in.install(tmp_path)
    made = await result(hub)
    assert (made["url"], made["way"]) == (f"https://{stand_in.NAME}", "tailscale")
    assert stand_in.calls(tmp_path) == [f"serve --bg --https=443 http://127.0.0.1:{hub.port}"]
    answer = await phone(hub)
    assert answer.out.startswith(f"https://{stand_in.NAME}\ncode: ") and "public log of certificates" in answer.err
    assert stand_in.calls(tmp_path)[1:] == [], "it is there already"
    stand_in.install(tmp_path)  # somebody has reset what is served
    assert (await result(hub))["url"] == made["url"] and len(stand_in.calls(tmp_path)) == 2
    await phone(hub, "--off")
    assert stand_in.calls(tmp_path)[-1] == "serve --https=443 off"


async def test_what_tailscale_shows_ends_without_a_hub_too(hub: LiveHub, tmp_path: Path) -> None:
    stand_in.install(tmp_path)
    await result(hub)
    hub.environ["CLAWMUX_HUB_PORT"] = str(hub.port)
    await hub.stop()
    answer = await phone(hub, "--off")
    assert answer.code == 0, answer
    assert stand_in.calls(tmp_path)[-1] == "serve --https=443 off"
    assert "public_url" not in hub.paths.config_file.read_text()


async def test_a_proxy_of_ones_own(hub: LiveHub) -> None:
    assert (await phone(hub, "--public-url", "http://voice.example")).code == 2
    made = await result(hub, "--public-url", "https://voice.example")
    assert made["link"] == f"https://voice.example/#k={made['code']}"
    lan = await result(hub, "--lan", HERE)
    assert lan["url"].startswith(f"https://{HERE}:"), "what was asked for last is shown"
    assert (await result(hub))["url"] == "https://voice.example"


async def test_the_qr_code_in_a_terminal_is_the_link(hub: LiveHub) -> None:
    control, terminal = pty.openpty()
    await phone(hub, "--public-url", "https://voice.example", stdout=terminal)
    os.close(terminal)
    text = read(control)
    squares = squares_of([line for line in text.splitlines() if "\x1b[30;107m" in line])
    code = re.search(r"code: (\S+)", text)
    assert code
    wanted = segno.make_qr(f"https://voice.example/#k={code[1]}", error="l")
    rows = [[bool(square) for square in row] for row in wanted.matrix_iter(border=2)]
    assert squares[: len(rows)] == rows


def squares_of(lines: list[str]) -> list[list[bool]]:
    """The squares that lines of half blocks show."""
    rows = []
    for line in lines:
        shown = line.removeprefix("\x1b[30;107m").partition("\x1b")[0]
        rows += [[c in "▀█" for c in shown], [c in "▄█" for c in shown]]
    return rows


def read(control: int) -> str:
    found = b""
    try:
        while part := os.read(control, 65536):
            found += part
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(control)
    return found.decode()
