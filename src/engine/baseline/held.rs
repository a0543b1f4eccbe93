//! Memory that the site holds, by what holds it.

use super::beacon::{Endpoint, NAME_LEN_MAX};
use super::counts::Levels;
use super::device::{Baseline, Watch};
use super::novelty::Seen;
use super::scan::Walk;
use super::site::{ENDPOINT_DEVICES_MAX, ENDPOINTS_MAX, Site};
use crate::types::{Held, Map};

/// Watches at most: one a device.
const WATCHES_MAX: usize = 20_000;
/// Bytes of a node of a `BTreeSet` of 32-bit numbers, and the numbers it holds at least unless it is alone.
const NODE_BYTES: usize = 56;
const NODE_LEN_MIN: usize = 5;

impl Site {
    /// Bytes of watches with their baselines, and of endpoints outside.
    #[must_use]
    pub fn held(&self) -> [Held; 2] {
        let places = self.watches.capacity().saturating_mul(size_of::<usize>());
        let watches = self.watches.iter().flatten().map(|watch| watch.allocated());
        let endpoints = self.endpoints.sum(|_, endpoint| endpoint.allocated());
        let bound = Map::<u64, Endpoint>::table_bound(ENDPOINTS_MAX)
            .saturating_add(ENDPOINTS_MAX * set_bytes(ENDPOINT_DEVICES_MAX));
        [
            Held::new(
                "watches and baselines",
                watches.fold(places, usize::saturating_add),
                WATCHES_MAX * (size_of::<usize>() + Watch::BYTES_MAX),
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
        set_bytes(self.devices.len())
    }
}

/// Bytes of a set of so many devices.
const fn set_bytes(devices: usize) -> usize {
    devices.div_ceil(NODE_LEN_MIN).saturating_mul(NODE_BYTES)
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
            * (size_of::<(String, u64, crate::types::Timestamp)>() + NAME_LEN_MAX);

    fn allocated(&self) -> usize {
        size_of::<Self>()
            .saturating_add(self.levels.allocated())
            .saturating_add(self.edges.allocated())
            .saturating_add(self.days_and_uploads())
    }
}
