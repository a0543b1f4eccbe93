#!/usr/bin/env bash
# Where the CPU time goes, by the rooms of the program: samples of the mix, the mix with protocols off and the churn, on one
# core, into bench/rooms.md. Needs root or kernel.perf_event_paranoid of at most 1, perf (linux-perf) and binutils.
#
# TAPIR_BENCH_CORE and the sizes of the loads as in compare.sh; TAPIR_BENCH_ROOMS sets where the table goes.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/toolchain.sh
. bench/loads.sh

for need in perf nm addr2line taskset; do
    command -v "$need" >/dev/null || { echo "bench-rooms: $need is not installed; run: apt-get install -y linux-perf binutils" >&2; exit 1; }
done
table=${TAPIR_BENCH_ROOMS:-bench/rooms.md}
core=${TAPIR_BENCH_CORE:-$(($(nproc) - 1))}
# Not a round number: what the program does in step with a clock is not always or never seen.
hertz=1999
build_release --bin tapir --examples
make_mix
make_churn churn.pcap "$churn_flows"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# sampled NAME CAPTURE OPTIONS…
sampled() {
    local name=$1 capture=$2
    shift 2
    cat "$capture" >/dev/null
    echo "bench-rooms: $name"
    # A clock of the kernel's: virtual machines often have no counters.
    perf record -q -e cpu-clock -F "$hertz" -o "$work/$name.perf" taskset -c "$core" \
        target/release/tapir analyze "$capture" --out "$work/out" --workers 1 "$@" >/dev/null
    perf script --no-demangle -i "$work/$name.perf" --comm tapir -F ip,sym,symoff,dso >"$work/$name.samples" 2>/dev/null
    rm -rf "$work/out"
    runs+=("$capture=$work/$name.samples")
}
runs=()
sampled mix "$data/mix.pcap"
sampled bare "$data/mix.pcap" --protocols none
sampled churn "$data/churn.pcap"
target/release/examples/rooms target/release/tapir "$work/rows" "$hertz" "${runs[@]}" >/dev/null

{
    printf '# Rooms: where the CPU time goes\n\n'
    printf 'Printed by `make bench-rooms` (`bench/rooms.sh`): samples of one run each on core %s, %s a second, by the innermost of our\n' "$core" "$hertz"
    printf 'source files that the instruction comes from (`bench/rooms.rs`). Nanoseconds are those of a packet.\n\n'
    printf '| room | mix | ns | mix, protocols off | ns | churn | ns |\n|---|---:|---:|---:|---:|---:|---:|\n'
    cat "$work/rows"
} >"$table"
cat "$table"
[ -n "${TAPIR_BENCH_ROOMS:-}" ] || bench/readme.sh
