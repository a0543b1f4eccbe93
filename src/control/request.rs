//! What can be asked of the daemon.

use serde::{Deserialize, Serialize};
use tapir_message::Timestamp;

/// Which services are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceFilter {
    /// Only those whose id or name contains this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only those of this category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Only uses of devices whose id or name contains this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Only those first used at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_since: Option<Timestamp>,
    /// At most so many, those that were sent most to first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// One line from a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The inventory.
    Devices(DeviceFilter),
    /// Everything about one device.
    Device {
        /// Its id, name, address or hardware address, or a part of one that only it has.
        device: String,
    },
    /// Devices that are held to be one machine, the newest first.
    Merges,
    /// Services on the internet, and who uses them.
    Services(ServiceFilter),
    /// Breaches, the newest first.
    Breaches {
        /// Only those of at least this score; health breaches have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_score: Option<u8>,
        /// Only those whose last evidence is not older.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// Only those of devices whose id, name or address contains this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
        /// At most so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    },
    /// Incidents, the newest first.
    Incidents {
        /// Only those of at least this score.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_score: Option<u8>,
        /// Only those whose last evidence is not older.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// Only those of devices whose id or name contains this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
        /// At most so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    },
    /// How the sensor is doing.
    Status,
    /// What the mirror port shows, graded.
    Mirror,
    /// What is spoken, and how the parsers fare.
    Protocols,
    /// Decisions and what became of them, the newest first.
    Responses {
        /// Only those not older.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// At most so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    },
    /// Everything about one breach.
    Explain {
        /// Its id, or the beginning of it that only one breach has.
        breach: String,
    },
    /// Lines as things happen.
    Watch,
    /// A person approves a decision that asked.
    Approve {
        /// Decision id, or the beginning of it that only one decision has.
        decision: String,
        /// The one-time code that `show responses` gave.
        code: String,
    },
    /// A person takes back one action, or all.
    Revert {
        /// Decision id or its beginning; all if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<String>,
    },
    /// A person says that two devices are one machine.
    MergeDevices {
        /// The device that stays, named as in `Device`.
        into: String,
        /// The device that is part of it.
        other: String,
    },
    /// A person says that a device is not part of another.
    SplitDevice {
        /// The id that was merged, or a device that one was merged into.
        device: String,
    },
    /// The kill switch: nothing leaves any more.
    StopResponses,
    /// Responses are allowed again.
    ResumeResponses,
}

impl Request {
    /// Whether it only looks: then members of the group may ask it, too.
    #[must_use]
    pub const fn only_looks(&self) -> bool {
        !matches!(
            self,
            Self::Approve { .. }
                | Self::Revert { .. }
                | Self::MergeDevices { .. }
                | Self::SplitDevice { .. }
                | Self::StopResponses
                | Self::ResumeResponses
        )
    }
}

/// Which devices of the inventory; a device has to meet all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceFilter {
    /// Only devices whose id, name or hardware address contains this, or that held this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Only devices of a type that contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only devices with a role that contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Only devices with a user whose name contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// At most so many, the latest seen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}
