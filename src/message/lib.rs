//! The typed, versioned messages between `sense` and `serve`.
//!
//! Plain data only: no behaviour beyond formatting itself. `tapir analyze` passes the same values in
//! memory that `tapir run` passes over its socket pair.
//!
//! Units: times are nanoseconds since the Unix epoch, from packets; scores are 0–100.

#![forbid(unsafe_code)]

mod breach;
mod decision;
mod device;
mod health;
mod incident;
mod mac;
mod memory;
mod mirror;
mod rate;
mod ruling;
mod service;
mod stats;
mod time;
mod to_sense;
mod to_serve;

pub use breach::{Breach, Class, Term};
pub use decision::{Action, Blast, Decision, Mode, Response, ResponseState, Target, Verdict};
pub use device::{Address, Claim, Device, DeviceName, DeviceUser, Judgement, Merge, Reason};
pub use health::{Health, LinkState, QueueHealth};
pub use incident::{Incident, Moment};
pub use mac::MacAddr;
pub use memory::{Memory, RoomMemory};
pub use mirror::{Grade, Mirror, MirrorCause, MirrorFigures, MirrorVlan};
pub use rate::Rate;
pub use ruling::{Ruling, Says};
pub use service::{ServiceTotal, ServiceUse};
pub use stats::{ProtocolStats, Stats, Warning};
pub use time::Timestamp;
pub use to_sense::ToSense;
pub use to_serve::{Final, Notice, Numbered, RecordLines, ToServe};

/// Version of the message set; both processes refuse a partner that speaks another.
pub const VERSION: u16 = 6;
