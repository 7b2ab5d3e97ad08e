#!/bin/sh
# Runs every benchmark that bench/meson.build builds, one after the other, and says on what.
#
#   tools/bench.sh BUILD_DIR
set -eu
cd "$(dirname "$0")/.."
dir=$1

# Peers may have been installed since the folder was configured.
meson setup --reconfigure "$dir" >/dev/null
ninja -C "$dir" >/dev/null

echo "machine: $(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) CPUs, Linux $(uname -r)"
echo "built:   $(${CC:-cc} --version | head -n 1)"
failed=0
for program in "$dir"/bench/bench_*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    printf '\n== %s\n' "${program##*/bench_}"
    "$program" || failed=1
done
exit $failed
