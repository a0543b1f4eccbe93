#!/usr/bin/env bash
# The gate: every check a change has to pass, the time each took, and one closing line.
# What a stage printed is kept in target/gate/; it is shown when the stage fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
packaging/setup.sh tests || exit 1
. packaging/toolchain.sh
require_rust || exit 1

# Real captures are used where they are, and the tests that need them say SKIPPED where they are not.
if [ -z "${TAPIR_CORPUS:-}" ] && [ -f ../shared/corpus/manifest.json ]; then
    TAPIR_CORPUS=$(cd ../shared/corpus && pwd)
    export TAPIR_CORPUS
fi
export CARGO_TERM_COLOR=never LC_ALL=C TZ=UTC

logs=target/gate
mkdir -p "$logs"
failed_stages=()

# Hundredths of a second since boot: never set back.
now() {
    local up idle
    read -r up idle </proc/uptime
    echo $((10#${up/./}))
}

# stage NAME COMMAND…: runs it, prints its time, keeps its output.
stage() {
    local name=$1 begin took verdict=ok
    shift
    printf '%-9s ' "$name"
    begin=$(now)
    if ! "$@" >"$logs/$name.log" 2>&1 </dev/null; then
        verdict=FAILED
        failed_stages+=("$name")
    fi
    took=$(($(now) - begin))
    printf '%4d.%02d s  %s\n' $((took / 100)) $((took % 100)) "$verdict"
    if [ "$verdict" = FAILED ]; then
        tests/failures.sh "$logs/$name.log"
    fi
}

begin=$(now)
# Files that a macro names are not found from the crate's root: each is looked at by itself.
formatted() {
    cargo fmt --all --check && find src tests bench -name '*.rs' -not -path '*/target/*' -print0 |
        xargs -0 rustfmt --check --edition 2024 --config-path .
}
stage format formatted
stage lints cargo clippy --locked --workspace --all-targets -- -D warnings
stage build cargo test --locked --workspace --no-run
# Examples in the documentation run with the tests; SKIPPED lines are in the output of tests that passed.
if [[ " ${failed_stages[*]} " != *" build "* ]]; then
    stage tests cargo test --locked --workspace --no-fail-fast -- --show-output
else
    : >"$logs/tests.log"
fi
stage docs env RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps
took=$(($(now) - begin))
printf '%-9s %4d.%02d s\n' total $((took / 100)) $((took % 100))

grep -h '^SKIPPED' "$logs/tests.log" | sort -u
sed -n 's/^test \(.*\) \.\.\. ignored.*/SKIPPED \1: switched off/p' "$logs/tests.log"
if [ ${#failed_stages[@]} -gt 0 ]; then
    echo "FAILED stages: ${failed_stages[*]} (output in $logs/)"
fi
tests/count.sh "$logs/tests.log"
[ ${#failed_stages[@]} = 0 ]
