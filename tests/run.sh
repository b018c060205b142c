#!/bin/sh
# Every check and every test, in an environment of its own. Works from any folder, on a fresh clone, without a terminal.
#
#   sh tests/run.sh                 everything
#   sh tests/run.sh --fast          without the tests that need engines, Chromium or real agent programs, end processes
#                                   or install
#   sh tests/run.sh tests/core -k X anything else is passed on to pytest
#
# CLAWMUX_TEST_CACHE   folder for the environment and the models (default: .venv-test in the checkout)
# CLAWMUX_TEST_PYTHON  the interpreter to use (default: the first of 3.12, 3.13, 3.11 that really runs)

set -eu

# Program and the Debian package that brings it; alsa-utils also bring recorded voices.
packages='tmux:tmux chromium:chromium git:git node:nodejs npm:npm aplay:alsa-utils pulseaudio:pulseaudio paplay:pulseaudio-utils cc:gcc curl:curl wget:wget'
# Other browsers than Chromium, and a screen for the one that wants to be seen. Where they cannot be installed those tests
# are skipped by name, too.
browsers='firefox-esr:firefox-esr WebKitWebDriver:webkit2gtk-driver Xvfb:xvfb'
# More shells, and what makes a bare Debian, for install.sh. Where they cannot be installed those tests are skipped by name.
shells='busybox:busybox zsh:zsh ksh:ksh mksh:mksh yash:yash fish:fish debootstrap:debootstrap'

say() { printf '%s\n' "$*" >&2; }

# A name on PATH may be a shim that has nothing behind it, so each candidate is run.
runs() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${CLAWMUX_TEST_PYTHON:-python3.12 python3.13 python3.11 python3 /usr/bin/python3}; do
        if runs "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "run.sh: no Python 3.11, 3.12 or 3.13 that runs; on Debian: apt-get install python3 python3-venv"
    return 1
}

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {
    say "run.sh: installing Debian packages:" "$@"
    if [ -z "${apt_is_fresh:-}" ]; then
        apt-get update -q >&2 </dev/null
        apt_is_fresh=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2 </dev/null
}

# Programs the tests use. Chromium may have another name elsewhere; Debian's fonts keep its text from being boxes.
need_programs() {
    missing=''
    for pair in $packages $(! may_install || echo "$shells" "$browsers"); do
        command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
    done
    [ -n "$missing" ] || return 0
    if may_install; then
        # The compiler alone builds nothing: the C library's headers are a package of their own.
        case $missing in *gcc*) missing="$missing libc6-dev" ;; esac
        case $missing in *chromium*) missing="$missing fonts-dejavu-core" ;; esac
        # shellcheck disable=SC2086
        apt_install $missing
    else
        say "run.sh: these packages are missing and only root may install them:$missing"
        return 1
    fi
}

make_environment() {
    wanted=$(cat "$root"/build/requirements/test.txt | cksum)"; $("$python" -c 'import sys; print(sys.version, sys.base_prefix)')"
    if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/made-from" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    say "run.sh: making the environment $venv with $("$python" --version)"
    rm -rf "$venv"
    if ! "$python" -c 'import ensurepip' 2>/dev/null && may_install; then
        apt_install "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    fi
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r "$root/build/requirements/test.txt" </dev/null
    printf '%s' "$wanted" >"$venv/made-from"
}

# The smallest set of speech models, kept between runs. Tests find it through CLAWMUX_MODELS.
pull_models() {
    export CLAWMUX_MODELS="${CLAWMUX_MODELS:-$cache/models}"
    "$venv/bin/python" -m clawmux models pull --set tiny
}

# Names the step, runs it, remembers a failure, goes on: one run tells everything that is wrong.
check() {
    name=$1
    shift
    say "== $name"
    started=$(date +%s)
    if "$@" </dev/null; then result=ok; else
        result=FAILED
        failed="$failed $name"
    fi
    summary="$summary
  $result  $name ($(($(date +%s) - started)) s)"
}

check_page_syntax() {
    find "$root/static" -name '*.js' -not -path '*/vendor/*' >"$work/scripts"
    while read -r script; do
        # A file by its name would be taken for no module, found to be one after all, and not be looked at.
        node --input-type=module --check <"$script" || { say "in $script"; return 1; }
    done <"$work/scripts"
}

check_shell() {
    find "$root" \( -name '.[!.]*' -o -name node_modules \) ! -path "$root" ! -path "$root/.ci" -prune -o -name '*.sh' -print >"$work/scripts"
    [ ! -f "$root/.ci/run" ] || printf '%s\n' "$root/.ci/run" >>"$work/scripts"
    xargs "$venv/bin/shellcheck" <"$work/scripts"
}

check_style() {
    check 'ruff check' "$venv/bin/ruff" check --quiet "$root"
    check 'ruff format' "$venv/bin/ruff" format --quiet --check "$root"
    check 'mypy' "$venv/bin/mypy" --no-error-summary
    check 'page syntax' check_page_syntax
    check 'shellcheck' check_shell
}

# The tests see a home of their own; whatever a test forgets to isolate lands there and goes with it.
# npm and pip keep the configuration of the real one: that is where mirrors and proxies are named.
run_pytest() {
    export CLAWMUX_TEST_CACHE="$cache" PATH="$venv/bin:$PATH"
    [ ! -f "$HOME/.npmrc" ] || export NPM_CONFIG_USERCONFIG="${NPM_CONFIG_USERCONFIG:-$HOME/.npmrc}"
    [ ! -f "$HOME/.config/pip/pip.conf" ] || export PIP_CONFIG_FILE="${PIP_CONFIG_FILE:-$HOME/.config/pip/pip.conf}"
    unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME CLAWMUX_HOME
    HOME=$work/home "$venv/bin/python" -m pytest "$@"
}

# The tests of the page measure delays and sound: they go first, and alone. The others mostly wait for programs to start and
# end, so two lots of them share the machine.
waiting_lot='runtimes faults tmux'

run_both_lots() {
    named='' others='--ignore=tests/browser'
    for folder in $waiting_lot; do
        named="$named tests/$folder"
        others="$others --ignore=tests/$folder"
    done
    # shellcheck disable=SC2086
    run_pytest "$@" $named >"$work/lot" 2>&1 &
    beside=$!
    # shellcheck disable=SC2086
    if run_pytest "$@" $others; then ends_well=yes; else ends_well=no; fi
    if wait "$beside"; then beside_ends_well=yes; else beside_ends_well=no; fi
    beside=''
    cat "$work/lot"
    [ "$ends_well$beside_ends_well" = yesyes ]
}

run_everything() {
    check 'tests of the page' run_pytest tests/browser
    check 'tests' run_both_lots
}

end_beside() {
    [ -z "${beside:-}" ] || kill "$beside" 2>/dev/null || true
}

main() {
    root=$(cd "$(dirname "$0")/.." && pwd)
    cache=${CLAWMUX_TEST_CACHE:-$root/.venv-test}
    venv=$cache/venv
    failed='' summary=''
    cd "$root"
    mkdir -p "$cache"
    work=$(mktemp -d)
    trap 'end_beside; rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    mkdir "$work/home"
    need_programs
    python=$(find_python)
    make_environment
    if [ "${1:-}" = --fast ]; then
        shift
        set -- -m 'not speech and not browser and not runtime and not faults and not install' "$@"
    else
        check 'speech models' pull_models
    fi
    check_style
    if [ $# = 0 ]; then run_everything; else check 'tests' run_pytest "$@"; fi
    say "run.sh:$summary"
    [ -z "$failed" ] || { say "run.sh: failed:$failed"; return 1; }
}

main "$@"
