"""What the stand-in hub answers and refuses, as a test sets it."""

from __future__ import annotations

import asyncio

from clawmux import settings
from tests.stand_ins.page_rows import DEBUG, Message, phone
from tests.stand_ins.page_speech import INSPECTED


class PageAnswers:
    def __init__(self) -> None:
        self.refuses = False
        self.answers_pings = True
        self.refuses_text = ""
        self.refuses_spawn: dict[str, str] = {}
        self.settings = settings.Settings()
        self.usual_runtime = ""
        self.refuses_settings: dict[str, str] = {}
        self.tiers: Message = {}
        """What GET /api/tiers answers besides how speech stands; a test that opens the settings gives it."""
        self.projects: list[Message] = []
        """What GET /api/projects answers."""
        self.refuses_speech: dict[str, str] = {}
        """Why nothing is measured and tried."""
        self.inspected: Message = INSPECTED
        """What a server comes to that is tried."""
        self.phone: Message = phone()
        """How other devices get in, as GET /api/phone shows it."""
        self.paired: list[Message] = []
        """The devices that are in."""
        self.refuses_way: dict[str, str] = {}
        self.changes: Message = {"repository": "/home/ann/billing-api", "branch": "main", "why": "", "files": [], "more": False}
        """What GET /api/sessions/{id}/changes answers, for every agent."""
        self.debug: Message = DEBUG
        """What GET /api/debug answers."""
        self.patches: dict[str, Message] = {}
        """The lines of a changed file, by its key."""
        self.ahead_seconds = 0.0
        """How far the hub's clock is before the page's."""
        self.refuses_message: dict[str, str] = {}
        self.slow_words = ""
        """A search for these words is answered only when the test says so."""
        self.refuses_decision: dict[str, str] = {}
        self.holds_interrupt = asyncio.Event()
        """Set: an interrupt is answered; a test that wants to see one under way clears it."""
        self.holds_interrupt.set()
