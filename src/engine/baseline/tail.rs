//! How often a value at least this large was seen: the site's own past, with a tail beyond it.
//!
//! A decayed histogram of 512 bins ranks what was seen before; above its 99 % quantile an exponential
//! tail takes over (ξ = 0 until the benchmark fits a generalised Pareto). The tail's mean excess is
//! shrunk to a shipped prior worth 200 exceedances.
//!
//! Source: design §5; `prior: unfitted`.

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};

/// Bins; one bin is `1 / BINS_PER_UNIT` wide.
const BINS: usize = 512;
const BINS_PER_UNIT: f64 = 8.0;
/// Share of values below which the past alone ranks.
const BULK: f64 = 0.99;
/// Exceedances that the shipped prior is worth.
const PRIOR_EXCEEDANCES: f64 = 200.0;
/// Values that the shipped prior's bulk is worth: enough that one value is not its own quantile.
const PRIOR_VALUES: f64 = 1.0;

/// What a family's surprise looked like on innocent devices before this site said anything.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Prior {
    /// 99 % quantile.
    pub threshold: f64,
    /// Mean excess above it.
    pub excess: f64,
}

/// Ranks values against the site's past.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tail {
    prior: Prior,
    bins: Vec<f64>,
    weight: f64,
    /// Site's own exceedances, decayed: number and sum of excesses.
    exceedances: f64,
    excess_sum: f64,
    /// What follows from the bins, worked out when it is asked for.
    #[serde(skip)]
    known: Known,
}

/// See [`Tail::known`].
#[derive(Clone, Debug, Default)]
struct Known {
    threshold: OnceCell<f64>,
    /// Weight of each bin and all above it.
    above: OnceCell<Vec<f64>>,
}

impl Tail {
    /// A tail that knows only the prior.
    #[must_use]
    pub(super) fn new(prior: Prior) -> Self {
        Self {
            prior,
            bins: vec![0.0; BINS],
            weight: 0.0,
            exceedances: 0.0,
            excess_sum: 0.0,
            known: Known::default(),
        }
    }

    /// Takes in a value.
    pub(super) fn learn(&mut self, value: f64) {
        let threshold = self.threshold();
        self.known = Known::default();
        if let Some(bin) = self.bins.get_mut(bin(value)) {
            *bin += 1.0;
            self.weight += 1.0;
        }
        if value > threshold {
            self.exceedances += 1.0;
            self.excess_sum += value - threshold;
        }
    }

    /// Lets the past fade: every weight times `factor`.
    pub(super) fn decay(&mut self, factor: f64) {
        self.known = Known::default();
        self.bins.iter_mut().for_each(|bin| *bin *= factor);
        self.weight *= factor;
        self.exceedances *= factor;
        self.excess_sum *= factor;
    }

    /// P(a value of an innocent device ≥ `value`).
    #[must_use]
    pub(super) fn p(&self, value: f64) -> f64 {
        let threshold = self.threshold();
        if value >= threshold {
            return (1.0 - BULK) * libm::exp(-(value - threshold) / self.excess());
        }
        let above = self.above().get(bin(value)).copied().unwrap_or(0.0);
        // Below the prior's threshold the prior says only that the bulk lies there.
        let prior = 1.0 - BULK * value / self.prior.threshold.max(f64::MIN_POSITIVE);
        let p = (prior.max(1.0 - BULK) * PRIOR_VALUES + above) / (PRIOR_VALUES + self.weight);
        p.clamp(1.0 - BULK, 1.0)
    }

    /// Exceedances counted, shipped ones included if the prior was fitted; this one was not.
    #[must_use]
    pub(super) fn exceedances(&self) -> f64 {
        self.exceedances
    }

    /// Mean excess above the threshold, shrunk to the prior.
    #[must_use]
    pub(super) fn excess(&self) -> f64 {
        (self.excess_sum + self.prior.excess * PRIOR_EXCEEDANCES)
            / (self.exceedances + PRIOR_EXCEEDANCES)
    }

    /// Median of the site's past; 0 without one.
    #[must_use]
    pub(super) fn median(&self) -> f64 {
        let mut left = self.weight / 2.0;
        for (index, weight) in self.bins.iter().enumerate() {
            left -= weight;
            if left <= 0.0 && self.weight > 0.0 {
                #[expect(clippy::cast_precision_loss, reason = "at most 512")]
                return index as f64 / BINS_PER_UNIT;
            }
        }
        0.0
    }

    /// Weight of each bin and all above it.
    fn above(&self) -> &[f64] {
        self.known.above.get_or_init(|| {
            let mut sum = 0.0;
            let mut above: Vec<f64> = self
                .bins
                .iter()
                .rev()
                .map(|bin| {
                    sum += bin;
                    sum
                })
                .collect();
            above.reverse();
            above
        })
    }

    /// 99 % quantile of the site's past, never below the prior's: a small site proves little.
    #[must_use]
    pub(super) fn threshold(&self) -> f64 {
        *self.known.threshold.get_or_init(|| self.quantile())
    }

    fn quantile(&self) -> f64 {
        let mut above = (1.0 - BULK) * self.weight;
        let mut top = BINS;
        for (index, weight) in self.bins.iter().enumerate().rev() {
            if *weight > above {
                break;
            }
            above -= weight;
            top = index;
        }
        if self.weight == 0.0 || top == BINS {
            return self.prior.threshold;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 512")]
        let own = top as f64 / BINS_PER_UNIT;
        own.max(self.prior.threshold)
    }
}

/// The bin of a value; the last one holds all that lies beyond.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the bins just before"
)]
fn bin(value: f64) -> usize {
    (value * BINS_PER_UNIT).clamp(0.0, (BINS - 1) as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIOR: Prior = Prior {
        threshold: 4.0,
        excess: 1.0,
    };

    #[test]
    fn the_prior_alone_gives_an_exponential_tail() {
        let tail = Tail::new(PRIOR);
        assert!((tail.p(4.0) - 0.01).abs() < 1e-12);
        assert!((tail.p(5.0) - 0.01 * libm::exp(-1.0)).abs() < 1e-12);
        assert!(tail.p(0.0) > 0.99);
    }

    #[test]
    fn p_never_rises_with_the_value() {
        let mut tail = Tail::new(PRIOR);
        (0..1_000).for_each(|n| tail.learn(f64::from(n % 97) / 10.0));
        let ps: Vec<f64> = (0..200).map(|n| tail.p(f64::from(n) / 10.0)).collect();
        assert!(ps.is_sorted_by(|a, b| a >= b), "{ps:?}");
    }

    #[test]
    fn a_loud_site_raises_its_own_threshold_and_forgets_in_time() {
        let mut tail = Tail::new(PRIOR);
        (0..1_000).for_each(|n| tail.learn(f64::from(n) / 50.0));
        assert!(tail.threshold() > 19.0, "{}", tail.threshold());
        let before = tail.p(19.0);
        tail.decay(0.5);
        assert!((tail.p(19.0) - before).abs() < 0.01);
    }
}
