#!/usr/bin/env bash
# Puts the chief tables of bench/results.md and bench/live.md into bench/README.md, between its marks.
set -euo pipefail
cd "$(dirname "$0")"

# section FILE HEADING: that part of a file, a level deeper.
section() { awk -v heading="## $2" '/^## /{on = $0 == heading} on{sub(/^## /, "#### "); print}' "$1"; }
# machine FILE: what it was measured on.
machine() { awk '/^Machine:/{on = 1} on && /^$/{exit} on' "$1"; }

figures=$(mktemp)
trap 'rm -f "$figures"' EXIT
{
    printf '### Replay (all of it: [results.md](results.md))\n\n'
    machine results.md
    echo
    section results.md Targets
    section results.md "Mix: an office's traffic"
    section results.md 'Churn: flows that come and go'
    printf '### Rooms: where the CPU time goes\n\n'
    awk '/^# /{next} NR > 2' rooms.md
    echo
    printf '### Live (all of it: [live.md](live.md))\n\n'
    machine live.md
    echo
    section live.md Targets
    section live.md 'Rate without loss'
    section live.md 'Time to cut'
} >"$figures"
awk -v figures="$figures" '
    /^<!-- figures/ {print; print ""; while ((getline line < figures) > 0) print line; skip = 1; next}
    /^<!-- end of figures/ {skip = 0}
    !skip
' README.md >"$figures.new"
cat "$figures.new" >README.md
rm -f "$figures.new"
