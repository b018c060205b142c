"""Whether tests that repeat themselves do so as often as shows most: ``CLAWMUX_TEST_LONG=1 python -m pytest ...``."""

from __future__ import annotations

import os

IS_LONG = os.environ.get("CLAWMUX_TEST_LONG") == "1"
