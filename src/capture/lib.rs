//! Capture: frames in, resets out.
//!
//! Input:    capture files (pcap, pcapng, gzip or zstd of either), and ports ([`Ring`]).
//! Output:   [`Frame`]: corrected time, length on the wire, link type, captured bytes; and resets,
//!           through an [`Injector`] that takes nothing else.
//! Units:    nanoseconds since the Unix epoch, as `i64`; lengths in bytes.
//! Bounds:   a frame holds at most [`FRAME_BYTES_MAX`] captured bytes; nothing is allocated per
//!           frame once the read buffers exist.
//!
//! This crate knows nothing of the engine. Time is judged here and nowhere else
//! ([`leap::Clock`] for files, [`Epochs`] for ports), and frames are dealt to workers here
//! ([`deal::dealt_to`]).
#![deny(unsafe_code)]

mod armed;
mod awake;
mod batch;
mod block;
mod blocks;
mod cbpf;
pub mod deal;
mod egress;
mod epochs;
mod error;
mod fanout;
mod file;
mod filter;
mod folder;
mod group;
mod inject;
mod inputs;
mod intake;
mod interface;
pub mod leap;
mod link;
mod live;
mod live_clock;
mod live_error;
mod live_filter;
mod offload;
mod pairs;
mod pcap;
mod pcap_live;
mod pcapng;
mod port_error;
mod record;
mod recorder;
mod report;
mod ring;
mod spin;
mod window;

pub use armed::{Armed, QUEUE_BYTES, Received};
pub use awake::Awake;
pub use batch::{BATCH_FRAMES, Batch, Place};
pub use deal::dealt_to;
pub use egress::{EGRESS_MAX_PER_S, Egress, EgressCounts, EgressError};
pub use epochs::{Clocks, Epoch, Epochs, SystemClocks};
pub use error::SourceError;
pub use group::{Link, Reserve, RingOptions};
pub use inject::{InjectCounts, Injector, RESET_BYTES_MAX, ResetFrame, Sent};
pub use inputs::{FileSource, InputOptions, MERGE_FILES_MAX};
pub use link::LinkType;
pub use live::{Ring, RingCounts};
pub use live_clock::ClockCounts;
pub use live_error::LiveError;
pub use offload::switch_offloads_off;
pub use pairs::PAIRS_MAX;
pub use pcap_live::{PcapCounts, PcapLive};
pub use pcapng::RECORD_COMMENT_START;
pub use port_error::{NameError, PortError};
pub use record::{BATCH_BYTES, BATCHES, RecordGauge, RecordSender, RecordStatus, Recording};
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

/// Where frames come from: files or a live port.
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

    /// The next frames, at least one, where [`Source::next`] would give one: that one and those that lie
    /// ready behind it.
    ///
    /// # Errors
    ///
    /// As `next`.
    fn batch(&mut self) -> Result<Option<Batch<'_>>, SourceError> {
        Ok(self.next()?.map(Batch::One))
    }

    /// How long, in its own time, something lasted that is over by now: after a frame with `epoch`
    /// set, the epoch before it; after the end, the input. `None` where that is not known: then up
    /// to its last frame. Live ports tell, and the records made of them.
    fn passed(&self) -> Option<i64> {
        None
    }

    /// After `next` gave `None`: true when no frame will ever come (files), false when the source
    /// is only idle (a live port).
    fn ended(&self) -> bool;
}
