//! Memory that the site holds, by what holds it.

use super::beacon::{Endpoint, NAME_LEN_MAX};
use super::contact::ENDPOINT_DEVICES_MAX;
use super::counts::Levels;
use super::device::{Baseline, Watch};
use super::novelty::Seen;
use super::scan::Walk;
use super::site::{ENDPOINTS_MAX, Site};
use crate::types::{Held, Map, Timestamp};

/// Watches at most: one a device.
const WATCHES_MAX: usize = 20_000;

impl Site {
    /// Bytes of watches with their baselines, and of endpoints outside.
    #[must_use]
    pub fn held(&self) -> [Held; 2] {
        let places = self.watches.capacity().saturating_mul(size_of::<usize>());
        let due = self.due.capacity().saturating_mul(size_of::<Timestamp>());
        let watches = self.watches.iter().flatten().map(|watch| watch.allocated());
        let endpoints = self.endpoints.sum(|_, endpoint| endpoint.allocated());
        let bound = Map::<u64, Endpoint>::table_bound(ENDPOINTS_MAX)
            .saturating_add(ENDPOINTS_MAX * ENDPOINT_DEVICES_MAX * size_of::<u32>());
        [
            Held::new(
                "watches and baselines",
                watches.fold(places.saturating_add(due), usize::saturating_add),
                WATCHES_MAX * (size_of::<(usize, Timestamp)>() + Watch::BYTES_MAX),
            ),
            Held::new(
                "endpoints outside",
                endpoints.saturating_add(self.endpoints.table_bytes()),
                bound,
            ),
        ]
    }
}

impl Endpoint {
    fn allocated(&self) -> usize {
        self.devices.capacity().saturating_mul(size_of::<u32>())
    }
}

impl Watch {
    const BYTES_MAX: usize =
        size_of::<Self>() + Seen::BYTES_MAX + Walk::BYTES_MAX + Baseline::BYTES_MAX;

    fn allocated(&self) -> usize {
        let baseline = self.baseline.as_deref().map_or(0, Baseline::allocated);
        size_of::<Self>()
            .saturating_add(self.contacts.allocated())
            .saturating_add(self.walk.allocated())
            .saturating_add(baseline)
    }
}

impl Baseline {
    const BYTES_MAX: usize = size_of::<Self>()
        + Levels::BYTES_MAX
        + super::beacon::Edges::BYTES_MAX
        + Self::DAYS_BYTES_MAX
        + super::device::Hour::UPLOADS_MAX_LEN
            * (size_of::<(String, u64, Timestamp)>() + NAME_LEN_MAX);

    fn allocated(&self) -> usize {
        size_of::<Self>()
            .saturating_add(self.levels.allocated())
            .saturating_add(self.edges.allocated())
            .saturating_add(self.days_and_uploads())
    }
}
