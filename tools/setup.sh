#!/bin/sh
# Installs what is missing of the Debian packages in packages.txt, once.
#
#   tools/setup.sh [GROUP...]    default: base
#
# Asks nothing of the network when all is there. As root it uses apt-get, as another user sudo
# apt-get; where neither can be had, it names what is missing in one line and exits 1.
set -eu

list=$(dirname "$0")/packages.txt
[ $# -gt 0 ] || set -- base

wanted=
for group in "$@"; do
    found=$(awk -v group="$group" '$1 == group { print $2 }' "$list")
    if [ -z "$found" ]; then
        echo "setup: no package group \"$group\" in $list" >&2
        exit 2
    fi
    wanted="$wanted $found"
done

missing=
if command -v dpkg-query >/dev/null 2>&1; then
    for package in $wanted; do
        status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || exit 0
else
    # Not a Debian: look for what the build itself needs, and name all of it.
    for program in cc meson ninja pkg-config python3; do
        command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
    done
    for library in zlib libpcre2-8 sqlite3 yaml-0.1 cmocka; do
        pkg-config --exists "$library" 2>/dev/null || missing="$missing $library"
    done
    [ -n "$missing" ] || exit 0
    echo "setup: missing:$missing; install what corresponds to these Debian packages:$wanted" >&2
    exit 1
fi

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: missing packages:$missing; there is no apt-get here to install them with" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    sudo=
elif command -v sudo >/dev/null 2>&1; then
    sudo=sudo
    # In a script nobody can type a password: ask only where there is a terminal.
    [ -t 0 ] || sudo='sudo -n'
else
    echo "setup: missing packages; as root, run: apt-get install$missing" >&2
    exit 1
fi

# Debian starts a server when it installs it. Ours are started by the tests, one for each; so keep apt-get from it,
# in the way Debian has for that, unless this machine has a policy of its own.
policy=/usr/sbin/policy-rc.d
case " $* " in
*" servers "*)
    if [ ! -e "$policy" ] && $sudo sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"; then
        trap '$sudo rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
    fi
    ;;
esac

echo "setup: installing with apt-get, once:$missing"
run_apt() {
    # shellcheck disable=SC2086 # $sudo and $missing are lists of words
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get "$@"
}
# The package index is fetched only where it is missing or too old to install from.
if ! run_apt install -y --no-install-recommends $missing >/dev/null 2>&1; then
    echo "setup: the package index is missing or out of date: apt-get update"
    log=$(mktemp)
    if ! { run_apt update && run_apt install -y --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        echo "setup: apt-get failed; missing packages:$missing" >&2
        exit 1
    fi
    rm -f "$log"
fi
