#!/usr/bin/env bash
# Builds, makes the capture once, measures, and writes bench/results.md.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/toolchain.sh

corpus=${TAPIR_CORPUS:-../shared/corpus}
bench/setup.sh
cargo build --release --locked --bin tapir --example mix --example measure
mkdir -p bench/data
if [ ! -s bench/data/mix.pcap ]; then
    if [ -d "$corpus/pcaps" ]; then
        target/release/examples/mix bench/data/mix.pcap "$corpus/pcaps"
    else
        echo "bench: no real captures (TAPIR_CORPUS); mixing copies of the demo capture instead"
        target/release/examples/mix bench/data/mix.pcap demo/office.pcap.zst
    fi
fi
target/release/examples/measure bench/data/mix.pcap bench/results.md
