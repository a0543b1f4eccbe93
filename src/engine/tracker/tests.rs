//! Packets made by hand, through the whole tracker.
//!
//! Expected values follow Zeek's documentation of `conn.log` and the timers of the conventions.

use super::*;
use crate::types::{Phase, Value};

/// Nanoseconds of a millisecond.
const MS: i64 = 1_000_000;
/// The two ends of most flows here.
const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 40_000);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 8_081);

/// An Ethernet frame around an IPv4 packet; the last byte of each address is that of its MAC.
pub(super) fn ipv4(
    src: [u8; 4],
    dst: [u8; 4],
    proto: u8,
    id: u16,
    frag: u16,
    body: &[u8],
) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, dst[3], 2, 0, 0, 0, 0, src[3], 8, 0];
    let len = u16::try_from(20 + body.len()).unwrap();
    frame.extend([0x45, 0]);
    frame.extend(len.to_be_bytes());
    frame.extend(id.to_be_bytes());
    frame.extend(frag.to_be_bytes());
    frame.extend([64, proto, 0, 0]);
    frame.extend(src);
    frame.extend(dst);
    frame.extend(body);
    frame
}

/// A TCP segment in its frame.
fn tcp(
    from: ([u8; 4], u16),
    to: ([u8; 4], u16),
    flags: &str,
    seq: u32,
    ack: u32,
    data: &[u8],
) -> Vec<u8> {
    let bits = [('F', 1), ('S', 2), ('R', 4), ('P', 8), ('A', 16)];
    let flags = bits
        .iter()
        .filter(|(c, _)| flags.contains(*c))
        .map(|(_, b)| b)
        .sum();
    let mut body = Vec::new();
    body.extend(from.1.to_be_bytes());
    body.extend(to.1.to_be_bytes());
    body.extend(seq.to_be_bytes());
    body.extend(ack.to_be_bytes());
    body.extend([0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    body.extend(data);
    ipv4(from.0, to.0, 6, 0, 0x4000, &body)
}

/// A UDP datagram in its frame.
fn udp(from: ([u8; 4], u16), to: ([u8; 4], u16), id: u16, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(from.1.to_be_bytes());
    body.extend(to.1.to_be_bytes());
    body.extend(u16::try_from(8 + data.len()).unwrap().to_be_bytes());
    body.extend([0, 0]);
    body.extend(data);
    ipv4(from.0, to.0, 17, id, 0, &body)
}

/// A tracker with its observations, fed by milliseconds.
struct Bench {
    tracker: Tracker,
    out: Observations,
    client_seq: u32,
    server_seq: u32,
    now_ms: i64,
}

impl Bench {
    fn new() -> Self {
        let config = TrackerConfig {
            flows_max: 1_000,
            ..TrackerConfig::default()
        };
        Self {
            tracker: Tracker::new(config),
            out: Observations::new(),
            client_seq: 1_000,
            server_seq: 5_000,
            now_ms: 0,
        }
    }

    fn frame(&mut self, ms: i64, frame: &[u8]) -> &mut Self {
        self.now_ms = ms;
        let wire_len = u32::try_from(frame.len()).unwrap();
        self.tracker.packet(
            Timestamp::from_nanos(ms * MS),
            1,
            wire_len,
            frame,
            &mut self.out,
        );
        self
    }

    /// A segment of the client (`>`) or the server (`<`) with the numbers that are its turn.
    fn seg(&mut self, dir: char, flags: &str, data: &[u8]) -> &mut Self {
        let ms = self.now_ms + 1;
        let used = u32::try_from(data.len()).unwrap()
            + u32::from(flags.contains('S'))
            + u32::from(flags.contains('F'));
        let frame = if dir == '>' {
            let ack = if flags.contains('A') {
                self.server_seq
            } else {
                0
            };
            let frame = tcp(CLIENT, SERVER, flags, self.client_seq, ack, data);
            self.client_seq += used;
            frame
        } else {
            let ack = if flags.contains('A') {
                self.client_seq
            } else {
                0
            };
            let frame = tcp(SERVER, CLIENT, flags, self.server_seq, ack, data);
            self.server_seq += used;
            frame
        };
        self.frame(ms, &frame)
    }

    fn handshake(&mut self) -> &mut Self {
        self.seg('>', "S", b"")
            .seg('<', "SA", b"")
            .seg('>', "A", b"")
    }

    fn finish(&mut self, ms: i64) -> &mut Self {
        self.tracker
            .finish(Timestamp::from_nanos(ms * MS), &mut self.out);
        self
    }

    /// One field of every `conn` record.
    fn conns(&self, name: &str) -> Vec<String> {
        records(&self.out, "conn", name)
    }

    /// Phases with their times in milliseconds.
    fn phases(&self) -> Vec<(Phase, i64)> {
        let phase = |o: &Observation| match &o.body {
            Body::Flow(event) => Some((event.phase, o.ts.nanos() / MS)),
            _ => None,
        };
        self.out.iter().filter_map(phase).collect()
    }
}

/// One field of every record of a kind, as text.
fn records(out: &Observations, kind: &str, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    for observation in out {
        if let Body::Record(record) = &observation.body
            && record.body.kind() == kind
        {
            let at = record
                .body
                .fields()
                .iter()
                .position(|f| f.name == name)
                .unwrap();
            values.push(match record.body.value(at) {
                Value::Str(text) => text.to_owned(),
                Value::Int(n) => n.to_string(),
                other => format!("{other:?}"),
            });
        }
    }
    values
}

/// State and history of the only flow.
fn state_of(steps: &[(char, &str, &[u8])]) -> (String, String) {
    let mut bench = Bench::new();
    for (dir, flags, data) in steps {
        bench.seg(*dir, flags, data);
    }
    bench.finish(bench.now_ms + 1);
    let (state, history) = (bench.conns("conn_state"), bench.conns("history"));
    assert_eq!(state.len(), 1, "{steps:?}");
    (state[0].clone(), history[0].clone())
}

#[test]
fn every_connection_state_as_zeek_documents_it() {
    let d: &[u8] = b"data";
    let n: &[u8] = b"";
    let (s, sa, a, pa, fa, r, ra) = ("S", "SA", "A", "PA", "FA", "R", "RA");
    let cases: &[(&str, &str, &[(char, &str, &[u8])])] = &[
        ("S0", "S", &[('>', s, n)]),
        ("S1", "Sh", &[('>', s, n), ('<', sa, n)]),
        (
            "S1",
            "ShADad",
            &[
                ('>', s, n),
                ('<', sa, n),
                ('>', a, n),
                ('>', pa, d),
                ('<', a, n),
                ('<', pa, d),
            ],
        ),
        (
            "SF",
            "ShADadFf",
            &[
                ('>', s, n),
                ('<', sa, n),
                ('>', a, n),
                ('>', pa, d),
                ('<', a, n),
                ('<', pa, d),
                ('>', fa, n),
                ('<', fa, n),
            ],
        ),
        ("REJ", "Sr", &[('>', s, n), ('<', ra, n)]),
        (
            "S2",
            "ShAF",
            &[('>', s, n), ('<', sa, n), ('>', a, n), ('>', fa, n)],
        ),
        (
            "S3",
            "ShAf",
            &[('>', s, n), ('<', sa, n), ('>', a, n), ('<', fa, n)],
        ),
        ("RSTO", "ShR", &[('>', s, n), ('<', sa, n), ('>', r, n)]),
        (
            "RSTR",
            "ShADr",
            &[
                ('>', s, n),
                ('<', sa, n),
                ('>', a, n),
                ('>', pa, d),
                ('<', ra, n),
            ],
        ),
        ("RSTOS0", "SR", &[('>', s, n), ('>', r, n)]),
        ("RSTRH", "^hr", &[('<', sa, n), ('<', r, n)]),
        ("SH", "SF", &[('>', s, n), ('>', "F", n)]),
        ("SHR", "^hf", &[('<', sa, n), ('<', fa, n)]),
        (
            "OTH",
            "DadA",
            &[('>', pa, d), ('<', a, n), ('<', pa, d), ('>', a, n)],
        ),
    ];
    for (state, history, steps) in cases {
        assert_eq!(
            state_of(steps),
            ((*state).to_owned(), (*history).to_owned()),
            "{steps:?}"
        );
    }
}

#[test]
fn a_whole_flow_is_told_in_order_with_its_counts() {
    let mut bench = Bench::new();
    bench
        .handshake()
        .seg('>', "PA", b"hello")
        .seg('<', "PA", b"worlds")
        .seg('>', "A", b"");
    bench
        .seg('>', "FA", b"")
        .seg('<', "FA", b"")
        .seg('>', "A", b"");
    // Both FINs: five seconds after the last packet, at 9 ms.
    bench
        .tracker
        .advance(Timestamp::from_secs(60), &mut bench.out);
    let phases = bench.phases();
    assert_eq!(
        phases,
        [(Phase::New, 1), (Phase::Answered, 2), (Phase::Close, 5_009)]
    );
    let sightings = bench
        .out
        .iter()
        .filter(|o| matches!(o.body, Body::Sighting(_)))
        .count();
    assert_eq!(sightings, 2);
    for (name, value) in [
        ("orig_bytes", "5"),
        ("resp_bytes", "6"),
        ("orig_pkts", "6"),
        ("resp_pkts", "3"),
        ("orig_ip_bytes", "245"),
        ("resp_ip_bytes", "126"),
        ("missed_bytes", "0"),
        ("conn_state", "SF"),
        ("duration", "Interval(Interval(8000000))"),
    ] {
        assert_eq!(bench.conns(name), [value], "{name}");
    }
    let Some(Body::Flow(close)) = bench.out.last().map(|o| &o.body) else {
        panic!("no close")
    };
    assert!(close.handshake && close.from_start);
    assert_eq!((close.orig_bytes, close.resp_bytes), (5, 6));
    assert_eq!(
        (close.orig_pkts, close.resp_pkts),
        (5, 2),
        "two were told with New and Answered"
    );
}

#[test]
fn timers_fire_at_their_deadline_however_late_they_are_noticed() {
    let expect = |ms: i64, steps: &[(char, &str, &[u8])]| {
        let mut bench = Bench::new();
        for (dir, flags, data) in steps {
            bench.seg(*dir, flags, data);
        }
        let last = bench.now_ms;
        bench.tracker.advance(
            Timestamp::from_nanos((last + ms - 200) * MS),
            &mut bench.out,
        );
        assert!(
            bench.phases().iter().all(|p| p.0 != Phase::Close),
            "{steps:?}"
        );
        bench.tracker.advance(
            Timestamp::from_nanos((last + ms + 90_000) * MS),
            &mut bench.out,
        );
        let closed: Vec<_> = bench
            .phases()
            .into_iter()
            .filter(|p| p.0 == Phase::Close)
            .collect();
        assert_eq!(closed, [(Phase::Close, last + ms)], "{steps:?}");
    };
    let n: &[u8] = b"";
    expect(5_000, &[('>', "S", n)]);
    expect(5_000, &[('>', "S", n), ('<', "SA", n)]);
    expect(3_600_000, &[('>', "S", n), ('<', "SA", n), ('>', "A", n)]);
    expect(
        60_000,
        &[('>', "S", n), ('<', "SA", n), ('>', "A", n), ('<', "FA", n)],
    );
    expect(
        5_000,
        &[
            ('>', "S", n),
            ('<', "SA", n),
            ('>', "A", n),
            ('<', "FA", n),
            ('>', "FA", n),
        ],
    );
    expect(
        1_000,
        &[('>', "S", n), ('<', "SA", n), ('>', "A", n), ('<', "R", n)],
    );
    expect(300_000, &[('>', "PA", b"x")]);
}

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
fn a_syn_on_a_finished_flow_begins_another_at_once() {
    let mut bench = Bench::new();
    let syn = |seq| tcp(CLIENT, SERVER, "S", seq, 0, b"");
    let rst = tcp(SERVER, CLIENT, "RA", 0, 1_001, b"");
    bench
        .frame(5, &syn(1_000))
        .frame(5, &rst)
        .frame(5, &syn(1_000))
        .frame(5, &rst);
    assert_eq!(
        bench.conns("conn_state").len(),
        0,
        "the same SYN again is the same flow"
    );
    bench.frame(5, &syn(2_000)).frame(5, &rst).finish(6);
    assert_eq!(bench.conns("conn_state"), ["REJ", "REJ"]);
    let ordinals: Vec<_> = bench.out.iter().map(|o| o.flow.ordinal).collect();
    assert_eq!((ordinals.first(), ordinals.last()), (Some(&0), Some(&1)));
    let failed = bench
        .phases()
        .iter()
        .filter(|p| p.0 == Phase::Failed)
        .count();
    assert_eq!(failed, 2);
}

#[test]
fn losses_and_repeats_are_told_apart() {
    let mut bench = Bench::new();
    bench.handshake();
    let (client, server) = (bench.client_seq, bench.server_seq);
    let data =
        |at: u32, len: usize| tcp(CLIENT, SERVER, "PA", client + at, server, &vec![b'x'; len]);
    let ack = |to: u32| tcp(SERVER, CLIENT, "A", server, client + to, b"");
    // 10 bytes; 20 lost; 10 bytes; the lost ones come late; a repeat; then 5 lost and acknowledged.
    bench
        .frame(10, &data(0, 10))
        .frame(11, &data(30, 10))
        .frame(12, &data(10, 20));
    bench
        .frame(13, &data(0, 10))
        .frame(14, &data(45, 5))
        .frame(15, &ack(50))
        .finish(20);
    assert_eq!(bench.conns("orig_bytes"), ["50"]);
    assert_eq!(bench.conns("missed_bytes"), ["5"]);
    assert_eq!(bench.conns("history"), ["ShADTaG"]);
}

#[test]
fn bytes_cut_off_by_the_capture_are_missed_but_counted() {
    let mut bench = Bench::new();
    bench.handshake();
    let frame = tcp(
        CLIENT,
        SERVER,
        "PA",
        bench.client_seq,
        bench.server_seq,
        &[b'x'; 100],
    );
    let ts = Timestamp::from_nanos(10 * MS);
    bench
        .tracker
        .packet(ts, 1, 154, &frame[..70], &mut bench.out);
    bench.finish(20);
    assert_eq!(bench.conns("orig_bytes"), ["100"]);
    assert_eq!(
        bench.conns("missed_bytes"),
        ["84"],
        "16 of 100 bytes were captured"
    );
    assert_eq!(bench.tracker.stats().truncated, 1);
}

#[test]
fn a_reset_with_a_bad_checksum_is_passed_over_once_the_sender_showed_good_ones() {
    let mut bench = Bench::new();
    let mut syn = tcp(CLIENT, SERVER, "S", 1_000, 0, b"");
    // Pseudo-header and segment: 0a00+0001+0a00+0002+0006+0014+9c40+1f91+0000+03e8+5002+2000.
    let sum = 0x0a00_u32 + 1 + 0x0a00 + 2 + 6 + 0x14 + 0x9c40 + 0x1f91 + 0x03e8 + 0x5002 + 0x2000;
    let sum = u16::try_from((sum >> 16) + (sum & 0xffff)).unwrap();
    syn[50..52].copy_from_slice(&(!sum).to_be_bytes());
    let forged = tcp(CLIENT, SERVER, "R", 1_001, 0, b"");
    bench
        .frame(1, &syn)
        .frame(2, &tcp(SERVER, CLIENT, "SA", 5_000, 1_001, b""));
    bench.frame(3, &forged).finish(4);
    assert_eq!(bench.conns("conn_state"), ["S1"]);
    assert_eq!(bench.conns("history"), ["ShC"]);
    assert_eq!(bench.tracker.stats().bad_checksums, 1);
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
    let told: u64 = bench
        .out
        .iter()
        .filter_map(|o| match &o.body {
            Body::Flow(event) => Some(event.orig_bytes),
            _ => None,
        })
        .sum();
    assert_eq!(told, 152_000);
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
fn a_full_table_refuses_and_counts() {
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

mod content;
mod properties;
