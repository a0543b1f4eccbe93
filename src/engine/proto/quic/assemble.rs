//! CRYPTO frames of one side put in order, until its first handshake message is whole.
//!
//! Standard: RFC 9000 §19.6: frames may come in any order and more than once.
//! Bounds:   16 KiB and 16 separate pieces; beyond that the message is given up. Of a byte that comes
//!           twice the first counts.

use crate::types::heap;

/// Longest beginning of a handshake that is kept.
const BYTES_MAX: usize = 16 * 1024;
/// Pieces that lie apart from each other.
const PIECES_MAX: usize = 16;
/// Type and length of a handshake message.
const HEADER_LEN: usize = 4;

/// What is known of a side's handshake.
#[derive(Debug, Default)]
pub(in crate::proto) struct Assembly {
    bytes: Vec<u8>,
    /// Where bytes are there: begin and end, in order, none touching another.
    pieces: Vec<(usize, usize)>,
    is_given_up: bool,
}

heap!(Assembly: bytes, pieces);

impl Assembly {
    /// Adds a frame; false if a bound forbids it, after which nothing is kept any more.
    pub(in crate::proto) fn add(&mut self, offset: usize, data: &[u8]) -> bool {
        if self.is_given_up || data.is_empty() {
            return !self.is_given_up;
        }
        let end = offset.saturating_add(data.len());
        if end > BYTES_MAX {
            self.give_up();
            return false;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        // The frame is written where nothing is yet, then all pieces it meets become one.
        let (mut begin, mut reach, mut at) = (offset, end, offset);
        let mut apart = Vec::with_capacity(self.pieces.len().saturating_add(1));
        for &(from, to) in &self.pieces {
            if to < offset || from > end {
                apart.push((from, to));
                continue;
            }
            write(&mut self.bytes, (offset, data), at, from);
            at = at.max(to);
            (begin, reach) = (begin.min(from), reach.max(to));
        }
        write(&mut self.bytes, (offset, data), at, end);
        apart.push((begin, reach));
        apart.sort_unstable();
        self.pieces = apart;
        if self.pieces.len() > PIECES_MAX {
            self.give_up();
            return false;
        }
        true
    }

    /// The first message, once it is whole: its type and body.
    pub(in crate::proto) fn message(&self) -> Option<(u8, &[u8])> {
        let &(0, end) = self.pieces.first()? else {
            return None;
        };
        let ([kind, a, b, c], body) = self.bytes.get(..end)?.split_first_chunk::<HEADER_LEN>()?;
        let len = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).ok()?;
        Some((*kind, body.get(..len)?))
    }

    /// Lets go of everything.
    pub(in crate::proto) fn give_up(&mut self) {
        (self.bytes, self.pieces) = (Vec::new(), Vec::new());
        self.is_given_up = true;
    }
}

/// Writes what a frame at `offset` has for the bytes from `at` to `end`.
fn write(bytes: &mut [u8], (offset, data): (usize, &[u8]), at: usize, end: usize) {
    let here = data.get(at.saturating_sub(offset)..end.saturating_sub(offset).min(data.len()));
    let there = bytes.get_mut(at..end.min(offset.saturating_add(data.len())));
    if let (Some(here), Some(there)) = (here, there)
        && here.len() == there.len()
    {
        there.copy_from_slice(here);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_there_when_its_last_hole_is_filled() {
        let mut assembly = Assembly::default();
        // type 1, length 6
        let message = [1, 0, 0, 6, 10, 11, 12, 13, 14, 15];
        assert!(assembly.add(7, &message[7..]));
        assert!(assembly.add(0, &message[..3]));
        assert_eq!(assembly.message(), None);
        assert!(assembly.add(2, &message[2..6]));
        assert_eq!(assembly.message(), None);
        assert!(assembly.add(6, &message[6..8]));
        assert_eq!(assembly.message(), Some((1, &message[4..])));
    }

    #[test]
    fn what_came_first_counts() {
        let mut assembly = Assembly::default();
        assert!(assembly.add(4, &[7, 7]));
        assert!(assembly.add(0, &[1, 0, 0, 4, 8, 8, 8, 8]));
        assert_eq!(assembly.message(), Some((1, &[7, 7, 8, 8][..])));
    }

    #[test]
    fn bounds_hold() {
        let mut assembly = Assembly::default();
        assert!(!assembly.add(BYTES_MAX, &[0]));
        assert!(!assembly.add(0, &[0]), "given up for good");
        let mut assembly = Assembly::default();
        for piece in 0..PIECES_MAX {
            assert!(assembly.add(piece * 2, &[0]));
        }
        assert!(!assembly.add(PIECES_MAX * 2, &[0]));
        assert!(assembly.bytes.is_empty());
    }

    proptest! {
        #[test]
        fn any_split_and_order_gives_the_message(
            body in prop::collection::vec(any::<u8>(), 1..300),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 1..60_usize), 0..30),
        ) {
            let mut message = vec![1, 0, 0, 0];
            message[2..4].copy_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
            message.extend(&body);
            let mut assembly = Assembly::default();
            for (at, len) in cuts {
                let at = at.index(message.len());
                let end = message.len().min(at + len);
                if !assembly.add(at, &message[at..end]) {
                    return Ok(());
                }
            }
            for (index, piece) in message.chunks(50).enumerate() {
                assembly.add(index * 50, piece);
            }
            if !assembly.is_given_up {
                prop_assert_eq!(assembly.message(), Some((1, &body[..])));
            }
        }
    }
}
