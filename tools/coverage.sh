#!/bin/sh
# Runs the suites in an instrumented build and prints line coverage of src/, by folder and in all.
set -eu
cd "$(dirname "$0")/.."
dir=build-coverage

[ -f $dir/build.ninja ] || CC=gcc meson setup $dir -Db_coverage=true -Dbench=false >/dev/null
ninja -C $dir >/dev/null
# Counts add up over runs; each report is of one run.
find $dir -name '*.gcda' -delete
meson test -C $dir --no-rebuild --quiet --timeout-multiplier 3 \
    --suite unit --suite store --suite interop --suite e2e --suite fuzz --suite sim >/dev/null 2>&1 ||
    echo "coverage: some tests fail; their coverage counts all the same (make test says which)"

lcov --quiet --capture --directory $dir --output-file $dir/all.info >/dev/null 2>&1
lcov --quiet --extract $dir/all.info "$PWD/src/*" --output-file $dir/src.info >/dev/null 2>&1

awk -v root="$PWD/src/" '
    /^SF:/ { path = substr($0, 4 + length(root)); split(path, part, "/"); layer = part[1] }
    /^LF:/ { lines[layer] += substr($0, 4); all += substr($0, 4) }
    /^LH:/ { hit[layer] += substr($0, 4); all_hit += substr($0, 4) }
    END {
        for (layer in lines)
            printf "%-14s %6.1f %%  %6d of %6d lines\n", layer, 100 * hit[layer] / lines[layer], hit[layer], lines[layer] | "sort"
        close("sort")
        if (all == 0) { print "coverage: no data"; exit 1 }
        printf "%-14s %6.1f %%  %6d of %6d lines\n", "all of src", 100 * all_hit / all, all_hit, all
    }' $dir/src.info
