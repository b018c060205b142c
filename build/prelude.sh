#!/bin/sh
# ClawMux in one file: this script, and behind it the zip file that shiv made. `python3.12 clawmux.pyz` works too; the way
# through here is faster, because the large zip file is opened only when it has not been unpacked yet.
#
# CLAWMUX_PYTHON  the interpreter to use        SHIV_ROOT  where to unpack (default: app/ beside this file, if there is
#                                               one, else ~/.cache/clawmux)
python_version=@PYTHON@
platform='@PLATFORM@'
build=@BUILD@
# Not in a function: there zsh gives the function's own name.
self=$0

# 20 is missing_program, 18 unsafe_files of docs/exit-codes.md.
fail() {
    code=$1
    shift
    printf 'clawmux: %s\n' "$@" >&2
    exit "$code"
}

# shiv names the folder after the file itself, whatever link led to it.
follow() {
    file=$1
    while [ -L "$file" ]; do
        target=$(readlink "$file")
        case $target in /*) file=$target ;; *) file=${file%/*}/$target ;; esac
    done
}

# A name on PATH may be a shim with nothing behind it, or another version: each is run, and says where it really is.
real_python() {
    "$1" -I -S -c 'import os, sys
sys.version_info[:2] == tuple(map(int, sys.argv[1].split("."))) or sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable))' "$python_version" 2>/dev/null
}

search_python() {
    for candidate in "python$python_version" python3 "/usr/bin/python$python_version" "/usr/local/bin/python$python_version" \
        "/opt/homebrew/bin/python$python_version"; do
        if command -v "$candidate" >/dev/null 2>&1 && python=$(real_python "$candidate"); then
            return 0
        fi
    done
    if command -v uv >/dev/null 2>&1 && candidate=$(uv python find --no-project "$python_version" 2>/dev/null); then
        python=$(real_python "$candidate") && return 0
    fi
    fail 20 "this file needs CPython $python_version, for which its packages are compiled; none was found that runs." \
        "Install one, name one (CLAWMUX_PYTHON=/path/to/python$python_version), or use install.sh, which brings its own."
}

# The interpreter, without starting one to look at it: named, beside this file, or found at the first start.
choose_python() {
    if [ -n "${CLAWMUX_PYTHON-}" ]; then
        python=$CLAWMUX_PYTHON
        command -v "$python" >/dev/null 2>&1 || fail 20 "CLAWMUX_PYTHON names $python, which does not run." "Name another, or unset it."
    elif [ -x "$here/python" ] && [ ! -d "$here/python" ]; then
        python=$here/python
    elif [ -x "$here/python/bin/python$python_version" ]; then
        python=$here/python/bin/python$python_version
    elif [ -x "$found" ]; then
        python=$found
    else
        search_python
    fi
}

# The first start, or one of shiv's own variables asks for something: shiv unpacks, under a lock, and goes on.
start_with_shiv() {
    [ "$(uname -sm)" = "$platform" ] || fail 20 "this file is for $platform, not for $(uname -sm)." "Use install.sh; it makes one for this machine."
    mkdir -p "$root" 2>/dev/null && [ -w "$root" ] || fail 18 "$root cannot be written, and I must unpack there once." "Set SHIV_ROOT to a folder of yours."
    real=$(real_python "$python") || fail 20 "this file needs CPython $python_version; $python is another one, or does not run." "Set CLAWMUX_PYTHON to a python$python_version, or unset it."
    [ -n "${CLAWMUX_PYTHON-}" ] || ln -sf "$real" "$found" 2>/dev/null
    [ -d "$tree/site-packages" ] || [ ! -t 2 ] || echo 'clawmux: unpacking, once ...' >&2
    SHIV_ROOT=$root
    export SHIV_ROOT
    exec "$python" -I "$self" "$@"
}

main() {
    case $self in /*) ;; *) self=$PWD/$self ;; esac
    follow "$self"
    here=${file%/*}
    if [ -n "${SHIV_ROOT-}" ]; then
        root=$SHIV_ROOT
    elif [ -d "$here/app" ]; then
        root=$here/app
    else
        root=${XDG_CACHE_HOME:-${HOME-}/.cache}/clawmux
    fi
    tree=$root/${file##*/}_$build
    found=$root/python$python_version
    choose_python
    # What we start runs this same file again.
    CLAWMUX_LAUNCHER=$self
    export CLAWMUX_LAUNCHER
    if [ ! -d "$tree/site-packages" ] || [ -n "${SHIV_INTERPRETER-}${SHIV_ENTRY_POINT-}${SHIV_MODULE-}${SHIV_CONSOLE_SCRIPT-}${SHIV_FORCE_EXTRACT-}${SHIV_EXTEND_PYTHONPATH-}${SHIV_PREPEND_PYTHONPATH-}" ]; then
        start_with_shiv "$@"
    fi
    cli=$tree/site-packages/clawmux/cli
    case "${1-}" in
        converse | send | ack | reply | cancel | inbox | report | approve | deny | interrupt | hook | cancel-converse)
            exec "$python" -I -S "$cli/start_client.py" "$@"
            ;;
        *) exec "$python" -I -S "$cli/start.py" "$@" ;;
    esac
}

main "$@"
exit 1
