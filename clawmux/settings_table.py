"""The settings as a table of rows for the page, the API and the command line: value, where it comes from, what it may be."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clawmux import settings
from clawmux.project_file import Project
from clawmux.settings import DECLARATIONS, FIELD_OF, Declaration, Settings
from clawmux.wire.errors import ClawMuxError

Row = dict[str, Any]


def rows(
    in_force: Settings,
    file: Path,
    environ: Mapping[str, str] = os.environ,
    existing: Mapping[str, Sequence[str]] | None = None,
) -> list[Row]:
    """One for each setting. ``existing``: choices that only this machine knows, by dotted name."""
    found, defaults = sources(file, in_force, environ), Settings()
    return [
        {
            "name": d.name,
            "title": d.title,
            "help": d.help,
            "type": type(getattr(defaults, field)).__name__,
            "value": getattr(in_force, field),
            "default": getattr(defaults, field),
            "source": found[d.name],
            "choices": list((existing or {}).get(d.name, d.choices)),
            "low": d.low,
            "high": d.high,
            "live": d.live,
            "project": d.project,
        }
        for field, d in DECLARATIONS.items()
    ]


def as_saved(in_force: Settings, file: Path) -> Settings:
    """With what config.toml has for the next start of the hub: whoever has saved that sees it, and can take it back."""
    try:
        stored, saved = settings.stored(file), settings.load(file)
    except ClawMuxError:
        return in_force
    waiting = {field: getattr(saved, field) for field, d in DECLARATIONS.items() if not d.live and d.name in stored}
    return dataclasses.replace(in_force, **waiting)


def with_project(table: list[Row], project: Project) -> list[Row]:
    """The same for the folder of a project: what its clawmux.toml decides has that file for its source."""
    decided = {DECLARATIONS[field].name: value for field, value in project.values.items()}
    return [
        {**row, "value": decided[row["name"]], "source": str(project.file)} if row["name"] in decided else row for row in table
    ]


def sources(file: Path, in_force: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For each setting, by its dotted name, where its value in force comes from, in words."""
    stored: Mapping[str, Any] = {}
    try:
        stored = settings.stored(file)
    except ClawMuxError:
        pass  # a hub that runs has its values all the same
    values = {DECLARATIONS[name].name: value for name, value in dataclasses.asdict(in_force).items()}
    return {name: _source(DECLARATIONS[FIELD_OF[name]], value, stored, environ) for name, value in values.items()}


def _source(declaration: Declaration, value: Any, stored: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The strongest that has this value: what was changed since the hub started may hide a stronger one until the next start."""
    said = [(f"environment {v}", environ[v]) for v in declaration.environment if environ.get(v)]
    said += [("config.toml", stored[declaration.name])] if declaration.name in stored else []
    said.append(("default", getattr(Settings(), FIELD_OF[declaration.name])))
    return next((source for source, text in said if settings.check(declaration.name, text) == value), "start of the hub")
