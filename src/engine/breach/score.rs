//! From a rate to a score, and from evidence to points.
//!
//! `rarity = clamp(50 + 23.06·log10(100/R), 0, 100)`, R being innocent breaches at least this unusual
//! per 1,000 device-weeks: 50 ↔ 100, 70 ↔ 13.6, 80 ↔ 5, 90 ↔ 1.8. Consequence can only lower it.
//!
//! Source: design §5.

use tapir_message::Term;

use crate::model::cap;

/// The rarity of a rate, 0–100, rounded.
#[must_use]
pub fn rarity(rate: f64) -> u8 {
    let value = 50.0 + 23.06 * libm::log10(100.0 / rate.max(1e-9));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=100"
    )]
    let rounded = libm::round(value.clamp(0.0, 100.0)) as u8;
    rounded
}

/// A score built step by step: each term's points are the change of the integer score it made.
#[derive(Clone, Debug, Default)]
pub(super) struct Waterfall {
    terms: Vec<Term>,
    rate: f64,
    high: f64,
    score: u8,
}

impl Waterfall {
    /// Begins with the rarity of `rate`; `high` is the upper end of its interval.
    #[must_use]
    pub(super) fn new(rate: f64, high: f64, text: String) -> Self {
        let score = rarity(rate);
        let terms = vec![Term {
            name: "rarity".into(),
            points: i32::from(score),
            text,
        }];
        Self {
            terms,
            rate,
            high,
            score,
        }
    }

    /// Applies counter-evidence: it makes the firing `times` as common.
    pub(super) fn defeat(&mut self, name: &str, times: f64, text: String) {
        self.rate *= times;
        self.high *= times;
        self.step(name, rarity(self.rate), text);
    }

    /// Holds the score to what `impact` allows and returns the terms, the score and the sure score.
    #[must_use]
    pub(super) fn close(mut self, impact: u8) -> (Vec<Term>, u8, u8) {
        let held = self.score.min(cap(impact));
        if held < self.score {
            let text = format!("Held to {held} by impact {impact} of 5.");
            self.step("impact", held, text);
        }
        let sure = rarity(self.high).min(cap(impact));
        (self.terms, self.score, sure)
    }

    /// The rate after counter-evidence.
    #[must_use]
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    fn step(&mut self, name: &str, score: u8, text: String) {
        let points = i32::from(score) - i32::from(self.score);
        self.terms.push(Term {
            name: name.to_owned(),
            points,
            text,
        });
        self.score = score;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_stand_for_the_rates_of_the_design() {
        for (rate, score) in [
            (100.0, 50),
            (13.6, 70),
            (5.0, 80),
            (1.8, 90),
            (0.68, 100),
            (1e9, 0),
        ] {
            assert_eq!(rarity(rate), score, "{rate}");
        }
        assert_eq!(rarity(0.0), 100);
    }

    #[test]
    fn points_sum_to_the_score() {
        let mut waterfall = Waterfall::new(5.0, 15.0, "Rare.".into());
        waterfall.defeat("privacy", 4.0, "Phones do so.".into());
        let (terms, score, sure) = waterfall.close(2);
        let sum: i32 = terms.iter().map(|t| t.points).sum();
        assert_eq!(
            terms.iter().map(|t| t.points).collect::<Vec<_>>(),
            [80, -14, -7]
        );
        assert_eq!((sum, score, sure), (59, 59, 55));
    }

    #[test]
    fn what_impact_allows_adds_no_term() {
        let (terms, score, _) = Waterfall::new(100.0, 100.0, String::new()).close(3);
        assert_eq!((terms.len(), score), (1, 50));
    }
}
