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
        // What was counted of frames is told of no flow; `counted` tests it.
        self.out.retain(|o| !matches!(o.body, Body::Census(_)));
        self
    }

    /// One field of every `conn` record.
    fn conns(&self, name: &str) -> Vec<String> {
        records(&self.out, "conn", name)
    }

    /// Phases with their times in milliseconds.
    fn phases(&self) -> Vec<(Phase, i64)> {
        let phase = |o: &Observation| Some((o.body.event()?.phase, o.ts.nanos() / MS));
        self.out.iter().filter_map(phase).collect()
    }
}

/// One field of every record of a kind, as text.
fn records(out: &Observations, kind: &str, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    for observation in out {
        if let Some(record) = observation.body.record()
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

mod batch;
mod content;
mod copies;
mod flows;
mod full;
mod properties;
mod tcp;
mod tunnels;
