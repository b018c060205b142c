"""A text that others had a hand in, as people may see it: nothing that a terminal obeys, no password of an address. Pure."""

from __future__ import annotations

import re

from clawmux.wire.text import clean

# ``//ann:hush@host``, and without a scheme ``ann:hush@host``.
_LOGIN = re.compile(r"(?:(?<=//)[^\s/?#]+|(?<![^\s'\"(])[^\s/?#:'\"(]+:[^\s/?#]+)@")


def harmless(text: str) -> str:
    return _LOGIN.sub("", clean(text))
