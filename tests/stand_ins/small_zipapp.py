"""Stands in for build/zipapp.py: the same command line, but packages that are there already, linked instead of fetched.

What it packs is told by small.json beside it. Copied into a small checkout by tests/stand_ins/small_checkout.py.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

UNPACK = """\
import json, os, sys, zipfile
pack = zipfile.ZipFile(sys.argv[0])
site = os.path.join(os.environ["SHIV_ROOT"], "clawmux.pyz_@BUILD@", "site-packages")
if not os.path.isdir(site):
    for name in pack.namelist():
        if name.startswith("clawmux/"):
            pack.extract(name, site)
    for name, target in json.loads(pack.read("links.json")).items():
        os.symlink(target, os.path.join(site, name))
os.execv(sys.executable, [sys.executable, "-I", "-S", os.path.join(site, "clawmux/cli/start.py"), *sys.argv[1:]])
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", choices=("hub", "cpu", "nvidia", "apple"), required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--python", type=Path)
    parser.add_argument("--progress", action="store_true")
    chosen = parser.parse_args()
    plan = json.loads((HERE / "small.json").read_text(encoding="utf-8"))
    if plan["exit"]:
        print("zipapp: failed on purpose", file=sys.stderr)
        return int(plan["exit"])
    if chosen.wheels:
        (wheel,) = chosen.wheels.glob("*.whl")
        assert wheel.read_bytes() == b"a wheel"
    files = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "clawmux").rglob("*")) if path.is_file()}
    files |= {f"clawmux/{name.relative_to(ROOT)}": name for name in sorted((ROOT / "static").rglob("*")) if name.is_file()}
    files = {name: path for name, path in files.items() if any(fnmatch.fnmatch(name, pattern) for pattern in plan["pack"])}
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files.values())).hexdigest()[:8]
    with zipfile.ZipFile(chosen.output, "w") as pack:
        pack.writestr("__main__.py", UNPACK.replace("@BUILD@", digest))
        pack.writestr("links.json", json.dumps(plan["links"]))
        pack.writestr("filler", b"x" * plan["filler"])
        for name, path in files.items():
            pack.write(path, name)
    print(digest)
    return 0


if __name__ == "__main__":
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != HERE]
    sys.exit(main())
