"""What an installation will do, in order, and why. Decides from choices; the steps do it."""

from __future__ import annotations

from dataclasses import dataclass

from installer import steps
from installer.place import Place
from installer.steps import Step


@dataclass(frozen=True, slots=True)
class Choices:
    start: bool = False
    models: bool = True
    dry_run: bool = False


def make(place: Place, choices: Choices) -> list[Step]:
    """The steps of an installation. Starting the hub is no step: it happens each time it is asked for."""
    plan = [
        Step("look for tmux and Python's venv", lambda _: False, steps.check_programs),
        Step(f"make {place.folder} from the locks (a download of about 150 MB)", steps.is_installed, steps.make_version),
        Step(f"make it the version in use: {place.current}", steps.is_current, steps.switch),
        Step(f"write the command {place.launcher}", steps.has_launcher, steps.write_launcher),
    ]
    if choices.models:
        title = f"fetch the smallest speech models into {place.data.models} (about 200 MB)"
        # Without them the page works in text, and the hub tries again by itself.
        plan.append(Step(title, lambda _: False, steps.pull_models, is_needed=False))
    return plan
