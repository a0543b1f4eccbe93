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

    /// Takes in one hour.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "factors need no more than single precision"
    )]
    fn learn(&mut self, bucket: usize, x: f64, taken: &Taken) {
        let (keep, speed) = (taken.keep, taken.speed);
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

/// The site's levels at the begin of an hour, and what they say of its bucket: the same for every device.
#[derive(Debug)]
pub(super) struct Past<'a> {
    levels: &'a Levels,
    bucket: usize,
    /// By feature.
    factors: [f64; FEATURES.len()],
}

impl<'a> Past<'a> {
    /// What `levels` say of `bucket`.
    #[must_use]
    pub(super) fn new(levels: &'a Levels, bucket: usize) -> Self {
        Self {
            levels,
            bucket,
            factors: levels
                .hours
                .each_ref()
                .map(|hours| hours.factor(bucket, 1.0)),
        }
    }
}

/// The counts of a device-hour with their exposures, by feature; `None` where there was no exposure.
pub(super) type Exposed = [Option<(u64, f64)>; FEATURES.len()];

/// How a device-hour is taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Weight: 1 normal, 0.3 while drifting, 0.02 while a breach is open.
    pub speed: f64,
    /// Hours that pass with it: 1 for a device, 1/devices for the site.
    hours: f64,
    /// What they leave of the fast and the slow levels.
    fast: f64,
    slow: f64,
    /// What a fortnight's half-life leaves of an hour's bucket in a day.
    keep: f64,
}

impl Taken {
    /// At full weight, and `hours` pass with it.
    #[must_use]
    pub(super) fn new(hours: f64) -> Self {
        let left = |half: f64| libm::exp(-core::f64::consts::LN_2 / half * hours);
        Self {
            speed: 1.0,
            hours,
            fast: left(FAST_HOURS),
            slow: left(SLOW_HOURS),
            keep: left(14.0),
        }
    }

    /// The same at another weight.
    #[must_use]
    pub(super) fn at(self, speed: f64) -> Self {
        Self { speed, ..self }
    }
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
        past: &Past<'_>,
        index: usize,
        exposed: Option<(u64, f64)>,
    ) -> Judged {
        let Some((x, exposure)) = exposed else {
            return Judged::default();
        };
        let (Some(own), Some(all)) = (self.levels.get(index), past.levels.levels.get(index)) else {
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

    /// Takes in a device-hour, which [`Self::all_exposed`] has looked at.
    pub(super) fn learn(&mut self, past: &Past<'_>, exposed: &Exposed, taken_in: &Taken) {
        let Taken {
            speed, fast, slow, ..
        } = *taken_in;
        for (index, exposed) in exposed.iter().enumerate() {
            let Some((count, exposure)) = *exposed else {
                continue;
            };
            let (Some(level), Some(all)) =
                (self.levels.get_mut(index), past.levels.levels.get(index))
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
                hours.learn(past.bucket, taken, taken_in);
            }
        }
        self.hours_seen += taken_in.hours;
    }

    /// All counts and their exposures.
    #[must_use]
    pub(super) fn all_exposed(&self, past: &Past<'_>, counts: &Counts) -> Exposed {
        std::array::from_fn(|index| self.exposed(past, index, counts))
    }

    /// The count and its exposure; `None` if there was no exposure.
    #[must_use]
    pub(super) fn exposed(
        &self,
        past: &Past<'_>,
        index: usize,
        counts: &Counts,
    ) -> Option<(u64, f64)> {
        let x = *counts.get(index)?;
        let (_, exposure) = FEATURES.get(index)?;
        match exposure {
            Exposure::Hour => {
                let prior = *past.factors.get(index)?;
                let own = self.hours.get(index)?.factor(past.bucket, prior);
                Some((x, own.max(0.01)))
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

    fn learn(levels: &mut Levels, site: &Levels, counts: &Counts, bucket: usize) {
        let past = Past::new(site, bucket);
        let exposed = levels.all_exposed(&past, counts);
        levels.learn(&past, &exposed, &Taken::new(1.0));
    }

    fn judge(levels: &Levels, site: &Levels, counts: &Counts, bucket: usize) -> Judged {
        let (past, index) = (Past::new(site, bucket), Feature::KibOutOutside.index());
        levels.judge(&past, index, levels.exposed(&past, index, counts))
    }

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
            learn(&mut device, &past, &seen, (hour % 24) as usize);
            learn(&mut site, &past, &seen, (hour % 24) as usize);
        }
        let usual = judge(&device, &site, &counts(55), 3);
        let flood = judge(&device, &site, &counts(28_000), 3);
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
            learn(&mut device, &site, &seen, hour % 24);
        }
        let by_day = judge(&device, &site, &counts(500), 12).surprise;
        let by_night = judge(&device, &site, &counts(500), 2).surprise;
        assert!(by_night > by_day + 1.0, "{by_night} {by_day}");
    }

    #[test]
    fn one_burst_teaches_little() {
        let (mut device, site) = (Levels::default(), Levels::default());
        (0..100).for_each(|_| learn(&mut device, &site, &counts(50), 1));
        learn(&mut device, &site, &counts(1_000_000), 1);
        let after = judge(&device, &site, &counts(50), 1);
        assert!(after.mu < 200.0, "{after:?}");
    }
}
