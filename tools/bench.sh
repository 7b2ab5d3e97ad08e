#!/bin/sh
# Runs every benchmark that bench/meson.build builds, or those named, one after the other, and says
# on what.
#
#   tools/bench.sh BUILD_DIR [NAME...]
set -eu
cd "$(dirname "$0")/.."
dir=$1
shift

# Peers may have been installed since the folder was configured.
meson setup --reconfigure "$dir" >/dev/null
ninja -C "$dir" >/dev/null

echo "machine: $(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) CPUs, Linux $(uname -r)"
echo "built:   $(${CC:-cc} --version | head -n 1)"
failed=0
for program in "$dir"/bench/bench_*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    name=${program##*/bench_}
    case " $* " in
        "  " | *" $name "*) ;;
        *) continue ;;
    esac
    printf '\n== %s\n' "$name"
    "$program" || failed=1
done
exit $failed
