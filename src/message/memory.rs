//! What a process holds in memory, room by room, beside what the kernel says it has.

use serde::{Deserialize, Serialize};

/// The account of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Resident memory, as the kernel counts it.
    pub rss_bytes: u64,
    /// Sum of the rooms' bytes.
    pub counted_bytes: u64,
    /// Sum of the rooms' bounds.
    pub bound_bytes: u64,
    /// What was counted.
    pub rooms: Vec<RoomMemory>,
}

/// One room's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomMemory {
    /// What is held.
    pub what: String,
    /// Bytes held.
    pub bytes: u64,
    /// Most bytes it may hold; nothing where the input has no say in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_bytes: Option<u64>,
}
