//! What outlives a run.

use serde::{Deserialize, Serialize};
use tapir_message::{Breach, Incident};

use super::Analysis;
use crate::baseline;
use crate::breach::SavedChannels;
use crate::device::{DeviceIx, Entry};
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
}
