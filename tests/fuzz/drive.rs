//! What each fuzz target does with its bytes; shared with the test that replays the seeds.
#![allow(
    dead_code,
    reason = "each target is a program of its own and uses one of these"
)]

use tapir_engine::model::{Models, Schema, Source};
use tapir_engine::proto::{BUFFER_BYTES_MAX, Dir, Input, Kind, Out, Parse, Parser, Probe};
use tapir_engine::types::{FlowRef, Observations, Seed, Timestamp};
use tapir_engine::{Tracker, TrackerConfig};

/// Link types that are decoded.
const LINKS: [u32; 9] = [1, 113, 276, 101, 228, 229, 0, 108, 12];

/// Whole frames: a byte for the link type, then for each frame two bytes of length (little-endian), one
/// for how much time passes, as a power of two of nanoseconds, and the frame.
pub(crate) fn frames(data: &[u8]) {
    let Some((link, mut rest)) = data.split_first() else {
        return;
    };
    let link = LINKS[usize::from(*link) % LINKS.len()];
    let mut tracker = Tracker::new(TrackerConfig {
        flows_max: 16,
        reassembly_bytes_max: 1 << 16,
        seed: Seed(1),
        ..TrackerConfig::default()
    });
    let (mut out, mut now) = (Observations::new(), Timestamp::from_secs(1));
    while let Some((&[low, high, step], behind)) = rest.split_first_chunk::<3>() {
        let len = usize::from(u16::from_le_bytes([low, high])).min(behind.len());
        let (frame, next) = behind.split_at(len);
        rest = next;
        now = now.plus(1 << (step % 63));
        let wire_len = u32::try_from(len)
            .unwrap_or(u32::MAX)
            .saturating_add(u32::from(step >> 6));
        let watermark = tracker.watermark();
        tracker.packet(now, link, wire_len, frame, &mut out);
        assert!(tracker.watermark() >= watermark);
        assert!(out.drain(..).all(|o| o.ts >= watermark));
    }
    tracker.finish(now, &mut out);
    assert_eq!(tracker.flows(), 0);
}

/// One parser: a byte for the protocol, 0x80 of it for datagrams, then pieces of both directions as
/// `streams` below takes them.
pub(crate) fn streams(data: &[u8]) {
    let Some((kind, pieces)) = data.split_first() else {
        return;
    };
    let datagrams = kind & 0x80 != 0;
    let kind = Kind::ALL[usize::from(kind & 0x7f) % Kind::ALL.len()];
    let mut talk = Talk::new(kind);
    let mut rest = pieces;
    // A byte before each piece: direction, whether bytes are lost before it, and its length.
    while let Some((head, behind)) = rest.split_first() {
        let dir = if head & 0x80 == 0 {
            Dir::Orig
        } else {
            Dir::Resp
        };
        let gap = u64::from(head & 0x40 != 0) * 7;
        let len = usize::from(head & 0x3f).saturating_add(1).min(behind.len());
        let (piece, next) = behind.split_at(len);
        rest = next;
        if datagrams {
            talk.datagram(dir, piece);
        } else {
            talk.hear(dir, gap, piece);
        }
    }
    talk.finish();
}

/// Datagrams through one parser: a byte for the protocol unless the first of them tells, then for each
/// two bytes of direction (the highest bit) and length, little-endian, and the datagram.
pub(crate) fn datagrams(data: &[u8]) {
    let Some((kind, mut rest)) = data.split_first() else {
        return;
    };
    let told = rest.get(2..).and_then(|first| {
        Kind::ALL
            .iter()
            .find(|k| k.probe(first, Dir::Orig) == Probe::Certain)
    });
    let kind = told.unwrap_or_else(|| &Kind::ALL[usize::from(*kind) % Kind::ALL.len()]);
    let (mut parser, mut observations) = (kind.parser(), Observations::new());
    let (flow, mut now) = (FlowRef::default(), Timestamp::from_secs(1));
    while let Some((&[low, high], behind)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_le_bytes([low, high & 0x7f])).min(behind.len());
        let (mut data, next) = behind.split_at(len);
        rest = next;
        now = now.plus(1_000_000);
        let dir = if high & 0x80 == 0 {
            Dir::Orig
        } else {
            Dir::Resp
        };
        while !data.is_empty() {
            let input = Input {
                ts: now,
                dir,
                data,
                gap: 0,
                datagram: true,
            };
            match parser.parse(input, &mut Out::new(&flow, now, &mut observations)) {
                Parse::Parsed { used } => {
                    assert!((1..=data.len()).contains(&used));
                    data = &data[used..];
                }
                Parse::NeedMore { .. } | Parse::SkipBytes { .. } => break,
                Parse::Skip | Parse::Broken(_) => {
                    (data, rest) = (&[], &[]);
                }
            }
        }
        observations.clear();
    }
    parser.finish(&mut Out::new(&flow, now, &mut observations));
}

/// One DNS datagram in each direction.
pub(crate) fn dns(data: &[u8]) {
    let mut observations = Observations::new();
    let flow = FlowRef::default();
    let mut parser = Kind::Dns.parser();
    for dir in [Dir::Orig, Dir::Resp] {
        let input = Input {
            ts: Timestamp::from_secs(1),
            dir,
            data,
            gap: 0,
            datagram: true,
        };
        parser.parse(input, &mut Out::new(&flow, input.ts, &mut observations));
    }
    parser.finish(&mut Out::new(
        &flow,
        Timestamp::from_secs(2),
        &mut observations,
    ));
}

/// A model file.
pub(crate) fn models(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let schema = Schema::new(&tapir_engine::schemas());
    let source = Source {
        path: "fuzz.toml",
        text,
    };
    let _mistakes_are_fine = Models::load(&[source], &schema);
}

/// A parser with what it has left of each direction, as the driver keeps it.
struct Talk {
    parser: Option<Parser>,
    lanes: [Lane; 2],
    observations: Observations,
    now: Timestamp,
}

#[derive(Default)]
struct Lane {
    buffer: Vec<u8>,
    want: usize,
    skip: u64,
    gap: u64,
}

impl Talk {
    fn new(kind: Kind) -> Self {
        Self {
            parser: Some(kind.parser()),
            lanes: [Lane::default(), Lane::default()],
            observations: Observations::new(),
            now: Timestamp::from_secs(1),
        }
    }

    fn hear(&mut self, dir: Dir, gap: u64, piece: &[u8]) {
        self.now = self.now.plus(1_000_000);
        let lane = &mut self.lanes[usize::from(dir == Dir::Resp)];
        if gap > 0 {
            lane.gap += gap + u64::try_from(lane.buffer.len()).unwrap_or(0);
            lane.buffer.clear();
        }
        for byte in piece {
            if lane.skip > 0 {
                lane.skip -= 1;
            } else {
                lane.buffer.push(*byte);
            }
        }
        let (flow, mut over) = (FlowRef::default(), false);
        while let Some(parser) = &mut self.parser
            && !lane.buffer.is_empty()
            && lane.buffer.len() >= lane.want
        {
            let input = Input {
                ts: self.now,
                dir,
                data: &lane.buffer,
                gap: std::mem::take(&mut lane.gap),
                datagram: false,
            };
            let len = lane.buffer.len();
            match parser.parse(
                input,
                &mut Out::new(&flow, self.now, &mut self.observations),
            ) {
                Parse::Parsed { used } => {
                    assert!((1..=len).contains(&used), "{used} of {len}");
                    lane.buffer.drain(..used);
                    lane.want = 0;
                }
                Parse::NeedMore { used, need } => {
                    assert!(used <= len && need > 0, "{used} of {len}, {need}");
                    lane.buffer.drain(..used);
                    lane.want = lane.buffer.len().saturating_add(need);
                    if lane.want > BUFFER_BYTES_MAX {
                        self.parser = None;
                    }
                }
                Parse::SkipBytes { bytes } => {
                    lane.buffer.clear();
                    (lane.skip, lane.want) = (bytes, 0);
                }
                Parse::Skip | Parse::Broken(_) => {
                    over = true;
                    break;
                }
            }
            self.observations.clear();
        }
        if over {
            self.finish();
        }
    }

    /// A datagram, which a parser takes in one or several steps.
    fn datagram(&mut self, dir: Dir, piece: &[u8]) {
        self.now = self.now.plus(1_000_000);
        let (flow, mut left) = (FlowRef::default(), piece);
        while let Some(parser) = &mut self.parser
            && !left.is_empty()
        {
            let input = Input {
                ts: self.now,
                dir,
                data: left,
                gap: 0,
                datagram: true,
            };
            match parser.parse(
                input,
                &mut Out::new(&flow, self.now, &mut self.observations),
            ) {
                Parse::Parsed { used } => {
                    assert!((1..=left.len()).contains(&used), "{used} of {}", left.len());
                    left = &left[used..];
                }
                Parse::NeedMore { .. } | Parse::SkipBytes { .. } => break,
                Parse::Skip | Parse::Broken(_) => return self.finish(),
            }
            self.observations.clear();
        }
    }

    fn finish(&mut self) {
        if let Some(mut parser) = self.parser.take() {
            let flow = FlowRef::default();
            parser.finish(&mut Out::new(&flow, self.now, &mut self.observations));
        }
    }
}
