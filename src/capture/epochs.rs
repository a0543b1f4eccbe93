//! Epochs: what the queues of one live port agree on about time.
//!
//! Output:   the number of the epoch, when it began, how its times follow from the monotonic clock.
//! Units:    nanoseconds since the Unix epoch for times, since the machine's start for the clock.
//! Bounds:   [`EPOCHS_KEPT`] changes are remembered; a queue further behind begins with the oldest.
//!
//! Read without a lock before each frame (one number), locked where something changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::time::{ClockId, clock_gettime};

/// Changes remembered for queues that have not followed. Each takes 64 frames and a clock set.
pub(crate) const EPOCHS_KEPT: usize = 16;

/// The two clocks of the machine.
pub trait Clocks: Send + Sync {
    /// Time since start, suspension included; nobody can set it.
    fn monotonic_ns(&self) -> i64;

    /// Time of day, by which the kernel stamps frames.
    fn realtime_ns(&self) -> i64;
}

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClocks;

impl Clocks for SystemClocks {
    fn monotonic_ns(&self) -> i64 {
        read(ClockId::CLOCK_BOOTTIME)
    }

    fn realtime_ns(&self) -> i64 {
        read(ClockId::CLOCK_REALTIME)
    }
}

/// Both clocks exist on every Linux, so the call cannot fail; 0 would only hold time still.
fn read(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| {
        time.tv_sec()
            .saturating_mul(1_000_000_000)
            .saturating_add(time.tv_nsec())
    })
}

/// One stretch of time between two settings of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epoch {
    /// 0 for the first.
    pub number: u64,
    /// Time at which the epoch before ended, on its own scale: no queue gave out a later one in
    /// it. 0 for the first epoch.
    pub old_end_ns: i64,
    /// Time at which this one begins: no queue gives out an earlier one in it.
    pub new_start_ns: i64,
}

/// What the queues of one port agree on.
pub struct Epochs {
    pub(crate) clocks: Box<dyn Clocks>,
    /// Number of the latest epoch, read before each frame.
    number: AtomicU64,
    /// Locked when an epoch or its scale changes, and by queues that follow.
    shared: Mutex<Shared>,
}

struct Shared {
    /// The latest epochs, oldest first; never empty.
    epochs: Vec<Scale>,
}

/// An epoch and how its times follow from the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scale {
    pub(crate) epoch: Epoch,
    /// Time of day less monotonic time.
    pub(crate) offset_ns: i64,
    /// The highest the offset has been: no time given out lies above the clock by more.
    pub(crate) offset_max_ns: i64,
    /// Monotonic time at which it began.
    pub(crate) began_ns: i64,
}

impl std::fmt::Debug for Epochs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epochs")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Epochs {
    /// The first epoch, which begins now.
    pub fn new(clocks: Box<dyn Clocks>) -> Arc<Self> {
        // In this order the offset errs upwards, so that no stamp lies above the clock.
        let began_ns = clocks.monotonic_ns();
        let offset_ns = clocks.realtime_ns().saturating_sub(began_ns);
        let first = Scale {
            epoch: Epoch::default(),
            offset_ns,
            offset_max_ns: offset_ns,
            began_ns,
        };
        Arc::new(Self {
            clocks,
            number: AtomicU64::new(0),
            shared: Mutex::new(Shared {
                epochs: vec![first],
            }),
        })
    }

    /// Number of the latest epoch.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// The epoch of this number, if it is still remembered.
    pub fn epoch(&self, number: u64) -> Option<Epoch> {
        let shared = self.lock();
        let mut epochs = shared.epochs.iter().map(|scale| scale.epoch);
        epochs.find(|epoch| epoch.number == number)
    }

    /// The time of day by the latest epoch's scale.
    pub fn time_now(&self) -> i64 {
        let offset_ns = self.latest().offset_ns;
        self.clocks.monotonic_ns().saturating_add(offset_ns)
    }

    pub(crate) fn latest(&self) -> Scale {
        self.lock().latest()
    }

    /// The epoch after `number`, or the oldest remembered if that is gone.
    pub(crate) fn after(&self, number: u64) -> Scale {
        let shared = self.lock();
        let mut epochs = shared.epochs.iter();
        let next = epochs.find(|scale| scale.epoch.number > number);
        next.copied().unwrap_or_else(|| shared.latest())
    }

    /// Begins a new epoch unless another queue has done so since `number`.
    pub(crate) fn begin(&self, number: u64, new_start_ns: i64, offset_ns: i64) {
        let mut shared = self.lock();
        let old = shared.latest();
        if old.epoch.number != number {
            return;
        }
        // Published before the clock is read: a queue that does not yet see it has read the clock,
        // and so given out its time, before this reading.
        self.number.store(number + 1, Ordering::SeqCst);
        let now_ns = self.clocks.monotonic_ns();
        if shared.epochs.len() == EPOCHS_KEPT {
            shared.epochs.remove(0);
        }
        shared.epochs.push(Scale {
            epoch: Epoch {
                number: number + 1,
                old_end_ns: now_ns.saturating_add(old.offset_max_ns),
                new_start_ns,
            },
            offset_ns,
            offset_max_ns: offset_ns,
            began_ns: now_ns,
        });
    }

    /// Moves the scale of epoch `number` with the clock of the day; `None` if that epoch is over.
    pub(crate) fn correct(&self, number: u64, correction: impl FnOnce(i64) -> i64) -> Option<i64> {
        let mut shared = self.lock();
        let latest = shared.epochs.last_mut()?;
        if latest.epoch.number != number {
            return None;
        }
        latest.offset_ns = correction(latest.offset_ns);
        latest.offset_max_ns = latest.offset_max_ns.max(latest.offset_ns);
        Some(latest.offset_ns)
    }

    /// What a thread that panicked left behind is whole: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn latest(&self) -> Scale {
        self.epochs.last().copied().unwrap_or_default()
    }
}
