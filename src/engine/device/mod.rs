//! The inventory: who is on the network, and on what evidence.
//!
//! Input:  sightings (a hardware address with the address it spoke for), clues, flow events, records.
//! Output: a device for every address of ours, from its first frame; `device_new` verdicts; on request the
//!         devices as they are told of: machines, with their type, system and roles.
//! How:    an entry is what one hardware address, or one address behind a router, shows of itself (`inventory`). Entries
//!         that are one machine are linked (`group`), by evidence (`fuse`) or by a person (`merge`); what is concluded
//!         of it (`judge`, by the table `evidence.tsv`) is worked out when it is written.
//! A merge and the rest: from then on flows, records and breaches carry the id of the device that stays, and its
//!         baseline goes on with them. That of the other rests and goes on after a split. Breaches told before keep
//!         the id they were told with, which the device that stays lists.
//! Bounds: 20,000 devices; 32 addresses, 16 names, 32 claims (10 on the same evidence), 16 users a device, oldest
//!         replaced; counted.

mod duty;
mod entry;
mod fuse;
mod group;
mod home;
mod inventory;
mod judge;
mod live;
mod merge;
mod near;
mod oui;
mod table;

pub use duty::Duty;
pub use entry::Entry;
pub use group::MergeError;
pub use home::{Home, Net, NetError, is_everyone};
pub use inventory::{DeviceIx, Inventory};
pub use oui::vendor;

use crate::record;
use crate::types::{Interval, Text};

record! {
    /// A device nobody has seen before, judged a minute after its first frame.
    pub struct DeviceNew = "device_new" {
        /// Hardware address, if known.
        pub mac: Option<Text> = "mac",
        /// Vendor of the hardware address.
        pub vendor: Option<Text> = "vendor",
        /// What it calls itself.
        pub name: Option<Text> = "name",
        /// Whether its hardware address was made up locally, as phones do for privacy.
        pub randomised: bool = "randomised",
        /// How long the sensor had watched this site.
        pub site_age: Interval = "site_age",
        /// What its first frame was.
        pub evidence: Text = "evidence",
    }
}
