//! What each fuzz target does with its bytes; shared with the test that replays the seeds.
#![allow(
    dead_code,
    reason = "each target is a program of its own and uses one of these"
)]

use tapir_engine::model::{Models, Schema, Source};
use tapir_engine::proto::{BUFFER_BYTES_MAX, Dir, Kind, PARSER_BYTES_MAX, Talk};
use tapir_engine::types::{Observations, Seed, Timestamp};
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

/// One piece of what a parser hears.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) dir: Dir,
    /// Whether bytes are lost before it.
    pub(crate) gap: bool,
    pub(crate) bytes: Vec<u8>,
}

/// What a parser hears of one flow.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) datagrams: bool,
    pub(crate) pieces: Vec<Piece>,
}

/// Bytes lost in a gap.
const GAP_LEN: u64 = 7;
/// Bits of a piece's length, and those beside it.
const LEN: u16 = 0x3fff;
const GAP: u16 = 0x4000;
const RESP: u16 = 0x8000;

impl Script {
    /// From the bytes of a seed: one that is odd for datagrams, then for each piece two of length,
    /// little-endian, their highest bits the responder's and a gap's, and the piece.
    pub(crate) fn read(data: &[u8]) -> Self {
        let (first, mut rest) = data.split_first().unwrap_or((&0, &[]));
        let mut pieces = Vec::new();
        while let Some((&head, behind)) = rest.split_first_chunk::<2>() {
            let head = u16::from_le_bytes(head);
            let (bytes, next) = behind.split_at(usize::from(head & LEN).min(behind.len()));
            rest = next;
            pieces.push(Piece {
                dir: if head & RESP == 0 {
                    Dir::Orig
                } else {
                    Dir::Resp
                },
                gap: head & GAP != 0,
                bytes: bytes.to_vec(),
            });
        }
        Self {
            datagrams: first & 1 != 0,
            pieces,
        }
    }

    /// The bytes that give it again; pieces that are too long are cut.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut data = vec![u8::from(self.datagrams)];
        for piece in &self.pieces {
            let len = u16::try_from(piece.bytes.len()).map_or(LEN, |len| len.min(LEN));
            let dir = if piece.dir == Dir::Resp { RESP } else { 0 };
            let gap = if piece.gap { GAP } else { 0 };
            data.extend((len | dir | gap).to_le_bytes());
            data.extend(piece.bytes.iter().take(usize::from(len)));
        }
        data
    }

    /// Lets a parser hear it. Fails if the parser fails, or holds more than it may.
    pub(crate) fn play(&self, kind: Kind) -> Played {
        let (mut talk, mut most) = (Talk::new(kind, self.datagrams), 0);
        for piece in &self.pieces {
            let gap = if piece.gap { GAP_LEN } else { 0 };
            talk.hear(piece.dir, gap, &piece.bytes);
            let told = talk.told().len();
            assert!(told <= TOLD_MAX + piece.bytes.len(), "{told} told at once");
            let (kept, waiting) = (talk.parser_bytes(), talk.buffer_bytes());
            most = most.max(kept);
            assert!(kept <= PARSER_BYTES_MAX, "{} keeps {kept}", kind.name());
            // Both directions; a buffer that grows takes up to twice what it needs.
            assert!(waiting <= 4 * BUFFER_BYTES_MAX, "{} waits", kind.name());
            if talk.is_over() {
                break;
            }
        }
        talk.finish();
        let mut answers = 0;
        for (kind, health) in talk.health().iter() {
            assert_eq!(health.panicked, 0, "faults of {}", kind.name());
            answers += health.parsed + health.need_more + health.skipped;
        }
        Played { answers, most }
    }
}

/// What a talk came to.
pub(crate) struct Played {
    /// Answers that were not of surrender.
    pub(crate) answers: u64,
    /// Most bytes the parser kept.
    pub(crate) most: usize,
}

/// Records and clues told of one piece beside one for each of its bytes: what was open and is told at once.
const TOLD_MAX: usize = 2_048;

/// One parser, named behind `parser_`.
pub(crate) fn parser(target: &str, data: &[u8]) {
    let name = target.strip_prefix("parser_").unwrap_or(target);
    if let Some(kind) = Kind::ALL.iter().find(|kind| kind.name() == name) {
        Script::read(data).play(*kind);
    }
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
