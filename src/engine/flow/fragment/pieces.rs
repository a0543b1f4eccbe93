//! The pieces of one packet. What counts where they overlap is said in `fragment`.

use super::{Outcome, Weirds};
use crate::decode::Fragment;
use crate::types::Timestamp;

/// Bytes of the first piece that are told before the whole is there: the longest transport header.
const START_LEN: usize = 64;

/// What is there of one packet.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) first_ts: Timestamp,
    /// Sorted by offset, none overlapping.
    pieces: Vec<(u32, Vec<u8>)>,
    /// Length of all pieces.
    held: usize,
    /// Length of the whole, once the last piece is there.
    len: Option<u32>,
    pkts: u32,
    ip_bytes: u32,
    /// Fragments overlap and their packet counts for nothing.
    void: bool,
    given_up: bool,
}

impl Pieces {
    pub(super) fn new(first_ts: Timestamp) -> Self {
        Self {
            first_ts,
            pieces: Vec::new(),
            held: 0,
            len: None,
            pkts: 0,
            ip_bytes: 0,
            void: false,
            given_up: false,
        }
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Pieces held.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Lets go of what is held; returns how many fragments were not told of.
    pub(super) fn give_up(&mut self) -> u64 {
        self.given_up = true;
        self.drop_pieces();
        u64::from(self.take_counts().0)
    }

    /// How a piece from `at` to `end` does not fit to the others.
    pub(super) fn oddities(&self, at: Fragment, data: &[u8], end: u32) -> Weirds {
        let mut odd = Weirds::NONE;
        let other_end = match self.len {
            Some(len) => end > len || (!at.more && end != len),
            None => !at.more && end < self.end(),
        };
        if other_end || (at.more && !end.is_multiple_of(8)) {
            odd.add(Weirds::FRAGMENT_SIZE_INCONSISTENCY);
        }
        let first = self
            .pieces
            .partition_point(|piece| behind(piece) <= at.offset);
        let over = self.pieces.get(first..).unwrap_or_default();
        for (offset, held) in over.iter().take_while(|(offset, _)| *offset < end) {
            if *offset == at.offset && held == data {
                continue;
            }
            odd.add(Weirds::FRAGMENT_OVERLAP);
            let (from, to) = ((*offset).max(at.offset), behind_of(*offset, held).min(end));
            if cut(held, *offset, from, to) != cut(data, at.offset, from, to) {
                odd.add(Weirds::FRAGMENT_INCONSISTENCY);
            }
        }
        odd
    }

    /// Takes a piece; `voids` if it voids its packet.
    pub(super) fn take(&mut self, at: Fragment, data: &[u8], end: u32, ip_len: u32, voids: bool) {
        self.pkts = self.pkts.saturating_add(1);
        self.ip_bytes = self.ip_bytes.saturating_add(ip_len);
        if voids {
            self.void = true;
            self.drop_pieces();
        }
        if self.void {
            return;
        }
        if !at.more && self.len.is_none() && self.end() <= end {
            self.len = Some(end);
        }
        self.insert(at.offset, data);
    }

    /// What the pieces make up now.
    pub(super) fn outcome(&mut self) -> Outcome {
        if let Some(payload) = self.whole() {
            let (pkts, bytes) = self.take_counts();
            return Outcome::Whole {
                payload,
                pkts,
                bytes,
            };
        }
        match self.pieces.first() {
            Some((0, start)) => {
                let start = start.get(..START_LEN).unwrap_or(start).to_vec();
                let (pkts, bytes) = self.take_counts();
                Outcome::Begun { start, pkts, bytes }
            }
            _ => Outcome::Held,
        }
    }

    /// Behind the last byte held.
    fn end(&self) -> u32 {
        self.pieces.last().map_or(0, behind)
    }

    fn drop_pieces(&mut self) {
        (self.pieces, self.held) = (Vec::new(), 0);
    }

    fn take_counts(&mut self) -> (u32, u32) {
        (
            std::mem::take(&mut self.pkts),
            std::mem::take(&mut self.ip_bytes),
        )
    }

    /// Puts in what is not there yet.
    fn insert(&mut self, mut at: u32, mut data: &[u8]) {
        let mut index = self.pieces.partition_point(|piece| behind(piece) <= at);
        while !data.is_empty() {
            let Some(piece) = self.pieces.get(index) else {
                self.held = self.held.saturating_add(data.len());
                self.pieces.push((at, data.to_vec()));
                return;
            };
            let new = usize::try_from(piece.0.saturating_sub(at))
                .unwrap_or(0)
                .min(data.len());
            let skip = behind(piece).saturating_sub(at);
            if new > 0 {
                let (part, _) = data.split_at_checked(new).unwrap_or((data, &[]));
                self.held = self.held.saturating_add(part.len());
                self.pieces.insert(index, (at, part.to_vec()));
                index = index.saturating_add(1);
            }
            data = usize::try_from(skip)
                .ok()
                .and_then(|skip| data.get(skip..))
                .unwrap_or_default();
            at = at.saturating_add(skip);
            index = index.saturating_add(1);
        }
    }

    /// The payload, if nothing is missing.
    fn whole(&self) -> Option<Vec<u8>> {
        let len = self.len?;
        if u32::try_from(self.held).is_ok_and(|held| held < len) {
            return None;
        }
        let mut at = 0;
        for piece in &self.pieces {
            if at >= len {
                break;
            }
            if piece.0 != at {
                return None;
            }
            at = behind(piece);
        }
        if at < len {
            return None;
        }
        let mut payload = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        for (_, data) in &self.pieces {
            payload.extend_from_slice(data);
        }
        payload.truncate(usize::try_from(len).unwrap_or(0));
        Some(payload)
    }
}

/// Behind a piece's last byte.
fn behind((offset, data): &(u32, Vec<u8>)) -> u32 {
    behind_of(*offset, data)
}

fn behind_of(offset: u32, data: &[u8]) -> u32 {
    offset.saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX))
}

/// The bytes from `from` to `to` of data that begins at `offset`.
fn cut(data: &[u8], offset: u32, from: u32, to: u32) -> Option<&[u8]> {
    let at = |place: u32| usize::try_from(place.saturating_sub(offset)).unwrap_or(usize::MAX);
    data.get(at(from)..at(to))
}
