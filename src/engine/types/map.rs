//! A map with a bound and a key of its own.
//!
//! Bounds: `insert` refuses beyond the bound and counts; the caller decides what to evict first.
//! Order:  none is offered: what goes out is sorted by the caller, so the hash key never shows.

use std::hash::{BuildHasher as _, Hash};

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The per-boot key of every hash table. It may change the order of nothing that is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The hasher for this key.
    #[must_use]
    pub fn hasher(self) -> SeedableRandomState {
        // Leaked once per process and key: 48 bytes, a handful of keys in a test run.
        static SHARED: std::sync::OnceLock<SharedSeed> = std::sync::OnceLock::new();
        let shared = SHARED.get_or_init(|| SharedSeed::from_u64(0x7461_7069_7200_0001));
        SeedableRandomState::with_seed(self.0, shared)
    }
}

/// A bounded hash map that offers no iteration in hash order.
pub struct Map<K, V> {
    table: HashTable<(K, V)>,
    hasher: SeedableRandomState,
    entries_max: usize,
    refused: u64,
}

impl<K, V> std::fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Map")
            .field("len", &self.table.len())
            .finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, V> Map<K, V> {
    /// An empty map of at most `entries_max` entries.
    #[must_use]
    pub fn new(entries_max: usize, seed: Seed) -> Self {
        Self {
            table: HashTable::new(),
            hasher: seed.hasher(),
            entries_max,
            refused: 0,
        }
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// How many insertions were refused at the bound.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        let hash = self.hasher.hash_one(key);
        self.table.find(hash, |(k, _)| k == key).map(|(_, v)| v)
    }

    /// The value of `key`, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let hash = self.hasher.hash_one(key);
        self.table.find_mut(hash, |(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets `key` to `value`. False, and counted, if the key is new and the map is full.
    pub fn insert(&mut self, key: K, value: V) -> bool {
        if let Some(old) = self.get_mut(&key) {
            *old = value;
            return true;
        }
        if self.table.len() >= self.entries_max {
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        let hash = self.hasher.hash_one(&key);
        let hasher = &self.hasher;
        self.table
            .insert_unique(hash, (key, value), |(k, _)| hasher.hash_one(k));
        true
    }

    /// The value of `key`, made by `make` if absent; `None`, and counted, if the map is full.
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> Option<&mut V> {
        let hash = self.hasher.hash_one(&key);
        let is_full = self.table.len() >= self.entries_max;
        let hasher = &self.hasher;
        // A full table is not grown for what it refuses.
        if is_full {
            let found = self.table.find_mut(hash, |(k, _)| *k == key);
            if found.is_none() {
                self.refused = self.refused.saturating_add(1);
            }
            return found.map(|(_, value)| value);
        }
        let same = |(k, _): &(K, V)| *k == key;
        match self.table.entry(hash, same, |(k, _)| hasher.hash_one(k)) {
            Entry::Occupied(found) => Some(&mut found.into_mut().1),
            Entry::Vacant(free) => Some(&mut free.insert((key, make())).into_mut().1),
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let hash = self.hasher.hash_one(key);
        let entry = self.table.find_entry(hash, |(k, _)| k == key).ok()?;
        Some(entry.remove().0.1)
    }

    /// Keeps the entries for which `keep` says so. `keep` must not depend on the order of calls.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.table.retain(|(k, v)| keep(k, v));
    }

    /// All entries in the order of their keys.
    pub fn sorted(&self) -> Vec<(&K, &V)>
    where
        K: Ord,
    {
        let mut all: Vec<_> = self.table.iter().map(|(k, v)| (k, v)).collect();
        all.sort_unstable_by(|a, b| a.0.cmp(b.0));
        all
    }
}

impl<K, V> Map<K, V> {
    /// Bytes asked of the allocator.
    pub(super) fn allocated(&self) -> usize {
        self.table.allocation_size()
    }

    /// The sum of something over all entries, which is the same in any order.
    pub fn sum(&self, of: impl Fn(&K, &V) -> usize) -> usize {
        let each = self.table.iter().map(|(key, value)| of(key, value));
        each.fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_at_its_bound_and_counts() {
        let mut map = Map::new(2, Seed(1));
        assert!(map.insert(1, 'a') && map.insert(2, 'b'));
        assert!(!map.insert(3, 'c'));
        assert!(map.insert(2, 'd'));
        assert_eq!((map.refused(), map.len(), map.get(&2)), (1, 2, Some(&'d')));
        assert_eq!(map.remove(&1), Some('a'));
        assert_eq!(map.sorted(), [(&2, &'d')]);
    }

    #[test]
    fn order_does_not_depend_on_the_seed() {
        let fill = |seed| {
            let mut map = Map::new(100, Seed(seed));
            (0..100).for_each(|n| assert!(map.insert(n, n)));
            format!("{:?}", map.sorted())
        };
        assert_eq!(fill(1), fill(2));
    }
}
