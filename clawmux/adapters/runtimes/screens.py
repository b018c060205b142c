"""Pure: what an agent's screen says about its state, by the rules of its manifest. Touches no pane."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from clawmux.wire.signs import Sign
from clawmux.wire.text import cut
from clawmux.wire.words import Activity, Kind, Source

# A detail is one line on a page and in a table.
DETAIL_CHARS = 300


@dataclass(frozen=True, slots=True)
class ScreenRule:
    """One ``[[screens]]`` table of a manifest: a screen that matches means this state."""

    screen: str
    """Regex, searched with ^ and $ at every line; what its group ``(?P<detail>…)`` matches is the detail."""
    activity: Activity
    kind: Kind = Kind.NONE
    detail: str = ""
    """The detail where the regex has no such group, or it matched nothing."""
    lines: int = 0
    """So many lines at the bottom of the screen are looked at, empty ones below the last text not counted; 0 = all."""


def read_sign(rules: Iterable[ScreenRule], screen: str) -> Sign | None:
    """What the first rule that matches says; None when none does, which says nothing."""
    lines = screen.rstrip().split("\n")
    for rule in rules:
        if found := re.search(rule.screen, "\n".join(lines[-rule.lines :]), re.MULTILINE):
            return Sign(Source.SCREEN, rule.activity, rule.kind, _detail(found) or rule.detail)
    return None


def _detail(found: re.Match[str]) -> str:
    """The group's words on one line, without the frames that TUIs draw around them."""
    words = found.groupdict().get("detail") or ""
    return cut(" ".join(re.sub("[\u2500-\u257f]", " ", words).split()), DETAIL_CHARS)
