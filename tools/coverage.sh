#!/bin/sh
# Runs the suites in an instrumented build and prints line and branch coverage of src/, by folder and
# in all. Compiled without optimization, because branches are counted as compiled; those of
# ARVO_ASSERT, of which one side is a bug, are left out.
set -eu
cd "$(dirname "$0")/.."
dir=build-coverage

[ -f $dir/build.ninja ] ||
    CC=gcc meson setup $dir -Db_coverage=true -Dbench=false -Doptimization=0 >/dev/null
ninja -C $dir >/dev/null
# Counts add up over runs; each report is of one run.
find $dir -name '*.gcda' -delete
meson test -C $dir --no-rebuild --quiet --timeout-multiplier 3 \
    --suite unit --suite store --suite interop --suite e2e --suite fuzz --suite sim >/dev/null 2>&1 ||
    echo "coverage: some tests fail; their coverage counts all the same (make test says which)"

branches="--rc lcov_branch_coverage=1 --rc lcov_excl_br_line=ARVO_ASSERT"
lcov --quiet $branches --capture --directory $dir --output-file $dir/all.info >/dev/null 2>&1
lcov --quiet $branches --extract $dir/all.info "$PWD/src/*" --output-file $dir/src.info \
    >/dev/null 2>&1

awk -v root="$PWD/src/" '
    function part(hit, found, what) {
        return sprintf("%6.1f %%  %6d of %6d %s", found ? 100 * hit / found : 100, hit, found, what)
    }
    /^SF:/ { split(substr($0, 4 + length(root)), path, "/"); layer = path[1] }
    /^(LF|LH|BRF|BRH):/ {
        split($0, count, ":")
        n[layer, count[1]] += count[2]
        n["all of src", count[1]] += count[2]
        layers[layer]
    }
    function show(layer) {
        return sprintf("%-14s %s %s", layer, part(n[layer, "LH"], n[layer, "LF"], "lines"),
            part(n[layer, "BRH"], n[layer, "BRF"], "branches"))
    }
    END {
        if (n["all of src", "LF"] == 0) { print "coverage: no data"; exit 1 }
        for (layer in layers)
            print show(layer) | "sort"
        close("sort")
        print show("all of src")
    }' $dir/src.info
