#!/usr/bin/env bash
# count.sh LOG: one line, "N passed, N failed, N skipped", from what `cargo test -- --show-output` printed.
# A test that prints SKIPPED at the start of a line is skipped, though the harness says it passed.
set -euo pipefail
awk '
    /^test result: / {
        for (i = 1; i < NF; i++) {
            if ($(i + 1) == "passed;") passed += $i
            if ($(i + 1) == "failed;") failed += $i
            if ($(i + 1) == "ignored;") ignored += $i
        }
    }
    /^successes:$/ { shown = 1 }
    /^failures:$/ { shown = 0 }
    /^---- .* stdout ----$/ { test = ++tests }
    /^SKIPPED/ && shown && !(test in skip) { skip[test]; skipped++ }
    END { printf "%d passed, %d failed, %d skipped\n", passed - skipped, failed, skipped + ignored }
' "$1"
