#!/bin/sh
# Installs the npm packages that a folder pins (package.json, package-lock.json), once.
#
#   tools/npm.sh FOLDER
#
# Says in one line what is missing and exits 1 where node, npm or the registry cannot be had: what
# needs the packages then skips.
set -u
cd "$(dirname "$0")/.."
folder=$1

if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    tools/setup.sh node || exit 1
fi
# A copy of the lock file says what has been installed.
mark=$folder/node_modules/.arvo-lock.json
cmp -s "$folder/package-lock.json" "$mark" && exit 0
log=$(mktemp)
if ! npm ci --prefix "$folder" --no-audit --no-fund >"$log" 2>&1; then
    echo "npm: cannot install the packages of $folder: $(grep -m 1 -iE 'err' "$log" || tail -n 1 "$log")" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
cp "$folder/package-lock.json" "$mark"
