#!/usr/bin/env bash
# Slow checks that are not part of the gate. A tool that is missing is named with the line that installs it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. packaging/toolchain.sh
failed=0

# have TOOL INSTALL-LINE
have() {
    if cargo "$1" --version >/dev/null 2>&1; then return 0; fi
    echo "SKIPPED cargo-$1: not installed; run: $2"
    return 1
}

if have deny 'cargo install --locked cargo-deny'; then
    cargo deny --all-features check advisories bans sources || failed=1
fi
if have fuzz 'cargo install --locked cargo-fuzz'; then
    targets=$(cargo fuzz list --fuzz-dir tests/fuzz 2>/dev/null)
    [ -n "$targets" ] || echo "SKIPPED fuzz: tests/fuzz holds no target"
    # Parsers begin with what the golden cases hold of them; what is found goes beside it.
    first=$PWD/target/fuzz-seeds
    TAPIR_SEEDS=$first cargo test --locked --test tapir seeds_of_parsers || failed=1
    for target in $targets; do
        seeds=tests/fuzz/seeds/$target
        [ -d "$seeds" ] || seeds=$first/$target
        mkdir -p "target/fuzz-found/$target"
        RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz "$target" "target/fuzz-found/$target" "$seeds" -- \
            -max_total_time="${FUZZ_SECONDS:-60}" || failed=1
    done
fi
PROPTEST_CASES="${PROPTEST_CASES:-100000}" cargo test --release --locked --workspace --lib || failed=1
# A million and more mutated frames; the gate runs a part of them.
TAPIR_MUTATION_SEEDS="${TAPIR_MUTATION_SEEDS:-26}" \
    cargo test --locked --test tapir mutations || failed=1
# A million changes of each parser's talks.
TAPIR_PARSER_MUTATIONS="${TAPIR_PARSER_MUTATIONS:-1000000}" \
    cargo test --release --locked --test tapir talks_broken || failed=1
# Twice as long a flood takes at most three times the time.
TAPIR_FLOOD_TIMES=1 cargo test --release --locked --test tapir floods_take_time || failed=1
exit $failed
