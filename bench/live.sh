#!/usr/bin/env bash
# Measures the live daemon over veth pairs in network namespaces of its own, and writes bench/live.md:
# the rate without loss, the time from a packet to its reset, the time from a breach to its order.
#
#   pc1, c1 … c200 ┐                  ┌─ span0 (mirror of what enters at every access port)
#                  ├─ switch (bridge) ┤
#   fs ────────────┘                  └─ inj0 (access port of its own, not mirrored) ── sensor
#
# The sender has the last core, the daemon the others; with two queues the daemon has all. A veth frame is
# received on the core that sends it.
# TAPIR_BENCH_SECONDS sets how long each rate is held (10), TAPIR_BENCH_RATES which rates of small frames (0: as
# many as go), TAPIR_BENCH_LIVE where the tables go (bench/live.md), TAPIR_BENCH_PARTS which parts run (idle, rates,
# mix, order, held), TAPIR_BENCH_ORDERS how many breaches are timed to their order (200), TAPIR_BENCH_TAPIR another
# build of the program to measure, for comparing two.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/toolchain.sh
. bench/loads.sh

seconds=${TAPIR_BENCH_SECONDS:-10}
rates=${TAPIR_BENCH_RATES:-500000 800000 1000000 1200000 0}
tables=${TAPIR_BENCH_LIVE:-bench/live.md}
parts=" ${TAPIR_BENCH_PARTS:-idle rates mix order held} "
orders=${TAPIR_BENCH_ORDERS:-200}
for need in ip tc ethtool nft bridge taskset curl python3; do
    command -v "$need" >/dev/null || {
        echo "bench-live: $need is not installed; run: apt-get install -y iproute2 ethtool nftables curl python3" >&2
        exit 1
    }
done
[ "$(id -u)" = 0 ] || { echo "bench-live: needs root, for network namespaces" >&2; exit 1; }

tapir=${TAPIR_BENCH_TAPIR:-}
if [ -z "$tapir" ]; then
    build_release --bin tapir --examples
    tapir=$PWD/target/release/tapir
fi
wire=$PWD/target/release/examples/wire
make_mix

work=$(mktemp -d)
prefix=tpb$$-
spaces=(sw sensor pc1 fs)
daemon=
cores=$(nproc)
last=$((cores - 1))
if [ "$cores" -gt 2 ]; then others=0-$((cores - 2)); else others=0; fi

# Whether that part was asked for.
part() { [[ $parts == *" $1 "* ]]; }

inside() { local space=$1; shift; ip netns exec "$prefix$space" "$@"; }

# Ends what was started here, and nothing else.
clean_up() {
    local space pid
    for space in "${spaces[@]}"; do
        for pid in $(ip netns pids "$prefix$space" 2>/dev/null); do kill -9 "$pid" 2>/dev/null || true; done
        ip netns del "$prefix$space" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT

# Frames as a cable would carry them.
plain() { inside "$1" ethtool -K "$2" tso off gso off gro off tx off rx off >/dev/null; }

new_space() {
    ip netns add "$prefix$1"
    inside "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    inside "$1" ip link set lo up
}

# plug_in HOST NUMBER LAST-BYTES: a host at a mirrored access port.
plug_in() {
    local port=p-$1
    inside sw ip link add "$port" type veth peer name eth0 netns "$prefix$1"
    inside sw ip link set "$port" master br0 up
    inside sw tc qdisc add dev "$port" clsact
    inside sw tc filter add dev "$port" ingress protocol all u32 match u32 0 0 \
        action mirred egress mirror dev span
    plain sw "$port"
    plain "$1" eth0
    inside "$1" ip link set eth0 address "$(printf '02:77:00:00:%02x:%02x' $(($2 / 256)) $(($2 % 256)))" up
    inside "$1" ip addr add "10.77.$3/16" dev eth0
}

build_office() {
    local space number far
    for space in "${spaces[@]}"; do new_space "$space"; done
    inside sw ip link add br0 type bridge stp_state 0 forward_delay 0
    inside sw ip link set br0 up
    for far in span:span0 p-inj:inj0; do
        inside sw ip link add "${far%:*}" type veth peer name "${far#*:}" netns "${prefix}sensor"
        inside sw ip link set "${far%:*}" up
        inside sensor ip link set "${far#*:}" up
        plain sw "${far%:*}"
        plain sensor "${far#*:}"
    done
    inside sw ip link set p-inj master br0
    plug_in pc1 1 0.101
    plug_in fs 3 0.10
}

# One host each, so that every canary has a client of its own.
add_clients() {
    local number
    for number in $(seq "$orders"); do
        spaces+=("c$number")
        new_space "c$number"
        plug_in "c$number" $((number + 16)) "$((1 + number / 200)).$((1 + number % 200))"
    done
}

# status EXPRESSION: a Python expression over the daemon's status `s`.
status() {
    "$tapir" show status --json --socket "$work/control.sock" 2>/dev/null |
        python3 -c "import json, sys; s = json.load(sys.stdin)['status']; print($1)" 2>/dev/null
}

# start CORES MORE-CONFIGURATION [ARGUMENT…]: a daemon with an empty store, ready when this returns.
start() {
    local cpus=$1 more=$2 tries=0
    shift 2
    rm -rf "$work/store"
    printf '[sensor]\nid = "bench"\n[store]\nfolder = "%s/store"\n[control]\nsocket = "%s/control.sock"\n%s' \
        "$work" "$work" "$more" >"$work/tapir.toml"
    # Not through the function, whose shell would be signalled instead of the daemon.
    ip netns exec "${prefix}sensor" taskset -c "$cpus" "$tapir" run --interface span0 --config "$work/tapir.toml" "$@" \
        2>"$work/log" &
    daemon=$!
    until [ -n "$(status "s['health']['ts']")" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 100 ] || ! kill -0 "$daemon" 2>/dev/null; then
            echo "bench-live: the daemon does not start:" >&2
            cat "$work/log" >&2
            exit 1
        fi
        sleep 0.2
    done
    sense=$(status "s['sense']['pid']")
    serve=$(status "s['serve']['pid']")
}

stop() { kill -TERM "$daemon" && wait "$daemon"; }

# Microseconds a process has run so far, all threads, and those of the programs it has waited for.
ran_us() {
    local own
    own=$(awk '{ sum += $1 } END { printf "%d", sum / 1000 }' /proc/"$1"/task/*/schedstat)
    sed 's/.*) //' "/proc/$1/stat" | awk -v own="$own" -v hz="$(getconf CLK_TCK)" \
        '{ printf "%d\n", own + ($14 + $15) * 1000000 / hz }'
}
of_core() { awk -v us="$1" -v s="$2" 'BEGIN { printf "%.1f", us / s / 10000 }'; }

# Nanoseconds each thread of the sensing process has run, by name.
threads_ns() {
    local task
    for task in /proc/"$sense"/task/*; do
        printf '%s %s\n' "$(tr ' ' '-' <"$task/comm")" "$(cut -d ' ' -f 1 "$task/schedstat")"
    done | awk '{ ns[$1] += $2 } END { for (name in ns) print name, ns[name] }' | LC_ALL=C sort
}

figures="sum(q['packets'] for q in s['health']['queues']), sum(q['dropped'] for q in s['health']['queues'])"

# rung TRAFFIC QUEUES WIRE-ARGUMENT…: one rate; appends rows. Its figures are in once everything sent is
# accounted for, or once they stand still.
rung() {
    local traffic=$1 queues=$2 packets dropped before said sent refused took tries=0
    local p0 d0 t0 v0
    shift 2
    read -r p0 d0 < <(status "$figures" | tr -d '(),')
    t0=$(ran_us "$sense")
    v0=$(ran_us "$serve")
    threads_ns >"$work/threads-before"
    said=$(inside sw taskset -c "$last" "$wire" "$@")
    read -r _ sent _ refused _ < <(echo "$said")
    sent=$((sent - refused))
    took=$(awk '{ printf "%.3f", $2 / $8 }' <<<"$said")
    before=-1
    while [ $tries -lt 40 ]; do
        sleep 1.1
        read -r packets dropped < <(status "$figures" | tr -d '(),') || continue
        packets=$((packets - p0)) dropped=$((dropped - d0)) tries=$((tries + 1))
        [ $((packets + dropped)) -lt "$sent" ] && [ $((packets + dropped)) != "$before" ] || break
        before=$((packets + dropped))
    done
    threads_ns >"$work/threads-after"
    awk -v said="$said" -v traffic="$traffic" -v q="$queues" -v p="$packets" -v d="$dropped" -v took="$took" \
        -v sense=$(($(ran_us "$sense") - t0)) -v serve=$(($(ran_us "$serve") - v0)) 'BEGIN {
        split(said, w, " ")
        printf "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %.1f | %.1f | %.0f |\n", traffic, q, w[8], w[10], w[2],
            w[4], p, d, w[2] - w[4] - p - d, sense / took / 1e4, serve / took / 1e4, sense * 1e3 / (p ? p : 1) }' |
        tee -a "$work/rates"
    awk -v traffic="$traffic" -v q="$queues" -v said="$said" -v p="$packets" -v took="$took" 'NR == FNR { was[$1] = $2; next }
        { ns = $2 - was[$1]; split(said, w, " ")
            if (ns > 0) printf "| %s | %s | %d | %s | %.1f | %.0f |\n", traffic, q, w[8], $1, ns / took / 1e7,
                ns / (p ? p : 1) }' "$work/threads-before" "$work/threads-after" >>"$work/threads"
    awk -v said="$said" -v kind="$traffic, $queues" -v d="$dropped" -v l=$((sent - packets - dropped)) \
        'BEGIN { split(said, w, " "); if (d == 0 && l == 0) printf "%s|%d\n", kind, w[8] }' >>"$work/clean"
}

# queues COUNT CORES: a daemon with so many.
queues() {
    start "$2" "[capture]
queues = $1
"
}

# Small frames at each rate.
floods() {
    local queues=$1 flows=$2 pps
    shift 2
    # The generator is heard by an end that receives by NAPI, which this switches on behind the daemon's back.
    # Frames of a flood are all of UDP, which is not joined.
    inside sensor ethtool -K span0 gro on
    for pps in "$@"; do
        rung "64-byte frames, $flows flows$([ "$pps" != 0 ] || echo ', as many as go')" "$queues" \
            flood span "$pps" "$seconds" "$flows"
    done
    inside sensor ethtool -K span0 gro off
}

# The mix once, as fast as the sender can.
whole_mix() { rung "mix, each frame once" "$1" replay span 0 0 "$data/mix.pcap"; }

# Trackers' nanoseconds a packet with two queues by those with one, for traffic that both had.
trackers() {
    awk -F ' *\\| *' '$5 ~ /^tracker/ { ns[$2, $3] += $7; seen[$2] }
        END { for (t in seen) if (((t, 1) in ns) && ((t, 2) in ns))
            printf "| %s | %d | %d | %.2f |\n", t, ns[t, 1], ns[t, 2], ns[t, 2] / ns[t, 1] }' "$work/threads" |
        LC_ALL=C sort
}

# What was asked for and what it came to, of the parts that ran.
targets() {
    awk -F ' *\\| *' '
        function row(what, figure, bound, text) {
            printf "| %s | %s | ≤ %s | %s |\n", what, text, bound, figure <= bound ? "met" : "short" }
        FILENAME ~ /rates$/ && /^. 64-byte/ && $3 == 1 {
            if ($4 > fastest) { fastest = $4; lost = $9 + $10 }
            if ($4 > 950000 && $4 < 1050000) {
                row("64-byte frames at a million a second, one queue: lost", $9 + $10, 0, $9 + $10)
                million = 1 } }
        FILENAME ~ /rates$/ && /^. mix/ && $3 == 1 {
            row("mix at the sender\047s maximum (" $4 " a second), one queue: lost", $9 + $10, 0, $9 + $10)
            row("the same: % of a core, sensing process", $11, 50, $11) }
        FILENAME ~ /ratios$/ { row("two queues, trackers\047 CPU a packet by one queue\047s: " $2, $5, 1.1, $5) }
        FILENAME ~ /latency$/ && /quiet/ { row("SYN of a held pair to its reset, quiet link, p50, µs", $4, 100, $4) }
        FILENAME ~ /latency$/ && /other traffic/ { row("the same, loaded link, p99, µs", $6, 500, $6) }
        FILENAME ~ /latency$/ && /to order/ { row("packet that completes a breach to order, p99, µs", $6, 50000, $6) }
        END { if (fastest && !million)
            printf "| 64-byte frames at a million a second, one queue: lost | – | ≤ 0 | not measured: the sender came to %d, %d lost |\n", \
                fastest, lost }
    ' "$work/rates" "$work/ratios" "$work/latency"
}

idle() {
    start "$others" "$1"
    local t0 v0 m0
    t0=$(ran_us "$sense") v0=$(ran_us "$serve") m0=$(ran_us "$(supervisor)")
    sleep 5
    echo "| $2 | $(of_core $(($(ran_us "$sense") - t0)) 5) | $(of_core $(($(ran_us "$serve") - v0)) 5) |" \
        "$(of_core $(($(ran_us "$(supervisor)") - m0)) 5) |" | tee -a "$work/idle"
    stop
}

# The process that started both.
supervisor() { sed 's/.*) //' "/proc/$sense/stat" | awk '{ print $2 }'; }

# Model, key and signed rule; prints the configuration that uses them.
armed() {
    mkdir -p "$work/models/test"
    cat >"$work/models/test/canary.toml" <<MODEL
id = "TST-01"
title = "A canary was asked for"
class = "threat"
attack = ["T1005"]
on = "http"
device = "orig"
when = 'uri contains "canary"'
rate_prior = 0.001
impact = 5
response = "reset"
rarity_text = "Nobody has a reason to ask for {uri}."
owner = "{device} asked {peer} for {uri}, which is bait: nobody has a reason to fetch it."
engineer = "{orig_h}:{orig_p} asked {resp_h}:{resp_p} for {uri}."
description = "A file that only a thief would fetch was asked for."

[[test]]
expect = "breach"
band = [95, 100]
note = "the bait"
row = { uri = "/canary.bin", device = "pc1", peer = "fs", orig_h = "10.77.0.101", orig_p = 40000, resp_h = "10.77.0.10", resp_p = 80 }

[[test]]
expect = "no_breach"
note = "any other file"
row = { uri = "/small" }

[[test]]
expect = "near_miss"
note = "a bird of another kind"
row = { uri = "/canarium.bin" }
MODEL
    cat >"$work/rule.toml" <<RULE
id = "R-BENCH"
authorised_by = "The bench"
reason = "measures how soon a connection is cut"
from = $(date -u -d yesterday +%FT00:00:00Z)
until = $(date -u -d '30 days' +%FT00:00:00Z)
hold_after_start = 0
allow_provisional = true
actions = ["$1"]

[shadow_override]
name = "The bench"
reason = "runs in namespaces of its own"

[scope]
models = ["TST-01"]

[caps]
per_minute = 60
per_hour = 600
devices_per_hour = 600
others_max = 1000
RULE
    rm -f "$work"/*.key "$work"/*.sig
    local signer
    signer=$("$tapir" rule keygen --name "The bench" --out "$work/bench.key" --json |
        python3 -c "import json, sys; print(json.dumps(json.load(sys.stdin)['signer']))")
    "$tapir" rule sign "$work/rule.toml" --key "$work/bench.key" >/dev/null
    printf '[models]\nfolder = "%s/models"\n[response]\nmode = "autonomous"\ninject = "inj0"\nrules = ["%s/rule.toml"]\nsigners = [%s]\n' \
        "$work" "$work" "$signer"
}

serve_canary() {
    mkdir -p "$work/www"
    head -c 8388608 /dev/zero >"$work/www/canary.bin"
    inside fs python3 -c 'import http.server, os, socketserver, sys
os.chdir(sys.argv[1])
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("10.77.0.10", 80), http.server.SimpleHTTPRequestHandler).serve_forever()' \
        "$work/www" >/dev/null 2>&1 &
    until [ -n "$(inside fs ss -Htln 'sport = :80')" ]; do sleep 0.1; done
}

fetch_canary() {
    inside "$1" curl -sS --max-time 5 --limit-rate 1M -o /dev/null http://10.77.0.10/canary.bin 2>/dev/null || true
}

# Times of the decision log in microseconds: from the decision's packet to its first response; and what
# the daemon itself measured from a packet to its first reset.
logged() {
    python3 - "$work/store/decisions.log" <<'PY'
import json, re, sys
from datetime import datetime

def ns(text):
    whole, fraction = re.fullmatch(r"(.*?)(?:\.(\d+))?Z", text).groups()
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 10**9 + int((fraction or "").ljust(9, "0"))

decided, armed, own = {}, {}, {}
for line in open(sys.argv[1]):
    entry = json.loads(line)["entry"]
    if entry["kind"] == "decision":
        decided.setdefault(entry["id"], ns(entry["ts"]))
    elif entry["kind"] == "response":
        armed.setdefault(entry["decision"], ns(entry["ts"]))
        if entry.get("latency_ns") is not None:
            own[entry["decision"]] = entry["latency_ns"]

def row(what, values):
    values = sorted(v // 1000 for v in values)
    at = lambda p: values[min(len(values) * p // 100, len(values) - 1)] if values else 0
    print(f"| {what} | {len(values)} | {at(50)} | {at(90)} | {at(99)} | {at(100)} |")

row("breach's packet to order (decision log)", [armed[d] - decided[d] for d in decided if d in armed])
row("packet to first reset of an action (the daemon's own `latency_ns`)", own.values())
PY
}

# "probes 2000 resets 1998 p50 …" as a row.
as_row() { awk -v what="$1" '{ printf "| %s | %d of %d | %d | %d | %d | %d |\n", what, $4, $2, $6, $8, $10, $12 }'; }

breach_to_order() {
    start "$others" "$(armed reset_flow)"
    inside sw taskset -c "$last" "$wire" watch $((orders * 2 + 60)) "$orders" >"$work/watched" &
    local watcher=$! number
    sleep 1
    # A rule of engagement allows 60 acts a minute at most.
    for number in $(seq "$orders"); do
        fetch_canary "c$number"
        sleep 1.03
    done
    wait "$watcher"
    as_row "request on the wire to reset on the wire" <"$work/watched" | tee -a "$work/latency"
    sleep 1
    logged | tee -a "$work/latency"
    stop
}

packet_to_reset() {
    start "$others" "$(armed hold_pair)"
    fetch_canary pc1
    sleep 2
    inside pc1 taskset -c "$last" "$wire" probe eth0 2000 200 |
        as_row "SYN of a held pair to its reset, quiet" | tee -a "$work/latency"
    inside sw taskset -c "$last" "$wire" send span 100000 14 1000 >"$work/flood" &
    local flood=$!
    sleep 1
    inside pc1 taskset -c "$last" "$wire" probe eth0 2000 200 |
        as_row "the same, with 100,000 packets/s of other traffic" | tee -a "$work/latency"
    wait "$flood"
    stop
}

# What a rate ladder came to: for each kind the highest rate without loss below the first loss.
summary() {
    awk -F'|' '{ if (!($1 in top)) order[++n] = $1; if ($2 > top[$1]) top[$1] = $2 }
        END { for (i = 1; i <= n; i++) printf "| %s queue(s) | %d |\n", order[i], top[order[i]] }' "$work/clean"
}

load_before=$(cut -d ' ' -f 1 /proc/loadavg)
touch "$work"/{rates,threads,clean,latency,idle}
build_office
if part idle; then
    idle "" "response off"
    idle "$(armed reset_flow)" "autonomous"
fi
for count in 1 2; do
    cpus=$([ $count = 1 ] && echo "$others" || echo "0-$last")
    if part rates; then
        queues $count "$cpus"
        if [ $count = 1 ]; then
            # Unquoted: a list.
            floods 1 1000 $rates
            floods 1 100000 0
        else
            floods 2 1000 0
        fi
        stop
    fi
    # A daemon of its own: a hundred thousand flows of a flood end, and are told of, for minutes after it.
    if part mix; then
        queues $count "$cpus"
        whole_mix $count
        stop
    fi
done
serve_canary
if part order; then
    add_clients
    breach_to_order
fi
if part held; then packet_to_reset; fi

cat >"$tables" <<REPORT
# Live: rate without loss, and how soon a connection is cut

Printed by \`make bench-live\` (\`bench/live.sh\`): the release build of \`$("$tapir" --version)\` on a veth end, records,
models and store as shipped; 64-byte frames by the kernel's frame generator, the mix through a raw socket
(\`bench/wire.rs\`). A veth frame is received on the core that sends it, so the kernel's part of the capture is paid by
the sender, and the sender's and the daemon's cores are not the same.

Machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $cores cores. Kernel: Linux $(uname -r). Load at the beginning: $load_before.
Sender on core $last, daemon on core(s) $others (2 queues: on all). Each rate was held for $seconds s.

Targets: 64-byte frames, none lost at 1,000,000 a second for 10 s with one queue; the mix at the sender's maximum with at
most 50 % of a core; trackers' CPU a packet with two queues at most 1.1 times that with one; a held pair's reset within
100 µs (p50, quiet link) and 500 µs (p99, loaded link); breach's packet to order within 50 ms (p99).

## Targets

| target | figure | bound | |
|---|---:|---:|---|
$(trackers >"$work/ratios"; targets)

## Rate without loss

| traffic | highest rate without loss, packets/s |
|---|---:|
$(summary)

| traffic | queues | rate, packets/s | Mbit/s | sent | refused | received | kernel drops | unaccounted | sense, % of a core | serve, % of a core | sense, ns a packet |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
$(cat "$work/rates")

Sent and refused, by the far end of the wire, are the sender's counts; received and kernel drops are those of
\`tapir show status --json\`; unaccounted is what is left: sent = refused + received + kernel drops + unaccounted. CPU time
is of the whole process until everything received was read, by the seconds of sending.

## Threads of the sensing process

| traffic | queues | rate, packets/s | thread | % of a core | ns a packet |
|---|---:|---:|---|---:|---:|
$(cat "$work/threads")

| traffic | trackers, ns a packet, 1 queue | 2 queues | ratio |
|---|---:|---:|---:|
$(cat "$work/ratios")

## Time to cut

Microseconds. On the wire: from the frame to the reset by the kernel's stamps.

| from, to | count | p50 | p90 | p99 | max |
|---|---:|---:|---:|---:|---:|
$(cat "$work/latency")

The order follows the request by the time a block waits in the ring (\`capture.retire_ms\`), some 5 ms until the queue
settles its timers, the analysis, and the decision on disk; each of the $orders clients asked once. A held pair is answered from its own socket, without the ring.

## Idle

| responses | sense, % of a core | serve, % of a core | supervisor, % of a core |
|---|---:|---:|---:|
$(cat "$work/idle")

Only numbers of one table mean anything together: machines differ.
REPORT
echo "bench-live: $tables"
# Tables that went elsewhere are for a look only.
[ -n "${TAPIR_BENCH_LIVE:-}" ] || bench/readme.sh
