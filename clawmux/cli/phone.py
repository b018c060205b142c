"""``clawmux phone``: an https address for another device, a code that pairs it, and the devices that are in."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from clawmux import settings
from clawmux.cli import owner
from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result, Table
from clawmux.paths import locate
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.in_words import age

if TYPE_CHECKING:
    from clawmux.adapters.tailscale import Tailscale

# tailscale may ask its server first.
WAY_SECONDS = 60.0
_WAYS = """\
- Tailscale, on this machine and on the phone: https://tailscale.com/download, then `tailscale up` and `clawmux phone`.
- An https proxy of your own before the hub: clawmux phone --public-url https://voice.example
- Only in your own network, with a certificate that each phone must be told to trust once: clawmux phone --lan"""
_TRUST = """\
Each device must be told once to trust this hub's certificate. On the device open
  {url}
and pass its warning this one time. SHA-256 fingerprint, to be compared there:
  {fingerprint}
- iPhone, iPad: Settings, General, VPN & Device Management: install it; then General, About, Certificate Trust Settings:
  switch it on.
- Android: Settings, Security, Encryption & credentials, Install a certificate, CA certificate: choose the file.
- Firefox: Settings, Privacy & Security, View Certificates, Authorities, Import. Other browsers: the system's own store.
It vouches for private addresses and .local names only, and only this hub has its key."""


def main(argv: list[str]) -> Result:
    chosen = _parser().parse_args(argv)
    if chosen.devices:
        return _devices()
    if chosen.revoke:
        return _revoke(chosen.revoke)
    if chosen.off:
        _off()
        return Result(
            {"url": ""}, text="No other device is let in any more by these ways. Those that are in: clawmux phone --devices"
        )
    if chosen.certificate:
        return _certificate()
    if chosen.lan is not None:
        return _pair(_take("lan", host=chosen.lan), "lan")
    if chosen.public_url:
        return _pair(_take("proxy", url=chosen.public_url))
    return _pair(_any_way())


def _parser() -> Arguments:
    parser = Arguments(
        "phone",
        "An https address for your phone, as a QR code, with a code that lets one device in, once. Without options:"
        " the address there is, else `tailscale serve`.",
        "clawmux phone --lan",
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--public-url", metavar="URL", help="an https proxy of your own shows the page under this address")
    ways.add_argument(
        "--lan", metavar="ADDRESS", nargs="?", const="", help="serve this private address, with a certificate of our own"
    )
    ways.add_argument("--certificate", action="store_true", help="how a device is told to trust that certificate")
    ways.add_argument("--off", action="store_true", help="end all of these ways")
    ways.add_argument("--devices", action="store_true", help="the devices that are in")
    ways.add_argument("--revoke", metavar="NAME", help="put this device out, at once")
    return parser


# -- ways and pairing --


def _any_way() -> dict[str, Any]:
    view: dict[str, Any] = owner.call("GET", "/api/phone")
    tailnet = view["tailscale"]
    # Once more where it is in use: what tailscale serves may have been changed by hand.
    if tailnet["state"] == "up" and view["way"] in ("", "tailscale"):
        return _take("tailscale")
    if view["url"]:
        return view
    fault = view["lan"]["fault"]
    text = f"there is no https address for another device: {fault or tailnet['reason']}"
    first = "" if tailnet["state"] == "missing" else f"{tailnet['remedy']}\n"
    raise ClawMuxError("missing_program", text, f"{first}One of these makes one:\n{_WAYS}")


def _take(way: str, **fields: str) -> dict[str, Any]:
    view: dict[str, Any] = owner.call("POST", "/api/phone", {"way": way, **fields}, timeout=WAY_SECONDS)
    return view


def _off() -> None:
    """Also where no hub runs: what Tailscale serves goes on without one."""
    try:
        _take("off")
    except ClawMuxError as error:
        if error.code != "hub_not_running":
            raise
        _off_without_hub()


def _off_without_hub() -> None:
    from clawmux.adapters.tailscale import Tailscale, is_in_tailnet

    file = locate().config_file
    values = settings.load(file)
    if is_in_tailnet(values.hub_public_url):
        tailscale = Tailscale(os.environ)
        # What the hub gives it to show; see Addresses.proxied.
        asyncio.run(_stop(tailscale, f"http://{values.hub_host}:{values.hub_port}"))
    if file.exists():
        settings.save_all(file, {"hub.public_url": None, "hub.lan_host": None})


async def _stop(tailscale: Tailscale, target: str) -> None:
    tailnet = await tailscale.look()
    if tailnet.name:
        await tailscale.stop(tailnet.name, target)


def _pair(view: dict[str, Any], way: str = "") -> Result:
    made = owner.call("POST", "/api/phone/code", {"way": way})
    is_own = made["url"] in view["lan"]["urls"]
    text = f"{_qr(made['link'])}{made['url']}\ncode: {made['code']}"
    how = "Scan it with the phone's camera, or open the address there and type the code."
    note = f"{how} It works once, within {made['seconds'] / 60:g} minutes."
    if is_own:
        note += "\nThe phone must be told once to trust this hub: clawmux phone --certificate"
    elif view["way"] == "tailscale":
        note += (
            "\nTailscale must run on the phone, too. This machine's name stands in the public log of certificates from now on."
        )
    value = {"url": made["url"], "code": made["code"], "link": made["link"], "seconds": made["seconds"], "way": view["way"]}
    return Result(value, text=text, note=note)


def _certificate() -> Result:
    lan = owner.call("GET", "/api/phone")["lan"]
    if not lan["certificate"]:
        raise ClawMuxError("not_found", "the door in your network is not open.", "Open it: clawmux phone --lan")
    text = _qr(lan["certificate"]) + _TRUST.format(url=lan["certificate"], fingerprint=lan["fingerprint"])
    return Result({"url": lan["certificate"], "fingerprint": lan["fingerprint"]}, text=text)


def _qr(text: str) -> str:
    """The picture for a terminal, two rows of squares in one line of text; nothing where nobody could scan it."""
    if not sys.stdout.isatty() or "UTF" not in (sys.stdout.encoding or "").upper():
        return ""
    import segno

    rows = [list(row) for row in segno.make_qr(text, error="l").matrix_iter(border=2)]
    rows += [[0] * len(rows[0])] if len(rows) % 2 else []
    # Black on white whatever the terminal's own colours: not every camera reads the reverse.
    lines = (
        "".join(" ▄▀█"[2 * up + down] for up, down in zip(*pair, strict=True)) for pair in zip(rows[::2], rows[1::2], strict=True)
    )
    return "".join(f"\x1b[30;107m{line}\x1b[0m\n" for line in lines)


# -- devices --


def _devices() -> Result:
    listed = owner.call("GET", "/api/devices")
    rows = tuple((each["name"], _seen(each), each["address"] or "-") for each in listed)
    if not rows:
        return Result(listed, text="No device is in. Pair one: clawmux phone")
    return Result(listed, table=Table(("DEVICE", "LAST SEEN", "ADDRESS"), rows), note="Put one out: clawmux phone --revoke NAME")


def _seen(device: dict[str, Any]) -> str:
    return "now" if device["connected"] else f"{age(time.time() - device['seen'])} ago"


def _revoke(name: str) -> Result:
    listed = owner.call("GET", "/api/devices")
    found = [each for each in listed if name in (each["name"], each["id"])]
    if not found:
        names = ", ".join(each["name"] for each in listed) or "none"
        raise ClawMuxError(
            "not_found", f"there is no device {name[:60]!r}; there are: {names}.", "See `clawmux phone --devices`."
        )
    owner.call("DELETE", f"/api/devices/{found[0]['id']}")
    return Result({"id": found[0]["id"], "name": found[0]["name"]}, note=f"{found[0]['name']} is out.")
