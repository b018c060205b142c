#!/bin/sh
# Installs ClawMux for this user. Needs no root, and tells nobody.
#
#   sh install.sh --start                                      from a checkout or an unpacked archive
#   curl -fsSL https://ADDRESS/install.sh | sh -s -- --start   from a release
#   sh install.sh --from DIR                                   from a folder, without a network
#   sh install.sh --help                                       the other options
#
# CLAWMUX_PYTHON=/path         take this Python (3.11 to 3.13) and fetch none
# CLAWMUX_PYTHON_MIRROR=URL    fetch Python from here instead of from its project
# CLAWMUX_BASE_URL=URL         fetch the release from this folder
#
# This script only finds the source and a Python, and hands over to installer/. All of it stands between two braces: of a
# copy that was cut off on its way nothing runs, not even a word that begins a function's name and is a program's too.
{
# build/release.py fills these in; in a checkout they are empty.
release_url=''
release_sha256=''
# Taken here, because zsh has another $0 inside functions.
script=$0

say() { printf '%s\n' "install.sh: $*" >&2; }

# give_up CODE LINE...: the codes are those of docs/exit-codes.md.
give_up() {
    code=$1
    shift
    for line in "$@"; do say "$line"; done
    return "$code"
}

# --- which Python -----------------------------------------------------------------------------------------------------

# Archives of python-build-standalone, the kind "install_only_stripped", about 30 MB each. Every sum was read in two places
# that do not copy from each other: all six from uv 0.12.10 (what it expects of each file), those of gnu and macOS from
# pbs-installer 2026.9.1 on PyPI, those of musl from other projects that fetch the same files.
python_version=3.12.14
python_date=20260901
python_hosts='https://github.com/astral-sh/python-build-standalone/releases/download
https://releases.astral.sh/github/python-build-standalone/releases/download'

python_pin() {
    case $platform in
        linux-x86_64-gnu) target=x86_64-unknown-linux-gnu sum=72748da13197c1fb161e3afeef20a6a385ff24f2165e6e2758e47008e7faba4c ;;
        linux-aarch64-gnu) target=aarch64-unknown-linux-gnu sum=577b4bec0793ad1ff0cbff9adbd0df078eddde38a4c41bf5d83ad381a85ee39d ;;
        linux-x86_64-musl) target=x86_64-unknown-linux-musl sum=1f37044c8cdbd74d5ee112a753c65ef209fedd169c98f3e4e748a93e27eb27a4 ;;
        linux-aarch64-musl) target=aarch64-unknown-linux-musl sum=a0ad6f01b9204eba573a08927097b78143c564f98bea68a41ea1e172f041da3a ;;
        macos-aarch64) target=aarch64-apple-darwin sum=81a359f1cfadd4da11766534c5913791cea55f26e1bb902cacd2a531bb1e4b2b ;;
        macos-x86_64) target=x86_64-apple-darwin sum=65b195c9cedc1fef6767f044f9822069adbd1bd9204d424ece4628776fdc04bb ;;
        *) target='' sum='' ;;
    esac
}

find_platform() {
    machine=$(uname -m)
    case $machine in
        amd64) machine=x86_64 ;;
        arm64) machine=aarch64 ;;
    esac
    case $(uname -s) in
        Linux) platform=linux-$machine$(c_library) ;;
        Darwin)
            # A shell under Rosetta says x86_64 on Apple Silicon.
            [ "$(sysctl -n hw.optional.arm64 2>/dev/null)" != 1 ] || machine=aarch64
            platform=macos-$machine
            ;;
        *)
            give_up 20 "ClawMux runs on Linux and macOS, and this is $(uname -s)." \
                "On Windows use WSL2: install.ps1 hands over to it."
            return
            ;;
    esac
    python_pin
}

# The loader that is there decides: a 32-bit system may run on a 64-bit kernel, and musl may lie beside glibc.
c_library() {
    case $machine in
        x86_64) loader=/lib64/ld-linux-x86-64.so.2 ;;
        aarch64) loader=/lib/ld-linux-aarch64.so.1 ;;
        *) return ;;
    esac
    if [ -e "$loader" ]; then
        echo -gnu
    elif [ -e "/lib/ld-musl-$machine.so.1" ]; then
        echo -musl
    fi
}

# Which Python it is, asked of itself: a name on PATH may be a shim with nothing behind it, and an installation must stand on
# no shim and no environment that is deleted one day. It exits with 4 when it fits but cannot make environments.
question='
import sys
if sys.implementation.name != "cpython" or not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(3)
print("%d.%d.%d" % sys.version_info[:3], sys._base_executable or sys.executable)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(4)
'

ask_python() {
    facts=$("$1" -I -c "$question" </dev/null 2>/dev/null)
    asked=$?
    found_version=${facts%% *} python=${facts#* }
    # Other programs may be called python, and exit with 0.
    case $found_version in
        3.1[123].*) return "$asked" ;;
        *) return 3 ;;
    esac
}

# What Apple puts into /usr/bin opens a window when the developer tools are not there.
may_run() {
    case $platform:$(command -v "$1" 2>/dev/null) in
        *:) return 1 ;;
        macos-*:/usr/bin/*) xcode-select -p >/dev/null 2>&1 ;;
    esac
}

system_python() {
    half=''
    for candidate in python3.12 python3.13 python3.11 python3 /usr/bin/python3; do
        may_run "$candidate" || continue
        ask_python "$candidate" && return
        [ "$asked" != 4 ] || half=${half:-$found_version}
    done
    return 1
}

# Which archive it would be; sets why when there is none. A bundle may hold Pythons of several platforms.
choose_python() {
    why="none is made for $platform"
    [ -n "$target" ] || return 1
    archive=cpython-$python_version+$python_date-$target-install_only_stripped.tar.gz
    if [ -n "$from" ]; then
        why="$from holds none for $platform" archive=''
        for file in "$from"/cpython-*.tar.gz; do
            case ${file##*/} in
                *"$target"*) archive=$file ;;
                *-unknown-* | *-apple-* | 'cpython-*.tar.gz') ;;
                *) archive=${archive:-$file} ;;
            esac
        done
        [ -n "$archive" ] || return 1
        sum=$(listed_sum "$archive")
    fi
    # The version and eight digits of the sum: short, and another archive is another folder.
    name=${archive##*/}
    name=${name%.tar.gz}
    name=${name%%+*}-$(printf '%.8s' "$sum")
}

# One that was unpacked before, and still runs.
kept_python() { [ -e "$program/pythons/$name/.complete" ] && ask_python "$program/pythons/$name/bin/python3"; }

any_kept_python() {
    for file in "$program"/pythons/*/.complete; do
        [ -e "$file" ] && ask_python "${file%/*}/bin/python3" && return
    done
    return 1
}

get_python() {
    if [ -n "$from" ]; then
        why="$archive is not what SHA256SUMS says"
        matches "$archive" "$sum" && unpack_python "$archive"
        return
    fi
    say "fetching a Python of our own: $archive, about 30 MB."
    for host in ${CLAWMUX_PYTHON_MIRROR:-$python_hosts}; do
        fetch "${host%/}/$python_date/${archive%%+*}%2B${archive#*+}" "$sum" "$archive" && unpack_python "$own/$archive" && return
    done
    return 1
}

# Unpacked and tried under another name, then renamed whole: what stands in pythons/ works.
unpack_python() {
    why="${1##*/} cannot be unpacked"
    need_own && mkdir -p "$program/pythons" "$own/python" && tar -xzof "$1" -C "$own/python" </dev/null || return 1
    why="${1##*/} does not run here"
    for tree in "$own"/python/*; do
        ask_python "$tree/bin/python3" && break
    done
    [ -x "$tree/bin/python3" ] && ask_python "$tree/bin/python3" || return 1
    printf '%s\n' "$sum" >"$tree/.complete"
    # Another installer may have been faster. Then mv would put ours inside its folder, so ours has a name to tell it by.
    mv "$tree" "$own/$name.$$"
    kept_python || { rm -rf "$program/pythons/$name" && mv "$own/$name.$$" "$program/pythons/$name"; }
    rm -rf "$program/pythons/$name/$name.$$"
    kept_python
}

# Leaves python, and in CLAWMUX_INSTALL_PYTHON how it came, for the receipt. What only removes or explains takes what is there.
find_python() {
    if [ -n "${CLAWMUX_PYTHON:-}" ]; then
        ask_python "$CLAWMUX_PYTHON" || no_python "no Python 3.11, 3.12 or 3.13 was found under CLAWMUX_PYTHON=$CLAWMUX_PYTHON."
        return
    fi
    if [ "$errand" = remove ]; then
        system_python || any_kept_python && return
        program=$work
    fi
    if choose_python; then
        CLAWMUX_INSTALL_PYTHON="private $name"
        kept_python && return
        if [ "$errand" = plan ]; then
            say "would put a Python of about 30 MB into $program/pythons/$name."
            system_python || no_python "the plan itself needs a Python, and none is here; without --dry-run that one comes first."
            return
        fi
        check_words "$@" || return
        get_python && return
    fi
    CLAWMUX_INSTALL_PYTHON=system
    if system_python; then
        say "there is no Python of our own: $why."
        say "using Python $found_version of this system instead: $python"
        return
    fi
    no_python "no Python 3.11, 3.12 or 3.13 was found, and there is none of our own: $why."
}

# Whoever has mistyped an option is told at once where a Python of the system can tell it, and not after 30 MB.
check_words() {
    system_python || return 0
    told=$("$python" -I -B -c 'import sys; sys.path.insert(0, sys.argv[1]); from installer import arguments; arguments.read(sys.argv[2:])' \
        "$source" "$@" 2>&1 </dev/null)
    # Anything else that may be wrong with it is said by the run itself.
    [ $? = 2 ] || return 0
    printf '%s\n' "$told" >&2
    return 2
}

no_python() {
    if [ -n "${half:-}" ]; then
        give_up 20 "$1" "Python $half of this system cannot make environments. Install what it lacks: $(package_line venv)"
    else
        give_up 20 "$1" "Install one: $(package_line python)" "Or name one: CLAWMUX_PYTHON=/path/to/python3.12"
    fi
}

# Only Debian and its children keep what makes environments in a package of its own.
package_line() {
    while read -r manager package words; do
        command -v "$manager" >/dev/null 2>&1 || continue
        [ "$1:$manager" != venv:apt-get ] || package=python${half%.*}-venv
        printf '%s\n' "$words $package" | tr + ' '
        return
    done <<MANAGERS
apt-get python3+python3-venv sudo apt-get install
dnf python3.12 sudo dnf install
pacman python sudo pacman -S
zypper python312 sudo zypper install
apk python3 sudo apk add
brew python@3.12 brew install
port python312 sudo port install
MANAGERS
    echo "Python 3.12, with your system's package manager"
}

# --- checksums --------------------------------------------------------------------------------------------------------

# Each tool is tried: one that is there may not work.
sha256_of() {
    for tool in sha256sum shasum openssl busybox python3; do
        command -v "$tool" >/dev/null 2>&1 || continue
        for word in $(hash_with "$tool" 2>/dev/null <"$1"); do
            [ ${#word} != 64 ] || { echo "$word"; return; }
        done
    done
    return 1
}

hash_with() {
    case $1 in
        sha256sum) sha256sum ;;
        shasum) shasum -a 256 ;;
        openssl) openssl dgst -sha256 ;;
        busybox) busybox sha256sum ;;
        python3) python3 -I -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())' ;;
    esac
}

# matches FILE SUM: nothing is used unchecked.
matches() {
    if ! is=$(sha256_of "$1"); then
        why='no program here can make a SHA-256 (sha256sum, shasum, openssl, busybox or python3)'
        say "$why, and nothing is used unchecked."
        return 1
    fi
    [ "$is" != "$2" ] || return 0
    named=${1##*/}
    say "${named%.part} is refused: its SHA-256 is $is, expected was ${2:-nothing, for it is not listed}."
    return 1
}

# The sum of a file of the bundle, or nothing.
listed_sum() {
    while read -r listed file || [ -n "$listed" ]; do
        [ "${file#\*}" != "${1##*/}" ] || { echo "$listed"; return; }
    done <"$from/SHA256SUMS"
}

# --- downloads --------------------------------------------------------------------------------------------------------

# fetch URL SUM NAME: leaves the file as $own/NAME, or sets why.
fetch() {
    why="neither curl nor wget is here to fetch it"
    command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 || return 1
    claim_part "$3" || return 1
    # It may be whole already, and only the end was not seen.
    [ "$(sha256_of "$part" 2>/dev/null)" = "$2" ] || get_whole "$1" || return 1
    why="$1 is not the file that was expected"
    matches "$part" "$2" || { rm -f "$part"; return 1; }
    mv "$part" "$own/$3"
}

# Two installers must not write into one file. The first claims it, another takes one of its own.
claim_part() {
    why="$downloads cannot be written"
    need_own || return 1
    part=$downloads/$1.part lock=$downloads/$1.lock
    holder=$(cat "$lock/pid" 2>/dev/null)
    [ "$holder" != $$ ] || return 0
    # A claim of one that died is renamed first: of two that find it only one can.
    [ -z "$holder" ] || kill -0 "$holder" 2>/dev/null || mv "$lock" "$own/claim-$holder" 2>/dev/null
    if mkdir "$lock" 2>/dev/null; then
        echo $$ >"$lock/pid"
        claims="$claims $1"
    else
        part=$own/$1.part
    fi
}

bytes_of() { if [ -e "$1" ]; then wc -c <"$1"; else echo 0; fi; }

# A cut transfer goes on where it ended as long as it gets on, which curl's own --retry does not do. A first try without
# a byte is an answer: that host is not to be had. Later it takes three in a row.
get_whole() {
    idle=2 anew='' size=$(bytes_of "$part")
    until transfer "$1"; do
        now=$(bytes_of "$part")
        if [ -z "$anew" ] && cannot_go_on; then
            rm -f "$part"
            anew=yes now=0
        elif [ "$now" -gt "$size" ]; then
            idle=0
        elif [ "$idle" -lt 2 ]; then
            idle=$((idle + 1))
            sleep "$idle"
        else
            why="$1 cannot be fetched ($(tail -n 1 "$own/log"))"
            return 1
        fi
        size=$now
    done
}

# Some servers know no ranges; or what is here is longer than the file.
cannot_go_on() {
    case $(cat "$own/log") in
        *'curl: (33)'* | *'error: 416'* | *'ERROR 416'* | *'HTTP/1.'?' 416'* | *truncate*) ;;
        *) return 1 ;;
    esac
}

# No limit for the whole, 30 MB may take long; but what stands still is cut, and goes on.
transfer() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL --connect-timeout 10 --speed-limit 1 --speed-time 20 -C - -o "$part" "$1" </dev/null 2>"$own/log"
    else
        # shellcheck disable=SC2046
        wget -nv -c $(wget_limits) -O "$part" "$1" </dev/null >"$own/log" 2>&1
    fi
}

# The wget of busybox is often built without time limits, and then refuses the option.
wget_limits() {
    case $(wget --help 2>&1) in
        *--tries*) echo '-t 1 -T 15' ;;
        *'-T SEC'*) echo '-T 15' ;;
    esac
}

# --- folders ----------------------------------------------------------------------------------------------------------

# Where the program goes: as clawmux/paths.py says, or under the prefix. What only looks keeps to the temporary folder.
find_program() {
    if [ -n "$prefix" ]; then
        program=$prefix/share/clawmux
    elif [ -n "${CLAWMUX_HOME:-}" ]; then
        program=$CLAWMUX_HOME/data
    elif [ "${platform%%-*}" = macos ]; then
        program="$HOME/Library/Application Support/clawmux/data"
    else
        case ${XDG_DATA_HOME:-} in
            /*) program=$XDG_DATA_HOME/clawmux ;;
            *) program=$HOME/.local/share/clawmux ;;
        esac
    fi
    case $program in /*) ;; *) program=$PWD/$program ;; esac
    downloads=$program/downloads
    [ "$errand" = install ] || own=$work downloads=$work
}

make_work() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/clawmux-install.XXXXXX") || give_up 23 "no temporary folder can be made in ${TMPDIR:-/tmp}."
}

# A folder of this process alone, on the disk where the program goes. Those of processes that died are removed.
need_own() {
    [ -z "$own" ] || return 0
    note_missing "${program%/*}"
    mkdir -p "${program%/*}" && (umask 077 && mkdir -p "$downloads") || return 1
    for left in "$downloads"/own-*; do
        kill -0 "${left##*-}" 2>/dev/null || rm -rf "$left"
    done
    own=$downloads/own-$$
    mkdir "$own"
}

# The folders that we make, for the receipt: an uninstallation takes away what was not there before.
note_missing() {
    missing=$1
    [ -d "$program" ] || bare=$program
    while [ ! -d "${missing:-/}" ]; do
        CLAWMUX_INSTALL_MADE=$missing${CLAWMUX_INSTALL_MADE:+:$CLAWMUX_INSTALL_MADE}
        missing=${missing%/*}
    done
}

# A part that is not whole stays for the next try.
leave() {
    for claim in $claims; do rm -rf "$downloads/$claim.lock"; done
    rm -rf ${work:+"$work"} ${own:+"$own"}
    [ ! -d "${downloads:-}" ] || rmdir "$downloads" 2>/dev/null
    leave_no_folder
    return "$1"
}

# Folders of ours in which nothing came to lie. The deepest stands last.
leave_no_folder() {
    [ -n "$bare" ] && rmdir "$program" 2>/dev/null || return 0
    left=$CLAWMUX_INSTALL_MADE
    while [ -n "$left" ]; do
        rmdir "${left##*:}" 2>/dev/null || return 0
        case $left in
            *:*) left=${left%:*} ;;
            *) left='' ;;
        esac
    done
}

# --- source -----------------------------------------------------------------------------------------------------------

is_source() { [ -f "$1/installer/__main__.py" ] && [ -f "$1/clawmux/__init__.py" ]; }

# Piped into a shell, this script has no file, and its standard input is the script itself.
find_source() {
    piped=yes
    if [ -f "$script" ] && grep -q '^release_sha256=' "$script"; then
        piped=''
        source=$(CDPATH='' cd -- "$(dirname -- "$script")" && pwd)
        is_source "$source" && return
    fi
    if [ -n "$from" ]; then
        source_from_folder
    elif [ -n "$release_url" ]; then
        source_from_release
    else
        give_up 2 "this copy belongs to no release, and there is no checkout around it." \
            "Run it from a checkout of ClawMux, sh path/to/clawmux/install.sh, or with --from and the folder of a bundle."
    fi
}

source_from_folder() {
    for file in "$from"/clawmux-*.tar.gz; do
        [ -e "$file" ] || continue
        matches "$file" "$(listed_sum "$file")" || { give_up 21 "Copy the bundle again, with its SHA256SUMS."; return; }
        unpack_source "$file"
        return
    done
    give_up 12 "$from holds no clawmux-*.tar.gz." "Name the folder that build/bundle.py made."
}

source_from_release() {
    url=$release_url
    [ -z "${CLAWMUX_BASE_URL:-}" ] || url=${CLAWMUX_BASE_URL%/}/${release_url##*/}
    say "fetching ${url##*/}."
    if fetch "$url" "$release_sha256" "${url##*/}"; then
        unpack_source "$own/${url##*/}"
    else
        give_up 22 "$why." "Try again later, or name another folder that holds it: CLAWMUX_BASE_URL=https://..."
    fi
}

unpack_source() {
    mkdir "$work/source"
    tar -xzof "$1" -C "$work/source" </dev/null || { give_up 21 "${1##*/} cannot be unpacked."; return; }
    # The loop's own variable ends with the function in yash.
    for folder in "$work"/source/*; do
        source=$folder
        is_source "$source" && return
    done
    give_up 21 "${1##*/} holds no ClawMux."
}

# --- the run ----------------------------------------------------------------------------------------------------------

# Only what must be known before there is a Python; what is wrong with the words is said by installer/.
read_words() {
    errand=install from='' prefix='' before=''
    for word in "$@"; do
        case $before in
            --from) from=$word ;;
            --prefix) prefix=$word ;;
        esac
        case $word in
            --from=*) from=${word#*=} ;;
            --prefix=*) prefix=${word#*=} ;;
            --uninstall | --help | -h) errand=remove ;;
            --dry-run) [ "$errand" = remove ] || errand=plan ;;
        esac
        before=$word
    done
    # Behind = the shell leaves a tilde as it is.
    case $from in \~/*) from=$HOME/${from#*/} ;; esac
    case $prefix in \~/*) prefix=$HOME/${prefix#*/} ;; esac
    [ -z "$from" ] || [ -f "$from/SHA256SUMS" ] ||
        give_up 12 "$from has no SHA256SUMS." "Name the folder that build/bundle.py made."
}

hand_over() {
    if [ -z "$piped" ]; then
        run_installer "$@"
    elif (: </dev/tty) 2>/dev/null; then
        run_installer "$@" </dev/tty
    else
        run_installer "$@" </dev/null
    fi
}

# -I: what stands in this folder or in PYTHON* variables must not be taken for ours. -B: the source stays as it is.
run_installer() {
    "$python" -I -B -c 'import sys; sys.path.insert(0, sys.argv[1]); from installer.__main__ import main; sys.exit(main(sys.argv[2:]))' \
        "$source" "$@"
}

prepare() {
    [ -n "${HOME:-}" ] || { give_up 2 "HOME is not set, so there is no folder to install into."; return; }
    read_words "$@" && make_work && find_platform && find_program && find_source && find_python "$@"
}

main() {
    # zsh splits words and expands patterns as sh does only when told to.
    [ -z "${ZSH_VERSION:-}" ] || emulate sh
    work='' own='' claims='' downloads='' bare=''
    export CLAWMUX_INSTALL_PYTHON=system CLAWMUX_INSTALL_MADE=''
    trap 'leave 129; exit 129' HUP
    trap 'leave 130; exit 130' INT
    trap 'leave 143; exit 143' TERM
    prepare "$@" && hand_over "$@"
    leave $?
}

main "$@"; exit $?; }
