#!/usr/bin/env bash
# Removes what was built, written and measured.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf target out bench/data
