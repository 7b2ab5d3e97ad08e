#!/bin/sh
# make demo: a purchase with a child workflow, mocked services and a human approval, from start to
# end on SQLite, with the trace of every event.
#
#   tools/demo.sh ARVO
set -eu
cd "$(dirname "$0")/.."
arvo=$1
app=examples/purchase/app
folder=$(mktemp -d "${TMPDIR:-/tmp}/arvo-demo.XXXXXX")
trap 'rm -rf "$folder"' EXIT
store=sqlite:$folder/orders.db

bold= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() {
    printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

say "1. A shop orders forty chairs. The workflow asks suppliers for prices, then needs a person's approval."
echo "\$ arvo run $app --event examples/purchase/events/start-big.json --store $store --follow"
"$arvo" run "$app" --event examples/purchase/events/start-big.json --store "$store" --follow | tee "$folder/first"

say "2. The process has ended; the order waits in the file. An operator pastes the command printed above."
answer=$(sed -n 's/^ *\(.* --type evt\.approval\.granted .*\)/\1/p' "$folder/first")
echo "\$ $answer"
eval "$answer"

say "3. The instances in the store, and the events of the order."
echo "\$ arvo ps --store $store"
"$arvo" ps --store "$store"
echo
echo "\$ arvo history order-big --store $store"
"$arvo" history order-big --store "$store"
