"""systemctl and launchctl in one: writes down its words, and keeps what they would have changed in a file beside it.

``answers`` in the folder $SERVICE_TOOL makes it misbehave: {"silent": true} as where no manager runs, {"fail": "enable"},
{"hub": {"pid": 1, "url": …}} puts that hub's lock there when it is told to start it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["SERVICE_TOOL"])
HOLD = "import fcntl,sys,time; f=open(sys.argv[1],'r+'); fcntl.flock(f,fcntl.LOCK_EX); print(flush=True); time.sleep(60)"


def load(name: str) -> dict[str, Any]:
    file = FOLDER / name
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def start(state: dict[str, Any], answers: dict[str, Any]) -> None:
    """A process that holds the hub's lock, as the hub would."""
    if "hub" not in answers:
        return
    lock = FOLDER / "hub" / "data" / "hub.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(json.dumps(answers["hub"]))
    holder = subprocess.Popen(
        [sys.executable, "-I", "-c", HOLD, str(lock)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # whoever reads ours would wait for its end
        start_new_session=True,
    )
    assert holder.stdout
    holder.stdout.readline()
    state.update(running=True, holder=holder.pid)


def stop(state: dict[str, Any]) -> None:
    if holder := state.pop("holder", 0):
        os.kill(holder, 9)
    state["running"] = False


def main() -> int:
    name, words = sys.argv[1], sys.argv[2:]
    with (FOLDER / "calls").open("a") as calls:
        calls.write(" ".join([name, *words]) + "\n")
    answers, state = load("answers"), load("state")
    if answers.get("silent"):
        print("Failed to connect to bus: No medium found", file=sys.stderr)
        return 1
    if answers.get("fail") in words:
        print("Failed to do so: no luck today", file=sys.stderr)
        return 1
    code = launchctl(words, state, answers) if name == "launchctl" else systemctl(words, state, answers)
    (FOLDER / "state").write_text(json.dumps(state))
    return code


def systemctl(words: list[str], state: dict[str, Any], answers: dict[str, Any]) -> int:
    verb = words[1]
    if verb == "show":
        if "--property=Version" in words:
            print("Version=252")
            return 0
        pid = state.get("holder", 0) if state.get("running") else 0
        print(f"ActiveState={'active' if state.get('running') else 'inactive'}")
        print(f"UnitFileState={'enabled' if state.get('enabled') else 'disabled'}\nMainPID={pid}")
    elif verb in ("enable", "disable"):
        state["enabled"] = verb == "enable"
        if verb == "disable":
            stop(state)
    elif verb == "start":
        start(state, answers)
    return 0


def launchctl(words: list[str], state: dict[str, Any], answers: dict[str, Any]) -> int:
    verb = words[0]
    if verb == "print" and "/" in words[1][4:]:
        if not state.get("loaded"):
            return 113
        print(f"\tstate = running\n\tpid = {state.get('holder', 0)}\n" if state.get("running") else "\tstate = not running\n")
    elif verb == "bootstrap":
        state["loaded"] = True
        start(state, answers)
    elif verb == "kickstart":
        start(state, answers)
    elif verb == "bootout":
        state["loaded"] = False
        stop(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
