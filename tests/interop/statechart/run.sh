#!/bin/sh
# Runs a script of this folder where node and the pinned packages are there; else says what is
# missing and ends with 77, which Meson counts as skipped.
#
#   run.sh SCRIPT ARGUMENT...
here=$(cd "$(dirname "$0")" && pwd)
script=$1
shift
if ! node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null; then
    echo "skipped: needs node 18 or later (Debian package nodejs)"
    exit 77
fi
wanted=$(sed -n 's/.*"xstate": *"\([0-9.]*\)".*/\1/p' "$here/../package.json")
found=$(sed -n 's/^ *"version": *"\([0-9.]*\)".*/\1/p' "$here/../node_modules/xstate/package.json" 2>/dev/null)
if [ "$found" != "$wanted" ]; then
    echo "skipped: xstate $wanted is not installed (found: ${found:-none}); run tools/npm.sh tests/interop"
    exit 77
fi
exec node "$here/$script" "$@"
