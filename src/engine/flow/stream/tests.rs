//! Any split, order and overlap of a stream gives the stream, as a simple model says.

use proptest::prelude::*;

use super::*;

fn room() -> Room {
    Room {
        used: 0,
        max: usize::MAX,
        refused: 0,
        overflows: 0,
    }
}

/// Feeds pieces `(offset, bytes)` from sequence number `base` on and returns gaps and bytes.
fn run(base: u32, pieces: &[(usize, Vec<u8>)], close: bool) -> (Vec<(u64, Vec<u8>)>, bool) {
    let (mut stream, mut seen, mut differs) = (Stream::new(base), Vec::new(), false);
    let mut sink = |gap: u64, bytes: &[u8]| seen.push((gap, bytes.to_vec()));
    for (offset, data) in pieces {
        let seq = base.wrapping_add(u32::try_from(*offset).unwrap());
        differs |= stream.segment(seq, data, 0, None, &mut room(), &mut sink);
    }
    if close {
        stream.close(&mut sink);
        assert_eq!(stream.held_bytes(), 0);
    }
    (seen, differs)
}

proptest! {
    #[test]
    fn any_split_order_and_overlap_gives_the_stream(
        stream in prop::collection::vec(any::<u8>(), 1..300),
        cuts in prop::collection::vec((0..300_usize, 0..80_usize), 0..60),
        base in prop_oneof![Just(0_u32), Just(u32::MAX - 100), any::<u32>()],
        keep in any::<bool>(),
    ) {
        let mut pieces: Vec<_> = cuts.iter().map(|&(at, len)| {
            let at = at.min(stream.len());
            (at, stream[at..(at + len).min(stream.len())].to_vec())
        }).collect();
        if keep {
            pieces.push((0, stream.clone()));
        }
        // The model: which bytes came at all, in their places.
        let mut there = vec![None; stream.len()];
        for (at, data) in &pieces {
            for (slot, byte) in there.iter_mut().skip(*at).zip(data) {
                *slot = Some(*byte);
            }
        }
        let (seen, differs) = run(base, &pieces, true);
        prop_assert!(!differs);
        let mut at = 0;
        let mut told = vec![None; stream.len()];
        for (gap, bytes) in &seen {
            at += usize::try_from(*gap).unwrap();
            for byte in bytes {
                told[at] = Some(*byte);
                at += 1;
            }
        }
        prop_assert_eq!(told, there);
    }
}

#[test]
fn the_first_copy_counts_and_a_differing_one_is_told() {
    let (seen, differs) = run(
        7,
        &[
            (4, b"EFGH".to_vec()),
            (2, b"cdef".to_vec()),
            (0, b"ab".to_vec()),
        ],
        false,
    );
    assert!(differs);
    let all: Vec<u8> = seen.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(all, b"abcdEFGH");
}

#[test]
fn what_the_capture_cut_off_is_a_gap() {
    let (mut stream, mut seen) = (Stream::new(0), Vec::new());
    let mut sink = |gap: u64, bytes: &[u8]| seen.push((gap, bytes.len()));
    stream.segment(0, b"abc", 7, None, &mut room(), &mut sink);
    stream.segment(10, b"de", 0, None, &mut room(), &mut sink);
    assert_eq!(seen, [(0, 3), (7, 0), (0, 2)]);
}

#[test]
fn bounds_give_up_what_is_missing() {
    let (mut stream, mut seen) = (Stream::new(0), 0_u64);
    let mut sink = |gap: u64, bytes: &[u8]| seen += gap + u64::try_from(bytes.len()).unwrap();
    let mut room = room();
    // Single bytes with holes between them: 256 pieces are held, then the first hole is given up.
    for n in 1..=2_000_u32 {
        stream.segment(n * 2, b"x", 0, None, &mut room, &mut sink);
        assert!(stream.held_bytes() <= HELD_PIECES_MAX);
    }
    assert_eq!(room.overflows, 2_000 - 256);
    stream.close(&mut sink);
    room.max = 0;
    stream.segment(10_000, b"y", 0, None, &mut room, &mut sink);
    assert_eq!((room.refused, seen), (1, 10_001));
}
