//! The six bands of the score and what each asks of a person (design §5).

use serde::Serialize;

/// What a score asks for. `score_sure` decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Band {
    /// 0–19.
    Record,
    /// 20–39.
    Note,
    /// 40–59.
    Brief,
    /// 60–79.
    Notify,
    /// 80–94.
    Wake,
    /// 95–100.
    Act,
}

impl Band {
    /// All bands, the highest first.
    pub(crate) const ALL: [Self; 6] = [
        Self::Act,
        Self::Wake,
        Self::Notify,
        Self::Brief,
        Self::Note,
        Self::Record,
    ];

    /// The band of a score.
    pub(crate) const fn of(score: u8) -> Self {
        match score {
            0..=19 => Self::Record,
            20..=39 => Self::Note,
            40..=59 => Self::Brief,
            60..=79 => Self::Notify,
            80..=94 => Self::Wake,
            95.. => Self::Act,
        }
    }

    /// Lowest and highest score.
    pub(crate) const fn scores(self) -> (u8, u8) {
        match self {
            Self::Record => (0, 19),
            Self::Note => (20, 39),
            Self::Brief => (40, 59),
            Self::Notify => (60, 79),
            Self::Wake => (80, 94),
            Self::Act => (95, 100),
        }
    }

    /// One word, for narrow columns and style classes.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Note => "note",
            Self::Brief => "brief",
            Self::Notify => "notify",
            Self::Wake => "wake",
            Self::Act => "act",
        }
    }

    /// What to do, in words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Note => "note",
            Self::Brief => "brief at nine",
            Self::Notify => "notify in office hours",
            Self::Wake => "wake, act if authorised",
            Self::Act => "act first",
        }
    }

    /// How the verdict begins.
    pub(crate) const fn verdict(self) -> &'static str {
        match self {
            Self::Record => "Nothing needs doing",
            Self::Note => "Nothing needs doing",
            Self::Brief => "Nothing urgent",
            Self::Notify => "Tell somebody in office hours",
            Self::Wake => "Wake somebody",
            Self::Act => "Act now",
        }
    }

    /// Breaches per 1,000 device-weeks that an innocent network shows at or above the lowest score:
    /// `100 · 10^((50 − score) / 23.06)`, rounded. Nothing is promised for 0.
    pub(crate) const fn rate_at_least(self) -> Option<f64> {
        match self {
            Self::Record => None,
            Self::Note => Some(2_000.0),
            Self::Brief => Some(271.0),
            Self::Notify => Some(36.8),
            Self::Wake => Some(5.0),
            Self::Act => Some(1.12),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Band;

    #[test]
    fn bands_cover_every_score_once() {
        for score in 0..=100 {
            let (low, high) = Band::of(score).scores();
            assert!((low..=high).contains(&score));
        }
        assert_eq!(Band::of(79), Band::Notify);
        assert_eq!(Band::of(80), Band::Wake);
    }

    #[test]
    fn rates_follow_the_formula_of_the_score() {
        for band in Band::ALL {
            let Some(rate) = band.rate_at_least() else {
                continue;
            };
            let score = 50.0 + 23.06 * (100.0 / rate).log10();
            assert!(
                (score - f64::from(band.scores().0)).abs() < 0.05,
                "{band:?}: {score}"
            );
        }
    }
}
