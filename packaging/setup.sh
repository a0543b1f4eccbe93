#!/usr/bin/env bash
# Installs what building Tapir needs on Debian 12 beside the Rust toolchain, or prints the line to run.
#
#   setup.sh         to build and run
#   setup.sh tests   and, for root only, the real programs the live tests work with
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/toolchain.sh

# A C compiler (linker, zstd), its library headers, make, and libpcap (filters).
packages=(gcc libc6-dev libpcap-dev make)
if [ "${1:-}" = tests ] && [ "$(id -u)" = 0 ]; then
    # Namespaces and the egress filter; clients and servers of the office; the SIEM.
    packages+=(procps iproute2 ethtool nftables python3 curl openssh-client openssh-server samba smbclient rsyslog)
fi

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done

# Installed for tests, a server must not begin to serve on this machine.
policy=/usr/sbin/policy-rc.d
hold_services() {
    if [ ! -e $policy ] && [ -w "${policy%/*}" ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        trap 'rm -f $policy' EXIT
    fi
}

if [ ${#missing[@]} -gt 0 ]; then
    install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
    if ! command -v apt-get >/dev/null; then
        echo "setup: not Debian; install the equivalents of: ${missing[*]}" >&2
        exit 1
    elif [ "$(id -u)" = 0 ]; then
        hold_services
        apt-get -q update </dev/null
        "${install[@]}" </dev/null
    elif sudo -n true 2>/dev/null; then
        sudo -n apt-get -q update </dev/null
        sudo -n "${install[@]}" </dev/null
    else
        echo "setup: packages are missing, and this user may not install them; run:" >&2
        echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
fi

require_rust
echo "setup: ready ($(cargo --version))"
