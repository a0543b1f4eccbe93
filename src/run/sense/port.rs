//! The mirror port as a queue sees it: frames, how far time has come, figures.

use tapir_capture::Source;

use super::queue::Published;

/// A queue of a live port.
pub(super) trait Port: Source + Send {
    /// Number of the epoch the queue is in.
    fn epoch(&self) -> u64;
    /// No later frame will carry a time below this; moves on while the port is idle.
    fn watermark_ns(&self) -> i64;
    /// Counters, link, trouble; without the tracker's part.
    fn figures(&mut self) -> Published;
}
