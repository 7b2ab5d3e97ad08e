#!/bin/sh
# make test: four builds, the suites each is for, one summary.
#
#   build        gcc, as shipped       every suite
#   build-asan   ASan + UBSan          unit, store, sim, interop, fuzz, e2e
#   build-tsan   ThreadSanitizer       what runs threads
#   build-clang  clang                 compiled only: its warnings are errors too
#
# Warnings are errors in the first and the last; between them, instrumented code makes gcc warn of
# what is not there. Folders are kept, so a second run builds and runs only what it must.
set -u
cd "$(dirname "$0")/.."

jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
failed=0
summary=

# configure DIR COMPILER OPTION...
configure() {
    dir=$1 compiler=$2
    shift 2
    [ -f "$dir/build.ninja" ] && return 0
    rm -rf "$dir"
    CC=$compiler meson setup "$dir" "$@" >"$dir.log" 2>&1 && rm -f "$dir.log" && return 0
    cat "$dir.log" && rm -f "$dir.log"
    return 1
}

# compile DIR: quiet unless it fails.
compile() {
    log=$(mktemp)
    if ninja -C "$1" -j "$jobs" >"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    grep -vE '^\[[0-9]+/[0-9]+\]' "$log"
    rm -f "$log"
    return 1
}

# suite NAME DIR COMPILER TESTARGS -- OPTION...
suite() {
    name=$1 dir=$2 compiler=$3 args=$4
    shift 5
    echo "== $name"
    if ! configure "$dir" "$compiler" "$@" || ! compile "$dir"; then
        echo "$name: does not build"
        failed=$((failed + 1))
        return
    fi
    [ "$args" = none ] && return
    rm -f "$dir/meson-logs/testlog.json"
    # What fails is shown by the summary, which reads the log.
    # shellcheck disable=SC2086 # $args is a list of words
    meson test -C "$dir" --no-rebuild --num-processes "$jobs" --timeout-multiplier 3 --quiet $args >/dev/null 2>&1
    summary="$summary $name=$dir/meson-logs/testlog.json"
}

# Without them the tests that need them skip, and say so.
tools/setup.sh servers
tools/npm.sh tests/interop
tools/npm.sh tests/interop/contracts
tools/npm.sh tests/interop/otlp

suite gcc build "${CC:-gcc}" '' --
suite sanitizers build-asan gcc '--suite unit --suite store --suite sim --suite interop --suite fuzz --suite e2e' -- \
    -Db_sanitize=address,undefined -Db_lundef=false -Dbench=false -Dwerror=false
suite threads build-tsan gcc '--suite threads' -- -Db_sanitize=thread -Db_lundef=false -Dbench=false -Dwerror=false
suite clang build-clang clang none -- -Dbench=false

# shellcheck disable=SC2086 # a list of words
exec python3 tools/test-summary.py --broken-builds "$failed" $summary
