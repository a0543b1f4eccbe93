//! How often each channel fires on the innocent, and what that means for all of them together.
//!
//! A channel is a loaded model with a score. R of a firing is the sum over all channels of their
//! expected innocent firings with a channel rate no higher than the firing's own: a continuous
//! channel adds the rate itself up to its maximum, a yes/no channel its rate if that is no higher.
//!
//! Source: design §5. Units: breaches per 1,000 device-weeks; exposure in 1,000 device-weeks.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::baseline::Family;
use crate::model::{Calibration, ModelIndex, Models};
use crate::types::Timestamp;

/// A firing counts in its rate once it has stood this long without being judged malicious.
const STANDING_NS: i64 = 14 * 86_400 * 1_000_000_000;
/// Firings waiting to count, per channel; beyond that the oldest counts early.
const WAITING_MAX: usize = 4_096;
/// A channel stays provisional below this many events.
const EVENTS_MIN: f64 = 3.0;
/// A continuous family stays provisional below this many exceedances.
const EXCEEDANCES_MIN: f64 = 200.0;
/// 95 % quantile of the normal distribution: both ends together leave 10 %.
const Z95: f64 = 1.644_853_626_951_472_2;
/// Every device-day is a chance for a continuous channel.
const FAMILY_RATE_MAX: f64 = 7_000.0;

/// Site firings of one yes/no channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Firings {
    counted: f64,
    waiting: VecDeque<Timestamp>,
}

/// What outlives a run: firings by model id.
pub type Saved = Vec<(String, SavedFirings)>;

/// Firings of one model as kept in the state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SavedFirings(Firings);

/// A rate with its 90 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Posterior mean.
    pub rate: f64,
    /// 5 % quantile.
    pub low: f64,
    /// 95 % quantile.
    pub high: f64,
    /// Whether the channel is still mostly a prior.
    pub provisional: bool,
}

/// One channel, yes/no or continuous.
#[derive(Clone, Debug)]
enum Channel {
    YesNo {
        id: String,
        prior: f64,
        weight: f64,
        firings: Firings,
    },
    Continuous,
}

/// All loaded channels.
#[derive(Clone, Debug)]
pub struct Channels(Vec<(ModelIndex, Channel)>);

impl Channels {
    /// The channels of `models`, with the firings of earlier runs.
    #[must_use]
    pub fn new(models: &Models, saved: &Saved) -> Self {
        let channel = |(index, model): (u16, &crate::model::Model)| {
            let channel = match &model.calibration {
                Calibration::Rate { prior, weight } => Channel::YesNo {
                    id: model.id.clone(),
                    prior: *prior,
                    weight: *weight,
                    firings: saved
                        .iter()
                        .find(|(id, _)| *id == model.id)
                        .map(|(_, firings)| firings.0.clone())
                        .unwrap_or_default(),
                },
                Calibration::Family { .. } => Channel::Continuous,
                Calibration::Priority { .. } => return None,
            };
            Some((ModelIndex(index), channel))
        };
        Self((0..).zip(models.iter()).filter_map(channel).collect())
    }

    /// What outlives this run.
    #[must_use]
    pub fn save(&self) -> Saved {
        let kept = |(_, channel): &(ModelIndex, Channel)| match channel {
            Channel::YesNo { id, firings, .. } => Some((id.clone(), SavedFirings(firings.clone()))),
            Channel::Continuous => None,
        };
        self.0.iter().filter_map(kept).collect()
    }

    /// A new breach of the model at `model`.
    pub fn fired(&mut self, model: ModelIndex, ts: Timestamp) {
        let Some((_, Channel::YesNo { firings, .. })) =
            self.0.iter_mut().find(|(m, _)| *m == model)
        else {
            return;
        };
        firings.waiting.push_back(ts);
        while firings.waiting.len() > WAITING_MAX
            || firings
                .waiting
                .front()
                .is_some_and(|at| ts.since(*at) > STANDING_NS)
        {
            firings.waiting.pop_front();
            firings.counted += 1.0;
        }
    }

    /// R of a firing of the model at `model`, all channels together.
    #[must_use]
    pub fn estimate(
        &self,
        model: ModelIndex,
        exposure: f64,
        family: Option<Family>,
    ) -> Option<Estimate> {
        let (_, own) = self.0.iter().find(|(m, _)| *m == model)?;
        let own = own.estimate(exposure, family)?;
        let mut all = Estimate {
            rate: 0.0,
            low: 0.0,
            high: 0.0,
            provisional: own.provisional,
        };
        for (index, channel) in &self.0 {
            let part = match channel {
                Channel::YesNo { .. } => channel.estimate(exposure, None)?,
                Channel::Continuous if *index == model => own,
                Channel::Continuous => Estimate {
                    rate: own.rate.min(FAMILY_RATE_MAX),
                    low: own.low.min(FAMILY_RATE_MAX),
                    high: own.high.min(FAMILY_RATE_MAX),
                    ..own
                },
            };
            if part.rate <= own.rate {
                all.rate += part.rate;
                all.low += part.low;
                all.high += part.high;
            }
        }
        Some(all)
    }
}

impl Channel {
    /// The channel's own rate.
    fn estimate(&self, exposure: f64, family: Option<Family>) -> Option<Estimate> {
        match self {
            Self::YesNo {
                prior,
                weight,
                firings,
                ..
            } => {
                let (events, span) = (weight + firings.counted, weight / prior + exposure);
                let provisional = events < EVENTS_MIN && exposure < EVENTS_MIN * weight / prior;
                Some(Estimate {
                    rate: events / span,
                    low: gamma_quantile(events, -Z95) / span,
                    high: gamma_quantile(events, Z95) / span,
                    provisional,
                })
            }
            Self::Continuous => {
                let family = family?;
                // The tail rests on the exceedances seen: the fewer, the wider.
                let events = family.exceedances + 1.0;
                Some(Estimate {
                    rate: family.rate,
                    low: family.rate * gamma_quantile(events, -Z95) / events,
                    high: family.rate * gamma_quantile(events, Z95) / events,
                    provisional: family.exceedances < EXCEEDANCES_MIN,
                })
            }
        }
    }
}

/// A quantile of the gamma distribution with this shape and scale 1 (Wilson and Hilferty, 1931).
fn gamma_quantile(shape: f64, z: f64) -> f64 {
    let root = 1.0 - 1.0 / (9.0 * shape) + z / (3.0 * libm::sqrt(shape));
    shape * (root * root * root).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes_no(prior: f64) -> Channel {
        Channel::YesNo {
            id: prior.to_string(),
            prior,
            weight: 1.0,
            firings: Firings::default(),
        }
    }

    #[test]
    fn all_channels_count_up_to_the_firings_own_rate() {
        let channels = Channels(vec![
            (ModelIndex(0), yes_no(3.0)),
            (ModelIndex(1), yes_no(5.0)),
            (ModelIndex(2), yes_no(25.0)),
            (ModelIndex(3), Channel::Continuous),
        ]);
        let rate = |model, family| {
            channels
                .estimate(ModelIndex(model), 0.0, family)
                .map(|e| e.rate)
        };
        // Own 5, the rarer 3, and the continuous channel's 5.
        assert_eq!(rate(1, None), Some(13.0));
        assert_eq!(rate(0, None), Some(6.0));
        let family = Some(Family {
            rate: 10.0,
            exceedances: 0.0,
        });
        assert_eq!(rate(3, family), Some(18.0));
        assert_eq!(rate(3, None), None);
    }

    #[test]
    fn exposure_without_firings_lowers_a_rate() {
        let channel = yes_no(10.0);
        let (before, after) = (
            channel.estimate(0.0, None).unwrap(),
            channel.estimate(0.4, None).unwrap(),
        );
        assert!((before.rate - 10.0).abs() < 1e-9 && (after.rate - 2.0).abs() < 1e-9);
        assert!(before.provisional && !after.provisional);
        assert!(before.low < before.rate && before.rate < before.high);
    }

    #[test]
    fn a_firing_counts_after_a_fortnight() {
        let mut channels = Channels(vec![(ModelIndex(0), yes_no(10.0))]);
        channels.fired(ModelIndex(0), Timestamp::from_secs(0));
        assert_eq!(
            channels.estimate(ModelIndex(0), 0.0, None).unwrap().rate,
            10.0
        );
        channels.fired(ModelIndex(0), Timestamp::from_secs(15 * 86_400));
        assert_eq!(
            channels.estimate(ModelIndex(0), 0.0, None).unwrap().rate,
            20.0
        );
    }

    #[test]
    fn the_gamma_quantiles_are_near_the_tables() {
        // Exponential: −ln 0.05 = 2.996, −ln 0.95 = 0.0513; shape 3: 6.296 and 0.818.
        for (shape, z, table) in [
            (1.0, Z95, 2.996),
            (1.0, -Z95, 0.0513),
            (3.0, Z95, 6.296),
            (3.0, -Z95, 0.818),
        ] {
            let got = gamma_quantile(shape, z);
            assert!((got - table).abs() < 0.03, "{shape} {z}: {got} {table}");
        }
    }
}
