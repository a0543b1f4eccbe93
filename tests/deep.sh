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
# Each target for FUZZ_SECONDS, one after the other; FUZZ_TARGETS names some of them instead of all.
# What they begin with is what the golden cases hold; what is found stays for the next time.
fuzz() {
    local first=$PWD/target/fuzz-seeds found=$PWD/target/fuzz-found target bad=0
    rm -rf "$first"
    TAPIR_SEEDS=$first cargo test --locked --test tapir seeds_are_written || return 1
    # The versions of the program; the fuzzer's own comes to them.
    cp Cargo.lock tests/fuzz/Cargo.lock
    RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz any || return 1
    for target in ${FUZZ_TARGETS:-$(ls "$first")}; do
        mkdir -p "$found/$target"
        # The options behind: a text longer than that is nobody's, and an input that takes ten seconds is a finding.
        if ! TAPIR_FUZZ=$target target/fuzz/*/release/any "$found/$target" "$first/$target" \
            -max_total_time="${FUZZ_SECONDS:-60}" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
            -artifact_prefix="$found/$target-" -print_final_stats=1 >"$found/$target.log" 2>&1; then
            echo "fuzz $target: FAILED, see $found/$target.log"
            tail -n 30 "$found/$target.log"
            bad=1
            continue
        fi
        echo "fuzz $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found/$target.log") runs," \
            "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$found/$target.log" | tail -n 1) places reached"
    done
    return $bad
}

if have fuzz 'cargo install --locked cargo-fuzz'; then
    if command -v c++ >/dev/null; then
        fuzz || failed=1
    else
        echo "SKIPPED fuzz: no C++ compiler, which libFuzzer is built with; run: apt install g++"
    fi
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
