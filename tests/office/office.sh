#!/usr/bin/env bash
# An office in a box: every device of hosts.txt in its own network namespace, round one learning switch
# whose mirror port copies each frame once, where it enters the switch.
#
#   office.sh up | down | status | in HOST CMD...
#
#   sw      the switch; every access port is mirrored (tc u32 + mirred) to the port "span"
#   sensor  span0, the far end of the mirror port: receives only, has no address
#   gw      routes to the provider; 10.77.8.0/24 and 10.77.9.0/24 lie behind it and swallow every packet
#   isp     a line with delay and a rate (wan.py); net: all servers of the made-up internet
#
# Needs root and iproute2. Nothing in here has a route out of the machine.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
P=${OFFICE_PREFIX:-tpd-}
LAN=$(awk '!/^#/ && NF {print $1}' "$HERE/hosts.txt")
ALL="sw sensor isp net $LAN"

field() { awk -v h="$1" -v n="$2" '$1 == h {print $n}' "$HERE/hosts.txt"; }
ns() { ip netns exec "$P$1" "${@:2}"; }

# Programs see the device's name as their host name: some (NTLM in Samba) put it on the wire.
as_host() {
  # shellcheck disable=SC2016
  ns "$1" unshare --uts sh -c 'hostname "$1"; shift; exec "$@"' sh "$@"
}

# Without offloads the frames have the sizes and the checksums that a cable would carry.
plain_nic() { ns "$1" ethtool -K "$2" tso off gso off gro off tx off rx off >/dev/null 2>&1 || true; }

make_namespace() {
  ip netns add "$P$1"
  # Bind-mounted over /etc by "ip netns exec": the host's own resolver stays untouched.
  mkdir -p "/etc/netns/$P$1"
  printf 'search kontor.example\nnameserver 10.77.0.1\n' > "/etc/netns/$P$1/resolv.conf"
  ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  # Clients that do not offer TCP time stamps, as most office PCs do not.
  ns "$1" sysctl -qw net.ipv4.tcp_timestamps=0
  ns "$1" ip link set lo up
}

make_switch() {
  ns sw ip link add br0 type bridge stp_state 0 forward_delay 0
  ns sw ip link set br0 up
  ns sw ip link add span type veth peer name span0 netns "${P}sensor"
  ns sw ip link set span up
  ns sensor ip link set span0 up promisc on
  plain_nic sw span
  plain_nic sensor span0
}

# Plugs one device in. Servers have a fixed address; all others ask for one (record.sh).
plug_in() {
  local h=$1 port="p-$1"
  ns sw ip link add "$port" type veth peer name eth0 netns "$P$h"
  ns sw ip link set "$port" master br0 up
  ns sw tc qdisc add dev "$port" clsact
  ns sw tc filter add dev "$port" ingress protocol all u32 match u32 0 0 \
    action mirred egress mirror dev span
  plain_nic sw "$port"
  plain_nic "$h" eth0
  ns "$h" ip link set eth0 address "$(field "$h" 3)"
  ns "$h" ip link set eth0 up
}

make_wan() {
  ip link add wan0 netns "${P}gw" type veth peer name lan-side netns "${P}isp"
  ip link add net0 netns "${P}net" type veth peer name net-side netns "${P}isp"
  for pair in "gw wan0" "net net0" "isp lan-side" "isp net-side"; do
    # shellcheck disable=SC2086
    plain_nic $pair
    # shellcheck disable=SC2086
    ns ${pair% *} ip link set "${pair#* }" up
  done
  ns gw ip addr add 192.0.2.1/30 dev wan0
  ns net ip addr add 192.0.2.2/30 dev net0
  ns net ip route add 10.77.0.0/16 via 192.0.2.1
  ns gw sysctl -qw net.ipv4.ip_forward=1
  for net in 198.51.100.0/24 203.0.113.0/24; do
    ns gw ip route add "$net" via 192.0.2.2
    # "local" makes every address of the block answer, without listing them one by one.
    ns net ip route add local "$net" dev lo
  done
  for net in 10.77.8.0/24 10.77.9.0/24; do ns gw ip route add blackhole "$net"; done
}

up() {
  down
  for n in $ALL; do make_namespace "$n"; done
  make_switch
  for h in $LAN; do
    plug_in "$h"
    # The stranger's cable is in, but the device is still off.
    if [ "$h" = raspberrypi ]; then ns "$h" ip link set eth0 down; fi
  done
  ns gw ip addr add 10.77.0.1/24 dev eth0
  ns fs ip addr add 10.77.0.10/24 dev eth0
  ns fs ip route add default via 10.77.0.1
  make_wan
}

down() {
  local n pid
  for n in $ALL; do
    for pid in $(ip netns pids "$P$n" 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
  done
  for n in $ALL; do
    for pid in $(ip netns pids "$P$n" 2>/dev/null); do kill -9 "$pid" 2>/dev/null || true; done
    ip netns del "$P$n" 2>/dev/null || true
    rm -rf "/etc/netns/$P$n"
  done
  rmdir /etc/netns 2>/dev/null || true
}

case ${1:-} in
  up) up ;;
  down) down ;;
  in) shift; as_host "$@" ;;
  status) ip netns list | grep "^$P" || echo "the office is down" ;;
  *) sed -n '2,5p' "$0"; exit 2 ;;
esac
