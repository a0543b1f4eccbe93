//! Bytes that the allocator has given and not got back.
//!
//! A thread adds what it takes and gives back to a number of its own, without waiting for others; memory is often given back
//! by another thread than took it, so only the sum of all numbers says something. What was asked for is counted; the
//! allocator's own rounding up is not.
//!
//! Bounds: [`OWN`] threads of a process have a number each, those that come later share one.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};

/// Threads with a number of their own. A thread's place is not given to another when it ends; the daemon's
/// threads that see packets begin with it.
const OWN: usize = 63;

/// A thread's number, in a cache line that no other thread writes to.
#[repr(align(128))]
struct Given(AtomicI64);

static GIVEN: [Given; OWN + 1] = [const { Given(AtomicI64::new(0)) }; OWN + 1];
static THREADS: AtomicUsize = AtomicUsize::new(0);
/// The place of a thread that has not asked for memory yet.
const NOWHERE: usize = usize::MAX;

thread_local! {
    /// This thread's place. Without a destructor and constant at birth: reading it never allocates.
    static PLACE: Cell<usize> = const { Cell::new(NOWHERE) };
}

/// Notes that `taken` bytes were taken and `back` given back.
#[inline]
pub(super) fn note(taken: usize, back: usize) {
    // The difference wraps as the sum does.
    let bytes = taken.wrapping_sub(back).cast_signed() as i64;
    let place = PLACE.get();
    match GIVEN.get(place) {
        // Nobody else writes here: what is read is what was written last.
        Some(Given(own)) if place < OWN => {
            own.store(own.load(Relaxed).wrapping_add(bytes), Relaxed);
        }
        _ => share(place, bytes),
    }
}

/// Finds the thread a place, or adds to the number that is shared.
#[cold]
fn share(mut place: usize, bytes: i64) {
    if place == NOWHERE {
        place = THREADS.fetch_add(1, Relaxed).min(OWN);
        PLACE.set(place);
    }
    if let Some(Given(number)) = GIVEN.get(place) {
        number.fetch_add(bytes, Relaxed);
    }
}

/// Bytes given and not given back, at about this moment; nothing if this is not the program's allocator.
pub(crate) fn given() -> Option<u64> {
    if THREADS.load(Relaxed) == 0 {
        return None;
    }
    let all = GIVEN.iter().map(|one| one.0.load(Relaxed));
    // Between two reads a block may go from one thread to another; that is little, but may be below zero.
    u64::try_from(all.fold(0_i64, i64::wrapping_add).max(0)).ok()
}
