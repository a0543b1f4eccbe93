#!/usr/bin/env bash
# failures.sh LOG: the part of a stage's output that tells why it failed, at most 200 lines.
set -euo pipefail
if grep -q '^failures:$' "$1"; then
    # Test output: what the failed tests printed, without what those that passed printed.
    awk '/^failures:$/ { on = 1 } /^test result:/ { on = 0 } on' "$1" | head -n 200
elif grep -qE '^(error|warning)' "$1"; then
    awk '/^(error|warning)/ { on = 1 } on' "$1" | head -n 200
else
    tail -n 200 "$1"
fi
