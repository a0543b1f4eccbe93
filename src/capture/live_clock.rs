//! Time on a live port: the kernel's stamps, judged against a clock that nobody sets.
//!
//! Input:    the stamp of each frame, in the order of the queue, and [`Clocks`].
//! Output:   the time each frame is given; epoch changes; the time an idle queue has reached.
//! Units:    nanoseconds: since the Unix epoch for stamps and times, since start for the clock.
//! Not done: a clock that is set while no frame comes is noticed with the first that do.
//!
//! Each queue has a [`LiveClock`], all share one [`Epochs`]. A stamp is believed when it lies
//! between the queue's *floor* (the highest time it has given out or promised) and the monotonic
//! clock on the epoch's scale, with [`LEAP_NS`] to spare ahead. So a reader that stood still is not
//! taken for a clock that was set: what it finds in its ring is late, but not below its floor.
//!
//! Below the floor: up to [`CLAMP_NS`] it is reordering and held there. Further below, or more than
//! [`LEAP_NS`] ahead, it is held there and counted as weird, until [`AGREE_COUNT`] such frames in a
//! row agree; then a new epoch begins. Frames agree when none lies more than [`CLAMP_NS`] before
//! the latest that agreed, nor further ahead of it than time has passed, with [`LEAP_NS`] to spare.
//!
//! The first queue to decide writes the change into [`Epochs`]; the others find it before their
//! next frame. Frames of the old epoch that still lie in their rings are held at the new floor and
//! do not count towards a change back.

use std::sync::Arc;

use crate::epochs::{Epoch, Epochs, Scale};
use crate::leap::{AGREE_COUNT, CLAMP_NS};

/// A stamp further ahead than this is a clock that was set, not one that was corrected. Larger
/// lets a wrong clock age every flow at once, smaller turns corrections into lost flows.
pub(crate) const LEAP_NS: i64 = 600 * 1_000_000_000;

/// Frames whose time was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockCounts {
    /// Held at the floor: at most 2 s below it.
    pub clamped: u64,
    /// Held at the floor while a leap was not yet believed, or stamped in an epoch that is over.
    pub weird_time: u64,
}

/// What [`LiveClock::judge`] says of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has this time.
    Time(i64),
    /// An epoch has begun; ask again for the same frame.
    Epoch,
}

/// The judge of one queue's stamps.
#[derive(Debug)]
pub(crate) struct LiveClock {
    epochs: Arc<Epochs>,
    scale: Scale,
    /// Offset and end of the epoch before: what was stamped in it is not news.
    old: Option<Scale>,
    /// No time below this is given out.
    floor_ns: i64,
    /// Monotonic time read after the frames at hand had arrived.
    read_ns: i64,
    /// How far an idle queue stays behind the clock.
    lag_ns: i64,
    leap: Leap,
    /// Frames in a row that were clamped, and the highest offset among them.
    late: u32,
    late_offset_ns: i64,
    counts: ClockCounts,
}

/// Frames in a row that agree on a leap.
#[derive(Clone, Copy, Debug, Default)]
struct Leap {
    count: u32,
    ts_ns: i64,
    read_ns: i64,
}

impl LiveClock {
    /// A judge in the latest epoch; `lag_ns` is how long a frame may stay unseen in the ring.
    pub(crate) fn new(epochs: Arc<Epochs>, lag_ns: i64) -> Self {
        let scale = epochs.latest();
        let read_ns = epochs.clocks.monotonic_ns();
        let floor_ns = match scale.epoch.number {
            // What arrived just before is still welcome.
            0 => scale.began_ns.saturating_add(scale.offset_ns) - lag_ns,
            _ => scale.epoch.new_start_ns,
        };
        Self {
            epochs,
            scale,
            old: None,
            floor_ns,
            read_ns,
            lag_ns,
            leap: Leap::default(),
            late: 0,
            late_offset_ns: 0,
            counts: ClockCounts::default(),
        }
    }

    /// Reads the clock; to be called when frames are taken out of the ring, before they are judged.
    pub(crate) fn read(&mut self) {
        self.read_ns = self.epochs.clocks.monotonic_ns();
    }

    /// Says that the ring was found empty after [`LiveClock::read`]: time has passed.
    pub(crate) fn idle(&mut self) {
        // The others may have corrected the scale since this queue last saw a frame.
        if !self.correct(|shared| shared) {
            return;
        }
        self.old = None;
        let now_ns = self.read_ns.saturating_add(self.scale.offset_ns);
        self.floor_ns = self.floor_ns.max(now_ns.saturating_sub(self.lag_ns));
    }

    /// Follows the other queues by one epoch; false if there is none to follow.
    pub(crate) fn follow(&mut self) -> bool {
        if !self.behind() {
            return false;
        }
        self.old = Some(self.scale);
        self.scale = self.epochs.after(self.scale.epoch.number);
        self.floor_ns = self.scale.epoch.new_start_ns;
        self.leap = Leap::default();
        self.late = 0;
        true
    }

    /// Judges the next frame's stamp.
    #[inline]
    pub(crate) fn judge(&mut self, ts_ns: i64) -> Verdict {
        if self.behind() {
            self.follow();
            return Verdict::Epoch;
        }
        let clock_ns = self.read_ns.saturating_add(self.scale.offset_ns);
        if ts_ns >= self.floor_ns && ts_ns <= clock_ns {
            self.leap.count = 0;
            self.late = 0;
            self.old = None;
            self.floor_ns = ts_ns;
            return Verdict::Time(ts_ns);
        }
        self.unusual(ts_ns, clock_ns)
    }

    #[cold]
    fn unusual(&mut self, ts_ns: i64, clock_ns: i64) -> Verdict {
        if self.is_straggler(ts_ns) {
            self.counts.weird_time += 1;
            return Verdict::Time(self.floor_ns);
        }
        let below_ns = self.floor_ns.saturating_sub(ts_ns);
        if below_ns > CLAMP_NS || ts_ns.saturating_sub(clock_ns) > LEAP_NS {
            return self.leap(ts_ns);
        }
        self.leap.count = 0;
        let offset_ns = ts_ns.saturating_sub(self.read_ns);
        if below_ns > 0 {
            self.clamp(offset_ns);
            return Verdict::Time(self.floor_ns);
        }
        // The clock of the day was put forward a little; idle queues must not fall behind it.
        self.late = 0;
        if self.correct(|shared| shared.max(offset_ns)) {
            self.floor_ns = ts_ns;
            return Verdict::Time(ts_ns);
        }
        self.follow();
        Verdict::Epoch
    }

    /// Counts a frame held at the floor. Many in a row are not reordering but a clock put back a
    /// little, and idle queues must not run ahead of it.
    fn clamp(&mut self, offset_ns: i64) {
        self.counts.clamped += 1;
        self.late_offset_ns = match self.late {
            0 => offset_ns,
            _ => self.late_offset_ns.max(offset_ns),
        };
        self.late += 1;
        if self.late >= AGREE_COUNT {
            self.late = 0;
            let late_ns = self.late_offset_ns;
            self.correct(|shared| shared.min(late_ns));
        }
    }

    fn leap(&mut self, ts_ns: i64) -> Verdict {
        let step_ns = ts_ns.saturating_sub(self.leap.ts_ns);
        let passed_ns = self.read_ns.saturating_sub(self.leap.read_ns);
        let agrees = -CLAMP_NS..=passed_ns.saturating_add(LEAP_NS);
        if self.leap.count > 0 && agrees.contains(&step_ns) {
            self.leap.count += 1;
            self.leap.ts_ns = self.leap.ts_ns.max(ts_ns);
        } else {
            self.leap.count = 1;
            self.leap.ts_ns = ts_ns;
        }
        self.leap.read_ns = self.read_ns;
        if self.leap.count < AGREE_COUNT {
            self.counts.weird_time += 1;
            return Verdict::Time(self.floor_ns);
        }
        let start_ns = self.leap.ts_ns;
        let offset_ns = start_ns.saturating_sub(self.read_ns);
        self.epochs
            .begin(self.scale.epoch.number, start_ns, offset_ns);
        self.follow();
        Verdict::Epoch
    }

    /// Whether a frame was stamped before the epoch began, on the scale of the one before. A ring
    /// gives frames in order, so none follows one of this epoch, or an empty ring.
    fn is_straggler(&self, ts_ns: i64) -> bool {
        self.old.is_some_and(|old| {
            let arrived_ns = ts_ns.saturating_sub(old.offset_max_ns);
            let ago_ns = self.scale.began_ns.saturating_sub(arrived_ns);
            (0..=LEAP_NS).contains(&ago_ns)
        })
    }

    /// Moves the scale; false if the epoch is over.
    fn correct(&mut self, correction: impl FnOnce(i64) -> i64) -> bool {
        let corrected = self.epochs.correct(self.scale.epoch.number, correction);
        if let Some(offset_ns) = corrected {
            self.scale.offset_ns = offset_ns;
            self.scale.offset_max_ns = self.scale.offset_max_ns.max(offset_ns);
        }
        corrected.is_some()
    }

    #[inline]
    fn behind(&self) -> bool {
        self.epochs.number() != self.scale.epoch.number
    }

    /// The epoch this queue is in.
    pub(crate) fn epoch(&self) -> Epoch {
        self.scale.epoch
    }

    /// Up to when the epoch before this one lasted, if there was one.
    pub(crate) fn passed_ns(&self) -> Option<i64> {
        let epoch = self.scale.epoch;
        (epoch.number > 0).then_some(epoch.old_end_ns)
    }

    /// No later frame of this queue gets a lower time in this epoch.
    pub(crate) fn watermark_ns(&self) -> i64 {
        self.floor_ns
    }

    /// Frames whose time was changed.
    pub(crate) fn counts(&self) -> ClockCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
