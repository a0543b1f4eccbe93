//! Each parser of the list, by itself, given real talks that are broken in every way.
//!
//! What it shows: no parser fails or answers out of range, none keeps more than 64 KiB of a flow, neither by
//! its own count nor by the allocator's, and twice the messages take twice the time.
//! How: the talks of `talks`, changed by numbers with a fixed seed; `TAPIR_PARSER_MUTATIONS` says how often
//! for each parser. A protocol is here as soon as it is in the list.

use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use tapir_engine::proto::{Kind, PARSER_BYTES_MAX, Talk};

use super::drive::{Piece, Script};
use super::talks;
use crate::alloc::asked_for;
use crate::mutations::Numbers;

/// Changes of each parser's talks.
const MUTATIONS: usize = 10_000;
/// Times that one message is sent again, and once in how many changes.
const AGAIN: usize = 1_000;
const AGAIN_STEP: usize = 200;
/// No message is so long.
const NOWHERE: usize = usize::MAX - 2;
/// Messages of one part of a flood whose time is measured, and their bytes: both at least, as a message that is
/// not complete waits until 64 KiB are there.
const PART_LEN: usize = 1_000;
const PART_BYTES: usize = 192 * 1024;
/// Messages of a talk that are each sent again and again.
const FLOODED: usize = 12;

#[test]
#[expect(clippy::print_stdout, reason = "the figures are worth seeing")]
fn talks_broken_in_many_ways() {
    let asked = std::env::var("TAPIR_PARSER_MUTATIONS").ok();
    let count = asked.and_then(|n| n.parse().ok()).unwrap_or(MUTATIONS);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(kind) =
                    Kind::ALL.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let most = broken(*kind, count);
                    println!("{}: at most {most} bytes kept", kind.name());
                }
            });
        }
    });
}

/// Plays changed talks; returns the most bytes kept.
fn broken(kind: Kind, count: usize) -> usize {
    let (talks, mut most) = (talks::of(kind), 0);
    let mut numbers = Numbers::new(u64::from(kind as u8));
    for number in 0..count {
        let script = change(talks, number % AGAIN_STEP == 0, &mut numbers);
        let played = std::panic::catch_unwind(|| script.play(kind));
        let Ok(played) = played else {
            panic!("{}, change {number}: {:02x?}", kind.name(), script.write());
        };
        most = most.max(played.most);
    }
    most
}

/// A talk with up to four changes, perhaps in other pieces, perhaps with one message many times.
fn change(talks: &[Script], again: bool, numbers: &mut Numbers) -> Script {
    let mut script = talks[numbers.below(talks.len())].clone();
    let other = &talks[numbers.below(talks.len())];
    for _ in 0..=numbers.below(4) {
        if script.pieces.is_empty() {
            break;
        }
        let at = numbers.below(script.pieces.len());
        match numbers.below(10) {
            0 => drop(script.pieces.remove(at)),
            1 => {
                let piece = script.pieces[at].clone();
                script.pieces.insert(numbers.below(at + 1), piece);
            }
            2 => {
                let piece = &other.pieces[numbers.below(other.pieces.len())];
                splice(&mut script.pieces[at].bytes, &piece.bytes, numbers);
            }
            3 => script.pieces[at].gap = true,
            4 => {
                let dir = &mut script.pieces[at].dir;
                *dir = dir.other();
            }
            _ => damage(&mut script.pieces[at].bytes, numbers),
        }
    }
    if again && let Some(at) = script.pieces.len().checked_sub(1) {
        let flood = Flood {
            script: &script,
            message: numbers.below(at + 1),
            at: numbers.below(64),
        };
        script = flood.times(AGAIN);
    } else if !script.datagrams {
        match numbers.below(8) {
            0 => cut(&mut script, 1),
            1 => cut(&mut script, 1 + numbers.below(40)),
            _ => {}
        }
    }
    script
}

/// Bits, a length, the end, bytes twice or no more.
fn damage(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    const EXTREMES: [[u8; 4]; 6] = [
        [0; 4],
        [0xff; 4],
        [0x7f, 0xff, 0xff, 0xff],
        [0, 0, 0, 1],
        [1, 0, 0, 0],
        [0x80, 0, 0, 0],
    ];
    let at = numbers.below(bytes.len());
    match numbers.below(7) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << numbers.below(8);
            }
        }
        // A number of one, two or four bytes, with either end first.
        2 | 3 => {
            let extreme = EXTREMES[numbers.below(EXTREMES.len())];
            let width = 1 << numbers.below(3);
            if let Some(number) = bytes.get_mut(at..at + width) {
                number.copy_from_slice(&extreme[..width]);
            }
        }
        4 => bytes.truncate(at),
        5 => {
            let len = numbers.below(64).min(bytes.len() - at);
            let again = bytes[at..at + len].to_vec();
            bytes.splice(at..at, again);
        }
        _ => {
            let len = numbers.below(16).min(bytes.len() - at);
            bytes.drain(at..at + len);
        }
    }
}

/// The beginning of one message and the end of another.
fn splice(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    bytes.truncate(numbers.below(bytes.len() + 1));
    bytes.extend_from_slice(&other[numbers.below(other.len() + 1)..]);
}

/// The same in pieces of at most `len` bytes.
fn cut(script: &mut Script, len: usize) {
    let pieces = std::mem::take(&mut script.pieces);
    for piece in pieces {
        for (index, bytes) in piece.bytes.chunks(len).enumerate() {
            script.pieces.push(Piece {
                dir: piece.dir,
                gap: piece.gap && index == 0,
                bytes: bytes.to_vec(),
            });
        }
    }
}

/// A talk up to a message, then that one again and again, each with another number at `at`: so what is kept
/// by number grows.
struct Flood<'a> {
    script: &'a Script,
    message: usize,
    at: usize,
}

impl Flood<'_> {
    /// What comes before.
    fn begin(&self) -> &[Piece] {
        &self.script.pieces[..self.message]
    }

    /// The message, numbered.
    fn number(&self, number: usize, piece: &mut Piece) {
        piece
            .bytes
            .clone_from(&self.script.pieces[self.message].bytes);
        piece.dir = self.script.pieces[self.message].dir;
        if let Some(place) = piece.bytes.get_mut(self.at..self.at + 2) {
            // Scattered, so that no part of a flood has other numbers than the next.
            let scattered = number.wrapping_mul(40_503) % 0x1_0000;
            let low = u16::try_from(scattered).expect("sixteen bits");
            place.copy_from_slice(&low.to_be_bytes());
        }
    }

    fn piece(&self) -> Piece {
        self.script.pieces[self.message].clone()
    }

    /// As a talk.
    fn times(&self, times: usize) -> Script {
        let (mut pieces, mut piece) = (self.begin().to_vec(), self.piece());
        for number in 0..times {
            self.number(number, &mut piece);
            pieces.push(piece.clone());
        }
        Script {
            datagrams: self.script.datagrams,
            pieces,
        }
    }
}

/// Every flood of a parser: messages as they are, and with a number at each of some places.
fn floods(kind: Kind, places: &[usize]) -> impl Iterator<Item = Flood<'static>> {
    talks::of(kind).iter().flat_map(move |script| {
        let messages = 0..script.pieces.len().min(FLOODED);
        messages.flat_map(move |message| {
            places.iter().map(move |at| Flood {
                script,
                message,
                at: *at,
            })
        })
    })
}

/// By the allocator's tally, not by the parser's own.
#[test]
fn floods_take_no_more_than_a_parser_may_keep() {
    for kind in Kind::ALL {
        for flood in floods(*kind, &[NOWHERE, 0, 2, 4, 5, 8, 12, 16, 28]) {
            let script = flood.times(AGAIN);
            let mut talk = Talk::new(*kind, script.datagrams);
            let mut taken = 0;
            for piece in &script.pieces {
                taken += asked_for(|| {
                    talk.hear(piece.dir, 0, &piece.bytes);
                    drop(talk.told());
                })
                .live_bytes;
                let parser = taken - i64::try_from(talk.buffer_bytes()).expect("few bytes");
                // Nodes of trees are estimated.
                let most = i64::try_from(PARSER_BYTES_MAX + PARSER_BYTES_MAX / 4).expect("few");
                assert!(parser <= most, "{} took {parser} bytes", kind.name());
            }
        }
    }
}

/// Nanoseconds that this thread had a processor.
fn on_processor() -> u64 {
    let spent = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a thread's clock");
    u64::try_from(spent.num_nanoseconds()).expect("a positive time")
}

/// Nanoseconds of a flood's second part, and of the third and fourth; 0 if the talk is over before.
fn spans(kind: Kind, flood: &Flood<'_>) -> [u64; 2] {
    let mut talk = Talk::new(kind, flood.script.datagrams);
    for piece in flood.begin() {
        talk.hear(piece.dir, 0, &piece.bytes);
    }
    let mut piece = flood.piece();
    let part = PART_LEN.max(PART_BYTES / piece.bytes.len().max(1));
    let mut at = [0; 3];
    for number in 0..=4 * part {
        match number {
            n if n == part => at[0] = on_processor(),
            n if n == 2 * part => at[1] = on_processor(),
            n if n == 4 * part => at[2] = on_processor(),
            _ => {}
        }
        flood.number(number, &mut piece);
        talk.hear(piece.dir, 0, &piece.bytes);
        drop(talk.told());
        if talk.is_over() {
            return [0; 2];
        }
    }
    [at[1] - at[0], at[2] - at[1]]
}

/// Twice the messages take at most three times the time; what looks at everything that went before would take
/// more, and the more the longer it goes on. Times are for a machine that does nothing else: `make check-deep`.
#[test]
#[expect(clippy::print_stdout, reason = "what is left out is said")]
fn floods_take_time_in_proportion() {
    if std::env::var_os("TAPIR_FLOOD_TIMES").is_none() {
        println!("SKIPPED floods_take_time_in_proportion: `make check-deep` takes the times");
        return;
    }
    /// What is too short to be measured.
    const SHORT_NS: u64 = 200_000;
    for kind in Kind::ALL {
        for flood in floods(*kind, &[NOWHERE, 0, 4, 12]) {
            // The least of several: what else runs here only adds.
            let (mut least, mut tries) = ([u64::MAX; 2], 0);
            let is_fine = loop {
                let [one, two] = spans(*kind, &flood);
                least = [least[0].min(one), least[1].min(two)];
                if least[0] < SHORT_NS || least[1] <= least[0] * 3 {
                    break true;
                }
                tries += 1;
                if tries == 8 {
                    break false;
                }
            };
            let (name, message, at) = (kind.name(), flood.message, flood.at);
            assert!(is_fine, "{name}, message {message}, {at}: {least:?} ns");
        }
    }
}
