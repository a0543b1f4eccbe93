//! A table at its bound: who has to go, at what time, and what is said of it.

use super::*;
use crate::types::FlowKey;

/// A tracker of `flows_max` flows.
fn bench(flows_max: usize) -> Bench {
    let config = TrackerConfig {
        flows_max,
        ..TrackerConfig::default()
    };
    Bench {
        tracker: Tracker::new(config),
        ..Bench::new()
    }
}

/// The frames of a connection with an answered request, from a client's `port`.
fn connection(port: u16) -> [Vec<u8>; 5] {
    let client = (CLIENT.0, port);
    [
        tcp(client, SERVER, "S", 99, 0, b""),
        tcp(SERVER, client, "SA", 499, 100, b""),
        tcp(client, SERVER, "A", 100, 500, b""),
        tcp(client, SERVER, "PA", 100, 500, b"ask"),
        tcp(SERVER, client, "PA", 500, 103, b"answer"),
    ]
}

/// Flows closed with their times in milliseconds.
fn closed(bench: &Bench) -> Vec<(FlowKey, i64)> {
    let close = |o: &Observation| match &o.body {
        Body::Close(..) => Some((o.flow.key(), o.ts.nanos() / MS)),
        _ => None,
    };
    bench.out.iter().filter_map(close).collect()
}

#[test]
fn a_flood_of_syns_takes_nothing_but_itself() {
    const FLOWS_MAX: usize = 100;
    const FLOOD: u32 = 40_000;
    let mut bench = bench(FLOWS_MAX);
    for port in 0..20 {
        for frame in connection(2_000 + port) {
            bench.frame(0, &frame);
        }
    }
    let resolver = ([10, 0, 0, 53], 53);
    for port in 0..10 {
        let client = (CLIENT.0, 3_000 + port);
        bench.frame(1, &udp(client, resolver, 1, b"?"));
        bench.frame(1, &udp(resolver, client, 1, b"!"));
    }
    let mut mark = Timestamp::MIN;
    for n in 0..FLOOD {
        let [_, high, middle, low] = n.to_be_bytes();
        let from = ([172, 16 + high, middle, low], 1_024);
        let before = bench.out.len();
        // Ten a millisecond: the flood lasts four seconds, less than a handshake is waited for.
        bench.frame(2 + i64::from(n) / 10, &tcp(from, SERVER, "S", n, 0, b""));
        assert_eq!(bench.tracker.flows(), FLOWS_MAX.min(31 + before_flood(n)));
        let fresh = bench.out.get(before..).expect("what came");
        assert!(fresh.iter().all(|o| o.ts >= mark), "below the watermark");
        mark = bench.tracker.watermark();
    }
    let stats = bench.tracker.stats();
    assert_eq!(stats.flows, 30 + u64::from(FLOOD));
    assert_eq!(stats.flows_evicted, [u64::from(FLOOD) - 70, 0, 0]);
    assert_eq!(stats.flows_refused, 0);
    let mut told = tapir_message::Stats::default();
    stats.add_to(&mut told);
    assert!(told.bounded);
    assert_eq!(told.evicted.get("unfinished"), Some(&39_930));
    // Nobody waited for the answers, so none of them failed.
    assert!(bench.phases().iter().all(|p| p.0 != Phase::Failed));
    assert!(bench.conns("conn_state").iter().all(|state| state == "S0"));
    // Those that were there go on as if nothing had been.
    let more = tcp((CLIENT.0, 2_007), SERVER, "PA", 103, 506, b"more");
    bench.frame(5_000, &more).finish(5_001);
    assert_eq!(bench.tracker.stats().flows, 30 + u64::from(FLOOD));
    let states = bench.conns("conn_state");
    assert_eq!(states.iter().filter(|state| *state == "S1").count(), 20);
    assert_eq!(states.iter().filter(|state| *state == "SF").count(), 10);
    assert_eq!(states.len(), 40_030);
}

/// Flood frames taken before the `n`th.
fn before_flood(n: u32) -> usize {
    usize::try_from(n).expect("a small number")
}

#[test]
fn who_was_answered_outlives_who_was_not_and_who_talks_outlives_both() {
    let mut bench = bench(3);
    for frame in connection(2_000) {
        bench.frame(0, &frame);
    }
    let resolver = ([10, 0, 0, 53], 53);
    let client = (CLIENT.0, 3_000);
    bench
        .frame(1, &udp(client, resolver, 1, b"?"))
        .frame(2, &udp(resolver, client, 1, b"!"))
        .frame(3, &tcp(CLIENT, SERVER, "S", 1, 0, b""));
    // Each newcomer is answered: first the one without an answer goes, then the oldest that has one.
    for port in 0..3 {
        let ms = 10 + i64::from(port) * 1_000;
        let client = (CLIENT.0, 4_000 + port);
        bench
            .frame(ms, &udp(client, resolver, 1, b"?"))
            .frame(ms + 1, &udp(resolver, client, 1, b"!"));
    }
    let gone: Vec<_> = closed(&bench).into_iter().map(|(_, ms)| ms).collect();
    assert_eq!(gone, [10, 1_010, 2_010]);
    assert_eq!(bench.tracker.stats().flows_evicted, [1, 2, 0]);
    assert_eq!(bench.conns("conn_state"), ["S0", "SF", "SF"]);
}

#[test]
fn if_all_talk_the_one_that_was_silent_longest_goes() {
    let mut bench = bench(2);
    for (ms, port) in [(0, 2_000), (1_000, 2_001)] {
        for frame in connection(port) {
            bench.frame(ms, &frame);
        }
    }
    // The older one speaks again.
    let more = tcp((CLIENT.0, 2_000), SERVER, "PA", 103, 506, b"more");
    bench.frame(3_000, &more);
    bench.frame(4_000, &tcp(CLIENT, SERVER, "S", 1, 0, b""));
    let gone = closed(&bench);
    let [(key, 4_000)] = gone.as_slice() else {
        panic!("one flow: {gone:?}")
    };
    let of = |port| bench.out.iter().find(|o| o.flow.orig.port == port);
    assert_eq!(Some(*key), of(2_001).map(|o| o.flow.key()));
    assert_eq!(bench.tracker.stats().flows_evicted, [0, 0, 1]);
    assert_eq!(bench.conns("conn_state"), ["S1"]);
}

#[test]
fn a_flow_whose_time_was_over_expires_rather_than_goes() {
    let mut bench = bench(1);
    bench.frame(0, &tcp(CLIENT, SERVER, "S", 1, 0, b""));
    // Within the wheel's tick of its deadline: nothing has closed it yet.
    bench.frame(5_001, &tcp((CLIENT.0, 9), SERVER, "S", 1, 0, b""));
    assert_eq!(bench.tracker.stats().flows_evicted, [0, 0, 0]);
    assert!(bench.phases().contains(&(Phase::Failed, 5_000)));
}
