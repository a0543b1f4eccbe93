//! From `sense` to `serve`.

use serde::{Deserialize, Serialize};

use crate::{
    Breach, Decision, Device, Health, Incident, Merge, Response, ServiceUse, Stats, Timestamp,
};

/// Lines of one `*.log`, already formatted; the text itself travels beside the message, as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLines {
    /// Record kind: the stem of the log's file name.
    pub kind: String,
    /// How many lines.
    pub count: u64,
    /// Their bytes in the text, newlines included; those of the entries before come first.
    pub bytes: usize,
}

/// What must not get lost: journalled by `serve` before it is shown, logged or sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Notice {
    /// A new breach, or a newer state of one with the same id.
    Breach(Box<Breach>),
    /// A new incident, or a newer state of one with the same id.
    Incident(Box<Incident>),
    /// A decision; it is carried out once it was journalled.
    Decision(Box<Decision>),
    /// A new state of an action.
    Response(Box<Response>),
}

/// A notice with its number; numbers are leased by `serve`, so that a missing one is known to be lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    /// Counts up by one.
    pub number: u64,
    /// What happened.
    pub notice: Notice,
}

/// What a run ends with, beside its notices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Final {
    /// Inventory, in its final order.
    pub devices: Vec<Device>,
    /// Who used which service, by service and device.
    pub services: Vec<ServiceUse>,
    /// Counters.
    pub stats: Stats,
    /// Bytes by hour.
    pub traffic: Vec<(Timestamp, u64)>,
    /// How long was learned, in words.
    pub learning: String,
    /// Days of traffic it was learned from.
    pub site_days: f64,
    /// BLAKE3 over the models.
    pub models_hash: String,
    /// Number of models.
    pub models: usize,
}

/// What `sense` tells `serve`. On overflow records are dropped and counted, notices never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToServe {
    /// First word of a `sense` that has just started; `serve` answers with state, numbers and `Begin`.
    Hello {
        /// [`crate::VERSION`] of the sender.
        version: u16,
    },
    /// Records, of each kind in order of emission.
    Records(Vec<RecordLines>),
    /// Something that must not get lost.
    Notice(Box<Numbered>),
    /// Inventory entries that changed. What was merged into one of them is no device of its own any more.
    Devices(Vec<Device>),
    /// Every merge of devices that holds.
    Merges(Vec<Merge>),
    /// A ruling was carried out, and what changed by it was told before.
    Ruled {
        /// Its number.
        number: u64,
        /// Why it was not carried out, if it was not.
        refused: Option<String>,
    },
    /// Uses of services that changed; one without flows is none any more.
    Services(Vec<ServiceUse>),
    /// Counters so far.
    Stats(Box<Stats>),
    /// How the sensor is doing.
    Health(Box<Health>),
    /// What the analysis knows, for the next start.
    State {
        /// As JSON text.
        text: String,
        /// It knows of all rulings up to this number.
        rulings: u64,
    },
    /// The run is over; nothing follows.
    Final(Box<Final>),
}
