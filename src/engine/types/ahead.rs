//! Memory asked for before it is needed.
//!
//! What is asked for comes while other work is done. A plain read would not do: a core has room for some hundreds of
//! instructions behind one that waits for memory, and then stands still. Asking changes nothing and cannot fail.

use prefetch_index::prefetch_index;

/// Asks for the cache line in which `value` begins.
#[inline]
pub fn ask<T>(value: &T) {
    prefetch_index(std::slice::from_ref(value), 0);
}
