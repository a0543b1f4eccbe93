//! What is remembered of one device.

use serde::{Deserialize, Serialize};

use super::beacon::Edges;
use super::counts::Levels;
use super::features::{Counts, FEATURES};
use super::novelty::Seen;
use super::scan::Walk;
use super::site::TENURE_NS;
use crate::types::{Timestamp, ask};

/// Own device-days that the level is taken from.
const DAYS: usize = 21;
/// Own days the fleet's median is worth (detection §4.4).
const LEVEL_PRIOR_DAYS: f64 = 10.0;
/// Endpoints outside told apart in one hour's upload.
const UPLOADS_MAX: usize = 16;

/// Kept from a device's first flow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Watch {
    /// Addresses and ports contacted before.
    pub(super) contacts: Seen,
    pub(super) walk: Walk,
    /// First flow, and whether one was answered.
    pub(super) first_ts: Timestamp,
    pub(super) answered: bool,
    pub(super) baseline: Option<Box<Baseline>>,
}

/// Kept after ten minutes and one answered exchange.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Baseline {
    pub(super) levels: Levels,
    pub(super) edges: Edges,
    /// Accumulated evidence by feature: a leaky sum over hours.
    pub(super) evidence: [f64; FEATURES.len()],
    /// The day's largest evidence of each feature with a channel.
    pub(super) day_peak: f64,
    /// Whether the device spoke today, and whether a breach was open.
    pub(super) day_alive: bool,
    pub(super) day_breached: bool,
    /// The last days' peaks, oldest first.
    days: Vec<f64>,
    pub(super) hour: Hour,
}

/// The hour that is still open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Hour {
    pub(super) counts: Counts,
    /// Payload bytes sent outside.
    pub(super) bytes_out: u64,
    /// Bytes at which the upload was last judged.
    pub(super) judged_bytes: u64,
    /// Bytes by endpoint and when it last got some, the largest few.
    pub(super) uploads: Vec<(String, u64, Timestamp)>,
    /// Whether a breach was open in it.
    pub(super) breached: bool,
    /// Whether the device spoke at all.
    pub(super) alive: bool,
}

impl Watch {
    /// Asks for its cache lines.
    #[inline]
    pub(super) fn ask(&self) {
        ask(&self.contacts);
        ask(&self.walk);
        ask(&self.baseline);
    }

    /// Before this there is no baseline; none if there is one.
    pub(super) fn due(&self) -> Option<Timestamp> {
        if self.baseline.is_some() {
            None
        } else if self.answered {
            Some(self.first_ts.plus(TENURE_NS))
        } else {
            Some(Timestamp::MAX)
        }
    }
}

impl Hour {
    /// Adds an upload to `endpoint`; the smallest makes room for a larger one.
    pub(super) fn upload(&mut self, ts: Timestamp, endpoint: &str, bytes: u64) {
        self.bytes_out = self.bytes_out.saturating_add(bytes);
        if bytes == 0 {
            return;
        }
        if let Some((_, sum, last)) = self.uploads.iter_mut().find(|u| u.0 == endpoint) {
            *sum = sum.saturating_add(bytes);
            *last = ts;
            return;
        }
        if self.uploads.len() >= UPLOADS_MAX
            && let Some(least) =
                (0..self.uploads.len()).min_by_key(|i| self.uploads.get(*i).map(|u| u.1))
        {
            self.uploads.swap_remove(least);
        }
        self.uploads.push((endpoint.to_owned(), bytes, ts));
    }

    /// Where most went, and how much; the name decides ties.
    pub(super) fn largest_upload(&self) -> Option<&(String, u64, Timestamp)> {
        self.uploads
            .iter()
            .max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)))
    }
}

impl Baseline {
    /// Closes a device-day and returns its peak, if the device had one.
    pub(super) fn close_day(&mut self) -> f64 {
        let peak = std::mem::take(&mut self.day_peak);
        if self.days.len() >= DAYS {
            self.days.remove(0);
        }
        self.days.push(peak);
        peak
    }

    /// What the device's own evidence usually peaks at: its 90 % quantile, shrunk to the fleet's
    /// median and never below it, nor below 1.
    pub(super) fn usual_peak(&self, fleet_median: f64) -> f64 {
        let mut sorted = self.days.clone();
        sorted.sort_by(f64::total_cmp);
        let at = sorted.len().saturating_sub(1) * 9 / 10;
        let own = sorted.get(at).copied().unwrap_or(fleet_median);
        #[expect(clippy::cast_precision_loss, reason = "at most 21")]
        let days = sorted.len() as f64;
        let shrunk = (days * own + LEVEL_PRIOR_DAYS * fleet_median) / (days + LEVEL_PRIOR_DAYS);
        shrunk.max(fleet_median).max(1.0)
    }
}

impl Hour {
    /// Endpoints told apart.
    pub(super) const UPLOADS_MAX_LEN: usize = UPLOADS_MAX;
}

impl Baseline {
    /// Bytes of the last days' peaks at most.
    pub(super) const DAYS_BYTES_MAX: usize = DAYS * size_of::<f64>();

    /// Bytes of the last days' peaks and of the hour's uploads.
    pub(super) fn days_and_uploads(&self) -> usize {
        let days = self.days.capacity().saturating_mul(size_of::<f64>());
        let uploads = &self.hour.uploads;
        let entries = uploads
            .capacity()
            .saturating_mul(size_of::<(String, u64, Timestamp)>());
        let names = uploads.iter().map(|upload| upload.0.capacity());
        names.fold(days.saturating_add(entries), usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_baseline_stays_below_twenty_kib() {
        let mut watch = Watch::default();
        let mut baseline = Baseline::default();
        let rhythm = super::super::beacon::Rhythm::default();
        for n in 0..200_u32 {
            baseline
                .edges
                .call(Timestamp::from_secs(n.into()), n.into(), "x", &rhythm);
            baseline
                .hour
                .upload(Timestamp::MIN, &format!("{n:0>60}"), 1);
            watch.walk.contact(
                Timestamp::from_secs(n.into()),
                [10, 0, 0, 1].into(),
                1,
                true,
            );
            baseline.day_peak = 1.0;
            baseline.close_day();
        }
        // Edges with bins and names, hour factors, days, uploads: each list at its bound.
        let heap =
            48 * (64 + 64 + super::super::beacon::EDGE_LEN) + 2 * 9 * 48 * 4 + 21 * 8 + 16 * 128;
        assert!(
            size_of::<Baseline>() + heap <= 20 * 1024,
            "{}",
            size_of::<Baseline>() + heap
        );
        assert!(size_of::<Watch>() + 4 * 1024 + 512 * 4 + 64 * 2 + 3 * 64 <= 8 * 1024);
        assert_eq!(baseline.days.len(), DAYS);
        assert_eq!(baseline.hour.uploads.len(), UPLOADS_MAX);
    }

    #[test]
    fn a_loud_device_is_measured_by_its_own_level() {
        let mut baseline = Baseline::default();
        assert!((baseline.usual_peak(0.0) - 1.0).abs() < 1e-12);
        for _ in 0..21 {
            baseline.day_peak = 12.0;
            baseline.close_day();
        }
        assert!(baseline.usual_peak(0.0) > 8.0);
    }
}
