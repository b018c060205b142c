"""The agents' verbs inside the whole command line, for callers that did not come through an agent's own launcher."""

from __future__ import annotations

import os

from clawmux.cli import client


def run(words: list[str]) -> int:
    """One verb, its name first, as the agents' own client does it."""
    return client.main([os.fsencode(word) for word in words])


def is_agent() -> bool:
    """Called in an agent's shell, where these words mean what they mean to agents."""
    return bool(os.environ.get("CLAWMUX_SESSION_ID"))
