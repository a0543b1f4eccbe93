#!/usr/bin/env bash
# Makes packaging/release.profdata: which ways through the program are taken how often, by which the compiler lays out the
# release build (`build_release` in toolchain.sh). To be made anew when the hot path has changed much.
#
# Learned from the demo and from work loads as the bench's, at a tenth of their size, replayed in every arrangement of threads and
# sent over a live port. Needs root for the port, the corpus (TAPIR_CORPUS), and llvm-profdata of LLVM 19 or later.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/toolchain.sh

work=$PWD/target/profile
export TAPIR_BENCH_DATA=$work/loads TAPIR_BENCH_BYTES=160000000 TAPIR_BENCH_FLOWS=100000
. bench/loads.sh

# The newest llvm-profdata, if it reads what this compiler writes.
profdata() {
    local one version
    for one in $(ls -d /usr/lib/llvm-*/bin/llvm-profdata 2>/dev/null | sort -Vr) llvm-profdata; do
        version=$("$one" --version 2>/dev/null | sed -n 's/.*LLVM version \([0-9]*\)\..*/\1/p')
        [ "${version:-0}" -lt 19 ] || { echo "$one"; return; }
    done
    echo "profile: no llvm-profdata of LLVM 19 or later; run: apt-get install -y llvm-19" >&2
    return 1
}
profdata=$(profdata)
[ "$(id -u)" = 0 ] || { echo "profile: needs root, for a live port" >&2; exit 1; }
[ -d "$corpus/pcaps" ] || { echo "profile: no real captures in $corpus; set TAPIR_CORPUS" >&2; exit 1; }

RUSTFLAGS="-Cprofile-generate=$work/counts" CARGO_TARGET_DIR=$work/build \
    cargo build --release --locked --bin tapir
build_release --examples
# What building ran was counted as well. Every process adds to one file when it ends, those without rights too.
rm -rf "$work/counts"
mkdir -p "$work/counts" "$work/loads"
chmod 1777 "$work/counts"
counting=$work/build/release/tapir
make_mix
make_churn churn.pcap "$churn_flows"

# learn CAPTURE OPTIONS…
learn() {
    echo "profile: $*"
    "${pinned[@]}" "$counting" analyze "$@" --out "$work/out" >/dev/null
}
for load in demo/office.pcap.zst "$data/mix.pcap" "$data/churn.pcap"; do
    # On one core, one thread does everything.
    pinned=(taskset -c 0)
    learn "$load" --workers 1
    pinned=()
    learn "$load" --workers 1
    learn "$load" --workers 2
    learn "$load" --workers 1 --protocols none
done
TAPIR_BENCH_TAPIR=$counting TAPIR_BENCH_SECONDS=2 TAPIR_BENCH_RATES='100000 0' TAPIR_BENCH_ORDERS=10 \
    TAPIR_BENCH_LIVE=$work/live.md bash bench/live.sh

# What was never run is left out, and so not taken for rare.
"$profdata" merge -sparse -o packaging/release.profdata "$work/counts"
echo "profile: packaging/release.profdata, $(stat -c %s packaging/release.profdata) bytes"
