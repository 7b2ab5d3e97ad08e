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
for package in ajv ajv-formats @hyperjump/json-schema zod zod-to-json-schema; do
    wanted=$(sed -n "s|.*\"$package\": *\"\([0-9.]*\)\".*|\1|p" "$here/../package.json")
    found=$(sed -n 's/^ *"version": *"\([0-9.]*\)".*/\1/p' "$here/../node_modules/$package/package.json" 2>/dev/null)
    if [ "$found" != "$wanted" ]; then
        echo "skipped: $package $wanted is not installed (found: ${found:-none}); run tools/npm.sh tests/interop"
        exit 77
    fi
done
exec node "$here/$script" "$@"
