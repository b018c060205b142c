"""The program ``tailscale`` as its command line behaves: status, and serve with what it has been told, kept in a file.

``tailnet`` in the folder $TAILSCALE_STAND_IN: {"backend": "Stopped"}, {"https": false}, {"denied": true}, {"waits": true}
(serve is not switched on for the tailnet: it prints where and waits), {"config": {...}} as `serve status --json` shows it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("TAILSCALE_STAND_IN", "."))
NAME = "sky.tail1234.ts.net"


def install(folder: Path, **state: Any) -> dict[str, str]:
    """Puts the program there; returns the environment that finds it before all others."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    (folder / "tailnet").write_text(json.dumps(state))
    program = programs / "tailscale"
    program.write_text(f'#!/bin/sh\nexport TAILSCALE_STAND_IN="{folder}"\nexec "{sys.executable}" -I "{__file__}" "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ.get('PATH', '')}"}


def calls(folder: Path) -> list[str]:
    file = folder / "calls"
    return [line for line in (file.read_text().splitlines() if file.exists() else []) if "status" not in line]


def config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "tailnet").read_text()).get("config", {})
    return found


def serve(state: dict[str, Any], words: list[str]) -> int:
    if state.get("denied"):
        print("Access denied: serve config denied\n\nUse 'sudo tailscale serve'.", file=sys.stderr)
        return 1
    if state.get("waits"):
        print("\nServe is not enabled on your tailnet.\nTo enable, visit:\n", flush=True)
        print("         https://login.tailscale.com/f/serve?node=abc\n", flush=True)
        time.sleep(60)
    port = next(word.removeprefix("--https=") for word in words if word.startswith("--https="))
    found = state.setdefault("config", {})
    if words[-1] == "off":
        found.get("TCP", {}).pop(port, None)
        found.get("Web", {}).pop(f"{NAME}:{port}", None)
    else:
        found.setdefault("TCP", {})[port] = {"HTTPS": True}
        found.setdefault("Web", {})[f"{NAME}:{port}"] = {"Handlers": {"/": {"Proxy": words[-1]}}}
    (FOLDER / "tailnet").write_text(json.dumps(state))
    return 0


def main(words: list[str]) -> int:
    with (FOLDER / "calls").open("a") as file:
        file.write(" ".join(words) + "\n")
    state = json.loads((FOLDER / "tailnet").read_text())
    if words[0] == "status":
        domains = [NAME] if state.get("https", True) else None
        own = {"DNSName": f"{NAME}.", "Online": True}
        print(json.dumps({"BackendState": state.get("backend", "Running"), "Self": own, "CertDomains": domains}))
        return 0
    if words[:2] == ["serve", "status"]:
        print(json.dumps(state.get("config", {})))
        return 0
    return serve(state, words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
