#!/bin/sh
# Writes the locks in this folder: every package of a named set, pinned, with the hashes of its files.
#
#   hub.txt        the hub alone                 cpu.txt   hub and the speech engines on the processor
#   mcp.txt        hub and the MCP server        test.txt  everything that the tests and checks run
#   bootstrap.txt  what makes environments, wheels and release files
#
# The sources are pyproject.toml and the .in files here. test.txt holds all sets, so it is resolved first and the
# others follow it: one package has one version in every set.
# `lock.sh` keeps the versions that still fit; `lock.sh --upgrade` takes the newest. Needs uv.

set -eu

compile() {
    out=$1
    shift
    echo "lock: $out"
    # No header and no index lines: a lock is the same whichever mirror it was made with.
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --only-binary :all: --emit-build-options --no-header --output-file "build/requirements/$out" "$@"
}

main() {
    command -v uv >/dev/null || { echo "lock.sh: uv is missing; install it with: python3 -m pip install uv" >&2; return 1; }
    cd "$(dirname "$0")/../.."
    compile test.txt pyproject.toml "build/requirements/cpu.in" --extra speech --extra mcp --extra test "$@"
    for kind in hub:"" cpu:"build/requirements/cpu.in --extra speech" mcp:"--extra mcp"; do
        # Word splitting of the extra arguments is wanted.
        # shellcheck disable=SC2086
        compile "${kind%%:*}.txt" pyproject.toml ${kind#*:} --constraints "build/requirements/test.txt"
    done
    compile bootstrap.txt "build/requirements/bootstrap.in" "$@"
}

main "$@"
