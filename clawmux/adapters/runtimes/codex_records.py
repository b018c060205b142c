"""What Codex writes about itself: the rollout, one JSON line for everything that happens in a thread.

It is its own affair, so it is read with doubt: what is not understood says nothing.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clawmux.adapters.runtimes.claude_records import DETAIL_CHARS, Tail
from clawmux.adapters.runtimes.running import open_files
from clawmux.wire.signs import Observation, Place, Sign, Taken, ToolFailed
from clawmux.wire.words import Activity, Kind, Source

# Until a hook has named the rollout it is found among the open files: a look into the process's table, so not at each one.
FIND_EVERY_LOOKS = 8
FIRST_LINE_BYTES = 1 << 20
_STATES = {
    401: (Activity.NEEDS_YOU, Kind.LOGIN),
    403: (Activity.NEEDS_YOU, Kind.LOGIN),
    429: (Activity.NEEDS_YOU, Kind.RATE_LIMIT),
}
_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


class CodexRecords:
    """The records of one process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._looks = 0
        self._place: Place | None = None
        self._tail: Tail | None = None
        self._reading = Rollout()

    def look(self) -> list[Observation]:
        seen: list[Observation] = []
        if self._tail is None:
            if self._looks % FIND_EVERY_LOOKS == 0 and (file := rollout_of(self._pid)):
                self.placed(Place(thread_of(file), str(file)))
                seen += [self._place] if self._place else []
            self._looks += 1
        if self._tail is not None:
            seen += itertools.chain.from_iterable(map(self._reading.read, self._tail.lines()))
            seen += [self._reading.sign] if self._reading.sign else []
        return seen

    def placed(self, place: Place) -> None:
        if place.transcript and (self._tail is None or self._tail.file != Path(place.transcript)):
            self._place, self._tail, self._reading = place, Tail(Path(place.transcript)), Rollout()

    def close(self) -> None:
        self._tail = None


class Rollout:
    """Reads the lines of one rollout in order; pure."""

    def __init__(self) -> None:
        self._turn: Sign | None = None
        self._calls: set[str] = set()
        """Tools that have no result yet: they run, or wait for somebody's leave. The file does not tell which."""

    @property
    def sign(self) -> Sign | None:
        return None if self._calls else self._turn

    def read(self, line: bytes) -> list[Observation]:
        """What this line says; most say nothing."""
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return []
        payload = said.get("payload") if isinstance(said, dict) else None
        event = payload.get("type") if isinstance(payload, dict) else None
        if not isinstance(payload, dict) or not isinstance(event, str):
            return []
        if event in _CALLS:
            self._calls.add(str(payload.get("call_id")))
        elif event in _OUTPUTS:
            self._calls.discard(str(payload.get("call_id")))
        elif event in _EVENTS:
            return _EVENTS[event](self, payload)
        return []

    def _started(self, payload: Mapping[str, Any]) -> list[Observation]:
        return self._now(Sign(Source.RECORD, Activity.THINKING))

    def _completed(self, payload: Mapping[str, Any]) -> list[Observation]:
        return self._now(read_end(payload.get("error")))

    def _aborted(self, payload: Mapping[str, Any]) -> list[Observation]:
        return self._now(Sign(Source.RECORD, Activity.IDLE, Kind.INTERRUPTED))

    def _item(self, payload: Mapping[str, Any]) -> list[Observation]:
        item = payload.get("item")
        if not isinstance(item, dict):
            return []
        if item.get("status") == "failed":
            return [ToolFailed(str(item.get("id")))]
        if item.get("type") != "UserMessage" or not isinstance(item.get("content"), list):
            return []
        texts = [part.get("text") for part in item["content"] if isinstance(part, dict)]
        return [Taken(Source.RECORD, "\n".join(text for text in texts if isinstance(text, str)))]

    def _now(self, sign: Sign) -> list[Observation]:
        self._calls.clear()
        self._turn = sign
        return []


_EVENTS: dict[str, Callable[[Rollout, Mapping[str, Any]], list[Observation]]] = {
    "task_started": Rollout._started,
    "task_complete": Rollout._completed,
    "turn_aborted": Rollout._aborted,
    "item_completed": Rollout._item,
}


def read_end(error: Any) -> Sign:
    """How a turn ended: ``error`` stands in the rollout when it failed."""
    if not isinstance(error, dict):
        return Sign(Source.RECORD, Activity.IDLE)
    info = error.get("codex_error_info")
    activity, kind = _STATES.get(_status(info), (Activity.IDLE, Kind.API_ERROR))
    if isinstance(info, str) and "usage_limit" in info:
        activity, kind = Activity.NEEDS_YOU, Kind.RATE_LIMIT
    return Sign(Source.RECORD, activity, kind, " ".join(str(error.get("message", "")).split())[:DETAIL_CHARS])


def _status(info: Any) -> int:
    inner = next(iter(info.values()), None) if isinstance(info, dict) else None
    status = inner.get("http_status_code") if isinstance(inner, dict) else None
    return status if isinstance(status, int) else 0


def rollout_of(pid: int) -> Path | None:
    """The rollout that a running Codex writes; of several threads the newest that is no subagent's."""
    files = [Path(file) for file in open_files(pid) if Path(file).name.startswith("rollout-") and file.endswith(".jsonl")]
    # Their names begin with the time at which they were made.
    return next((file for file in sorted(set(files), reverse=True) if _is_main(file)), None)


def thread_of(rollout: Path) -> str:
    """The thread's id: the last 36 characters of the file's name."""
    return rollout.stem[-36:]


def _is_main(rollout: Path) -> bool:
    try:
        with rollout.open("rb") as source:
            payload = json.loads(source.readline(FIRST_LINE_BYTES)).get("payload")
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
    return isinstance(payload, dict) and not isinstance(payload.get("source"), dict)
