"""``clawmux tier``: which qualities of speech fit this machine, changing to one, measuring it. Hub or store do the work."""

from __future__ import annotations

import sys
import time
from typing import Any

from clawmux import settings as declared
from clawmux.cli import owner
from clawmux.cli.arguments import Arguments
from clawmux.cli.models import shown
from clawmux.cli.render import Result, Table
from clawmux.paths import locate, make_private
from clawmux.shown import harmless
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Tier

LOOK_SECONDS = 0.3
MEASURE_LOOK_SECONDS = 1.0
# A service that says it failed may be the old one, beside which the new one loads; that takes 180 s at most.
FAILED_SECONDS = 200.0


def main(argv: list[str]) -> Result:
    names = ", ".join(tier.value for tier in Tier)
    parser = Arguments("tier", "The quality of speech recognition: what fits this machine, and changing it.", "clawmux tier low")
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"change to this one, fetching what is missing: {names}")
    parser.add_argument("--force", action="store_true", help="also one that does not fit this machine")
    parser.add_argument("--measure", action="store_true", help="measure the one in use: some 30 s, in which nobody may talk")
    chosen = parser.parse_args(argv)
    if chosen.measure:
        if chosen.name is not None:
            raise ClawMuxError("usage", "tier: --measure measures the one in use.", "Change first, then measure.")
        return _measure()
    if chosen.name is None:
        return _list(_told())
    if chosen.name not in list(Tier):
        raise ClawMuxError("usage", f"tier: there is no tier {chosen.name!r}; there are: {names}.", "See `clawmux tier`.")
    return _change(chosen.name, chosen.force)


def _told() -> dict[str, Any]:
    """As the hub tells it; without a hub, as this machine is."""
    try:
        told: dict[str, Any] = owner.call("GET", "/api/tiers")
        return {**told, "is_running": True}
    except ClawMuxError as error:
        if error.code != "hub_not_running":
            raise
    import asyncio

    from clawmux.hub.machine import Machine

    values = declared.load(locate().config_file)
    about = asyncio.run(Machine(locate().models, locate().measured).view(values, None))
    urls = {"whisper_url": harmless(values.speech_whisper_url), "kokoro_url": harmless(values.speech_kokoro_url)}
    how = {"wanted": values.speech_quality, "serving": None, "state": "off", "reason": "", "progress": None}
    return {**about, **how, "remote": urls if any(urls.values()) else None, "is_running": False}


def _list(told: dict[str, Any]) -> Result:
    heads = ("TIER", "MODEL", "FITS", "RUNS ON", "DELAY", "HERE", "NOW")
    rows = tuple(_cells(row, told) for row in told["tiers"])
    best = told["recommendation"]
    recommended = f"Recommended here: {best['tier']}. " if best["mode"] == "local" else ""
    notes = [recommended + " ".join(best["reasons"])]
    notes += [f"{row['tier']} does not fit: {row['reason']}" for row in told["tiers"] if not row["fits"]]
    notes.append(_about_remote(told))
    if told["reason"]:
        what = "The last change failed" if told["serving"] else f"Speech is {told['state']}"
        notes.append(f"{what}: {told['reason']}")
    return Result(told, table=Table(heads, rows), note="\n".join(note for note in notes if note))


def _measure() -> Result:
    """Let the hub measure, and wait for it; Ctrl-C stops that, too."""
    try:
        how: dict[str, Any] | None = owner.call("POST", "/api/tiers/measure", {})
    except ClawMuxError as error:
        if error.code == "hub_not_running":
            raise ClawMuxError(error.code, "a hub that runs is needed to measure.", "Start it: clawmux start") from None
        raise
    tier = str(how["tier"]) if how else ""
    began, said = time.time(), -1
    try:
        while how is not None:
            if how["done"] != said:
                said = how["done"]
                print(f"measuring {tier}, {how['doing']}: {said} of {how['of']}", file=sys.stderr, flush=True)
            time.sleep(MEASURE_LOOK_SECONDS)
            told = owner.call("GET", "/api/tiers")
            how = told["measuring"]
    except KeyboardInterrupt:
        owner.call("DELETE", "/api/tiers/measure")
        raise
    row = next(row for row in told["tiers"] if row["tier"] == tier)
    if not row["measured"] or row["measured"]["at"] < began:
        why = row["stale"] or "somebody began to talk, or the quality was changed"
        raise ClawMuxError("conflict", f"{tier} was not measured: {why}.", "Try again; the page says more.")
    return Result({"tier": tier, **row["measured"]}, text=_figures(tier, row["measured"]))


def _figures(tier: str, found: dict[str, Any]) -> str:
    memory = f", {found['memory_bytes'] / 1e6:.0f} MB of memory" if found["memory_bytes"] else ""
    return (
        f"{tier}: {found['delay_seconds']:.2g} s from the end of what you say to its words,"
        f" {found['first_sound_seconds']:.2g} s to the first sound of an answer;"
        f" {found['hearing_factor']:.2g} and {found['speaking_factor']:.2g} times as long as it sounds{memory}."
    )


def _cells(row: dict[str, Any], told: dict[str, Any]) -> tuple[str, ...]:
    delay = f"{row['delay_seconds']:.2g} s, {'measured' if row['is_measured'] else 'estimate'}"
    is_elsewhere = all((told["remote"] or {"": ""}).values())
    here = "not needed" if is_elsewhere else "yes" if row["installed"] else f"no, {row['download_bytes'] / 1e6:.0f} MB to fetch"
    now = [word for word in ("serves", "wanted") if told[{"serves": "serving"}.get(word, word)] == row["tier"]]
    fits = "yes" if row["fits"] else "no"
    return (row["tier"], row["model"], fits, row["device"], delay, here, " ".join(now[:1]))


def _about_remote(told: dict[str, Any]) -> str:
    url = (told["remote"] or {}).get("whisper_url")
    return (
        f"{url} recognises, and its quality is set there; what stands here counts without it (speech.whisper_url)." if url else ""
    )


def _change(name: str, force: bool) -> Result:
    told = _told()
    row = next(row for row in told["tiers"] if row["tier"] == name)
    if not row["fits"] and not force:
        raise ClawMuxError("conflict", f"{name} does not fit this machine: {row['reason']}", "Choose another, or add --force.")
    return _through_hub(name, told) if told["is_running"] else _without_hub(name)


def _through_hub(name: str, told: dict[str, Any]) -> Result:
    """Ask, and wait until it serves or is put back; Ctrl-C ends the waiting and not the change."""
    from clawmux.adapters.models import Progress

    owner.call("PUT", "/api/settings", {"speech.quality": name})
    give_up_at = None
    with shown() as report:
        while True:
            told = owner.call("GET", "/api/tiers")
            if told["serving"] == told["wanted"] == name:
                text = f"{name} serves now."
                return Result({"tier": name, "serving": name, "wanted": name}, text=text, note=_about_remote(told))
            if told["wanted"] != name:
                raise _put_back(name, told)
            if progress := told["progress"]:
                report(Progress("fetching", progress["file"], progress["done_bytes"], progress["total_bytes"]))
            if told["state"] in ("ready", "starting", "downloading"):
                give_up_at = None
            elif time.monotonic() > (give_up_at := give_up_at or time.monotonic() + FAILED_SECONDS):
                raise ClawMuxError(
                    "speech_down", f"{name} does not serve: {told['reason'] or told['state']}", "See `clawmux doctor`."
                )
            time.sleep(LOOK_SECONDS)


def _put_back(name: str, told: dict[str, Any]) -> ClawMuxError:
    if told["reason"]:
        text = f"{name} could not be used, so {told['wanted']} stays: {told['reason']}"
        return ClawMuxError("speech_down", text, "`clawmux tier` shows what fits this machine; the speech log has more.")
    return ClawMuxError("conflict", f"somebody else has chosen {told['wanted']} meanwhile.", "See `clawmux tier`.")


def _without_hub(name: str) -> Result:
    """Fetch what is missing, then note the wish: the next start of the hub finds everything there."""
    import asyncio

    from clawmux.adapters.models import ModelStore
    from clawmux.hub.machine import Machine

    place = locate()
    values = declared.load(place.config_file)
    missing = asyncio.run(Machine(place.models, place.measured).missing(Tier(name), values))
    if missing:
        with shown() as report:
            ModelStore(place.models, values.models_mirror).pull(*missing, progress=report)
    make_private(place.config)
    declared.save(place.config_file, "speech.quality", name)
    in_force = declared.load(place.config_file).speech_quality
    note = "" if in_force == name else f"The environment says {in_force}, and that counts more than the settings file."
    return Result(
        {"tier": name, "serving": None, "wanted": in_force}, text=f"{name} will serve when the hub is started.", note=note
    )
