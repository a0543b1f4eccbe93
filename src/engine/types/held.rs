//! Memory that a room holds, and the most it may hold.
//!
//! Counted is what is asked of the allocator: entries by their size and the room kept for more, and what
//! they point to. The allocator's own rounding up is not in it.

use super::Map;

/// What one room holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What is held, in two or three words.
    pub what: &'static str,
    /// Bytes now.
    pub bytes: usize,
    /// Bytes at its bound.
    pub bound: usize,
}

impl Held {
    /// See the fields.
    #[must_use]
    pub const fn new(what: &'static str, bytes: usize, bound: usize) -> Self {
        Self { what, bytes, bound }
    }
}

impl<K, V> Map<K, V> {
    /// Bytes of the table itself.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        self.allocated()
    }

    /// The same at `entries_max` entries.
    #[must_use]
    pub const fn table_bound(entries_max: usize) -> usize {
        table_bound(entries_max, size_of::<(K, V)>())
    }
}

/// Bytes of a hash table for `entries` of `size` bytes: a power of two of places, of which seven in eight
/// are used, each with a byte of its own; 16 bytes come behind them.
#[must_use]
pub const fn table_bound(entries: usize, size: usize) -> usize {
    let places = entries.saturating_mul(8).div_ceil(7).next_power_of_two();
    places
        .saturating_mul(size.saturating_add(1))
        .saturating_add(16)
}

#[cfg(test)]
mod tests {
    use super::super::Seed;
    use super::*;

    #[test]
    fn a_full_map_is_as_large_as_was_said() {
        for entries in [100, 1_000, 4_096, 20_000] {
            let mut map = Map::<u64, [u8; 24]>::new(entries, Seed(1));
            (0..20_000).for_each(|key| {
                map.insert(key, [0; 24]);
            });
            let bound = Map::<u64, [u8; 24]>::table_bound(entries);
            assert_eq!((map.len(), map.table_bytes()), (entries, bound));
        }
    }
}
