//! Decayed counts of one device: level, dispersion, and how the hours of the day differ.
//!
//! Model: negative binomial around `level × exposure`, exposure being the hour's factor or another
//! count. Levels fade with a half-life of 14 days (and one of 90 for drift); what is taken in is
//! winsorised at four standard deviations, so that one burst cannot teach much.
//!
//! Source: design §5, §6. Units: exposure is 1 for an average hour.

use serde::{Deserialize, Serialize};

use super::features::{Counts, Exposure, FEATURES};
use super::negbin;

/// Hour of day × workday or not.
pub(super) const BUCKETS: usize = 48;
/// Half-life of the fast level, in hours.
const FAST_HOURS: f64 = 14.0 * 24.0;
/// Half-life of the slow level, in hours.
const SLOW_HOURS: f64 = 90.0 * 24.0;
/// Hours the site's factor is worth against the device's own.
const FACTOR_PRIOR: f64 = 6.0;
/// Hours the site's level is worth against the device's own (detection §4.7).
const LEVEL_PRIOR: f64 = 20.0;
/// Bounds of the dispersion `r`.
const DISPERSION: (f64, f64) = (0.15, 50.0);

/// One feature's past. All sums are decayed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Level {
    /// Σ x and Σ exposure with the fast half-life.
    sum: f64,
    exposure: f64,
    /// The same with the slow half-life.
    sum_slow: f64,
    exposure_slow: f64,
    /// Σ max(((x−μ)²−μ)/μ², −1) and the number of terms, fast.
    spread: f64,
    spread_weight: f64,
}

impl Level {
    /// The count expected of `exposure`, given the site's level.
    fn expected(&self, site: &Self, exposure: f64) -> f64 {
        let site_level = (site.sum + 0.1) / (site.exposure + 1.0);
        let level = (self.sum + site_level * LEVEL_PRIOR) / (self.exposure + LEVEL_PRIOR);
        (level * exposure).max(1e-3)
    }
}

/// Sums of one feature by hour bucket.
///
/// They are empty until the first hour is learned.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Hours {
    sum: Vec<f32>,
    weight: Vec<f32>,
}

impl Hours {
    /// Mean of the bucket against the mean of all, shrunk to `prior`.
    fn factor(&self, bucket: usize, prior: f64) -> f64 {
        let total: f64 = self.sum.iter().map(|v| f64::from(*v)).sum();
        let hours: f64 = self.weight.iter().map(|v| f64::from(*v)).sum();
        if total <= 0.0 || hours <= 0.0 {
            return prior;
        }
        let mean = total / hours;
        let sum = f64::from(self.sum.get(bucket).copied().unwrap_or(0.0)) / mean;
        let weight = f64::from(self.weight.get(bucket).copied().unwrap_or(0.0));
        (sum + FACTOR_PRIOR * prior) / (weight + FACTOR_PRIOR)
    }

    /// Takes in one hour; `keep` is what a fortnight's half-life leaves of this bucket in a day.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "factors need no more than single precision"
    )]
    fn learn(&mut self, bucket: usize, x: f64, taken: Taken) {
        let keep = libm::exp(-core::f64::consts::LN_2 / 14.0 * taken.hours);
        let speed = taken.speed;
        for (slot, add) in [(&mut self.sum, x * speed), (&mut self.weight, speed)] {
            if slot.is_empty() {
                slot.resize(BUCKETS, 0.0);
            }
            if let Some(value) = slot.get_mut(bucket) {
                *value = (f64::from(*value) * keep + add) as f32;
            }
        }
    }
}

/// The counts of one device, or of the whole site per device-hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Levels {
    levels: [Level; FEATURES.len()],
    hours: [Hours; FEATURES.len()],
    /// Hours taken in, not decayed.
    pub hours_seen: f64,
}

/// How a device-hour is taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Weight: 1 normal, 0.3 while drifting, 0.02 while a breach is open.
    pub speed: f64,
    /// Hours that pass with it: 1 for a device, 1/devices for the site.
    pub hours: f64,
}

/// What a device-hour looks like against the past.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Judged {
    /// Expected count.
    pub mu: f64,
    /// −ln p.
    pub surprise: f64,
}

impl Levels {
    /// The expected count and the surprise of feature `index`, given the site's levels.
    #[must_use]
    pub(super) fn judge(
        &self,
        site: &Self,
        index: usize,
        counts: &Counts,
        bucket: usize,
    ) -> Judged {
        let Some((x, exposure)) = self.exposed(site, index, counts, bucket) else {
            return Judged::default();
        };
        let (Some(own), Some(all)) = (self.levels.get(index), site.levels.get(index)) else {
            return Judged::default();
        };
        let mu = own.expected(all, exposure);
        let weight = own.spread_weight + all.spread_weight.min(LEVEL_PRIOR);
        let share = all.spread_weight.min(LEVEL_PRIOR) / all.spread_weight.max(1e-9);
        let spread = own.spread + all.spread * share;
        let r = if spread > 0.0 {
            weight / spread
        } else {
            DISPERSION.1
        };
        let r = if weight > 0.0 { r } else { DISPERSION.0 };
        Judged {
            mu,
            surprise: negbin::surprise(x, mu, r.clamp(DISPERSION.0, DISPERSION.1)),
        }
    }

    /// Takes in a device-hour.
    pub(super) fn learn(&mut self, site: &Self, counts: &Counts, bucket: usize, taken_in: Taken) {
        let fast = libm::exp(-core::f64::consts::LN_2 / FAST_HOURS * taken_in.hours);
        let slow = libm::exp(-core::f64::consts::LN_2 / SLOW_HOURS * taken_in.hours);
        let speed = taken_in.speed;
        for index in 0..FEATURES.len() {
            let Some((count, exposure)) = self.exposed(site, index, counts, bucket) else {
                continue;
            };
            let (Some(level), Some(all)) = (self.levels.get_mut(index), site.levels.get(index))
            else {
                continue;
            };
            let mu = level.expected(all, exposure);
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            let x = count as f64;
            let spread = if level.spread_weight > 0.0 {
                level.spread / level.spread_weight
            } else {
                1.0
            };
            let deviation = libm::sqrt(mu + mu * mu * spread.max(0.02));
            // Winsorised once there is a past to be measured against.
            let taken = if self.hours_seen > 24.0 {
                x.min(mu + 4.0 * deviation)
            } else {
                x
            };
            let term = (((taken - mu) * (taken - mu) - mu) / (mu * mu)).clamp(-1.0, 400.0);
            level.sum = level.sum * fast + taken * speed;
            level.exposure = level.exposure * fast + exposure * speed;
            level.sum_slow = level.sum_slow * slow + taken * speed;
            level.exposure_slow = level.exposure_slow * slow + exposure * speed;
            if mu > 0.01 {
                level.spread = level.spread * fast + term * speed;
                level.spread_weight = level.spread_weight * fast + speed;
            }
            if let Some(hours) = self.hours.get_mut(index) {
                hours.learn(bucket, taken, taken_in);
            }
        }
        self.hours_seen += taken_in.hours;
    }

    /// The count and its exposure; `None` if there was no exposure.
    fn exposed(
        &self,
        site: &Self,
        index: usize,
        counts: &Counts,
        bucket: usize,
    ) -> Option<(u64, f64)> {
        let x = *counts.get(index)?;
        let (_, exposure) = FEATURES.get(index)?;
        match exposure {
            Exposure::Hour => {
                let prior = site.hours.get(index)?.factor(bucket, 1.0);
                Some((x, self.hours.get(index)?.factor(bucket, prior).max(0.01)))
            }
            Exposure::Given(other) => {
                let given = *counts.get(other.index())?;
                #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
                (given > 0).then_some((x, given as f64))
            }
        }
    }
}

impl Levels {
    /// Bytes of the hours' sums and weights.
    pub(super) const BYTES_MAX: usize = FEATURES.len() * 2 * BUCKETS * size_of::<f32>();

    /// Bytes of those learned so far.
    pub(super) fn allocated(&self) -> usize {
        let hours = self.hours.iter();
        let len = hours.map(|h| h.sum.capacity().saturating_add(h.weight.capacity()));
        len.fold(0, usize::saturating_add)
            .saturating_mul(size_of::<f32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::features::Feature;

    const HOUR: Taken = Taken {
        speed: 1.0,
        hours: 1.0,
    };

    fn counts(kib: u64) -> Counts {
        let mut counts = Counts::default();
        counts[Feature::KibOutOutside.index()] = kib;
        counts
    }

    #[test]
    fn what_is_usual_does_not_surprise_and_a_flood_does() {
        let (mut device, mut site) = (Levels::default(), Levels::default());
        for hour in 0..240 {
            let seen = counts(40 + hour % 30);
            let past = site.clone();
            device.learn(&past, &seen, (hour % 24) as usize, HOUR);
            site.learn(&past, &seen, (hour % 24) as usize, HOUR);
        }
        let index = Feature::KibOutOutside.index();
        let usual = device.judge(&site, index, &counts(55), 3);
        let flood = device.judge(&site, index, &counts(28_000), 3);
        assert!(usual.surprise < 2.0, "{usual:?}");
        assert!(flood.surprise > 20.0, "{flood:?}");
        assert!((40.0..70.0).contains(&usual.mu), "{usual:?}");
    }

    #[test]
    fn night_is_not_judged_by_the_day() {
        let (mut device, site) = (Levels::default(), Levels::default());
        for hour in 0..480_usize {
            let seen = counts(if (8..18).contains(&(hour % 24)) {
                500
            } else {
                1
            });
            device.learn(&site, &seen, hour % 24, HOUR);
        }
        let index = Feature::KibOutOutside.index();
        let by_day = device.judge(&site, index, &counts(500), 12).surprise;
        let by_night = device.judge(&site, index, &counts(500), 2).surprise;
        assert!(by_night > by_day + 1.0, "{by_night} {by_day}");
    }

    #[test]
    fn one_burst_teaches_little() {
        let (mut device, site) = (Levels::default(), Levels::default());
        (0..100).for_each(|_| device.learn(&site, &counts(50), 1, HOUR));
        device.learn(&site, &counts(1_000_000), 1, HOUR);
        let after = device.judge(&site, Feature::KibOutOutside.index(), &counts(50), 1);
        assert!(after.mu < 200.0, "{after:?}");
    }
}
