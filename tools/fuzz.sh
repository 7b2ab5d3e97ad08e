#!/bin/sh
# Fuzzes every target for some seconds each, under ASan and UBSan, and says what it found.
#
#   tools/fuzz.sh [SECONDS]    default 60; FUZZ_TARGETS="json event" picks some
#
# What grows the corpus stays in build-fuzz/corpus/TARGET (see CONTRIBUTING on keeping corpora
# small); an input that breaks a target is left in build-fuzz/found/. Exit code 1 when there is one.
set -u
cd "$(dirname "$0")/.."
seconds=${1:-60}

if [ ! -f build-fuzz/build.ninja ]; then
    CC=clang meson setup build-fuzz -Dfuzzing=true -Dbench=false -Db_sanitize=address,undefined \
        -Db_lundef=false >/dev/null || exit 1
fi
# The targets alone: the tests need no second build here.
programs=$(ninja -C build-fuzz -t targets all | sed -n 's/^\(fuzz\/fuzz_[a-z0-9_]*\): .*/\1/p' | sort -u)
# shellcheck disable=SC2086 # a list of words
ninja -C build-fuzz $programs >build-fuzz/build.log 2>&1 || { grep -vE '^\[[0-9]+/' build-fuzz/build.log; exit 1; }

found=0
targets=0
for program in $programs; do
    program=build-fuzz/$program
    name=${program##*/fuzz_}
    case " ${FUZZ_TARGETS:-$name} " in *" $name "*) ;; *) continue ;; esac
    targets=$((targets + 1))
    mkdir -p "build-fuzz/corpus/$name" build-fuzz/found
    dict="fuzz/fuzz_$name.dict"
    [ -f "$dict" ] && dict="-dict=$dict" || dict=
    log=build-fuzz/found/$name.log
    # shellcheck disable=SC2086 # $dict may be nothing
    "$program" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2560 -print_final_stats=1 $dict \
        -artifact_prefix="build-fuzz/found/$name-" "build-fuzz/corpus/$name" "fuzz/corpus/$name" >"$log" 2>&1
    status=$?
    runs=$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")
    if [ "$status" -eq 0 ]; then
        echo "$name: ${runs:-0} runs in $seconds s, nothing found"
        rm -f "$log"
    else
        found=$((found + 1))
        echo "$name: FOUND something (exit code $status), see $log:"
        grep -E 'SUMMARY|Test unit written' "$log"
    fi
done

echo "$targets targets, $found with findings"
[ "$targets" -gt 0 ] && [ "$found" -eq 0 ]
