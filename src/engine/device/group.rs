//! Which entries are one machine.
//!
//! An entry keeps its own evidence and its own sums for ever; a link says that it is part of another. So a
//! split gives back both as they were. Links make trees, and the root is the device that is told of; the
//! entries of a tree stand in a ring, so that all are found from each.
//! Bounds: 16 entries are one machine at most, an entry is kept apart from 8 at most, the oldest forgotten.

use serde::{Deserialize, Serialize};
use tapir_message::Merge;

use super::inventory::DeviceIx;
use super::live::Table;
use crate::types::Timestamp;

/// Entries of one machine at most.
pub(super) const MEMBERS_MAX: usize = 16;
/// Per entry.
pub(super) const APART_MAX: usize = 8;
/// Bytes of a name of a person, and of a ground.
pub(super) const WHO_LEN_MAX: usize = 64;
pub(super) const WHY_LEN_MAX: usize = 200;

/// Why two devices cannot be merged or split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// No device goes by this id.
    #[error("no device has the id {0:?}")]
    Unknown(String),
    /// They are one already.
    #[error("{into} and {other} are one device already")]
    One {
        /// Id of the device that stays.
        into: String,
        /// The other id.
        other: String,
    },
    /// There is nothing to split.
    #[error("{0} is merged with no other device")]
    Alone(String),
    /// The bound would be passed.
    #[error("a device is made of {MEMBERS_MAX} merged ones at most")]
    Full,
}

/// What an entry is part of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) into: DeviceIx,
    pub(super) ts: Timestamp,
    /// A person, or none if the evidence said so.
    pub(super) who: Option<String>,
    pub(super) why: String,
    /// Whether the evidence stands even if both are at work at the same time.
    #[serde(default)]
    pub(super) firm: bool,
    /// The last minute that saw both at work, and how many there were on end.
    #[serde(default)]
    pub(super) together: (i64, u8),
}

/// An entry that is another machine, whatever the evidence says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Apart {
    pub(super) from: DeviceIx,
    /// Since when.
    pub(super) ts: Timestamp,
    /// A person, or none if both were seen at work at the same time.
    pub(super) who: Option<String>,
}

/// As much of `text` as is kept.
pub(super) fn cut(text: &str, len_max: usize) -> String {
    let end = text.floor_char_boundary(len_max);
    text.get(..end).unwrap_or_default().to_owned()
}

impl Table {
    /// The device that the entry at `ix` is told of as: itself, unless it is part of another.
    #[inline]
    pub(super) fn main(&self, ix: DeviceIx) -> DeviceIx {
        self.live(ix).map_or(ix, |live| live.main)
    }

    /// Whether the entry at `ix` is a machine by itself.
    #[inline]
    pub(super) fn is_alone(&self, ix: DeviceIx) -> bool {
        self.live(ix).is_none_or(|live| live.next == ix)
    }

    /// The entries that are one machine with that at `ix`, in order of their first frames.
    pub(super) fn members(&self, ix: DeviceIx) -> Vec<DeviceIx> {
        let next = |at: &DeviceIx| self.live(*at).map(|live| live.next).filter(|at| *at != ix);
        let mut all: Vec<_> = std::iter::successors(Some(ix), next).collect();
        all.sort_unstable();
        all
    }

    /// Whether anything forbids that the machines of two entries are held to be one by evidence.
    pub(super) fn are_apart(&self, one: DeviceIx, other: DeviceIx) -> bool {
        let (ones, others) = (self.members(one), self.members(other));
        let parted = |from: &[DeviceIx], to: &[DeviceIx]| {
            let entries = from.iter().filter_map(|ix| self.peek(*ix));
            let mut apart = entries.flat_map(|entry| &entry.apart);
            apart.any(|apart| to.contains(&apart.from))
        };
        parted(&ones, &others) || parted(&others, &ones)
    }

    /// Makes the machine of `link.into` that of the root `other`, too.
    pub(super) fn link(&mut self, other: DeviceIx, link: Link) -> Result<Merge, MergeError> {
        let merge = self.merge_of(other, &link);
        let (ones, others) = (self.members(link.into), self.members(other));
        if ones.contains(&other) {
            let (into, other) = (merge.into, merge.other);
            return Err(MergeError::One { into, other });
        }
        if ones.len().saturating_add(others.len()) > MEMBERS_MAX {
            return Err(MergeError::Full);
        }
        self.ring(self.main(link.into), ones.into_iter().chain(others));
        if let Some(entry) = self.entry_mut(other) {
            entry.link = Some(Box::new(link));
        }
        Ok(merge)
    }

    /// Takes the entry at `ix`, with what was merged into it before, out of the machine that it is part of.
    pub(super) fn unlink(&mut self, ix: DeviceIx) -> Option<Merge> {
        let members = self.members(ix);
        let link = self.entry_mut(ix)?.link.take()?;
        let (stays, goes): (Vec<_>, Vec<_>) = members.iter().partition(|at| self.root(**at) != ix);
        self.ring(self.root(link.into), stays);
        self.ring(ix, goes);
        Some(self.merge_of(ix, &link))
    }

    /// What the entry at `ix` is part of, to change.
    pub(super) fn link_mut(&mut self, ix: DeviceIx) -> Option<&mut Link> {
        self.entry_mut(ix)?.link.as_deref_mut()
    }

    /// Forgets that anything kept two machines apart.
    pub(super) fn allow(&mut self, one: DeviceIx, other: DeviceIx) {
        let (ones, others) = (self.members(one), self.members(other));
        for (from, to) in [(&ones, &others), (&others, &ones)] {
            for ix in from {
                if let Some(entry) = self.entry_mut(*ix) {
                    entry.apart.retain(|apart| !to.contains(&apart.from));
                }
            }
        }
    }

    /// Remembers that two entries are not one machine.
    pub(super) fn keep_apart(&mut self, ix: DeviceIx, apart: Apart) {
        let Some(entry) = self.entry_mut(ix) else {
            return;
        };
        entry.apart.retain(|old| old.from != apart.from);
        if entry.apart.len() >= APART_MAX {
            entry.apart.remove(0);
        }
        entry.apart.push(apart);
    }

    /// Every link, in order of the entries.
    pub(super) fn links(&self) -> impl Iterator<Item = Merge> {
        let each = (0..).map(DeviceIx).take(self.len());
        each.filter_map(|ix| Some(self.merge_of(ix, self.peek(ix)?.link.as_ref()?)))
    }

    /// Makes rings of the links that came with the entries; one that leads nowhere is dropped.
    pub(super) fn relink(&mut self) {
        for ix in (0..).map(DeviceIx).take(self.len()) {
            let link = self.entry_mut(ix).and_then(|entry| entry.link.take());
            if let Some(link) = link.filter(|link| self.peek(link.into).is_some()) {
                // What a saved state says wrongly is not worth more than to be left out.
                drop(self.link(ix, *link));
            }
        }
    }

    /// The end of the links that lead from `ix`.
    fn root(&self, ix: DeviceIx) -> DeviceIx {
        let into = |ix: &DeviceIx| Some(self.peek(*ix)?.link.as_ref()?.into);
        let path = std::iter::successors(Some(ix), into).take(MEMBERS_MAX);
        path.last().unwrap_or(ix)
    }

    /// Makes `members` one ring that is told of as `main`.
    fn ring(&mut self, main: DeviceIx, members: impl IntoIterator<Item = DeviceIx>) {
        let members: Vec<_> = members.into_iter().collect();
        let next = members.iter().cycle().skip(1);
        for (ix, next) in members.iter().zip(next) {
            if let Some(live) = self.live_mut(*ix) {
                (live.main, live.next) = (main, *next);
            }
        }
    }

    fn merge_of(&self, other: DeviceIx, link: &Link) -> Merge {
        let id = |ix| self.peek(ix).map(|entry| entry.device.id.clone());
        Merge {
            ts: link.ts,
            into: id(link.into).unwrap_or_default(),
            other: id(other).unwrap_or_default(),
            who: link.who.clone(),
            why: link.why.clone(),
        }
    }
}
