"""What the parts of the hub ask of the runtime that joins them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from clawmux.adapters.store import Store
from clawmux.core.session import Session
from clawmux.hub.agents import Agents
from clawmux.hub.journal import Journal
from clawmux.hub.pages import Pages


class Joining(Protocol):
    store: Store
    agents: Agents
    pages: Pages
    journal: Journal

    @property
    def now(self) -> float:
        """Monotonic seconds of the loop."""

    def perform(self, effects: Iterable[object], *then: Callable[[], None]) -> None: ...

    def show_session(self, session: Session) -> None:
        """Tell the pages what is new of it."""

    def start_task(self, work: Any, name: str) -> None: ...

    def notice(self, session_id: str | None, level: str, text: str, remedy: str = "") -> None: ...
