"""Stands in for clawmux/cli/start.py: a program that says its version, tells what it was asked, and can be broken on purpose."""

import os
import sys
from pathlib import Path

VERSION = "@VERSION@"
BROKEN = "@BROKEN@"
HERE = Path(__file__)

if BROKEN == "always" or (BROKEN == "in use" and "current" in HERE.parts):
    sys.exit("broken on purpose")
if sys.argv[1:] == ["--version"]:
    print(f"clawmux {VERSION}")
    sys.exit(0)
if log := os.environ.get("SMALL_LOG"):
    with Path(log).open("a", encoding="utf-8") as out:
        mirror = os.environ.get("CLAWMUX_MODELS_MIRROR")
        out.write(" ".join([*sys.argv[1:], *([f"mirror={mirror}"] if mirror else [])]) + "\n")
if sys.argv[1:2] == ["models"] and os.environ.get("SMALL_NO_MODELS"):
    sys.exit(22)
if sys.argv[1:2] == ["start"] and os.environ.get("SMALL_NO_START"):
    print("it does not start", file=sys.stderr)
    sys.exit(1)
if sys.argv[1:2] in (["start"], ["open"]):
    print(f"said by {sys.argv[1]}")
