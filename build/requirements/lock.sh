#!/bin/sh
# Writes the locks in this folder: every package of a named set, pinned, with the hashes of its files.
#
#   hub.txt        the hub with its MCP server   cpu.txt    the same and the speech engines on the processor
#   apple.txt      cpu and the engines for Apple Silicon
#   nvidia.txt     what an NVIDIA GPU needs beside cpu; nvidia-blackwell.txt the same for compute capability >= 10.
#                  They lie in a folder of their own beside the program, never inside it.
#   test.txt       everything that the tests and checks run
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
    speech="build/requirements/cpu.in --extra speech"
    # Word splitting of the extra arguments is wanted.
    # shellcheck disable=SC2086
    compile test.txt pyproject.toml $speech build/requirements/apple.in --extra mcp --extra test "$@"
    for kind in hub:"" cpu:"$speech" apple:"$speech build/requirements/apple.in"; do
        # shellcheck disable=SC2086
        compile "${kind%%:*}.txt" pyproject.toml ${kind#*:} --extra mcp --constraints build/requirements/test.txt
    done
    for kind in nvidia nvidia-blackwell bootstrap; do
        compile "$kind.txt" "build/requirements/$kind.in" "$@"
    done
}

main "$@"
