//! What is told at first sight and then only once in a while.
//!
//! Bounds: so many within that while; more are not told, and counted.

use std::hash::Hash;

use crate::types::{Held, Map, Seed, Timestamp};

/// When each was last told.
#[derive(Debug)]
pub(super) struct News<K> {
    told: Map<K, Timestamp>,
    swept: Timestamp,
    entries_max: usize,
    again_ns: i64,
}

impl<K: Copy + Eq + Hash> News<K> {
    /// Nothing was told; each is told again after `again_ns`.
    pub(super) fn new(entries_max: usize, again_ns: i64, seed: Seed) -> Self {
        Self {
            told: Map::new(entries_max, seed),
            swept: Timestamp::MIN,
            entries_max,
            again_ns,
        }
    }

    /// Whether to tell of what was seen at `ts`; notes that it was told.
    pub(super) fn is_news(&mut self, ts: Timestamp, key: K, refused: &mut u64) -> bool {
        let again_ns = self.again_ns;
        if let Some(last) = self.told.get_mut(&key) {
            let news = ts.since(*last) >= again_ns;
            if news {
                *last = ts;
            }
            return news;
        }
        if self.told.len() >= self.entries_max && ts.since(self.swept) >= again_ns {
            self.swept = ts;
            self.told.retain(|_, last| ts.since(*last) < again_ns);
        }
        let room = self.told.insert(key, ts);
        if !room {
            *refused = refused.saturating_add(1);
        }
        room
    }

    /// Time leapt: everything is news again.
    pub(super) fn clear(&mut self) {
        self.told.retain(|_, _| false);
        self.swept = Timestamp::MIN;
    }

    /// Bytes of what is remembered, under a name.
    pub(super) fn held(&self, what: &'static str) -> Held {
        let bound = Map::<K, Timestamp>::table_bound(self.entries_max);
        Held::new(what, self.told.table_bytes(), bound)
    }
}
