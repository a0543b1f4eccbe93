//! How the sensor itself is doing: what `tapir show status` shows of `sense`.

use serde::{Deserialize, Serialize};

use crate::{Memory, Mode, Timestamp};

/// State of the mirror port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Up.
    #[default]
    Up,
    /// There, but without a link.
    Down,
    /// No interface of that name.
    Gone,
}

/// Counters of one capture queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueHealth {
    /// Frames read.
    pub packets: u64,
    /// Frames the kernel dropped because the ring was full.
    pub dropped: u64,
    /// Times the kernel found no free block.
    pub freezes: u64,
}

/// How `sense` is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Latest time all workers have reached.
    pub ts: Option<Timestamp>,
    /// Mirror port.
    pub interface: String,
    /// Its state.
    pub link: LinkState,
    /// One entry a queue.
    pub queues: Vec<QueueHealth>,
    /// How long the ring bridges a reader that stands still, in milliseconds.
    pub stall_ms: u64,
    /// Frames put into the record, and frames it had to leave out.
    pub recorded: u64,
    /// See `recorded`.
    pub record_dropped: u64,
    /// Record lines dropped because `serve` did not keep up.
    pub records_dropped: u64,
    /// Notices `serve` has not yet journalled.
    pub notices_waiting: u64,
    /// Breaches, decisions and responses lost before they were journalled.
    pub notices_lost: u64,
    /// Response mode in force.
    pub mode: Mode,
    /// Whether a person has stopped all responses.
    pub stopped: bool,
    /// Reset frames the egress filter refused.
    pub egress_refused: u64,
    /// What it holds in memory, as of the last ten seconds.
    pub memory: Memory,
    /// Why the state is DEGRADED, one sentence each; empty when all is well.
    pub degraded: Vec<String>,
}
