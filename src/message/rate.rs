//! A rate of innocent breaches, written with three digits.
//!
//! Units: breaches per 1,000 device-weeks.

use serde::{Deserialize, Serialize, Serializer};

/// Breaches per 1,000 device-weeks.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub f64);

impl Rate {
    /// The value rounded to three significant digits, as it is written out.
    #[must_use]
    pub fn rounded(self) -> f64 {
        format!("{:.2e}", self.0).parse().unwrap_or(self.0)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.rounded())
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn keeps_three_digits() {
        for (value, text) in [
            (5.0, "5.0"),
            (0.123_456, "0.123"),
            (13.649, "13.6"),
            (7_006.0, "7010.0"),
        ] {
            assert_eq!(
                serde_json::to_string(&Rate(value)).ok().as_deref(),
                Some(text)
            );
        }
    }
}
