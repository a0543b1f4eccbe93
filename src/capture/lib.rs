//! Capture: frames in.
//!
//! Input:    capture files (pcap, pcapng, gzip or zstd of either); the live ring will be a second
//!           [`Source`].
//! Output:   [`Frame`]: corrected time, length on the wire, link type, captured bytes.
//! Units:    nanoseconds since the Unix epoch, as `i64`; lengths in bytes.
//! Bounds:   a frame holds at most [`FRAME_BYTES_MAX`] captured bytes; nothing is allocated per
//!           frame once the read buffers exist.
//! Not done: capturing from a port, injecting.
//!
//! This crate knows nothing of the engine. Time is judged here and nowhere else
//! ([`leap::Clock`]), and frames are dealt to workers here ([`deal::dealt_to`]).
#![deny(unsafe_code)]

pub mod deal;
mod error;
mod file;
mod filter;
mod folder;
mod inputs;
mod interface;
pub mod leap;
mod link;
mod pcap;
mod pcapng;
mod report;
mod window;

pub use deal::dealt_to;
pub use error::SourceError;
pub use inputs::{FileSource, InputOptions, MERGE_FILES_MAX};
pub use link::LinkType;
pub use report::{Compression, Damage, DamageKind, FileReport, Format, InputReport, Skipped};

/// Most captured bytes one frame may hold: libpcap's `MAXIMUM_SNAPLEN`. A file that claims more
/// is damaged there; raising it raises the memory one hostile file can ask for.
pub const FRAME_BYTES_MAX: usize = 262_144;

/// One frame, lent by a [`Source`] until it is asked for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Corrected time, nanoseconds since the Unix epoch; runs back only where `epoch` is set.
    pub ts_ns: i64,
    /// Length on the wire; never less than `bytes.len()`.
    pub wire_len: u32,
    /// What `bytes` begins with.
    pub link: LinkType,
    /// First frame after an accepted epoch change: flows are to be flushed before it.
    pub epoch: bool,
    /// The captured bytes; fewer than `wire_len` where the capture was snapped.
    pub bytes: &'a [u8],
}

/// Where frames come from: files now, a live ring later.
pub trait Source {
    /// The next frame, or `None` if there is none at this moment; [`Source::ended`] tells whether
    /// there will be another.
    ///
    /// # Errors
    ///
    /// When the source cannot go on where it is, say a file that has vanished since it was
    /// opened. Asking again goes on behind the obstacle. A damaged file is no error: it is read
    /// up to the damage and its report says so.
    fn next(&mut self) -> Result<Option<Frame<'_>>, SourceError>;

    /// After `next` gave `None`: true when no frame will ever come (files), false when the source
    /// is only idle (a live port).
    fn ended(&self) -> bool;
}
