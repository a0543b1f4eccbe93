#!/usr/bin/env bash
# Slow checks that are not part of the gate, and the time each took. What a part printed is kept in target/deep/.
# A tool that is missing, or does not reach what it needs, is named with the line that helps, and fails nothing.
#
#   tests/deep.sh [PART…]   one or some of them; all if none is named. docs/checks.md says what they took:
#     mutations     ten million and more changed frames                                TAPIR_MUTATION_SEEDS
#     talks         a million changes of each parser's talks                           TAPIR_PARSER_MUTATIONS
#     properties    what holds for any input, with many of them                        PROPTEST_CASES
#     floods        twice as long a flood takes at most three times the time; wants a quiet machine
#     bans          what we are built of comes from the one registry
#     advisories    what is known against it; fetches the list from the network
#     fuzz          each target for FUZZ_SECONDS; FUZZ_TARGETS names some of them
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
packaging/setup.sh || exit 1
. packaging/toolchain.sh
export CARGO_TERM_COLOR=never LC_ALL=C TZ=UTC

logs=target/deep
mkdir -p "$logs"
failed_parts=()
all=(mutations talks properties floods bans advisories fuzz)

# The build of the gate: optimised, and overflow and debug assertions are checked.
tests() {
    cargo test --locked "$@"
}

mutations() {
    TAPIR_MUTATION_SEEDS="${TAPIR_MUTATION_SEEDS:-260}" tests --test tapir mutations -- --show-output
}

talks() {
    TAPIR_PARSER_MUTATIONS="${TAPIR_PARSER_MUTATIONS:-1000000}" tests --test tapir talks_broken -- --show-output
}

properties() {
    PROPTEST_CASES="${PROPTEST_CASES:-100000}" tests --workspace --lib
}

floods() {
    TAPIR_FLOOD_TIMES=1 tests --test tapir floods_take_time -- --show-output
}

# What a part answers that does not run here.
skipped=77

# have TOOL: whether cargo has it.
have() {
    if cargo "$1" --version >/dev/null 2>&1; then return 0; fi
    echo "SKIPPED ${FUNCNAME[1]}: no cargo-$1; run: cargo install --locked cargo-$1"
    return $skipped
}

# Licences are held to a list by tests/licences.rs.
bans() {
    have deny || return
    cargo deny --all-features check bans sources
}

advisories() {
    have deny || return
    if ! cargo deny fetch db; then
        echo "SKIPPED advisories: the list is not reached, see $logs/advisories.log"
        return $skipped
    fi
    cargo deny --all-features check --disable-fetch advisories
}

# What the targets begin with is what the golden cases hold; what is found stays for the next time.
fuzz() {
    local seeds=$PWD/target/fuzz-seeds found=$PWD/target/fuzz-found target bad=0
    have fuzz || return
    if ! command -v c++ >/dev/null; then
        echo "SKIPPED fuzz: no C++ compiler, which libFuzzer is built with; run: apt install g++"
        return $skipped
    fi
    rm -rf "$seeds"
    TAPIR_SEEDS=$seeds tests --test tapir seeds_are_written || return 1
    # The versions of the program; the fuzzer's own comes to them.
    cp Cargo.lock tests/fuzz/Cargo.lock
    # A stable toolchain has AddressSanitizer too, but asks for leave.
    RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz any || return 1
    for target in ${FUZZ_TARGETS:-$(ls "$seeds")}; do
        fuzz_one "$target" "$seeds/$target" "$found/$target" || bad=1
    done
    return $bad
}

# fuzz_one TARGET SEEDS FOUND
fuzz_one() {
    local verdict=ok
    mkdir -p "$3"
    # The options behind: a text longer than that is nobody's, and an input that takes ten seconds is a finding.
    TAPIR_FUZZ=$1 target/fuzz/*/release/any "$3" "$2" \
        -max_total_time="${FUZZ_SECONDS:-60}" -max_len=65536 -print_funcs=0 -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$3-" -print_final_stats=1 >"$3.log" 2>&1 || verdict="FAILED, see $3.log"
    echo "fuzz $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$3.log") runs," \
        "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$3.log" | tail -n 1) places reached, $verdict"
    [ "$verdict" = ok ] || { tail -n 30 "$3.log"; return 1; }
}

# part NAME: runs it, shows what it skips and how far the fuzzer is, prints its time.
part() {
    local begin=$SECONDS status verdict=ok
    "$1" 2>&1 </dev/null | tee "$logs/$1.log" | sed -un '/^\(SKIPPED\|fuzz\) /p'
    status=$?
    if [ $status = $skipped ]; then
        verdict=skipped
    elif [ $status != 0 ]; then
        verdict=FAILED
        failed_parts+=("$1")
        tests/failures.sh "$logs/$1.log"
    fi
    printf '%-12s %5d s  %s\n' "$1" $((SECONDS - begin)) "$verdict"
}

[ $# -gt 0 ] || set -- "${all[@]}"
for name in "$@"; do
    case " ${all[*]} " in
        *" $name "*) part "$name" ;;
        *) echo "deep.sh: no part $name; there are: ${all[*]}" >&2; exit 2 ;;
    esac
done
if [ ${#failed_parts[@]} -gt 0 ]; then
    echo "FAILED parts: ${failed_parts[*]} (output in $logs/)"
    exit 1
fi
