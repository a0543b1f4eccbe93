# Sourced by the benches: makes the work loads that are not there yet, in bench/data or TAPIR_BENCH_DATA.
# Needs: `corpus` and the built examples `mix`, `churn` and `flood`.

corpus=${TAPIR_CORPUS:-../shared/corpus}
data=${TAPIR_BENCH_DATA:-bench/data}
# For a first look these may be smaller; the tables say how large they were.
mix_bytes=${TAPIR_BENCH_BYTES:-1600000000}
churn_flows=${TAPIR_BENCH_FLOWS:-1000000}
flood_frames=${TAPIR_BENCH_FRAMES:-1000000}

# made FILE SIZE COMMAND…: runs the command with the file unless it was made with that size before.
made() {
    local file=$data/$1 size=$2
    shift 2
    [ "$(cat "$file.size" 2>/dev/null)" = "$size" ] && [ -s "$file" ] && return
    mkdir -p "$data"
    rm -f "$file" "$file.size"
    "target/release/examples/$1" "$file" "${@:2}"
    echo "$size" >"$file.size"
}

make_mix() {
    local inputs=$corpus/pcaps
    if [ ! -d "$inputs" ]; then
        echo "bench: no real captures (TAPIR_CORPUS); mixing copies of the demo capture instead"
        inputs=demo/office.pcap.zst
    fi
    made mix.pcap "$mix_bytes" mix "$inputs" "$mix_bytes"
}

# As many flows a second at any size.
make_churn() { made "$1" "$2" churn "$2" $((($2 * 120 + 999999) / 1000000)); }

make_floods() {
    local kind
    for kind in one flows macs fragments disorder; do
        made "$kind-1.pcap" "$flood_frames" flood "$kind" "$flood_frames"
        made "$kind-2.pcap" "$((flood_frames * 2))" flood "$kind" "$((flood_frames * 2))"
    done
}
