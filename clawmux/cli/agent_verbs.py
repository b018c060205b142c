"""The agents' verbs inside the whole command line, for callers that did not come through an agent's own launcher."""

from __future__ import annotations

import os

from clawmux.cli import client


def converse(argv: list[str]) -> int:
    return _run("converse", argv)


def cancel_converse(argv: list[str]) -> int:
    return _run("cancel-converse", argv)


def own_status(argv: list[str]) -> int:
    return _run("status", argv)


def _run(verb: str, argv: list[str]) -> int:
    return client.main([os.fsencode(word) for word in (verb, *argv)])
