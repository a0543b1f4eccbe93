//! Orders into frames: the kill table, the resets, and whether they worked.
//!
//! Input:  an [`Authorised`](crate::policy::Authorised) by value, raw Ethernet frames with their times.
//! Output: at most two reset frames for each frame seen, and responses whenever a state changes.
//! Bounds: 256 entries; a chase of 64 pairs within a second; a held pair's resets 500 pairs a second.
//! Absent: no clock, no socket, no allocation per frame. One thread owns the table.
//! Not done: no ladder of predicted sequence numbers; UDP and QUIC are not cut.

mod bytes;
mod chase;
mod entry;
mod reset;
mod seen;
mod table;

pub use bytes::{ResetFrame, Resets};
pub use entry::KillEntry;
pub use reset::reset;
pub use table::{ENTRIES_MAX, KillTable};

#[cfg(test)]
mod tests;
