//! Which flow may have a key: its hash, and the place of the flow.
//!
//! Open addressing with linear probing: eight entries lie in a cache line, so that nearly every search touches
//! one. The low bits of the hash say where a search begins. What is taken out leaves no mark: the entries
//! behind it move up.
//! Bounds: the table's; it doubles when five eighths are in use, which touches no flow.

use super::table::{Index, NONE, place};
use crate::types::ask;

/// See the module.
pub(super) struct Places {
    slots: Vec<Slot>,
    len: usize,
}

/// An entry; without a flow it is free.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    index: Index,
}

const FREE: Slot = Slot {
    hash: 0,
    index: NONE,
};

/// Slots for so many flows.
const fn slots(len: usize) -> usize {
    let slots = len.saturating_mul(8).div_ceil(5).next_power_of_two();
    if slots < 8 { 8 } else { slots }
}

impl Places {
    /// Room for `len` entries without growing.
    pub(super) fn with_capacity(len: usize) -> Self {
        Self {
            slots: vec![FREE; slots(len)],
            len: 0,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The flow of this hash for which `is` holds.
    #[inline]
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(Index) -> bool) -> Option<Index> {
        let mut at = self.home(hash);
        // Some entry is always free.
        while let Some(slot) = self.slots.get(at).filter(|slot| slot.index != NONE) {
            if slot.hash == hash && is(slot.index) {
                return Some(slot.index);
            }
            at = self.behind(at);
        }
        None
    }

    /// Entries that a search looks at until it finds; `None` if it does not.
    #[cfg(test)]
    pub(super) fn passed(&self, hash: u32, mut is: impl FnMut(Index) -> bool) -> Option<usize> {
        let (mut at, mut passed) = (self.home(hash), 1);
        while self.slots[at].index != NONE {
            if self.slots[at].hash == hash && is(self.slots[at].index) {
                return Some(passed);
            }
            (at, passed) = (self.behind(at), passed + 1);
        }
        None
    }

    /// Asks for where a search for this hash begins.
    #[inline]
    pub(super) fn ask(&self, hash: u32) {
        if let Some(slot) = self.slots.get(self.home(hash)) {
            ask(slot);
        }
    }

    /// The flow that a search for this hash most likely finds, `NONE` if it is not where the search begins.
    #[inline]
    pub(super) fn likely(&self, hash: u32) -> Index {
        let slot = self.slots.get(self.home(hash));
        slot.filter(|slot| slot.hash == hash)
            .map_or(NONE, |slot| slot.index)
    }

    /// Adds a flow.
    #[inline]
    pub(super) fn insert(&mut self, hash: u32, index: Index) {
        self.len = self.len.saturating_add(1);
        if self.len.saturating_mul(8) > self.slots.len().saturating_mul(5) {
            self.grow();
        }
        self.put(Slot { hash, index });
    }

    #[inline]
    fn put(&mut self, new: Slot) {
        let mut at = self.home(new.hash);
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.index == NONE {
                *slot = new;
                return;
            }
            at = self.behind(at);
        }
    }

    #[cold]
    fn grow(&mut self) {
        let twice = vec![FREE; self.slots.len().saturating_mul(2)];
        let old = std::mem::replace(&mut self.slots, twice);
        for slot in old.into_iter().filter(|slot| slot.index != NONE) {
            self.put(slot);
        }
    }

    /// Takes a flow out; false if it is not there.
    pub(super) fn remove(&mut self, hash: u32, index: Index) -> bool {
        let mut free = self.home(hash);
        loop {
            match self.slots.get(free) {
                Some(slot) if slot.index == index => break,
                Some(slot) if slot.index != NONE => free = self.behind(free),
                _ => return false,
            }
        }
        let mask = self.mask();
        let mut at = self.behind(free);
        while let Some(slot) = self.slots.get(at).copied().filter(|s| s.index != NONE) {
            // It may move up unless a search for it begins behind the free place.
            let from_home = at.wrapping_sub(self.home(slot.hash)) & mask;
            if from_home >= at.wrapping_sub(free) & mask {
                self.set(free, slot);
                free = at;
            }
            at = self.behind(at);
        }
        self.set(free, FREE);
        self.len = self.len.saturating_sub(1);
        true
    }

    #[inline]
    fn set(&mut self, at: usize, slot: Slot) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }

    /// Takes all flows out.
    pub(super) fn clear(&mut self) {
        self.slots.fill(FREE);
        self.len = 0;
    }

    /// Bytes of the table.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity().saturating_mul(size_of::<Slot>())
    }

    /// The same with `len` flows.
    pub(super) const fn bytes_bound(len: usize) -> usize {
        slots(len).saturating_mul(size_of::<Slot>())
    }

    /// All flows, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = Index> + '_ {
        let all = self.slots.iter().map(|slot| slot.index);
        all.filter(|index| *index != NONE)
    }

    /// One less than the number of slots, which is a power of two.
    #[inline]
    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }

    #[inline]
    fn home(&self, hash: u32) -> usize {
        place(hash) & self.mask()
    }

    #[inline]
    fn behind(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.mask()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is put in is found until it is taken out, however many share their place, also where the
        /// table's end and its start meet.
        #[test]
        fn as_an_ordered_map(
            steps in proptest::collection::vec((any::<bool>(), 0_u32..12, 0_u32..40), 0..300)
        ) {
            let mut places = Places::with_capacity(1);
            let mut known = BTreeMap::new();
            for (put, low, high) in steps {
                // Twelve homes around the end of the smallest table, the rest of the hash at random.
                let hash = low.wrapping_sub(6) & 0xff | high << 8;
                let index = hash;
                if put && !known.contains_key(&hash) {
                    places.insert(hash, index);
                    known.insert(hash, index);
                } else if !put {
                    prop_assert_eq!(places.remove(hash, index), known.remove(&hash).is_some());
                }
                prop_assert_eq!(places.len(), known.len());
                for (hash, index) in &known {
                    prop_assert_eq!(places.find(*hash, |i| i == *index), Some(*index));
                }
                let mut all: Vec<_> = places.iter().collect();
                all.sort_unstable();
                prop_assert!(all.iter().eq(known.values()));
            }
            places.clear();
            prop_assert!(places.is_empty() && places.iter().next().is_none());
        }
    }
}
