//! Frames no honest sender makes, and loads made to cost: counted, bounded, in proportion.
//!
//! What it shows: whatever length a frame has or is cut to, every packet is in one place of the counters;
//! a flood of addresses leaves memory flat and is counted; one frame of another decade changes nothing for
//! the others; twice the load takes at most 2.3 times the bytes of memory asked for.
//! How: a `Tracker` in this process, its counters and the tally of the test's allocator; no clock.

use tapir_capture::leap::Clock;
use tapir_engine::types::{Observations, Seed, Timestamp, Value};
use tapir_engine::{Tracker, TrackerConfig};

use crate::alloc::asked_for;
use crate::support::frames::{ACK, End, PSH, SYN, Segment, end, fragments_of, tcp, udp};

/// A tracker and the packets of flows that are over.
struct Run {
    tracker: Tracker,
    out: Observations,
    now: Timestamp,
    in_flows: u64,
    last_flow: Option<Timestamp>,
}

impl Run {
    fn new() -> Self {
        Self {
            tracker: Tracker::new(TrackerConfig {
                flows_max: 5_000,
                reassembly_bytes_max: 1 << 22,
                seed: Seed(1),
                ..TrackerConfig::default()
            }),
            out: Observations::with_capacity(4_096),
            now: Timestamp::from_secs(1_767_603_600),
            in_flows: 0,
            last_flow: None,
        }
    }

    fn take(&mut self, link: u32, wire_len: usize, frame: &[u8]) {
        self.now = self.now.plus(1_000);
        let wire_len = u32::try_from(wire_len).expect("short");
        self.tracker
            .packet(self.now, link, wire_len, frame, &mut self.out);
        self.forget();
    }

    /// Counts what flows told and forgets it.
    fn forget(&mut self) {
        for observation in self.out.drain(..) {
            let Some(record) = observation.body.record() else {
                continue;
            };
            for (index, field) in record.body.fields().iter().enumerate() {
                if let ("orig_pkts" | "resp_pkts", Value::Int(n)) =
                    (field.name, record.body.value(index))
                {
                    self.in_flows += u64::try_from(n).expect("a count");
                    self.last_flow = Some(record.ts);
                }
            }
        }
    }

    /// Ends the input; every packet is in one place.
    fn finish(mut self) -> Tracker {
        self.tracker.finish(self.now, &mut self.out);
        self.forget();
        let stats = self.tracker.stats();
        assert_eq!(
            stats.packets + stats.carried,
            self.in_flows + stats.without_flow(),
            "{stats:?}"
        );
        self.tracker
    }
}

fn ends() -> (End, End) {
    (end("10.1.0.5", 40_000), end("10.1.0.6", 80))
}

fn segment(flags: u8, seq: u32, ack: u32) -> Segment {
    Segment { flags, seq, ack }
}

/// Frames of many kinds.
fn samples() -> Vec<Vec<u8>> {
    let (a, b) = ends();
    let (a6, b6) = (end("fd00::5", 1_000), end("fd00::6", 53));
    let long = udp(a6, b6, 0, &[7; 200]);
    let arp = [
        &[0xff; 6][..],
        &[2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
        &[9; 20],
    ]
    .concat();
    vec![
        tcp(a, b, 0, segment(SYN, 1, 0), b""),
        tcp(a, b, 5, segment(PSH | ACK, 2, 9), b"GET / HTTP/1.1\r\n\r\n"),
        udp(a, b, 9, &[1; 60]),
        fragments_of(&long, 3, 0, 104, true),
        fragments_of(&long, 3, 104, 208, false),
        arp,
        [&[1; 12][..], &[0x88, 0xcc], &[0; 40]].concat(),
    ]
}

#[test]
fn frames_of_every_length_are_counted_once() {
    for link in [1, 0, 12, 101, 108, 113, 147, 228, 229, 276] {
        let mut run = Run::new();
        for sample in samples() {
            for len in 0..=sample.len() {
                // Cut by the capture, and as short on the wire.
                run.take(link, sample.len(), &sample[..len]);
                run.take(link, len, &sample[..len]);
            }
            // Padded to the shortest frame of Ethernet and far beyond; a jumbo frame; the longest.
            for len in [60, 64, 1_518, 9_018, 65_549] {
                let mut padded = sample.clone();
                padded.resize(len.max(padded.len()), 0);
                run.take(link, padded.len(), &padded);
            }
        }
        let tracker = run.finish();
        assert!(tracker.stats().packets > 1_000);
    }
}

/// Jumbo frames are read as any other.
#[test]
fn jumbo_frames_are_read() {
    let (a, b) = ends();
    let mut run = Run::new();
    let frame = udp(a, b, 0, &vec![7; 9_000]);
    run.take(1, frame.len(), &frame);
    assert_eq!(run.tracker.flows(), 1);
    assert_eq!(run.finish().stats().without_flow(), 0);
}

/// A million hardware addresses without IP, then as many that speak IP from one address each.
#[test]
fn a_flood_of_addresses_leaves_memory_flat() {
    const ADDRESSES: u32 = 1_000_000;
    let (a, b) = ends();
    let arp = &samples()[5];
    let datagram = udp(a, b, 0, b"x");
    let mut run = Run::new();
    let mut peak = 0;
    let mut lived = 0;
    for (round, sample) in [arp, &datagram].into_iter().enumerate() {
        for n in 0..ADDRESSES {
            let mut frame = sample.clone();
            let mac = n.to_be_bytes();
            frame[6..8].copy_from_slice(&[2, u8::try_from(round).expect("two")]);
            frame[8..12].copy_from_slice(&mac);
            if round == 0 {
                frame[22..28].copy_from_slice(&[2, 0, mac[0], mac[1], mac[2], mac[3]]);
            } else {
                frame[27..30].copy_from_slice(&mac[1..]);
            }
            lived += asked_for(|| run.take(1, frame.len(), &frame)).live_bytes;
            if n > ADDRESSES / 50 {
                peak = peak.max(lived);
            }
        }
    }
    let stats = run.tracker.stats();
    assert!(stats.sightings_refused > 900_000, "{stats:?}");
    assert!(
        stats.flows_evicted.iter().sum::<u64>() > 900_000,
        "{stats:?}"
    );
    assert!(peak < 16 << 20, "{peak} bytes");
    run.finish();
}

/// One frame of 2038 or 1970 among others: it gets its place, and the others stay in their time.
#[test]
fn one_frame_of_another_decade() {
    const NOW_NS: i64 = 1_767_603_600_000_000_000;
    let (a, b) = ends();
    for wrong_ns in [0, 2_147_483_648_000_000_000, i64::MAX, i64::MIN] {
        let mut run = Run::new();
        let mut clock = Clock::new();
        let mut late = 0;
        for n in 0..2_000_i64 {
            let right_ns = NOW_NS + n * 1_000_000;
            let ts_ns = if n == 500 { wrong_ns } else { right_ns };
            let judged = clock.judge(Some(ts_ns));
            let ts = Timestamp::from_nanos(judged.ts_ns);
            if judged.epoch {
                run.tracker.epoch(ts, &mut run.out);
            }
            late += u32::from(n != 500 && judged.ts_ns != right_ns);
            let frame = udp(a, b, 0, b"tick");
            let wire_len = u32::try_from(frame.len()).expect("short");
            run.tracker.packet(ts, 1, wire_len, &frame, &mut run.out);
            run.forget();
            run.now = ts;
        }
        // A step back is believed after 64 frames.
        assert!(late <= 64, "{wrong_ns}: {late} frames with another time");
        assert_eq!(run.tracker.flows(), 1);
        assert_eq!(run.now.nanos(), NOW_NS + 1_999_000_000, "{wrong_ns}");
        run.finish();
    }
}

/// Makes so many frames.
type Load = fn(u32) -> Vec<Vec<u8>>;

/// Loads whose cost may grow faster than they do.
#[rustfmt::skip]
const LOADS: [(&str, Load); 6] = [
    ("fragments of one packet", fragments_of_one),
    ("segments out of order", out_of_order),
    ("a request a byte at a time", byte_by_byte),
    ("headers without end", endless_headers),
    ("copies of one byte", copies),
    ("flows on one pair of addresses", one_pair),
];

#[test]
fn twice_the_load_costs_twice() {
    const LOAD: u32 = 4_000;
    for (name, load) in LOADS {
        let cost = |n: u32| {
            let frames = load(n);
            let mut run = Run::new();
            let tally = asked_for(|| frames.iter().for_each(|f| run.take(1, f.len(), f)));
            run.finish();
            tally.asked_bytes + 64 * tally.count
        };
        let _warm_up = cost(LOAD);
        let (once, twice) = (cost(LOAD), cost(LOAD * 2));
        // What is bounded does not grow at all.
        assert!(
            twice * 10 <= once * 23 + 1_000_000,
            "{name}: {once} bytes, then {twice}"
        );
    }
}

fn fragments_of_one(n: u32) -> Vec<Vec<u8>> {
    let (a, b) = ends();
    let packet = udp(a, b, 0, &vec![7; 60_000]);
    let place = |k: u32| usize::try_from(k * 16 % 59_000).expect("small");
    (0..n)
        .map(|k| fragments_of(&packet, 5, place(k), place(k) + 8, true))
        .collect()
}

fn opened() -> Vec<Vec<u8>> {
    let (a, b) = ends();
    vec![
        tcp(a, b, 0, segment(SYN, 99, 0), b""),
        tcp(b, a, 0, segment(SYN | ACK, 899, 100), b""),
        tcp(
            a,
            b,
            0,
            segment(PSH | ACK, 100, 900),
            b"GET /a HTTP/1.1\r\n",
        ),
    ]
}

fn data(at: u32, bytes: &[u8]) -> Vec<u8> {
    let (a, b) = ends();
    tcp(a, b, 0, segment(PSH | ACK, 117 + at, 900), bytes)
}

fn out_of_order(n: u32) -> Vec<Vec<u8>> {
    let pieces = (1..n).rev().map(|k| data(k * 20, b"0123456789"));
    opened().into_iter().chain(pieces).collect()
}

fn byte_by_byte(n: u32) -> Vec<Vec<u8>> {
    opened()
        .into_iter()
        .chain((0..n).map(|k| data(k, b"a")))
        .collect()
}

fn endless_headers(n: u32) -> Vec<Vec<u8>> {
    let line = b"X-Header: something that is of no use to anybody\r\n";
    let len = u32::try_from(line.len()).expect("short");
    opened()
        .into_iter()
        .chain((0..n).map(|k| data(k * len, line)))
        .collect()
}

fn copies(n: u32) -> Vec<Vec<u8>> {
    let byte = |k: u32| data(5, &[u8::try_from(k % 251).expect("a byte")]);
    opened().into_iter().chain((0..n).map(byte)).collect()
}

fn one_pair(n: u32) -> Vec<Vec<u8>> {
    let (a, b) = ends();
    let flow = |k: u32| {
        let from = End {
            port: u16::try_from(k % 60_000).expect("a port"),
            ..a
        };
        tcp(from, b, 0, segment(SYN, k, 0), b"")
    };
    // So many that the table is at its bound nearly all the time, whatever `n`.
    (0..n * 16).map(flow).collect()
}
