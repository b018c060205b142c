"""Whether the system keeps the hub running: systemd's or launchd's word for it."""

from __future__ import annotations

from collections.abc import Iterable

from clawmux.adapters import user_service
from clawmux.checks.scene import Scene
from clawmux.finding import Finding, Verdict
from clawmux.wire.errors import ClawMuxError


def service(scene: Scene) -> Iterable[Finding]:
    manager = user_service.here(scene.environ)
    try:
        header = manager.header()
        if header is None:
            detail = "The hub is not kept by the system; it runs from `clawmux start` to `clawmux stop`."
            return [Finding(Verdict.SKIP, "service", detail, "To have it start with you: clawmux service install")]
        if header.data != scene.paths.data:
            return [Finding(Verdict.OK, "service", f"{manager.file} keeps another hub, that of {header.data}.")]
        manager.require()
        state = manager.state()
    except ClawMuxError as error:
        return [Finding(Verdict.WARN, "service", f"{error.text[:1].upper()}{error.text[1:]}", error.remedy)]
    return [judge_service(state, scene.hub is not None)]


def judge_service(state: user_service.State, hub_runs: bool) -> Finding:
    if state.running:
        if state.enabled:
            return Finding(Verdict.OK, "service", f"It runs (pid {state.pid}) and starts at login.")
        detail = f"It runs (pid {state.pid}) and does not start at the next login."
        return Finding(Verdict.WARN, "service", detail, "Run: clawmux service install")
    if hub_runs:
        return Finding(Verdict.OK, "service", "It is installed and not running; the hub was started by hand.")
    return Finding(Verdict.WARN, "service", "It is installed and not running.", "Run: clawmux start, and see `clawmux logs`.")
