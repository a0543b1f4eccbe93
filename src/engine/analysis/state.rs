//! What outlives a run.

use serde::{Deserialize, Serialize};
use tapir_message::{Breach, Incident, Merge};

use super::Analysis;
use crate::baseline;
use crate::breach::SavedChannels;
use crate::device::{DeviceIx, Entry, MergeError};
use crate::policy;
use crate::service::SavedUses;
use crate::types::Timestamp;

/// Everything the analysis knows that the next run should know as well.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SavedState {
    /// Inventory, in order of first frames.
    pub devices: Vec<Entry>,
    /// Devices not yet judged as new.
    pub newcomers: Vec<(Timestamp, DeviceIx)>,
    /// Baselines, ranks, endpoints.
    pub site: baseline::Saved,
    /// Firings of yes/no models.
    pub channels: SavedChannels,
    /// Breaches that later evidence could still update.
    pub breaches: Vec<Breach>,
    /// Incidents that a later breach could still join.
    pub incidents: Vec<Incident>,
    /// Decisions, caps, days in shadow, the kill switch.
    #[serde(default)]
    pub policy: policy::Saved,
    /// Who uses whom, and who serves the site.
    #[serde(default)]
    pub watch: policy::SavedWatch,
    /// Who used which service.
    #[serde(default)]
    pub services: SavedUses,
}

impl Analysis {
    /// What the next run should know.
    #[must_use]
    pub fn save(&self) -> SavedState {
        SavedState {
            devices: self.devices.entries(),
            newcomers: self.newcomers.iter().copied().collect(),
            site: self.site.save(),
            channels: self.channels.save(),
            breaches: self.ledger.save(self.now),
            incidents: self.incidents.save(self.now),
            policy: self.policy.save(),
            watch: self.watch.save(),
            services: self.uses.save(&self.services),
        }
    }

    /// Holds the device `other` to be part of `into` from now on, because `who` says so.
    ///
    /// # Errors
    ///
    /// If there is no such device, both are one already, or too many would be.
    pub fn merge(
        &mut self,
        ts: Timestamp,
        into: &str,
        other: &str,
        who: &str,
    ) -> Result<Merge, MergeError> {
        self.devices.merge(ts, into, other, who)
    }

    /// Takes the device `id` out of the one that it is part of, or, if it is part of none, all others out
    /// of it; because `who` says so. Returns the merges that were undone.
    ///
    /// # Errors
    ///
    /// If there is no such device, or it is merged with none.
    pub fn split(&mut self, ts: Timestamp, id: &str, who: &str) -> Result<Vec<Merge>, MergeError> {
        self.devices.split(ts, id, who)
    }

    /// Every merge that holds.
    #[must_use]
    pub fn merges(&self) -> Vec<Merge> {
        self.devices.merges()
    }
}
