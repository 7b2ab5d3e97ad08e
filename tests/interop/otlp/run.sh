#!/bin/sh
# Reads what Arvo exports with OpenTelemetry's own definitions, where node and the pinned packages
# are there; else says what is missing and ends with 77, which Meson counts as skipped.
#
#   run.sh ARVO
here=$(cd "$(dirname "$0")" && pwd)
if ! node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null; then
    echo "skipped: needs node 18 or later (Debian package nodejs)"
    exit 77
fi
if ! cmp -s "$here/package-lock.json" "$here/node_modules/.arvo-lock.json"; then
    echo "skipped: the pinned packages are not installed; run tools/npm.sh tests/interop/otlp"
    exit 77
fi
exec node "$here/decode.mjs" "$@"
