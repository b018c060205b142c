"""``clawmux models``: what speech models are here, fetching and removing them. The store does the work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clawmux import catalog
from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result, Table
from clawmux.paths import locate
from clawmux.settings import load
from clawmux.wire.errors import ClawMuxError

if TYPE_CHECKING:
    from clawmux.adapters.models import ModelStore, Progress

# Without a terminal, one line for each tenth of the way: a log keeps its shape.
PLAIN_STEP_PERCENT = 10


def main(argv: list[str]) -> Result:
    parser = Arguments("models", "Speech models on this machine.", "clawmux models pull --set tiny")
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|pull|rm|path", parser_class=_Action)
    listing = actions.add_parser("list", help="every model, its size, and whether it is here")
    listing.add_argument("--verify", action="store_true", help="read the files that are here and name the broken ones")
    pull = actions.add_parser("pull", help="fetch models; what is here already is checked and kept")
    pull.add_argument("names", nargs="*", metavar="NAME", help="models, as `clawmux models list` names them")
    pull.add_argument("--set", choices=catalog.SETS, help="the models of one quality; tiny is about 200 MB")
    remove = actions.add_parser("rm", help="remove models and free their space")
    remove.add_argument("names", nargs="+", metavar="NAME", help="models, as `clawmux models list` names them")
    where = actions.add_parser("path", help="print where a model lies, for programs that load it")
    where.add_argument("name", metavar="NAME", help="a model, as `clawmux models list` names it")
    chosen = parser.parse_args(argv)
    store = _store()
    if chosen.action == "pull":
        return _pull(store, [*chosen.names, *([chosen.set] if chosen.set else [])])
    if chosen.action == "rm":
        return _remove(store, chosen.names)
    return _path(store, chosen.name) if chosen.action == "path" else _list(store, chosen.verify)


class _Action(Arguments):
    """A word under ``models``; named by argparse itself."""

    def __init__(self, **facts: Any) -> None:
        command = facts["prog"].removeprefix("clawmux ")
        super().__init__(command, _ABOUT[command], f"clawmux {command}{_EXAMPLES[command]}")


_ABOUT = {
    "models list": "Every model that is offered: its size, its licence, and whether it is on this machine.",
    "models pull": "Fetch models, from where the last pull stopped. Several sources are tried; every file is checked.",
    "models rm": "Remove models, with the files that no other model needs.",
    "models path": "Print the file or folder of a model that is on this machine.",
}
_EXAMPLES = {"models list": " --verify", "models pull": " --set tiny", "models rm": " whisper-small", "models path": " voices"}


def _store() -> ModelStore:
    from clawmux.adapters.models import ModelStore

    place = locate()
    return ModelStore(place.models, load(place.config_file).models_mirror)


def _list(store: ModelStore, verify: bool) -> Result:
    broken = []
    if verify:
        with shown() as report:
            broken = store.verify(progress=report)
    rows = [
        {
            "name": model.name,
            "title": model.title,
            "bytes": model.size,
            "licence": model.licence,
            "path": str(store.path(model.name) or "") or None,
            "sets": [name for name, members in catalog.SETS.items() if model.name in members],
            "broken": [item.file for item in broken if item.model == model.name],
        }
        for model in catalog.MODELS.values()
    ]
    error = None
    if broken:
        error = ClawMuxError(
            "bad_file",
            f"broken and set aside: {', '.join(str(item.path) for item in broken)}.",
            f"Run: clawmux models pull {' '.join(dict.fromkeys(item.model for item in broken))}",
        )
    heads = ("NAME", "HERE", "SIZE", "SETS", "WHAT IT IS")
    return Result({"root": str(store.root), "models": rows}, table=Table(heads, tuple(map(_cells, rows))), error=error)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    here = "broken" if row["broken"] else "yes" if row["path"] else "no"
    return (row["name"], here, _mega(row["bytes"]), ", ".join(row["sets"]), f"{row['title']} ({row['licence']})")


def _pull(store: ModelStore, what: Sequence[str]) -> Result:
    if not what:
        raise ClawMuxError("usage", "models pull: no model is named.", "Run: clawmux models pull --set tiny")
    names = store.names(*what)
    with shown() as report:
        store.pull(*names, progress=report)
    paths = {name: str(store.path(name)) for name in names}
    return Result({"models": paths}, text="\n".join(f"{name}: {path}" for name, path in paths.items()))


def _remove(store: ModelStore, names: Sequence[str]) -> Result:
    store.names(*names)  # an unknown name removes nothing at all
    with shown() as report:
        freed = sum(store.remove(name, report) for name in names)
    return Result({"freed_bytes": freed}, note=f"{_mega(freed)} are free again.")


def _path(store: ModelStore, name: str) -> Result:
    path = store.path(name)
    if path is None:
        raise ClawMuxError("not_found", f"model {name} is not on this machine.", f"Run: clawmux models pull {name}")
    return Result({"name": name, "path": str(path)}, text=str(path))


@contextmanager
def shown() -> Iterator[Callable[[Progress], None]]:
    """Progress on stderr, whatever stdout is used for: a moving bar on a terminal, else a few plain lines."""
    if sys.stderr.isatty():
        try:
            with _bar() as report:
                yield report
            return
        except ImportError:
            pass  # rich is a convenience; the thin bootstrap environment has none
    yield _Lines().report


class _Lines:
    """Plain lines: each notice, and each tenth of the way once."""

    def __init__(self) -> None:
        self._tenth = -1

    def report(self, progress: Progress) -> None:
        if progress.text:
            _say(progress.text)
        if progress.stage == "fetching" and progress.total_bytes:
            tenth = progress.done_bytes * 100 // progress.total_bytes // PLAIN_STEP_PERCENT
            if tenth > self._tenth:
                self._tenth = tenth
                _say(f"{_mega(progress.done_bytes)} of {_mega(progress.total_bytes)}: {progress.file}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Column

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        DownloadColumn(table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(progress: Any) -> None:
            if progress.text:
                bar.console.print(progress.text, markup=False, highlight=False)
            if progress.total_bytes:
                # The model only: beside the name of its file the figures would find no room in 80 columns.
                label = f"{progress.stage} {progress.file.partition('/')[0]}" if progress.file else None
                bar.update(task, completed=progress.done_bytes, total=progress.total_bytes, description=label)

        yield report


def _mega(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
