//! What must hold for any traffic: the number of workers, the hash key and how often time is told
//! change nothing; no frame panics.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Traffic of a few hosts, described by small numbers: milliseconds since the last packet, who to whom,
/// what kind, a number.
type Plan = Vec<(u16, u8, u8, u8, u8)>;

fn plan() -> impl Strategy<Value = Plan> {
    let gap = prop_oneof![8 => 0..5_u16, 2 => 900..1_100_u16, 2 => 4_900..5_100_u16, 1 => 59_000..61_000_u16];
    prop::collection::vec((gap, 0..4_u8, 0..4_u8, 0..12_u8, 0..4_u8), 1..120)
}

/// The frames of a plan with their times in milliseconds.
fn frames(plan: &Plan) -> Vec<(i64, Vec<u8>)> {
    let mut ms = 0;
    let frame = |&(gap, from, to, kind, n): &(u16, u8, u8, u8, u8)| {
        ms += i64::from(gap);
        let (src, dst) = ([10, 0, 0, from], [10, 0, 0, to]);
        let (a, b) = ((src, 1_000 + u16::from(from)), (dst, 1_000 + u16::from(to)));
        let (seq, ack) = (u32::from(n) * 7, u32::from(n) * 5);
        let body = match kind {
            0 => tcp(a, b, "S", seq, 0, b""),
            1 => tcp(a, b, "SA", seq, ack, b""),
            2 => tcp(a, b, "A", seq, ack, b""),
            3 => tcp(a, b, "PA", seq, ack, b"SSH-2.0"),
            4 => tcp(a, b, "PA", seq + 7, ack, b"-x\r\n"),
            5 => tcp(a, b, "FA", seq, ack, b""),
            6 => tcp(a, b, "R", seq, 0, b""),
            7 | 8 => udp(a, b, u16::from(n), &[n; 30]),
            9 => ipv4(
                src,
                dst,
                17,
                u16::from(n),
                0x2000,
                &udp(a, b, 1, &[n; 16])[34..58],
            ),
            10 => ipv4(src, dst, 17, u16::from(n), 3, &[n; 8]),
            _ => ipv4(
                src,
                dst,
                1,
                0,
                0,
                &[if n > 1 { 8 } else { 0 }, 0, 0, 0, 0, 1, 0, n],
            ),
        };
        (ms, body)
    };
    plan.iter().map(frame).collect()
}

/// What `workers` trackers say of the frames, in the order of the runtime.
fn run(frames: &[(i64, Vec<u8>)], workers: usize, seed: u64, ticks: bool) -> Vec<String> {
    run_bounded(frames, workers, seed, ticks, 500)
}

/// The same with room for `flows_max` flows a tracker.
fn run_bounded(
    frames: &[(i64, Vec<u8>)],
    workers: usize,
    seed: u64,
    ticks: bool,
    flows_max: usize,
) -> Vec<String> {
    let config = TrackerConfig {
        flows_max,
        seed: Seed(seed),
        ..TrackerConfig::default()
    };
    let mut trackers: Vec<_> = (0..workers).map(|_| Tracker::new(config)).collect();
    let mut out: Vec<_> = (0..workers).map(|_| Observations::new()).collect();
    let (mut end, mut marks) = (0, vec![Timestamp::MIN; workers]);
    for (ms, frame) in frames {
        // The sum of both addresses' last bytes: the same for both directions.
        let worker = usize::from(frame[29] + frame[33]) % workers;
        let (tracker, out) = (&mut trackers[worker], &mut out[worker]);
        end = *ms;
        let before = out.len();
        if ticks {
            for tick in 0..4 {
                tracker.advance(Timestamp::from_nanos(ms * MS - (3 - tick) * 40 * MS), out);
            }
            if ms % 2 == 0 {
                tracker.settle(Timestamp::from_nanos(ms * MS), out);
                assert_eq!(tracker.watermark(), Timestamp::from_nanos(ms * MS));
            }
        }
        let len = u32::try_from(frame.len()).unwrap();
        tracker.packet(Timestamp::from_nanos(ms * MS), 1, len, frame, out);
        assert!(
            out.iter().skip(before).all(|o| o.ts >= marks[worker]),
            "below the watermark"
        );
        marks[worker] = tracker.watermark();
        assert!(marks[worker] <= Timestamp::from_nanos(ms * MS));
    }
    let mut all = Vec::new();
    for (tracker, mut out) in trackers.iter_mut().zip(out) {
        tracker.finish(Timestamp::from_nanos(end * MS), &mut out);
        assert_eq!((tracker.flows(), tracker.room.used), (0, 0));
        all.append(&mut out);
    }
    all.sort_by_key(|o| (o.ts, o.flow.key()));
    // Each worker counts its own frames: it is the sums that must be the same.
    let mut sums: BTreeMap<Timestamp, [u64; 4]> = BTreeMap::new();
    let mut told = Vec::new();
    for observation in all {
        if let Body::Census(census) = &observation.body {
            let vlans: u64 = census.vlans.iter().map(|(_, n)| n).sum();
            let counts = [census.packets, vlans, census.checked, census.bad_checksums];
            let sum = sums.entry(observation.ts).or_default();
            for (to, n) in sum.iter_mut().zip(counts) {
                *to += n;
            }
        } else {
            told.push(format!("{observation:?}"));
        }
    }
    told.push(format!("{sums:?}"));
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn workers_keys_and_ticks_change_nothing(plan in plan()) {
        let frames = frames(&plan);
        let once = run(&frames, 1, 1, false);
        prop_assert_eq!(&once, &run(&frames, 1, 99, false));
        prop_assert_eq!(&once, &run(&frames, 1, 1, true));
        prop_assert_eq!(&once, &run(&frames, 2, 7, false));
        prop_assert_eq!(&once, &run(&frames, 4, 8, true));
    }

    #[test]
    fn who_goes_does_not_depend_on_the_hash_key(plan in plan(), flows_max in 1..6_usize) {
        let frames = frames(&plan);
        let once = run_bounded(&frames, 1, 1, false, flows_max);
        prop_assert_eq!(&once, &run_bounded(&frames, 1, 99, false, flows_max));
        // Settling between packets must break no rule either; who goes may differ within a tick.
        run_bounded(&frames, 2, 7, true, flows_max);
    }

    #[test]
    fn no_two_flows_have_one_name_however_small_the_table(plan in plan(), flows_max in 1..6_usize) {
        let config = TrackerConfig { flows_max, ..TrackerConfig::default() };
        let mut bench = Bench { tracker: Tracker::new(config), ..Bench::new() };
        for (ms, frame) in &frames(&plan) {
            bench.frame(*ms, frame);
            prop_assert!(bench.tracker.flows() <= flows_max);
        }
        bench.finish(bench.now_ms);
        let closed = bench.out.iter().filter(|o| matches!(o.body, Body::Close(..)));
        let mut names: Vec<_> = closed.map(|o| (o.flow.key(), o.flow.first_ts, o.flow.ordinal)).collect();
        names.sort_by_key(|name| format!("{name:?}"));
        let all = names.len();
        names.dedup();
        prop_assert_eq!(names.len(), all);
        prop_assert_eq!(bench.tracker.stats().flows, all as u64);
    }

    #[test]
    fn every_packet_is_in_a_flow_or_counted(plan in plan()) {
        let frames: Vec<_> = frames(&plan).into_iter()
            .filter(|(_, f)| f[20] == 0 && f[21] == 0 || f[20] == 0x40).collect();
        let mut bench = Bench::new();
        for (ms, frame) in &frames {
            bench.frame(*ms, frame);
        }
        bench.finish(bench.now_ms);
        let sum = |name| bench.conns(name).iter().map(|n| n.parse::<u64>().unwrap()).sum::<u64>();
        let stats = bench.tracker.stats();
        prop_assert_eq!(sum("orig_pkts") + sum("resp_pkts") + stats.duplicate, stats.packets);
    }

    #[test]
    fn random_frames_never_panic(
        link in prop_oneof![Just(1), Just(113), Just(276), Just(101), Just(0), Just(108), Just(228), Just(229)],
        ether in prop_oneof![Just([8, 0]), Just([0x86, 0xdd]), Just([0x81, 0]), Just([8, 6]), Just([0, 40])],
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..20),
        extra in 0..3_u32,
    ) {
        let config = TrackerConfig { flows_max: 10, ..TrackerConfig::default() };
        let (mut tracker, mut out) = (Tracker::new(config), Observations::new());
        for (n, mut frame) in (0..).zip(frames) {
            if let Some(slot) = frame.get_mut(12..14) {
                slot.copy_from_slice(&ether);
            }
            if let Some(version) = frame.get_mut(14) {
                *version = if ether[0] == 8 { 0x45 } else { 0x60 };
            }
            let len = u32::try_from(frame.len()).unwrap();
            tracker.packet(Timestamp::from_secs(n), link, len + extra * 1_000, &frame, &mut out);
        }
        tracker.finish(Timestamp::MAX, &mut out);
        prop_assert_eq!(tracker.flows(), 0);
    }
}
