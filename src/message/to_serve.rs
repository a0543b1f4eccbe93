//! From `sense` to `serve`.

use serde::{Deserialize, Serialize};

use crate::{Breach, Device, Incident, Stats, Timestamp};

/// One line of a `*.log`, already formatted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLine {
    /// Record kind: the stem of the log's file name.
    pub kind: String,
    /// When it was emitted.
    pub ts: Timestamp,
    /// JSON without the newline.
    pub line: String,
}

/// What `sense` tells `serve`. On overflow records are dropped and counted, breaches never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToServe {
    /// Records in order of emission.
    Records(Vec<RecordLine>),
    /// A new breach, or a newer state of one with the same id.
    Breach(Box<Breach>),
    /// A new incident, or a newer state of one with the same id.
    Incident(Box<Incident>),
    /// A device's inventory entry.
    Device(Box<Device>),
    /// Counters.
    Stats(Box<Stats>),
}
