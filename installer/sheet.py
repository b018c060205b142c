"""The plan as a person reads it, in plain text, and as a program does. Prints nothing."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from typing import Any

from clawmux import __version__
from clawmux.tiers import Mode
from clawmux.wire.errors import ClawMuxError
from installer.disk import Disk
from installer.place import Place
from installer.plan import Plan, Task
from installer.room import mega

ENVELOPE_VERSION = 1
WIDTH = 100

_MODES = {
    Mode.LOCAL: "local: hub, agents and speech on this machine",
    Mode.SPLIT: "split: hub and agents on this machine, speech on another",
    Mode.THIN: "thin: this machine shows the page of a hub elsewhere",
}


def as_text(plan: Plan, place: Place, disk: Disk) -> str:
    speech = f", {plan.tier.value} recognition ({', '.join(plan.models)})" if plan.models else ""
    parts = [
        f"ClawMux {__version__} for {place.home}",
        _wrapped(f"{_MODES[plan.mode]}{speech}", "  mode     "),
        f"  program  {place.program}",
        f"  command  {place.launcher}",
    ]
    parts += ["", "Why", *(_item(reason) for reason in plan.reasons)] if plan.reasons else []
    parts += ["", "What will be done" if plan.to_do else "What was found"]
    parts += [_row(number, task) for number, task in enumerate(plan.tasks, 1)]
    parts += ["", _total(plan, disk)]
    parts += ["", "Worth knowing", *(_item(warning) for warning in plan.warnings)] if plan.warnings else []
    return "\n".join(parts)


def _row(number: int, task: Task) -> str:
    sizes = f"{mega(task.download_bytes)} to fetch" if task.download_bytes else ""
    if task.disk_bytes:
        sizes += f"{', ' if sizes else ''}{mega(task.disk_bytes)} on disk"
    done = "done already" if task.is_done else sizes
    return _wrapped(f"{task.title}{f': {done}' if done else ''}", f"{number:3}. ") + (
        "\n" + _wrapped(task.reason, "     ") if task.reason and not task.is_done else ""
    )


def _total(plan: Plan, disk: Disk) -> str:
    if not plan.to_do:
        return "Everything is there and right; nothing has to be changed."
    free = f"; {mega(disk.free_bytes)} are free" if disk.free_bytes is not None else ""
    return f"Altogether {mega(plan.download_bytes)} to fetch and {mega(plan.disk_bytes)} on disk{free}."


def _item(text: str) -> str:
    return _wrapped(text, "  - ")


def _wrapped(text: str, first: str) -> str:
    """Long words, paths above all, are not broken."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_json(command: str, body: dict[str, Any]) -> str:
    """The same envelope as the command line's (clawmux/cli/render.py)."""
    return json.dumps({"clawmux": ENVELOPE_VERSION, "command": command, **body}, ensure_ascii=False, default=str)


def error(failure: ClawMuxError) -> dict[str, Any]:
    return {"error": {"code": failure.code, "text": failure.text, "remedy": failure.remedy}}


def result(plan: Plan, place: Place, disk: Disk) -> dict[str, Any]:
    facts = asdict(plan) | {"download_bytes": plan.download_bytes, "disk_bytes": plan.disk_bytes}
    where = {"program": str(place.program), "launcher": str(place.launcher), "data": str(place.data.data)}
    return {"result": facts | where | {"version": __version__, "free_bytes": disk.free_bytes, "changes": bool(plan.to_do)}}
