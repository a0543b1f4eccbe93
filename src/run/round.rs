//! Rounds: how much is read before the analysis is told of it.
//!
//! Rounds end after the same frames with any number of workers. Where time hardly moves over
//! [`EXACT_EVERY`] of them (a flood, a file of equal times) the workers settle their timers exactly and
//! everything is released, so that what waits to be sorted stays small.

use tapir_engine::types::Timestamp;

/// Frames a round.
pub(super) const ROUND_FRAMES: usize = 1_024;
/// Bytes a round, so that large frames, and what parsers make of them, do not pile up.
pub(super) const ROUND_BYTES: usize = 256 * 1024;
/// Rounds after which time must have moved on by [`MOVED_NS`].
const EXACT_EVERY: usize = 8;
/// Two ticks of the flow table's timing wheel: a watermark lags by less than one.
const MOVED_NS: i64 = 1 << 28;

/// Why a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boundary {
    /// It was full.
    Full,
    /// It was full, and time hardly moves.
    Exact,
    /// Some of the flows that end with the epoch or the input; more come.
    Part,
    /// The next frame begins a new epoch.
    Epoch,
    /// Everything up to the end of a live run is read; the others' end is awaited.
    Drained,
    /// The input is over.
    End,
}

impl Boundary {
    /// Whether no flow lives on after it.
    pub(super) fn ends_flows(self) -> bool {
        matches!(self, Self::Epoch | Self::End)
    }
}

/// Says when a round is full. It sees only the input, so it says the same for any number of workers.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    frames: usize,
    bytes: usize,
    /// Rounds since time was last looked at, and that time.
    rounds: usize,
    since: Option<Timestamp>,
}

impl Rounds {
    /// Whether the round that ends at `until` is over, and how, before a frame is added.
    #[inline]
    pub(super) fn over(&mut self, until: Timestamp) -> Option<Boundary> {
        let is_over = self.frames >= ROUND_FRAMES || self.bytes >= ROUND_BYTES;
        is_over.then(|| self.close(until))
    }

    /// Begins the next round, and says how the old one ends.
    fn close(&mut self, until: Timestamp) -> Boundary {
        (self.frames, self.bytes) = (0, 0);
        self.rounds += 1;
        if self.rounds < EXACT_EVERY {
            return Boundary::Full;
        }
        self.rounds = 0;
        let since = self.since.replace(until);
        let stands = since.is_some_and(|since| until.since(since) < MOVED_NS);
        if stands {
            Boundary::Exact
        } else {
            Boundary::Full
        }
    }

    /// Counts a frame of which so many bytes were captured.
    #[inline]
    pub(super) fn add(&mut self, captured: usize) {
        self.frames += 1;
        self.bytes += captured;
    }
}
