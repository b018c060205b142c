"""Starts the command line from the folder it lies in, as ``python -I -S .../clawmux/cli/start.py WORDS`` or imported.

So an unpacked program runs without an environment: beside the package lie the packages it needs, and no .pth file counts.
"""

import sys

# build/zipapp.py writes the version here for which the packages beside this one are compiled, as in "3.12".
MADE_FOR = ""


def main() -> int:
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if MADE_FOR not in ("", running):
        # 20 is missing_program; the table of codes costs more time than this program may take.
        sys.stderr.write(
            f"clawmux: this program needs CPython {MADE_FOR}, for which its packages are compiled; "
            f"{sys.executable} is {running}.\n"
            f"Set CLAWMUX_PYTHON to a python{MADE_FOR}, or run install.sh again.\n"
        )
        return 20
    from clawmux.cli.main import main as run

    return run()


def _find_ourselves() -> None:
    """Ours before anything else. Real paths: an upgrade moves the link ``current`` while we run, and we stay what we are."""
    from os.path import realpath

    if not sys.flags.safe_path:
        del sys.path[0]  # the folder of this script, whose modules are no top-level ones
    if sys.flags.no_site:
        sys.executable = realpath(sys.executable)
    sys.path.insert(0, realpath(__file__).rpartition("/clawmux/cli/")[0])


if __name__ == "__main__":
    _find_ourselves()
    sys.exit(main())
