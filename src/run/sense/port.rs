//! The mirror port as a queue sees it: frames, how far time has come, figures.

use tapir_capture::{Batch, SourceError};

use super::queue::Published;

/// A queue of a live port.
pub(super) trait Port: Send {
    /// The next frames, as [`Source::batch`](tapir_capture::Source::batch) gives them.
    fn batch(&mut self) -> Result<Option<Batch<'_>>, SourceError>;
    /// Number of the epoch the queue is in.
    fn epoch(&self) -> u64;
    /// No later frame will carry a time below this; moves on while the port is idle.
    fn watermark_ns(&self) -> i64;
    /// What the kernel dropped, link, trouble; without what the queue and its tracker count.
    fn figures(&mut self) -> Published;
}
