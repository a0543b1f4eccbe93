#!/usr/bin/env bash
# Builds Tapir, analyses ten days of a small office and prints the answer.
set -euo pipefail
cd "$(dirname "$0")/.."
packaging/setup.sh
. packaging/toolchain.sh

echo "demo: building (a few minutes the first time)"
build_release --quiet --bin tapir
target/release/tapir analyze demo/office.pcap.zst --out out/demo
echo "report: $PWD/out/demo/report.html"
