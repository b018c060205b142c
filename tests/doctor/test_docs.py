"""Every check has its row in docs/doctor.md, and every row its check."""

from __future__ import annotations

import re

from clawmux.doctor.examination import CHECKS
from tests.doctor.conftest import ROOT

ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8"), re.MULTILINE))


def test_every_check_has_its_row_in_their_order() -> None:
    assert list(ROWS) == [check.name for check in CHECKS]


def test_only_deep_checks_have_nothing_but_their_deep_side() -> None:
    assert [name for name, cells in ROWS.items() if cells.startswith(" |") or cells.startswith("|")] == [
        check.name for check in CHECKS if check.only_deep
    ]
