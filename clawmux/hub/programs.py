"""The program that runs in a session, as those who read its records and hand it texts need it."""

from __future__ import annotations

import os
from pathlib import Path

from clawmux.adapters.runtimes import running
from clawmux.adapters.runtimes.records import Program
from clawmux.core.session import Session
from clawmux.paths import Paths


def program_of(session: Session, paths: Paths) -> Program:
    environ = running.environment(session.pid) or os.environ
    return Program(session.pid, Path(session.directory), paths.sessions / session.id, environ)
