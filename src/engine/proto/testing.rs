//! What the tests of parsers share: a talk as the driver leads it, and what was told.

use std::any::Any;

use super::{Credential, Dir, Input, Out, Parse, Probe, Protocol, Secret};
use crate::types::{Body, Clue, Endpoint, Fields as _, FlowRef, Observations, Timestamp};

/// What one talk came to.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Kind and JSON of each record, but for secrets shown.
    pub(super) records: Vec<String>,
    /// JSON of each secret shown.
    pub(super) credentials: Vec<String>,
    /// Clues.
    pub(super) clues: Vec<Clue>,
    /// Both, as [`lines`] writes them, in the order they were told.
    pub(super) lines: Vec<String>,
    /// All of it.
    pub(super) seen: Observations,
    /// The answer that ended it early, and what was left of that piece.
    pub(super) end: Option<(Parse, Vec<u8>)>,
}

/// The bytes that hexadecimal digits write; what is no digit stands between them.
pub(super) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// A flow from 10.0.0.1, port 40000, to `port` of 10.0.0.2.
pub(super) fn flow(proto: u8, port: u16) -> FlowRef {
    FlowRef {
        orig: Endpoint::new([10, 0, 0, 1].into(), 40_000),
        resp: Endpoint::new([10, 0, 0, 2].into(), port),
        proto,
        ..FlowRef::default()
    }
}

/// Pieces as [`stream`] and [`datagrams`] take them.
pub(super) fn views(pieces: &[(Dir, Vec<u8>)]) -> Vec<(Dir, &[u8])> {
    pieces.iter().map(|(dir, data)| (*dir, &data[..])).collect()
}

/// Records as JSON with the kind in front, clues as evidence and value; secrets shown are left out.
pub(super) fn lines(seen: &Observations) -> Vec<String> {
    let line = |body: &Body| match body {
        Body::Record(record) if record.body.kind() == Credential::KIND => None,
        Body::Record(record) => Some(format!("{} {}", record.body.kind(), record.body.text())),
        Body::Clue(clue) => Some(format!("{:?} {}: {}", clue.kind, clue.evidence, clue.value)),
        _ => None,
    };
    seen.iter().filter_map(|seen| line(&seen.body)).collect()
}

impl Told {
    /// The answer that ended the talk early.
    pub(super) fn last(&self) -> Option<Parse> {
        self.end.as_ref().map(|(answer, _)| *answer)
    }
}

/// What stands for each secret that was shown.
pub(super) fn shown_secrets(seen: &Observations) -> Vec<Secret> {
    let shown = seen.iter().filter_map(|seen| match &seen.body {
        Body::Record(record) => (&record.body as &dyn Any).downcast_ref::<Credential>(),
        _ => None,
    });
    shown.map(|shown| shown.secret).collect()
}

/// A stream in pieces, one a second; what a parser leaves is kept for it, as the driver does.
pub(super) fn stream<P: Protocol>(pieces: &[(Dir, &[u8])]) -> Told {
    talk::<P>(&flow(6, 9), pieces, false, usize::MAX)
}

/// Datagrams, one a second.
pub(super) fn datagrams<P: Protocol>(port: u16, pieces: &[(Dir, &[u8])]) -> Told {
    talk::<P>(&flow(17, port), pieces, true, usize::MAX)
}

/// Leads a talk; the piece at `same` comes at the time of the one before.
fn talk<P: Protocol>(flow: &FlowRef, pieces: &[(Dir, &[u8])], datagram: bool, same: usize) -> Told {
    let (mut parser, mut seen) = (P::default(), Observations::new());
    let (mut lanes, mut end) = ([(); 2].map(|()| (Vec::new(), 0_u64)), None);
    let mut now = Timestamp::from_secs(0);
    'pieces: for (at, (dir, piece)) in pieces.iter().enumerate() {
        now = now.plus(if at == same { 0 } else { 1_000_000_000 });
        let (held, skip) = &mut lanes[usize::from(*dir == Dir::Resp)];
        let skipped = usize::try_from(*skip).map_or(piece.len(), |skip| skip.min(piece.len()));
        *skip -= u64::try_from(skipped).expect("64 bits");
        held.extend_from_slice(&piece[skipped..]);
        while !held.is_empty() {
            let input = Input {
                ts: now,
                dir: *dir,
                data: held,
                gap: 0,
                datagram,
            };
            match parser.parse(input, &mut Out::new(flow, now, &mut seen)) {
                Parse::Parsed { used } => {
                    assert!((1..=held.len()).contains(&used), "{used} of {}", held.len());
                    held.drain(..used);
                }
                Parse::NeedMore { used, need } => {
                    assert!(used <= held.len() && need > 0 && !datagram);
                    held.drain(..used);
                    break;
                }
                Parse::SkipBytes { bytes } => {
                    held.clear();
                    *skip = bytes;
                }
                answer => {
                    end = Some((answer, held.clone()));
                    break 'pieces;
                }
            }
        }
    }
    parser.finish(&mut Out::new(flow, now.plus(1_000_000_000), &mut seen));
    let mut told = Told {
        end,
        lines: lines(&seen),
        ..Told::default()
    };
    for observation in &seen {
        match &observation.body {
            Body::Record(record) if record.body.kind() == Credential::KIND => {
                told.credentials.push(record.body.text());
            }
            Body::Record(record) => {
                let line = record.body.text();
                told.records.push(format!("{} {line}", record.body.kind()));
            }
            Body::Clue(clue) => told.clues.push((**clue).clone()),
            _ => {}
        }
    }
    told.seen = seen;
    told
}

/// What a start may be, none of its beginnings cannot be: whoever sends a byte at a time is known all the same.
pub(super) fn grows<P: Protocol>(start: &[u8], dir: Dir) {
    assert_ne!(
        P::probe(start, dir),
        Probe::NotMine,
        "{}",
        start.escape_ascii()
    );
    for end in 1..start.len() {
        let shown = start[..end].escape_ascii();
        assert_ne!(P::probe(&start[..end], dir), Probe::NotMine, "{shown}");
    }
}

/// Nothing panics and no answer is out of range: the talk cut at every byte, byte by byte, and with
/// bytes changed at random (a fixed sequence of numbers). Texts stay within their bounds.
pub(super) fn endures<P: Protocol>(pieces: &[(Dir, &[u8])], datagram: bool) {
    let flow = flow(if datagram { 17 } else { 6 }, 9);
    let mut number = 0x9e37_79b9_u32;
    let mut random = move || {
        number ^= number << 13;
        number ^= number >> 17;
        number ^= number << 5;
        usize::try_from(number).expect("32 bits")
    };
    let whole = talk::<P>(&flow, pieces, datagram, usize::MAX);
    for (index, (dir, piece)) in pieces.iter().enumerate() {
        for cut in 0..piece.len() {
            let (head, tail) = piece.split_at(cut);
            let _any = P::probe(head, *dir);
            let mut all = pieces.to_vec();
            all[index].1 = head;
            talk::<P>(&flow, &all, datagram, usize::MAX);
            if !datagram {
                all.insert(index + 1, (*dir, tail));
                let split = talk::<P>(&flow, &all, datagram, index + 1);
                assert_eq!(
                    split.records, whole.records,
                    "cut at {cut} of piece {index}"
                );
            }
        }
    }
    for _ in 0..2_000 {
        let mut changed: Vec<(Dir, Vec<u8>)> =
            pieces.iter().map(|(d, p)| (*d, p.to_vec())).collect();
        for _ in 0..=random() % 4 {
            let at = random() % changed.len();
            let piece = &mut changed[at].1;
            let byte = random() % piece.len().max(1);
            match random() % 4 {
                0 => piece.truncate(byte),
                1 => (0..random() % 64)
                    .for_each(|_| piece.push(u8::try_from(random() % 256).expect("a byte"))),
                _ => {
                    if let Some(slot) = piece.get_mut(byte) {
                        *slot = u8::try_from(random() % 256).expect("a byte");
                    }
                }
            }
        }
        let changed: Vec<(Dir, &[u8])> = changed.iter().map(|(d, p)| (*d, &p[..])).collect();
        for (dir, piece) in &changed {
            let _any = P::probe(piece, *dir);
        }
        talk::<P>(&flow, &changed, datagram, usize::MAX);
    }
}
