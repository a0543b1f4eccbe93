//! Blocks made by hand, as the kernel lays them out: what is lent of them, and how it is marked and counted.

use proptest::prelude::*;

use super::*;
use crate::epochs::{Clocks, Epochs};

const S: i64 = 1_000_000_000;

/// Clocks that stand: 1,000 s after start it is 2,000 s after 1970.
struct Standing;

impl Clocks for Standing {
    fn monotonic_ns(&self) -> i64 {
        1_000 * S
    }

    fn realtime_ns(&self) -> i64 {
        2_000 * S
    }
}

/// A queue that takes frames of the last 200 s.
fn intake(filter: Option<&str>) -> Intake {
    let clock = LiveClock::new(Epochs::new(Box::new(Standing)), 200 * S);
    let filter = filter.map(|text| Filter::new(text, &[]).expect("a filter"));
    Intake::new(clock, filter, 60)
}

/// A frame as the kernel describes it.
#[derive(Clone, Debug)]
struct Made {
    ts_ns: i64,
    bytes: Vec<u8>,
    /// Bytes that were on the wire and not captured.
    cut: u32,
    /// The tag taken off.
    tag: Option<u16>,
}

/// An empty IPv4 packet of this protocol.
fn made(ts_ns: i64, protocol: u8) -> Made {
    let mut bytes = b"ABCDEFabcdef\x08\x00\x45\x00\x00\x1c\x00\x00\x00\x00\x40".to_vec();
    bytes.extend([protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend([0; 8]);
    Made {
        ts_ns,
        bytes,
        cut: 0,
        tag: None,
    }
}

fn put(block: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    block.resize(block.len().max(at + bytes.len()), 0);
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A block with these frames, 86 bytes behind their headers.
fn block_of(frames: &[Made]) -> Vec<u8> {
    let number = |value: usize| u32::try_from(value).expect("small").to_ne_bytes();
    let mut block = Vec::new();
    put(&mut block, 12, &number(frames.len())); // num_pkts
    put(&mut block, 16, &number(48)); // offset_to_first_pkt
    let mut at = 48;
    for (left, frame) in frames
        .iter()
        .enumerate()
        .map(|(n, f)| (frames.len() - 1 - n, f))
    {
        let len = frame.bytes.len();
        let next = (86 + len).next_multiple_of(16);
        let seconds = usize::try_from(frame.ts_ns / S).expect("after 1970");
        let nanos = usize::try_from(frame.ts_ns % S).expect("after 1970");
        let status = frame.tag.map_or(0, |_| libc::TP_STATUS_VLAN_VALID);
        put(&mut block, at, &number(if left == 0 { 0 } else { next })); // tp_next_offset
        put(&mut block, at + 4, &number(seconds));
        put(&mut block, at + 8, &number(nanos));
        put(&mut block, at + 12, &number(len)); // tp_snaplen
        put(&mut block, at + 16, &number(len + frame.cut as usize)); // tp_len
        put(&mut block, at + 20, &status.to_ne_bytes());
        put(&mut block, at + 24, &86_u16.to_ne_bytes()); // tp_mac
        let control = usize::from(frame.tag.unwrap_or(0));
        put(&mut block, at + 32, &number(control)); // tp_vlan_tci
        put(&mut block, at + 86, &frame.bytes);
        at += next;
    }
    block
}

/// What a frame was lent as: time, length on the wire, whether an epoch begins, bytes.
type Lent = (i64, u32, bool, Vec<u8>);

/// The frames of blocks, and how many came at a time.
fn read(intake: &mut Intake, blocks: &[Vec<u8>], frames_max: usize) -> (Vec<Lent>, Vec<usize>) {
    let (mut lent, mut lens) = (Vec::new(), Vec::new());
    for block in blocks {
        let mut block = block.clone();
        intake.begin(&block);
        while intake.take(&mut block, frames_max) {
            let batch = intake.taken(&block);
            lens.push(batch.len());
            for frame in (0..batch.len()).map(|number| batch.frame(number).expect("a frame")) {
                assert!(!frame.epoch || batch.len() == 1);
                let bytes = frame.bytes.to_vec();
                lent.push((frame.ts_ns, frame.wire_len, frame.epoch, bytes));
            }
        }
    }
    (lent, lens)
}

#[test]
fn the_frames_of_a_block_come_together() {
    let mut intake = intake(None);
    let mut frames = [1, 2, 3].map(|n| made(1_990 * S + n, 17));
    frames[1].tag = Some(0x200a);
    frames[2].cut = 100;
    let (lent, lens) = read(&mut intake, &[block_of(&[]), block_of(&frames)], FRAMES_MAX);
    let bytes = frames[0].bytes.clone();
    let tagged = [&bytes[..12], &[0x81, 0, 0x20, 0x0a], &bytes[12..]].concat();
    let expected = [
        (1_990 * S + 1, 42, false, bytes.clone()),
        (1_990 * S + 2, 46, false, tagged),
        (1_990 * S + 3, 142, false, bytes),
    ];
    assert_eq!(lent, expected);
    assert_eq!(lens, [3]);
    let counts = intake.counts;
    assert_eq!((counts.packets, counts.bytes), (3, 130));
    assert_eq!((counts.tags, counts.snapped, counts.over_mtu), (1, 1, 1));
}

#[test]
fn a_long_block_comes_in_parts() {
    let frames: Vec<_> = (0..)
        .take(FRAMES_MAX + 1)
        .map(|n| made(1_990 * S + n, 17))
        .collect();
    let (lent, lens) = read(&mut intake(None), &[block_of(&frames)], FRAMES_MAX);
    assert_eq!(lens, [FRAMES_MAX, 1]);
    assert!(
        lent.iter()
            .map(|lent| lent.0)
            .eq(frames.iter().map(|f| f.ts_ns))
    );
}

/// The 64th frame that agrees on a step back begins an epoch. It ends the batch before it, and so does the
/// next one where the filter does not want it: then that is the first.
#[test]
fn a_frame_that_begins_an_epoch_comes_alone() {
    for unwanted in [false, true] {
        let mut frames = vec![made(1_990 * S, 17)];
        frames.extend((1..=70).map(|n| made(1_900 * S + n, 17)));
        if unwanted {
            frames[64] = made(frames[64].ts_ns, 6);
        }
        let mut intake = intake(unwanted.then_some("udp"));
        let (lent, lens) = read(&mut intake, &[block_of(&frames)], 1_000);
        let first = if unwanted { 65 } else { 64 };
        let marked = lent.iter().filter(|lent| lent.2).map(|lent| lent.0);
        assert!(marked.eq([1_900 * S + first]));
        assert!(lent[..64].iter().all(|lent| lent.0 == 1_990 * S));
        let left = if unwanted { 5 } else { 6 };
        assert_eq!(lens, [64, 1, left]);
        assert_eq!(intake.counts.filtered, u64::from(unwanted));
        assert_eq!(intake.counts.packets, lent.len() as u64);
        assert_eq!(intake.clock.epoch().number, 1);
    }
}

/// Another queue of the port begins an epoch while a block is read: its next frame is the first in it.
#[test]
fn an_epoch_of_another_queue_is_followed() {
    let epochs = Epochs::new(Box::new(Standing));
    let clock = LiveClock::new(std::sync::Arc::clone(&epochs), 200 * S);
    let mut intake = Intake::new(clock, None, 60);
    let mut block = block_of(&[1, 2, 3].map(|n| made(1_990 * S + n, 17)));
    intake.begin(&block);
    assert!(intake.take(&mut block, 1) && !intake.epoch);
    epochs.begin(0, 1_995 * S, 1_000 * S);
    assert!(intake.take(&mut block, 9) && intake.epoch);
    let batch = intake.taken(&block);
    assert!(matches!(batch, Batch::One(frame) if frame.epoch && frame.ts_ns == 1_995 * S));
    assert!(intake.take(&mut block, 9) && !intake.epoch);
    assert!(!intake.take(&mut block, 9));
    // The mark is kept for the next frame where there is none.
    epochs.begin(1, 1_996 * S, 1_000 * S);
    assert!(intake.follow() && !intake.follow());
    let mut next = block_of(&[made(1_997 * S, 17)]);
    intake.begin(&next);
    assert!(intake.take(&mut next, 9) && intake.epoch);
}

fn any_made() -> impl Strategy<Value = (i64, u8, u32, Option<u16>)> {
    (
        // Mostly forward, now and then back by more than is held.
        prop_oneof![30 => 0..1_000_000_i64, 1 => -4 * S..0, 1 => -150 * S..-100 * S],
        prop_oneof![Just(6_u8), Just(17)],
        prop_oneof![4 => Just(0_u32), 1 => 1..2_000_u32],
        proptest::option::of(any::<u16>()),
    )
}

proptest! {
    /// However many frames are taken at a time, they are the same, marked and counted the same.
    #[test]
    fn however_many_come_at_a_time(
        blocks in proptest::collection::vec(proptest::collection::vec(any_made(), 0..200), 1..5),
        filtered in any::<bool>(),
        frames_max in 2_usize..300,
    ) {
        let mut at = 1_950 * S;
        let mut made_of = |frames: &Vec<(i64, u8, u32, Option<u16>)>| {
            let frames = frames.iter().map(|(step, protocol, cut, tag)| {
                at = (at + step).clamp(S, 1_999 * S);
                Made { cut: *cut, tag: *tag, ..made(at, *protocol) }
            });
            block_of(&frames.collect::<Vec<_>>())
        };
        let blocks: Vec<_> = blocks.iter().map(&mut made_of).collect();
        let filter = filtered.then_some("udp or vlan 7");
        let (mut one, mut many) = (intake(filter), intake(filter));
        let (alone, lens) = read(&mut one, &blocks, 1);
        prop_assert!(lens.iter().all(|len| *len == 1));
        let (together, lens) = read(&mut many, &blocks, frames_max);
        prop_assert!(lens.iter().all(|len| *len <= frames_max));
        prop_assert_eq!(alone, together);
        prop_assert_eq!(one.counts, many.counts);
        prop_assert_eq!(one.clock.counts(), many.clock.counts());
        prop_assert_eq!(one.clock.epoch(), many.clock.epoch());
    }
}
