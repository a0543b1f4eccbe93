#!/usr/bin/env bash
# Builds, makes the work loads, measures Tapir beside other programs, and writes bench/results.md.
#
# TAPIR_BENCH_RUNS sets how often the programs take turns (5), TAPIR_BENCH_CORE which core they have (the last),
# TAPIR_CORPUS where real captures are; TAPIR_BENCH_BYTES, TAPIR_BENCH_FLOWS and TAPIR_BENCH_FRAMES how large the
# mix, the churn and the floods are, TAPIR_BENCH_RESULTS where the tables go.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/toolchain.sh
. bench/loads.sh
# softflowd is where only root looks.
PATH=$PATH:/usr/sbin

# What could not be installed is left out by name.
bench/setup.sh || true
# In one go: built apart, the dependencies would be built twice.
build_release --bin tapir --examples
make_mix
make_churn churn.pcap "$churn_flows"
ln -sf churn.pcap "$data/churn-1.pcap"
make_churn churn-2.pcap $((churn_flows * 2))
make_floods
# What was written a moment ago lies in the page cache in single pages; what was read, in large pieces, as
# a capture mostly does. All programs read these same files.
for load in "$data"/*.pcap; do
    sync "$load"
    dd if="$load" iflag=nocache count=0 status=none
    cat "$load" >/dev/null
done
rm -f "$data/limit"
gcc -O2 -o "$data/limit" bench/limit.c || echo "bench: no gcc, so no limit in C" >&2
target/release/examples/compare "$data" "${TAPIR_BENCH_RESULTS:-bench/results.md}" "${TAPIR_BENCH_RUNS:-5}" \
    "$churn_flows" "${TAPIR_BENCH_CORE:-$(($(nproc) - 1))}"
# Tables that went elsewhere are for a look only.
[ -n "${TAPIR_BENCH_RESULTS:-}" ] || bench/readme.sh
