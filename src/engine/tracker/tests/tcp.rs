//! TCP: states, history, timers, losses, forged resets.

use super::*;
use crate::types::Heard;

/// Who sends (`>` the client), with which flags, and what.
type Step = (char, &'static str, &'static [u8]);

const D: &[u8] = b"data";
const N: &[u8] = b"";

/// Zeek's state and history, and what leads to them.
#[rustfmt::skip]
const STATES: &[(&str, &str, &[Step])] = &[
    ("S0", "S", &[('>', "S", N)]),
    ("S1", "Sh", &[('>', "S", N), ('<', "SA", N)]),
    ("S1", "ShADad", &[
        ('>', "S", N), ('<', "SA", N), ('>', "A", N), ('>', "PA", D), ('<', "A", N), ('<', "PA", D),
    ]),
    ("SF", "ShADadFf", &[
        ('>', "S", N), ('<', "SA", N), ('>', "A", N), ('>', "PA", D), ('<', "A", N), ('<', "PA", D),
        ('>', "FA", N), ('<', "FA", N),
    ]),
    ("REJ", "Sr", &[('>', "S", N), ('<', "RA", N)]),
    ("S2", "ShAF", &[('>', "S", N), ('<', "SA", N), ('>', "A", N), ('>', "FA", N)]),
    ("S3", "ShAf", &[('>', "S", N), ('<', "SA", N), ('>', "A", N), ('<', "FA", N)]),
    ("RSTO", "ShR", &[('>', "S", N), ('<', "SA", N), ('>', "R", N)]),
    ("RSTR", "ShADr", &[
        ('>', "S", N), ('<', "SA", N), ('>', "A", N), ('>', "PA", D), ('<', "RA", N),
    ]),
    ("RSTOS0", "SR", &[('>', "S", N), ('>', "R", N)]),
    ("RSTRH", "^hr", &[('<', "SA", N), ('<', "R", N)]),
    ("SH", "SF", &[('>', "S", N), ('>', "F", N)]),
    ("SHR", "^hf", &[('<', "SA", N), ('<', "FA", N)]),
    ("OTH", "DadA", &[('>', "PA", D), ('<', "A", N), ('<', "PA", D), ('>', "A", N)]),
];

/// State and history of the only flow.
fn state_of(steps: &[Step]) -> (String, String) {
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
    for (state, history, steps) in STATES {
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
    let heard: Vec<Heard> = bench
        .out
        .iter()
        .filter_map(|o| o.body.event()?.first_of)
        .collect();
    assert_eq!(heard, [Heard::Orig, Heard::Resp]);
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
    let told = |o: &&Observation| !matches!(o.body, Body::Census(_));
    let Some(Body::Close(close, _)) = bench.out.iter().rfind(told).map(|o| &o.body) else {
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
    let expect = |ms: i64, steps: &[Step]| {
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
fn a_refused_syn_that_is_tried_again_may_succeed() {
    let mut bench = Bench::new();
    let syn = tcp(CLIENT, SERVER, "S", 1_000, 0, b"");
    bench
        .frame(1, &syn)
        .frame(2, &tcp(SERVER, CLIENT, "RA", 0, 1_001, b""));
    bench
        .frame(500, &syn)
        .frame(501, &tcp(SERVER, CLIENT, "SA", 5_000, 1_001, b""));
    bench
        .frame(502, &tcp(CLIENT, SERVER, "A", 1_001, 5_001, b""))
        .finish(503);
    assert_eq!(bench.conns("conn_state"), ["S1"]);
    let phases: Vec<_> = bench.phases().into_iter().map(|p| p.0).collect();
    assert_eq!(
        phases,
        [Phase::New, Phase::Failed, Phase::Answered, Phase::Close]
    );
}
