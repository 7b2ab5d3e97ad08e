#!/bin/sh
# Runs every benchmark that bench/meson.build declares, one after the other, and says on what.
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
meson introspect --benchmarks "$dir" | python3 -c '
import json, os, subprocess, sys
failed = 0
for bench in json.load(sys.stdin):
    print("\n== " + bench["name"], flush=True)
    env = {**os.environ, **bench["env"]} if isinstance(bench["env"], dict) else None
    failed += subprocess.run(bench["cmd"], env=env, cwd=bench.get("workdir") or None).returncode != 0
sys.exit(failed != 0)
'
