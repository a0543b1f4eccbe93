//! Time as packets tell it.
//!
//! Units:  nanoseconds since the Unix epoch, UTC.
//! Bounds: years 1677 to 2262, as far as 64 bits reach.
//! Source: RFC 3339 for the text form; the civil calendar after Hinnant's days algorithm.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

/// Nanoseconds since the Unix epoch, from a packet. The engine has no other clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time there is.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest time there is: a deadline that never comes.
    pub const MAX: Self = Self(i64::MAX);

    /// A time from nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(ns: i64) -> Self {
        Self(ns)
    }

    /// A time from whole seconds since the epoch.
    #[must_use]
    pub const fn from_secs(s: i64) -> Self {
        Self(s.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// This time moved by `ns` nanoseconds; stops at the ends of the range.
    #[must_use]
    pub const fn plus(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Nanoseconds from `earlier` to this time; negative if this one is the earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Year, month, day, hour, minute, second and nanosecond in UTC.
    #[must_use]
    pub const fn civil(self) -> (i64, u8, u8, u8, u8, u8, u32) {
        let secs = self.secs();
        let days = secs.div_euclid(86_400);
        let rest = secs.rem_euclid(86_400);
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + (month <= 2) as i64;
        (
            year,
            low8(month),
            low8(day),
            low8(rest / 3_600),
            low8(rest / 60 % 60),
            low8(rest % 60),
            low32(self.0.rem_euclid(1_000_000_000)),
        )
    }
}

/// The low byte of a calendar part, all of which fit in one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "parts are below 256"
)]
const fn low8(part: i64) -> u8 {
    part as u8
}

/// The low half of a nanosecond count below 10^9.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "below 10^9"
)]
const fn low32(part: i64) -> u32 {
    part as u32
}

/// What [`Timestamp`]'s text is like; its digits are put in place.
const FORM: [u8; 30] = *b"0000-00-00T00:00:00.000000000Z";

/// Puts a number's digits into `place`, zeros in front.
const fn digits(place: &mut [u8], mut number: u32) {
    let mut at = place.len();
    while at > 0 {
        at -= 1;
        place[at] = b'0' + low8((number % 10) as i64);
        number /= 10;
    }
}

impl Timestamp {
    /// What `Display` writes.
    fn text(self) -> [u8; 30] {
        let (year, month, day, hour, minute, second, ns) = self.civil();
        let mut text = FORM;
        digits(&mut text[0..4], u32::try_from(year).unwrap_or(0));
        let parts = [month, day, hour, minute, second];
        for (at, part) in [5, 8, 11, 14, 17].into_iter().zip(parts) {
            digits(&mut text[at..at + 2], part.into());
        }
        digits(&mut text[20..29], ns);
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Thousands of them are written at a run's end: without the machinery of formatting.
        let text = self.text();
        serializer.serialize_str(str::from_utf8(&text).map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| D::Error::custom(format!("not a time in UTC: {text:?}")))
    }
}

/// Reads back what `Display` writes: RFC 3339 in UTC with up to nine decimals.
fn parse(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let tail = text.get(19..)?.strip_suffix('Z')?;
    let ns = match tail.strip_prefix('.') {
        Some(decimals) if (1..=9).contains(&decimals.len()) => {
            format!("{decimals:0<9}").parse::<i64>().ok()?
        }
        None if tail.is_empty() => 0,
        _ => return None,
    };
    let y = year - i64::from(month <= 2);
    let (era, yoe) = (y.div_euclid(400), y.rem_euclid(400));
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    let secs = days * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(Timestamp(secs.checked_mul(1_000_000_000)?.checked_add(ns)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_rfc_3339_and_reads_back() {
        // `date -u -d @1763456789` prints 2025-11-18T09:06:29.
        let ts = Timestamp::from_nanos(1_763_456_789_000_000_042);
        assert_eq!(ts.to_string(), "2025-11-18T09:06:29.000000042Z");
        assert_eq!(parse(&ts.to_string()), Some(ts));
        assert_eq!(
            Timestamp::from_secs(0).to_string(),
            "1970-01-01T00:00:00.000000000Z"
        );
        assert_eq!(
            Timestamp::from_nanos(-1).to_string(),
            "1969-12-31T23:59:59.999999999Z"
        );
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "",
            "2025",
            "2025-11-18T09:06:29",
            "2025-11-18T09:06:29.1234567890Z",
            "x",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
