#!/bin/sh
# Kills workers, servers and connections while journeys run on each store, and compares what comes of
# it with what must (tests/torture/torture.py).
#
#   tools/torture.sh BUILD_DIR [STORE...]    default: sqlite postgres redis
#
# KILLS sets how many workers die per store (default: sqlite 1000, the others 300). Exit code 1 when
# something was lost, done twice or stuck; a store whose server is not installed is skipped by name.
set -u
cd "$(dirname "$0")/.."
dir=$1
shift
[ $# -gt 0 ] || set -- sqlite postgres redis

ninja -C "$dir" product tests/torture/io_faults.so >/dev/null || exit 1
dir=$(cd "$dir" && pwd)
ARVO_COMMAND=$dir/arvo
export ARVO_COMMAND
failed=0
for store in "$@"; do
    case $store in
        sqlite)
            tests/torture/torture.py sqlite --kills "${KILLS:-1000}" || failed=1
            tests/torture/torture.py sqlite --kills "${KILLS:-300}" --io-faults "$dir/tests/torture/io_faults.so" || failed=1
            ;;
        *)
            tests/servers/run.py "$store" -- tests/torture/torture.py "$store" --kills "${KILLS:-300}"
            code=$?
            [ "$code" -eq 0 ] || [ "$code" -eq 77 ] || failed=1
            ;;
    esac
done
exit $failed
