//! Flows of any protocol: timers, fragments, copies, events, bounds, frames without IP.

use super::*;

#[test]
fn a_flow_that_speaks_after_its_deadline_is_a_new_one() {
    let mut bench = Bench::new();
    let frame = udp(CLIENT, ([10, 0, 0, 9], 9_999), 1, b"x");
    bench
        .frame(0, &frame)
        .frame(59_999, &frame)
        .frame(119_999, &frame)
        .finish(120_000);
    let phases = bench.phases();
    let expected = [
        (Phase::New, 0),
        (Phase::Failed, 119_999),
        (Phase::Close, 119_999),
        (Phase::New, 119_999),
        (Phase::Close, 120_000),
    ];
    assert_eq!(phases, expected);
    let uids: Vec<_> = bench
        .out
        .iter()
        .map(|o| o.flow.first_ts.nanos() / MS)
        .collect();
    assert!(uids.contains(&0) && uids.contains(&119_999));
}

#[test]
fn fragments_in_any_order_make_one_datagram() {
    let whole = udp(CLIENT, ([10, 0, 0, 9], 9_999), 7, &[b'y'; 40]);
    let body = &whole[34..];
    let piece = |at: u16, range: std::ops::Range<usize>, more: bool| {
        let position = (at / 8) | if more { 0x2000 } else { 0 };
        ipv4(CLIENT.0, [10, 0, 0, 9], 17, 7, position, &body[range])
    };
    let pieces = [
        piece(0, 0..16, true),
        piece(16, 16..32, true),
        piece(32, 32..48, false),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        let mut bench = Bench::new();
        for (ms, index) in (1..).zip(order) {
            bench.frame(ms, &pieces[index]);
        }
        bench.finish(10);
        assert_eq!(bench.conns("orig_pkts"), ["3"], "{order:?}");
        assert_eq!(bench.conns("orig_ip_bytes"), ["108"]);
        assert_eq!(bench.conns("orig_bytes"), ["40"]);
    }
    let mut bench = Bench::new();
    bench
        .frame(1, &pieces[0])
        .frame(40_000, &pieces[1])
        .frame(40_001, &pieces[2])
        .finish(50_000);
    assert_eq!(bench.conns("orig_pkts"), ["1"], "30 s are over");
    assert_eq!(bench.tracker.stats().fragments_incomplete, 2);
}

#[test]
fn a_mirror_that_doubles_is_noticed_and_corrected() {
    let mut bench = Bench::new();
    for n in 0..20_u16 {
        let frame = udp(CLIENT, ([10, 0, 0, 9], 9_999), n, &[b'z'; 10]);
        bench
            .frame(i64::from(n) * 10, &frame)
            .frame(i64::from(n) * 10 + 1, &frame);
    }
    bench.finish(1_000);
    assert_eq!(bench.conns("orig_pkts"), ["20"]);
    assert_eq!(bench.conns("orig_ip_bytes"), ["760"]);
    assert_eq!(bench.conns("orig_bytes"), ["200"]);
    assert_eq!(bench.tracker.stats().duplicate, 20);
}

#[test]
fn an_echo_and_its_reply_are_one_flow_and_a_refusal_is_not() {
    let mut bench = Bench::new();
    let icmp = |src, dst, kind| ipv4(src, dst, 1, 0, 0, &[kind, 0, 0, 0, 0, 1, 0, 1, b'a', b'b']);
    bench
        .frame(1, &icmp(CLIENT.0, SERVER.0, 8))
        .frame(2, &icmp(SERVER.0, CLIENT.0, 0))
        .finish(9);
    assert_eq!(bench.conns("orig_bytes"), ["2"]);
    assert_eq!(bench.conns("resp_bytes"), ["2"]);
    let flow = bench.out.first().map(|o| o.flow).unwrap();
    assert_eq!((flow.orig.port, flow.resp.port, flow.proto), (8, 0, 1));
    assert_eq!(bench.phases().get(1), Some(&(Phase::Answered, 2)));
}

#[test]
fn updates_come_each_minute_and_at_each_doubling() {
    let mut bench = Bench::new();
    let frame = |n| udp(CLIENT, ([10, 0, 0, 9], 9_999), n, &[0; 972]);
    // 1,000 bytes a packet: 64 KiB are passed by packet 66, 128 KiB by packet 132.
    for n in 0..150 {
        bench.frame(i64::from(n), &frame(n));
    }
    bench
        .frame(50_000, &frame(150))
        .frame(100_000, &frame(151))
        .finish(100_001);
    let updates: Vec<_> = bench
        .phases()
        .into_iter()
        .filter(|p| p.0 == Phase::Update)
        .collect();
    assert_eq!(
        updates,
        [
            (Phase::Update, 65),
            (Phase::Update, 131),
            (Phase::Update, 100_000)
        ]
    );
    let told: u32 = bench
        .out
        .iter()
        .filter_map(|o| Some(o.body.event()?.orig_bytes))
        .sum();
    // Payload, each byte once: 152 datagrams of 972.
    assert_eq!(told, 147_744);
}

#[test]
fn arp_and_frames_without_ip_show_who_is_there() {
    let mut arp = vec![0xff; 6];
    arp.extend([2, 0, 0, 0, 0, 7, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([2, 0, 0, 0, 0, 7, 10, 0, 0, 7, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    let mut bench = Bench::new();
    bench
        .frame(0, &arp)
        .frame(1, &arp)
        .frame(1_000, &arp)
        .frame(61_000, &arp);
    let mut probe = arp.clone();
    probe[28..32].fill(0);
    let stp = [1, 128, 194, 0, 0, 0, 2, 0, 0, 0, 0, 8, 0, 3, 0x42, 0x42, 3];
    bench.frame(61_001, &probe).frame(61_002, &stp);
    let seen: Vec<_> = bench
        .out
        .iter()
        .filter_map(|o| match o.body {
            Body::Sighting(s) => Some((
                s.evidence,
                s.ip.map(|ip| ip.to_string()),
                s.mac.0[5],
                o.ts.nanos() / MS,
            )),
            _ => None,
        })
        .collect();
    let ip = Some("10.0.0.7".to_owned());
    let expected = [
        ("arp", ip.clone(), 7, 0),
        ("arp", ip, 7, 61_000),
        ("arp", None, 7, 61_001),
        ("frame", None, 8, 61_002),
    ];
    assert_eq!(seen, expected);
    assert_eq!(bench.tracker.stats().duplicate, 1);
}

#[test]
fn a_table_full_of_flows_of_this_moment_refuses_and_counts() {
    let config = TrackerConfig {
        flows_max: 2,
        ..TrackerConfig::default()
    };
    let (mut tracker, mut out) = (Tracker::new(config), Observations::new());
    for port in 1..=5 {
        let frame = udp((CLIENT.0, port), SERVER, 1, b"x");
        tracker.packet(Timestamp::from_secs(1), 1, 43, &frame, &mut out);
    }
    assert_eq!((tracker.flows(), tracker.stats().flows_refused), (2, 3));
    let mut stats = tapir_message::Stats::default();
    tracker.stats().add_to(&mut stats);
    assert!(stats.bounded);
    assert_eq!(stats.refused.get("flows"), Some(&3));
}

#[test]
fn an_epoch_closes_everything_in_the_order_of_keys_and_time_starts_anew() {
    let mut bench = Bench::new();
    for host in [9, 3, 7] {
        bench.frame(5_000, &udp(CLIENT, ([10, 0, 0, host], 9_999), 1, b"x"));
    }
    bench
        .tracker
        .epoch(Timestamp::from_nanos(1_000 * MS), &mut bench.out);
    let closed: Vec<_> = bench
        .out
        .iter()
        .filter(|o| matches!(o.body, Body::Close(..)))
        .map(|o| (o.flow.resp.addr[15], o.ts.nanos() / MS))
        .collect();
    assert_eq!(closed, [(3, 5_000), (7, 5_000), (9, 5_000)]);
    assert!(bench.tracker.watermark() <= Timestamp::from_nanos(1_000 * MS));
    bench
        .frame(1_000, &udp(CLIENT, SERVER, 1, b"x"))
        .finish(1_001);
    assert_eq!(bench.conns("conn_state").len(), 4);
    assert_eq!(bench.out.last().map(|o| o.ts.nanos() / MS), Some(1_001));
}

#[test]
fn an_answer_from_a_servers_port_is_turned_round() {
    let mut bench = Bench::new();
    let resolver = ([10, 0, 0, 2], 53);
    bench
        .frame(1, &udp(resolver, CLIENT, 1, b"answer"))
        .finish(2);
    assert_eq!(bench.conns("history"), ["^d"]);
    assert_eq!(bench.conns("conn_state"), ["SHR"]);
    assert_eq!(bench.out.first().map(|o| o.flow.orig.port), Some(CLIENT.1));
}
