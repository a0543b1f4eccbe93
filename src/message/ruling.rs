//! A person's word on which devices are one machine.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a person said of devices. `serve` keeps it on disk until a saved state knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// Counts up by one.
    pub number: u64,
    /// When it was said, by the machine's clock.
    pub at: Timestamp,
    /// Who said it.
    pub who: String,
    /// What was said.
    pub says: Says,
}

/// What a ruling says; devices by their whole ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "snake_case")]
pub enum Says {
    /// Two devices are one machine.
    Merge {
        /// The device that stays.
        into: String,
        /// The device that is part of it.
        other: String,
    },
    /// A device is not part of the one that it was merged into.
    Split {
        /// What was merged.
        id: String,
    },
}
