//! What is judged: a breach, the connection behind it, and whom acting on it would touch.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tapir_message::{Class, Target};

use crate::types::Timestamp;

/// One end of a connection, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Its address.
    pub addr: IpAddr,
    /// Its best name.
    pub name: String,
    /// Why it belongs to the infrastructure, if it does: `is a router`, `serves dhcp`.
    pub infrastructure: Option<String>,
}

/// A breach with what `policy` must know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// When the evidence was complete.
    pub ts: Timestamp,
    /// Id of the breach.
    pub breach: String,
    /// Model id.
    pub model: String,
    /// Class of the model.
    pub class: Class,
    /// `score_sure` of the breach.
    pub score_sure: u8,
    /// Whether the channel's rate is still mostly a prior.
    pub provisional: bool,
    /// Device id; empty if no device is meant.
    pub device: String,
    /// Device name.
    pub device_name: String,
    /// The device's address on this connection.
    pub device_addr: Option<IpAddr>,
    /// The TCP connection behind it, if there is one.
    pub target: Option<Target>,
    /// Whether that connection lives, its handshake was seen complete both ways, and none of its
    /// segments is signed: only then may it be reset by itself.
    pub resettable: bool,
    /// Originator and responder.
    pub parties: Vec<Party>,
    /// Live connections between the two addresses to the same responder port.
    pub flows: u32,
    /// Devices that used the same responder in the last 30 days, the breach's own excepted.
    pub others: u32,
}

impl Case {
    /// The responder.
    #[must_use]
    pub fn responder(&self) -> Option<&Party> {
        self.parties.get(1)
    }
}
