//! Which notice numbers are in the journal, which are missing, and which were never used.
//!
//! Units:  notice numbers, from 1 on.
//! Bounds: 4,096 holes; the oldest one is then settled: counted for good and no longer filled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Holes kept apart.
const HOLES_MAX: usize = 4_096;
/// Holes told to the operator.
const HOLES_SHOWN: usize = 100;

/// Numbers that were used and never arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// How many.
    pub total: u64,
    /// The latest 100 of them as first and last number, in ascending order.
    pub ranges: Vec<(u64, u64)>,
}

/// What is known of every number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// Whether any number is known at all.
    started: bool,
    /// Nothing is asked about numbers up to this one any more.
    floor: u64,
    /// Highest number known to have been used or passed over.
    high: u64,
    /// Missing numbers up to `floor`.
    settled: u64,
    /// Numbers above `floor` that are in the journal.
    present: Ranges,
    /// Numbers of which it is unknown whether they were ever used.
    skipped: Ranges,
}

impl Ledger {
    /// Whether a number is in the journal.
    pub(super) fn knows(&self, number: u64) -> bool {
        self.started && (number <= self.floor || self.present.contains(number))
    }

    /// A number was journalled.
    pub(super) fn journalled(&mut self, number: u64) {
        self.start_at(number);
        self.high = self.high.max(number);
        self.present.insert(number, number);
        self.settle();
    }

    /// All numbers up to `number` were used. Says whether that was news.
    pub(super) fn used(&mut self, number: u64) -> bool {
        self.start_at(1);
        let news = number > self.high;
        self.high = self.high.max(number);
        news
    }

    /// Numbers go on at `next`; whether those before it were used is unknown. Says whether that was
    /// news.
    pub(super) fn leased(&mut self, next: u64) -> bool {
        let was = self.high;
        let first = !self.started;
        self.start_at(next);
        if !first && next > self.high + 1 {
            self.skipped.insert(self.high + 1, next - 1);
            self.high = next - 1;
        }
        first || self.high != was
    }

    /// Highest number known to have been used or passed over.
    pub(super) const fn high(&self) -> u64 {
        self.high
    }

    /// What is missing.
    pub(super) fn gaps(&self) -> Gaps {
        let mut known = self.present.clone();
        for (first, last) in &self.skipped.0 {
            known.insert(*first, *last);
        }
        let mut gaps = Gaps {
            total: self.settled,
            ranges: known.holes(self.floor, self.high),
        };
        gaps.total += gaps.ranges.iter().map(|(a, b)| b - a + 1).sum::<u64>();
        let old = gaps.ranges.len().saturating_sub(HOLES_SHOWN);
        gaps.ranges.drain(..old);
        gaps
    }

    fn start_at(&mut self, number: u64) {
        if !self.started {
            self.started = true;
            self.floor = number.saturating_sub(1);
            self.high = self.floor;
        }
    }

    /// Takes complete numbers at the low end out of the tables, and keeps the tables bounded.
    fn settle(&mut self) {
        while let Some((first, last)) = self.present.first() {
            let whole = first <= self.floor.saturating_add(1);
            if !whole && self.present.0.len() <= HOLES_MAX {
                break;
            }
            if !whole {
                let holes = self.skipped.holes(self.floor, first - 1);
                self.settled += holes.iter().map(|(a, b)| b - a + 1).sum::<u64>();
            }
            self.floor = self.floor.max(last);
            self.present.0.remove(&first);
        }
        self.skipped.0.retain(|_, last| *last > self.floor);
        while self.skipped.0.len() > HOLES_MAX {
            self.skipped.0.pop_first();
        }
    }
}

/// Numbers as first and last of each run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn insert(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last);
        while let Some((&a, &b)) = self.0.range(..=last.saturating_add(1)).next_back() {
            if b.saturating_add(1) < first {
                break;
            }
            first = first.min(a);
            last = last.max(b);
            self.0.remove(&a);
        }
        self.0.insert(first, last);
    }

    fn contains(&self, number: u64) -> bool {
        let before = self.0.range(..=number).next_back();
        before.is_some_and(|(_, last)| *last >= number)
    }

    fn first(&self) -> Option<(u64, u64)> {
        self.0.first_key_value().map(|(a, b)| (*a, *b))
    }

    /// What is missing above `floor` up to `high`.
    fn holes(&self, floor: u64, high: u64) -> Vec<(u64, u64)> {
        let mut holes = Vec::new();
        let mut next = floor.saturating_add(1);
        for (&first, &last) in &self.0 {
            if first > next && next <= high {
                holes.push((next, (first - 1).min(high)));
            }
            next = next.max(last.saturating_add(1));
        }
        if next <= high {
            holes.push((next, high));
        }
        holes
    }
}

impl From<Vec<(u64, u64)>> for Ranges {
    fn from(pairs: Vec<(u64, u64)>) -> Self {
        let mut ranges = Self::default();
        for (first, last) in pairs.into_iter().filter(|(a, b)| a <= b) {
            ranges.insert(first, last);
        }
        ranges
    }
}

impl From<Ranges> for Vec<(u64, u64)> {
    fn from(ranges: Ranges) -> Self {
        ranges.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(total: u64, ranges: &[(u64, u64)]) -> Gaps {
        Gaps {
            total,
            ranges: ranges.to_vec(),
        }
    }

    #[test]
    fn a_missing_number_is_a_gap_until_it_arrives() {
        let mut ledger = Ledger::default();
        assert!(ledger.leased(1));
        for number in [1, 2, 4, 7] {
            assert!(!ledger.knows(number));
            ledger.journalled(number);
            assert!(ledger.knows(number));
        }
        assert_eq!(ledger.gaps(), gaps(3, &[(3, 3), (5, 6)]));
        ledger.journalled(3);
        assert!(!ledger.knows(6));
        assert_eq!(ledger.gaps(), gaps(2, &[(5, 6)]));
    }

    #[test]
    fn used_numbers_are_missed_and_skipped_ones_are_not() {
        let mut ledger = Ledger::default();
        ledger.leased(1);
        ledger.journalled(1);
        assert!(ledger.used(4));
        assert!(!ledger.used(4));
        assert_eq!(ledger.gaps(), gaps(3, &[(2, 4)]));
        assert!(ledger.leased(1_001));
        ledger.journalled(1_001);
        assert_eq!(ledger.gaps(), gaps(3, &[(2, 4)]));
        ledger.journalled(900);
        assert!(ledger.knows(900) && !ledger.knows(901));
    }

    #[test]
    fn a_journal_that_begins_late_misses_nothing_before() {
        let mut ledger = Ledger::default();
        ledger.leased(5_001);
        ledger.journalled(5_002);
        assert_eq!(ledger.gaps(), gaps(1, &[(5_001, 5_001)]));
    }

    #[test]
    fn the_table_is_bounded_and_the_count_stays() {
        let mut ledger = Ledger::default();
        ledger.leased(1);
        for step in 1..=10_000_u64 {
            ledger.journalled(2 * step);
        }
        assert_eq!(ledger.gaps().total, 10_000);
        assert_eq!(ledger.gaps().ranges.len(), 100);
        assert_eq!(ledger.present.0.len(), HOLES_MAX);
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
    }
}
