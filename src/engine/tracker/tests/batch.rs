//! Packets at once are packets one after the other, and the short way of ordinary segments leads where the long
//! way does.

use proptest::prelude::*;

use super::super::plain::Whole;
use super::*;

/// What a side of a conversation does: which conversation, who, what, how many bytes, after how many milliseconds.
type Move = (u8, bool, u8, u8, u16);

fn moves() -> impl Strategy<Value = Vec<Move>> {
    // Most of a conversation is data and acknowledgements in order.
    let what = prop_oneof![12 => 0..2_u8, 2 => 2..12_u8, 3 => Just(11)];
    let gap = prop_oneof![12 => 0..4_u16, 1 => 900..1_100_u16, 1 => 4_900..5_100_u16];
    prop::collection::vec((0..3_u8, any::<bool>(), what, any::<u8>(), gap), 1..250)
}

/// The frames of some moves with their times in milliseconds: each conversation begins with a handshake.
fn frames(moves: &[Move]) -> Vec<(i64, Vec<u8>)> {
    let (mut out, mut ms) = (handshakes(), 10);
    let mut next = [[101_u32, 901]; 3];
    for &(pair, from_server, what, number, gap) in moves {
        ms += i64::from(gap);
        let ends = ends(pair);
        let (me, other) = (usize::from(from_server), usize::from(!from_server));
        let Some(next) = next.get_mut(usize::from(pair)) else {
            continue;
        };
        let (seq, ack) = (next[me], next[other]);
        let len = usize::from(number) * 5;
        let texts: [&[u8]; 3] = [
            b"SSH-2.0-x\r\n",
            b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
            b"\x16\x03\x01\0\x05",
        ];
        let data: Vec<u8> = texts[usize::from(number) % 3]
            .iter()
            .copied()
            .cycle()
            .take(len)
            .collect();
        let segment = |flags, seq, data: &[u8]| tcp(ends[me], ends[other], flags, seq, ack, data);
        let frame = match what {
            0 => {
                next[me] = seq.wrapping_add(u32::try_from(len).unwrap());
                segment("PA", seq, &data)
            }
            1 => segment("A", seq, b""),
            // Again, late, early, in part.
            2 => segment("PA", seq.wrapping_sub(20), &data),
            3 => segment("PA", seq.wrapping_add(u32::from(number)), &data),
            4 => segment("FA", seq, &data),
            5 => segment("RA", seq, b""),
            6 => segment("S", seq.wrapping_sub(u32::from(number % 2)), b""),
            7 => {
                let mut full = segment("A", seq, b"");
                full[48..50].copy_from_slice(&[0, 0]);
                full
            }
            8 => {
                let mut urgent = segment("PA", seq, &data);
                urgent[47] |= 0x20;
                urgent
            }
            // The capture, or the sender, cuts it short.
            9 => {
                let mut cut = segment("PA", seq, &data);
                cut.truncate(54 + len / 2);
                cut
            }
            10 => {
                let mut low = segment("PA", seq, &data);
                low[22] = 64 - number % 5;
                low
            }
            _ => udp(ends[me], ends[other], u16::from(number), &data),
        };
        out.push((ms, frame.clone()));
        // Some packets come twice, as from a mirror of both directions.
        if number % 7 == 0 {
            out.push((ms, frame));
        }
    }
    out
}

/// The beginning of every conversation.
fn handshakes() -> Vec<(i64, Vec<u8>)> {
    let one = |pair| {
        let [client, server] = ends(pair);
        [
            (0, tcp(client, server, "S", 100, 0, b"")),
            (1, tcp(server, client, "SA", 900, 101, b"")),
            (2, tcp(client, server, "A", 101, 901, b"")),
        ]
    };
    let mut all: Vec<_> = (0..3).flat_map(one).collect();
    all.sort_by_key(|(ms, _)| *ms);
    all
}

/// Client and server of a conversation.
fn ends(pair: u8) -> [([u8; 4], u16); 2] {
    [
        ([10, 0, 0, 1], 40_000 + u16::from(pair)),
        ([10, 0, 0, 2 + pair], 80),
    ]
}

/// The frame with a tag that says nothing (IEEE 802.1Q: id 0): its flow is the same, and it goes the long way.
fn tagged(frame: &[u8]) -> Vec<u8> {
    let (macs, rest) = frame.split_at(12);
    [macs, &[0x81, 0, 0, 0], rest].concat()
}

/// What is told of frames that are taken `at_once` together.
fn told(frames: &[(i64, Vec<u8>)], at_once: usize) -> Vec<String> {
    let mut tracker = Tracker::new(TrackerConfig {
        flows_max: 100,
        seed: Seed(3),
        ..TrackerConfig::default()
    });
    let mut out = Observations::new();
    // All frames were once this long, so that a tag does not make one seem whole.
    let packet = |(ms, frame): &'_ (i64, Vec<u8>)| (Timestamp::from_nanos(ms * MS), frame.clone());
    let frames: Vec<_> = frames.iter().map(packet).collect();
    for part in frames.chunks(at_once) {
        let packets = part.iter().map(|(ts, frame)| Packet {
            ts: *ts,
            link: 1,
            wire_len: 2_000,
            frame,
        });
        if at_once > 1 {
            tracker.packets(packets, &mut out);
        } else {
            for packet in packets {
                tracker.packet(
                    packet.ts,
                    packet.link,
                    packet.wire_len,
                    packet.frame,
                    &mut out,
                );
            }
        }
    }
    let end = frames.last().map_or(Timestamp::MIN, |last| last.0);
    tracker.finish(end, &mut out);
    out.iter()
        .map(|observation| format!("{observation:?}"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn at_once_is_one_after_the_other(moves in moves(), at_once in 2_usize..70) {
        let frames = frames(&moves);
        prop_assert_eq!(told(&frames, 1), told(&frames, at_once));
    }

    #[test]
    fn the_short_way_leads_where_the_long_way_does(moves in moves()) {
        let frames = frames(&moves);
        let long: Vec<_> = frames.iter().map(|(ms, frame)| (*ms, tagged(frame))).collect();
        prop_assert_eq!(told(&frames, 16), told(&long, 16));
    }
}

/// The short way is taken at all: of a conversation in order all but its handshake.
#[test]
fn ordinary_segments_go_the_short_way() {
    let moves = vec![(0, false, 0, 9, 1); 40];
    let mut tracker = Tracker::new(TrackerConfig::default());
    let mut out = Observations::new();
    let mut short = 0;
    for (ms, frame) in frames(&moves) {
        let wire_len = u32::try_from(frame.len()).unwrap();
        let ts = Timestamp::from_nanos(ms * MS);
        let packet = Packet {
            ts,
            link: 1,
            wire_len,
            frame: &frame,
        };
        let quick = Quick::read(&packet, &tracker.table).expect("TCP");
        let whole = Whole::read(&packet, &quick).expect("all of it");
        let arrival = whole.arrival(ts);
        let plain = tracker.plain_segment(&whole.ip, &quick, &arrival, &mut out);
        short += u32::from(plain.is_some());
        if plain.is_none() {
            tracker.packet(ts, 1, wire_len, &frame, &mut out);
        }
    }
    assert_eq!(
        short, 39,
        "the first one with data is a letter of the history"
    );
}
