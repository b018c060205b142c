"""Fixtures of the page's tests; a test asks for them by name, and a file may have its own ``hub`` in place of the stand-in.

A browser and Playwright's own process take a second to start, so most tests share one; for that they share the event loop, too,
and every async fixture here names it: ``@pytest_asyncio.fixture(loop_scope="session")``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect
from pytest_asyncio import is_async_test

from tests.browser.chromium import Chromium
from tests.browser.page_fixtures import (
    PAGE_SECONDS,
    axe,
    browser,
    chromium,
    hub,
    microphone_file,
    microphone_source,
    open_page,
    open_settings,
    playwright,
    shared_browsers,
)

__all__ = [
    "Chromium",
    "axe",
    "browser",
    "chromium",
    "hub",
    "microphone_file",
    "microphone_source",
    "open_page",
    "open_settings",
    "playwright",
    "shared_browsers",
]

FOLDER = Path(__file__).parent
# A page is a process of its own on a machine with other work; Playwright's five seconds are for one that is alone.
expect.set_options(timeout=1000 * PAGE_SECONDS)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == FOLDER and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
