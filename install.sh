#!/bin/sh
# Installs ClawMux for this user from this checkout. Needs no root and edits no file of your shell.
#
#   sh install.sh --start     install, fetch the smallest speech models, start, open the page
#   sh install.sh --help      the other options
#
# This script only finds a Python that fits and hands over to installer/. Everything is in functions and the last
# line calls them, so a copy that was cut off on its way runs nothing.

say() { printf '%s\n' "install.sh: $*" >&2; }

# A name on PATH may be a shim with nothing behind it, so each candidate is run.
fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${CLAWMUX_PYTHON:-python3.12 python3.13 python3.11 python3 /usr/bin/python3}; do
        if fits "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    say "no Python 3.11, 3.12 or 3.13 was found${CLAWMUX_PYTHON:+ under CLAWMUX_PYTHON=$CLAWMUX_PYTHON}."
    if command -v apt-get >/dev/null 2>&1; then
        say "Install one first: sudo apt-get install python3 python3-venv"
    elif command -v brew >/dev/null 2>&1; then
        say "Install one first: brew install python@3.12"
    else
        say "Install one first, or name one: CLAWMUX_PYTHON=/path/to/python3.12 sh install.sh"
    fi
    return 1
}

main() {
    checkout=$(CDPATH='' cd -- "$(dirname -- "$0")" 2>/dev/null && pwd)
    if [ ! -f "$checkout/installer/__main__.py" ] || [ ! -f "$checkout/clawmux/__init__.py" ]; then
        say "run me from a checkout of ClawMux: sh path/to/clawmux/install.sh"
        return 2
    fi
    python=$(find_python) || return 20
    # -I: what stands in this folder or in PYTHON* variables must not be taken for ours. -B: the checkout stays as it is.
    "$python" -I -B -c 'import sys; sys.path.insert(0, sys.argv[1]); from installer.__main__ import main; sys.exit(main(sys.argv[2:]))' \
        "$checkout" "$@"
}

{ main "$@"; exit $?; }
