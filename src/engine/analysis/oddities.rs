//! The same oddity of the same device again and again: told while it is news.
//!
//! Rule:   of one name and one originator's address the first [`TOLD_FIRST`] are told, then one in
//!         [`TOLD_STEP`]. All are counted by name, and the models see all of them.
//! Order:  records come in one order, so the same ones are told whatever the number of workers.
//! Bounds: 65,536 pairs of address and name; of those that find no room one in [`TOLD_STEP`] of the name is told.

use std::collections::BTreeMap;

use crate::types::{Held, Map, Seed};

/// Told in a row.
const TOLD_FIRST: u64 = 25;
/// Of the later ones, one in so many.
const TOLD_STEP: u64 = 1_000;
/// Pairs of address and name.
const PAIRS_MAX: usize = 65_536;

/// What was odd, how often.
#[derive(Debug)]
pub(super) struct Oddities {
    pairs: Map<(u128, &'static str), u64>,
    names: BTreeMap<&'static str, u64>,
}

impl Oddities {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            pairs: Map::new(PAIRS_MAX, seed),
            names: BTreeMap::new(),
        }
    }

    /// Counts one of the flow that the address of these bits began. Whether it is to be told.
    pub(super) fn is_news(&mut self, bits: u128, name: &'static str) -> bool {
        let count = self.names.entry(name).or_default();
        *count = count.saturating_add(1);
        let Some(pair) = self.pairs.entry((bits, name), || 0) else {
            return count.is_multiple_of(TOLD_STEP);
        };
        *pair = pair.saturating_add(1);
        *pair <= TOLD_FIRST || pair.is_multiple_of(TOLD_STEP)
    }

    /// All names with their counts, in order.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.names.iter().map(|(name, count)| (*name, *count))
    }

    /// Pairs refused at the bound.
    pub(super) fn refused(&self) -> u64 {
        self.pairs.refused()
    }

    /// Bytes of the pairs.
    pub(super) fn held(&self) -> Held {
        let bound = Map::<(u128, &'static str), u64>::table_bound(PAIRS_MAX);
        Held::new("oddities", self.pairs.table_bytes(), bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_told_and_then_few() {
        let mut oddities = Oddities::new(Seed(1));
        let told = (1..=3_000_u32).filter(|_| oddities.is_news(7, "a"));
        let expected: Vec<u32> = (1..=25).chain([1_000, 2_000, 3_000]).collect();
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert!(oddities.is_news(8, "a") && oddities.is_news(7, "b"));
        let counts: Vec<_> = oddities.counts().collect();
        assert_eq!(counts, [("a", 3_001), ("b", 1)]);
    }

    #[test]
    fn beyond_the_bound_the_name_alone_decides() {
        let mut oddities = Oddities::new(Seed(1));
        let told = (0..100_000)
            .filter(|bits| oddities.is_news(*bits, "a"))
            .count();
        assert_eq!(told, PAIRS_MAX + 100 - PAIRS_MAX / 1_000);
        assert_eq!(oddities.refused(), 100_000 - 65_536);
    }
}
