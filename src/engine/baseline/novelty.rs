//! "Was this ever seen before?" in fixed memory.
//!
//! Two Bloom filters that take turns: what is asked is looked up in both, what is new goes into the
//! young one; when that is full or 45 days old, the old one is forgotten.
//! All bits of a thing lie in one cache line (a blocked filter: Putze, Sanders and Singler, "Cache-, Hash- and
//! Space-Efficient Bloom Filters", 2007), as a device heard of seldom has its filters in no cache.
//! Bounds: 4 KiB; one in about 200 new things is taken for old when the young filter is full.

use serde::{Deserialize, Serialize};

use crate::types::{Timestamp, ask};

/// 64-bit words of one filter: 2 KiB.
const WORDS: usize = 256;
/// Words of one cache line.
const LINE: usize = 8;
const LINES: u64 = (WORDS / LINE) as u64;
/// Bits set for one thing.
const HASHES: u32 = 4;
/// Things in the young filter before it becomes the old one.
const THINGS_MAX: u32 = 1_200;
/// Age of the young filter before it becomes the old one.
const AGE_NS: i64 = 45 * 86_400 * 1_000_000_000;

/// A set that forgets the oldest and may take something new for old, never the reverse.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    young: Vec<u64>,
    /// Empty until the first young one grew old.
    old: Vec<u64>,
    /// How the bits lie in both. States saved before there were lines do not say, and their filters are read as
    /// they were written until they are forgotten.
    #[serde(default)]
    young_layout: Layout,
    #[serde(default)]
    old_layout: Layout,
    things: u32,
    since: Option<Timestamp>,
}

/// Where the bits of a thing lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Layout {
    /// Anywhere in the filter.
    #[default]
    Scattered,
    /// In one line of it.
    Lines,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            young: vec![0; WORDS],
            old: Vec::new(),
            young_layout: Layout::Lines,
            old_layout: Layout::Lines,
            things: 0,
            since: None,
        }
    }
}

impl Seen {
    /// Whether `thing` (a hash) was noted before; notes it.
    pub(super) fn note(&mut self, ts: Timestamp, thing: u64) -> bool {
        let since = *self.since.get_or_insert(ts);
        if self.things >= THINGS_MAX || ts.since(since) > AGE_NS {
            std::mem::swap(&mut self.young, &mut self.old);
            self.old_layout = std::mem::replace(&mut self.young_layout, Layout::Lines);
            self.young.clear();
            self.young.resize(WORDS, 0);
            self.things = 0;
            self.since = Some(ts);
        }
        // What the young filter holds needs neither to be noted nor to be looked up in the old one.
        if self.young_layout.holds(&self.young, thing) {
            return true;
        }
        self.things = self.things.saturating_add(1);
        for (word, mask) in self.young_layout.places(thing) {
            if let Some(slot) = self.young.get_mut(word) {
                *slot |= mask;
            }
        }
        self.old_layout.holds(&self.old, thing)
    }

    /// Asks for where `thing` would be noted.
    #[inline]
    pub(super) fn ask(&self, thing: u64) {
        let first = self.young_layout.places(thing).next();
        if let Some(slot) = first.and_then(|(word, _)| self.young.get(word)) {
            ask(slot);
        }
    }

    /// Whether `thing` was noted before.
    #[cfg(test)]
    fn contains(&self, thing: u64) -> bool {
        self.young_layout.holds(&self.young, thing) || self.old_layout.holds(&self.old, thing)
    }
}

impl Layout {
    #[inline]
    fn holds(self, filter: &[u64], thing: u64) -> bool {
        self.places(thing)
            .all(|(word, mask)| filter.get(word).is_some_and(|slot| slot & mask != 0))
    }

    /// Word and bit of each of the hashes.
    #[inline]
    fn places(self, thing: u64) -> impl Iterator<Item = (usize, u64)> {
        // Scattered: double hashing after Kirsch and Mitzenmacher.
        let step = thing.rotate_left(32) | 1;
        // The line by the lowest bits, each bit in it by others.
        let line = usize::try_from(thing % LINES).unwrap_or(0) * LINE;
        (0..HASHES).map(move |n| {
            let (first, bit) = match self {
                Self::Scattered => (0, thing.wrapping_add(step.wrapping_mul(n.into()))),
                Self::Lines => (line, thing >> (16 + 9 * n)),
            };
            let words = if self == Self::Lines { LINE } else { WORDS };
            (first + (bit / 64) as usize % words, 1 << (bit % 64))
        })
    }
}

/// A stable hash of bytes for what was seen and the endpoint tables: the same in every run and state file.
#[must_use]
pub fn stable_hash(parts: &[&[u8]]) -> u64 {
    let all = parts.iter();
    all.fold(StableHash::new(), |hash, part| hash.with(part))
        .end()
}

/// A [`stable_hash`] of which some parts are taken in: FNV-1a with a final mix, keyless on purpose, as it
/// is kept in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StableHash(u64);

impl StableHash {
    /// Of nothing yet.
    pub(super) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in a part.
    #[inline]
    #[must_use]
    pub(super) fn with(self, part: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(step(part.iter().fold(self.0, step), &0xff))
    }

    /// The hash of the parts so far.
    #[inline]
    #[must_use]
    pub(super) const fn end(self) -> u64 {
        let hash = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^ (hash >> 33)
    }
}

impl Seen {
    /// Bytes of both filters.
    pub(super) const BYTES_MAX: usize = 2 * WORDS * size_of::<u64>();

    /// Bytes of those filled so far.
    pub(super) fn allocated(&self) -> usize {
        let words = self.young.capacity().saturating_add(self.old.capacity());
        words.saturating_mul(size_of::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_forgets_the_young_and_seldom_invents() {
        let mut seen = Seen::default();
        let ts = Timestamp::from_secs(1);
        let thing = |n: u32| stable_hash(&[&n.to_be_bytes()]);
        let invented = (0..1_000).filter(|n| seen.note(ts, thing(*n))).count();
        assert!(invented < 10, "{invented}");
        assert!((0..1_000).all(|n| seen.contains(thing(n))));
        let wrong = (5_000..10_000).filter(|n| seen.contains(thing(*n))).count();
        assert!(wrong < 100, "{wrong}");
    }

    /// As many things as a filter takes: one in about 200 that were not among them are held to be.
    #[test]
    fn a_full_filter_seldom_invents() {
        let mut seen = Seen::default();
        let thing = |n: u32| stable_hash(&[&n.to_be_bytes()]);
        for n in 0..THINGS_MAX {
            seen.note(Timestamp::from_secs(1), thing(n));
        }
        let wrong = (100_000..200_000).filter(|n| seen.contains(thing(*n)));
        let wrong = wrong.count();
        assert!((200..700).contains(&wrong), "{wrong}");
    }

    /// What a state of before holds is found until it is the oldest, and what comes after lies in lines.
    #[test]
    fn a_state_without_lines_is_read_as_it_was_written() {
        let thing = |n: u32| stable_hash(&[&n.to_be_bytes()]);
        let mut young = vec![0_u64; WORDS];
        for (word, mask) in (0..500).flat_map(|n| Layout::Scattered.places(thing(n))) {
            young[word] |= mask;
        }
        let saved = serde_json::json!({ "young": young, "old": [], "things": 500, "since": null });
        let mut seen: Seen = serde_json::from_value(saved).unwrap();
        let ts = Timestamp::from_secs(1);
        assert!((0..500).all(|n| seen.note(ts, thing(n))));
        let known = (500..1_300).filter(|n| seen.note(ts, thing(*n))).count();
        assert!(known < 10, "{known}");
        assert_eq!(
            (seen.young_layout, seen.old_layout),
            (Layout::Lines, Layout::Scattered)
        );
        let text = serde_json::to_string(&seen).unwrap();
        let seen: Seen = serde_json::from_str(&text).unwrap();
        assert!((0..1_300).all(|n| seen.contains(thing(n))));
    }
}
