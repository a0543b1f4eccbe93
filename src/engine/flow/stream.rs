//! Stream bytes of one direction in order, while somebody wants them.
//!
//! Input:  segments as they come, and what the receiver acknowledges.
//! Output: each byte once and in order, straight from the frame where nothing is missing before it; a
//!         gap is told when its receiver acknowledged it, when a bound is met, and at the end.
//! Policy: of two copies of a byte the first to arrive counts, as with most receivers for what is in
//!         order. Copies that differ are told, whether the first is still held out of order or was handed
//!         out, until its receiver has acknowledged it: later copies are dropped by any receiver.
//! Bounds: 256 KiB and 256 pieces held out of order a direction, and what [`Room`] leaves in all; the
//!         last 2 KiB handed out are kept for comparison.

use std::collections::VecDeque;

use super::tcp::ahead;

/// Most bytes held out of order, one direction.
const HELD_BYTES_MAX: usize = 256 * 1024;
/// Most pieces held apart, one direction.
const HELD_PIECES_MAX: usize = 256;

/// Most bytes kept that were handed out. A head that parsers decide on is rarely longer; bulk is not
/// worth a copy.
const RECENT_BYTES_MAX: usize = 2 * 1024;

/// Bytes that all flows together may still hold.
#[derive(Debug)]
pub struct Room {
    /// Bytes held now.
    pub used: usize,
    /// Most bytes held.
    pub max: usize,
    /// How often there was no room.
    pub refused: u64,
    /// How often one stream met its own bound.
    pub overflows: u64,
}

impl Room {
    /// Whether `bytes` more fit; counted if not.
    pub fn fits(&mut self, bytes: usize) -> bool {
        let fits = self.used.saturating_add(bytes) <= self.max;
        if !fits {
            self.refused = self.refused.saturating_add(1);
        }
        fits
    }

    /// Something that held `before` bytes holds `after` now.
    pub fn changed(&mut self, before: usize, after: usize) {
        self.used = self.used.saturating_sub(before).saturating_add(after);
    }
}

/// See the module.
#[derive(Debug)]
pub struct Stream {
    expect: u32,
    /// Whether `expect` is known; if not, the first segment tells it.
    begun: bool,
    held: VecDeque<Piece>,
    held_bytes: usize,
    /// The bytes before `expect` as they were handed out, as far as they are kept.
    recent: Vec<u8>,
    /// Whether what is handed out now is worth comparing.
    watched: bool,
}

/// Bytes held out of order.
#[derive(Debug)]
struct Piece {
    seq: u32,
    data: Vec<u8>,
}

impl Piece {
    /// Sequence number behind its last byte.
    fn end(&self) -> u32 {
        self.seq.wrapping_add(len32(&self.data))
    }
}

/// Length in sequence space.
fn len32(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

/// `data` from `skip` bytes on.
fn from(data: &[u8], skip: u32) -> &[u8] {
    usize::try_from(skip)
        .ok()
        .and_then(|skip| data.get(skip..))
        .unwrap_or_default()
}

impl Stream {
    /// A stream whose next byte has sequence number `expect`.
    #[must_use]
    pub fn new(expect: u32) -> Self {
        Self {
            expect,
            begun: true,
            held: VecDeque::new(),
            held_bytes: 0,
            recent: Vec::new(),
            watched: true,
        }
    }

    /// A stream that begins with whatever segment comes first.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            begun: false,
            ..Self::new(0)
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes kept that were handed out.
    #[must_use]
    pub fn recent_bytes(&self) -> usize {
        self.recent.len()
    }

    /// Says whether what is handed out from here on is worth comparing with other copies.
    #[inline]
    pub fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// Sequence number of the next byte.
    #[must_use]
    pub fn expect(&self) -> u32 {
        self.expect
    }

    /// Takes a segment; `cut` bytes behind `data` were not captured. `acked` is what the receiver has
    /// acknowledged so far. `sink` gets gap and bytes. True if a byte came again and differed.
    pub fn segment(
        &mut self,
        seq: u32,
        data: &[u8],
        cut: u32,
        acked: Option<u32>,
        room: &mut Room,
        sink: &mut impl FnMut(u64, &[u8]),
    ) -> bool {
        let mut differs = false;
        if !std::mem::replace(&mut self.begun, true) {
            self.expect = seq;
        }
        if let Some(distance) = ahead(self.expect, seq).filter(|n| *n > 0) {
            if distance >= 1 << 30 {
                return false;
            }
            if !data.is_empty() {
                differs = self.hold(seq, data, room, sink);
            }
            if let Some(acked) = acked {
                self.acked(acked, sink);
            }
            return differs;
        }
        if seq != self.expect {
            differs = self.contradicts(seq, data, acked);
        }
        let fresh = from(data, self.expect.wrapping_sub(seq));
        if !fresh.is_empty() {
            differs |= self.differs(self.expect, fresh);
            if let Some(acked) = acked {
                self.forget(acked);
            }
            self.hand(0, fresh, sink);
        }
        let end = seq.wrapping_add(len32(data)).wrapping_add(cut);
        if cut > 0 && ahead(self.expect, end).is_some() {
            let gap = end.wrapping_sub(self.expect);
            self.hand(gap, &[], sink);
        }
        self.drain(0, sink);
        differs
    }

    /// The receiver has everything before `ack`: what is missing there will not come.
    pub fn acked(&mut self, ack: u32, sink: &mut impl FnMut(u64, &[u8])) {
        while let Some(first) = self.held.front() {
            if ahead(first.seq, ack).is_none() {
                return;
            }
            self.skip_to_held(sink);
        }
    }

    /// Nothing more comes: hands out what is held.
    pub fn close(&mut self, sink: &mut impl FnMut(u64, &[u8])) {
        while !self.held.is_empty() {
            self.skip_to_held(sink);
        }
    }

    /// Gives up what is missing before the first piece held.
    fn skip_to_held(&mut self, sink: &mut impl FnMut(u64, &[u8])) {
        let Some(first) = self.held.front() else {
            return;
        };
        let gap = ahead(self.expect, first.seq).unwrap_or(0);
        self.drain(gap, sink);
    }

    /// Hands out the pieces that are in order, the first of them `gap` bytes ahead.
    fn drain(&mut self, mut gap: u32, sink: &mut impl FnMut(u64, &[u8])) {
        while let Some(first) = self.held.front() {
            if ahead(self.expect.wrapping_add(gap), first.seq).is_some_and(|n| n > 0) {
                return;
            }
            let Some(piece) = self.held.pop_front() else {
                return;
            };
            self.held_bytes = self.held_bytes.saturating_sub(piece.data.len());
            let known = self.expect.wrapping_add(gap).wrapping_sub(piece.seq);
            let fresh = from(&piece.data, known);
            if !fresh.is_empty() {
                self.hand(std::mem::take(&mut gap), fresh, sink);
            }
        }
    }

    /// Hands out what comes `gap` bytes behind the last.
    fn hand(&mut self, gap: u32, fresh: &[u8], sink: &mut impl FnMut(u64, &[u8])) {
        if gap > 0 || !self.watched {
            self.recent.clear();
        }
        self.expect = self.expect.wrapping_add(gap).wrapping_add(len32(fresh));
        if self.watched {
            let last = fresh.len().saturating_sub(RECENT_BYTES_MAX);
            let last = fresh.get(last..).unwrap_or(fresh);
            let sum = self.recent.len().saturating_add(last.len());
            let excess = sum.saturating_sub(RECENT_BYTES_MAX);
            self.recent.drain(..excess.min(self.recent.len()));
            self.recent.extend_from_slice(last);
        }
        sink(u64::from(gap), fresh);
    }

    /// What lies before `acked` need not be compared any more.
    fn forget(&mut self, acked: u32) {
        if self.recent.is_empty() {
            return;
        }
        let open =
            ahead(acked, self.expect).map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let known = self.recent.len().saturating_sub(open);
        self.recent.drain(..known);
    }

    /// Whether a byte handed out and not acknowledged comes again with another value; `seq` lies before
    /// what is expected.
    fn contradicts(&self, seq: u32, data: &[u8], acked: Option<u32>) -> bool {
        // Counted backwards from what is expected.
        let back = |seq: u32| {
            let distance = ahead(seq, self.expect).unwrap_or(0);
            usize::try_from(distance).unwrap_or(usize::MAX)
        };
        let begin = back(seq);
        let open = acked.map_or(usize::MAX, back);
        let from = begin.min(open).min(self.recent.len());
        let to = back(seq.wrapping_add(len32(data)));
        let again = data.get(begin.saturating_sub(from)..begin.saturating_sub(to));
        let known = self.recent.len();
        let first = self
            .recent
            .get(known.saturating_sub(from)..known.saturating_sub(to));
        from > to && again != first
    }

    /// Holds the parts of a segment that are not held yet. True if a part held differs.
    fn hold(
        &mut self,
        seq: u32,
        data: &[u8],
        room: &mut Room,
        sink: &mut impl FnMut(u64, &[u8]),
    ) -> bool {
        let overflow = self.held_bytes.saturating_add(data.len()) > HELD_BYTES_MAX
            || self.held.len() >= HELD_PIECES_MAX;
        room.overflows = room.overflows.saturating_add(u64::from(overflow));
        if overflow || !room.fits(data.len()) {
            // At the bound what is missing is given up; the segment may be in order then.
            self.skip_to_held(sink);
            return match ahead(self.expect, seq) {
                Some(0) | None => self.segment(seq, data, 0, None, room, sink),
                Some(gap) if self.held.is_empty() => {
                    self.hand(gap, data, sink);
                    false
                }
                Some(_) => self.insert(seq, data),
            };
        }
        self.insert(seq, data)
    }

    /// Puts the parts of a segment between the pieces held.
    fn insert(&mut self, seq: u32, data: &[u8]) -> bool {
        let differs = self.differs(seq, data);
        let mut rest = data;
        let mut at = seq;
        // The first piece that ends behind the segment's start; those before it do not matter.
        let base = self.expect;
        let mut index = self
            .held
            .partition_point(|p| p.end().wrapping_sub(base) < at.wrapping_sub(base));
        while !rest.is_empty() {
            let (len, covered) = match self.held.get(index) {
                Some(piece) => match ahead(piece.seq, at) {
                    Some(inside) if inside < len32(&piece.data) => {
                        (0, len32(&piece.data).wrapping_sub(inside))
                    }
                    Some(_) => (0, 0),
                    None => (piece.seq.wrapping_sub(at).min(len32(rest)), 0),
                },
                None => (len32(rest), 0),
            };
            if len > 0 {
                let Some((new, behind)) = rest.split_at_checked(usize::try_from(len).unwrap_or(0))
                else {
                    break;
                };
                index = self.put(index, at, new);
                (rest, at) = (behind, at.wrapping_add(len));
            } else {
                let skip = covered.min(len32(rest));
                (rest, at) = (from(rest, skip), at.wrapping_add(skip));
                index = index.saturating_add(1);
            }
        }
        differs
    }

    /// Puts new bytes before piece `index`, joined to the piece before if they touch. Returns the index
    /// of the piece behind them.
    fn put(&mut self, index: usize, seq: u32, data: &[u8]) -> usize {
        self.held_bytes = self.held_bytes.saturating_add(data.len());
        for before in [Some(index), index.checked_sub(1)].into_iter().flatten() {
            if let Some(piece) = self.held.get_mut(before)
                && piece.end() == seq
            {
                piece.data.extend_from_slice(data);
                return before.saturating_add(1);
            }
        }
        self.held.insert(
            index,
            Piece {
                seq,
                data: data.to_vec(),
            },
        );
        index.saturating_add(1)
    }

    /// Whether a byte of `data` at `seq` is held with another value.
    fn differs(&self, seq: u32, data: &[u8]) -> bool {
        let end = seq.wrapping_add(len32(data));
        self.held.iter().any(|piece| {
            let (start, stop) = match (ahead(seq, piece.seq), ahead(piece.end(), end)) {
                (Some(_), Some(_)) => (piece.seq, piece.end()),
                (Some(_), None) => (piece.seq, end),
                (None, Some(_)) => (seq, piece.end()),
                (None, None) => (seq, end),
            };
            let Some(len) = ahead(start, stop).filter(|n| *n > 0) else {
                return false;
            };
            let cut = |bytes, base: u32| {
                let bytes = from(bytes, start.wrapping_sub(base));
                usize::try_from(len)
                    .ok()
                    .and_then(|len| bytes.get(..len))
                    .unwrap_or(bytes)
            };
            cut(data, seq) != cut(&piece.data, piece.seq)
        })
    }
}

impl Stream {
    /// Bytes asked of the allocator.
    #[must_use]
    pub fn allocated(&self) -> usize {
        let places = self.held.capacity().saturating_mul(size_of::<Piece>());
        let pieces = self.held.iter().map(|piece| piece.data.capacity());
        let pieces = pieces.fold(places, usize::saturating_add);
        pieces.saturating_add(self.recent.capacity())
    }
}

#[cfg(test)]
mod tests;
