//! Memory that a value points to.
//!
//! Counted is what was asked of the allocator, beside the value's own size; [`super::Held`] sums it up.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{Interval, Text, Timestamp};

/// Entries of a full node of the standard library's tree, and of one that is as empty as it may be.
const NODE_LEN_MAX: usize = 11;
const NODE_LEN_MIN: usize = 5;
/// What a node has beside its entries.
const NODE_BYTES: usize = 16;
/// The two counts of a shared value.
const COUNTS_BYTES: usize = 16;

/// See the module.
pub trait Heap {
    /// Bytes pointed to, and what those point to.
    fn heap(&self) -> usize;
}

/// Sums up what some fields point to.
macro_rules! heap_of {
    ($this:ident: $($field:ident),* $(,)?) => {
        0_usize$(.saturating_add($crate::types::Heap::heap(&$this.$field)))*
    };
}

/// Says which fields of a type point to memory.
macro_rules! heap {
    ($name:ty: $($field:ident),* $(,)?) => {
        impl $crate::types::Heap for $name {
            fn heap(&self) -> usize {
                $crate::types::heap_of!(self: $($field),*)
            }
        }
    };
}

pub(crate) use {heap, heap_of};

macro_rules! plain {
    ($($name:ty),* $(,)?) => {$(
        impl Heap for $name {
            fn heap(&self) -> usize {
                0
            }
        }
    )*};
}

plain! {
    bool, u8, u16, u32, u64, u128, usize, i64, f64, &'static str,
    IpAddr, Ipv4Addr, Ipv6Addr, Interval, Timestamp,
}

/// Of some values in a row, of which `capacity` have room.
fn row<'a, T: Heap + 'a>(capacity: usize, values: impl Iterator<Item = &'a T>) -> usize {
    let own = capacity.saturating_mul(size_of::<T>());
    values.map(Heap::heap).fold(own, usize::saturating_add)
}

/// A short text lies in its own value; one of the program's own is nobody's.
impl Heap for Text {
    fn heap(&self) -> usize {
        if self.is_heap_allocated() {
            self.capacity()
        } else {
            0
        }
    }
}

impl Heap for String {
    fn heap(&self) -> usize {
        self.capacity()
    }
}

/// Each of those who share it has its part.
impl Heap for Arc<str> {
    fn heap(&self) -> usize {
        let whole = self.len().saturating_add(COUNTS_BYTES);
        whole.checked_div(Self::strong_count(self)).unwrap_or(whole)
    }
}

impl<T: Heap> Heap for Vec<T> {
    fn heap(&self) -> usize {
        row(self.capacity(), self.iter())
    }
}

impl<T: Heap> Heap for VecDeque<T> {
    fn heap(&self) -> usize {
        row(self.capacity(), self.iter())
    }
}

impl<T: Heap> Heap for Option<T> {
    fn heap(&self) -> usize {
        self.as_ref().map_or(0, Heap::heap)
    }
}

impl<T: Heap> Heap for Box<T> {
    fn heap(&self) -> usize {
        size_of::<T>().saturating_add((**self).heap())
    }
}

impl<T: Heap> Heap for Box<[T]> {
    fn heap(&self) -> usize {
        row(self.len(), self.iter())
    }
}

impl<T: Heap, const N: usize> Heap for [T; N] {
    fn heap(&self) -> usize {
        self.iter().map(Heap::heap).fold(0, usize::saturating_add)
    }
}

impl<A: Heap, B: Heap> Heap for (A, B) {
    fn heap(&self) -> usize {
        self.0.heap().saturating_add(self.1.heap())
    }
}

/// The tree's nodes are estimated: they are at least half full, and a single one is whole. Keys that can be
/// copied point to nothing.
impl<K: Copy, V: Heap> Heap for BTreeMap<K, V> {
    fn heap(&self) -> usize {
        let nodes = match self.len() {
            0 => 0,
            len if len <= NODE_LEN_MAX => 1,
            len => len.div_ceil(NODE_LEN_MIN),
        };
        let node = size_of::<(K, V)>()
            .saturating_mul(NODE_LEN_MAX)
            .saturating_add(NODE_BYTES);
        let values = self.values().map(Heap::heap);
        values.fold(nodes.saturating_mul(node), usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pointed_to_is_counted_once() {
        let mut text = String::with_capacity(40);
        text.push('a');
        // 40 bytes of text, and room for three strings of 24 bytes.
        let mut texts = Vec::with_capacity(3);
        texts.push(text);
        assert_eq!(texts.heap(), 40 + 3 * 24);
        // The vector's own three words lie in the box.
        assert_eq!(Some(Box::new(texts)).heap(), 40 + 3 * 24 + 24);
        // Four bytes and two counts, shared by two.
        let name: Arc<str> = "name".into();
        assert_eq!(name.heap(), 20);
        assert_eq!((name.clone(), name).heap(), 20);
        // Eleven pairs of eight bytes each in one node.
        let map: BTreeMap<u64, u64> = (0..11).map(|n| (n, n)).collect();
        assert_eq!(map.heap(), 11 * 16 + 16);
    }
}
