//! When a rule applies: `"always"`, or a list such as `["mon-fri 18:00-08:00", "sat,sun"]`.
//!
//! Units: minutes of the site's local day, from packet time and the configured time zone. A span that
//! ends before it begins runs past midnight and belongs to the day on which it began.

use jiff::tz::TimeZone;

use crate::types::Timestamp;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MINUTES: u16 = 24 * 60;

/// Spans of the week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    /// `None` is always.
    spans: Option<Vec<Span>>,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// Bit 0 is Monday.
    days: u8,
    from: u16,
    until: u16,
}

impl Hours {
    /// Around the clock.
    #[must_use]
    pub fn always() -> Self {
        Self {
            spans: None,
            text: "always".to_owned(),
        }
    }

    /// Adds a span such as `mon-fri 18:00-08:00` or `sat,sun`.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let bad = || {
            format!(
                "\"{}\" is no span of the week; write it like \"mon-fri 18:00-08:00\" or \"sat,sun\"",
                text.escape_debug()
            )
        };
        let lower = text.trim().to_ascii_lowercase();
        let (days, clock) = match lower.split_once(' ') {
            Some((days, clock)) => (days, Some(clock.trim())),
            None => (lower.as_str(), None),
        };
        let days = days_of(days).ok_or_else(bad)?;
        let (from, until) = match clock {
            None => (0, DAY_MINUTES),
            Some(clock) => {
                let (from, until) = clock.split_once('-').ok_or_else(bad)?;
                let from = minute_of(from).ok_or_else(bad)?;
                (from, minute_of(until).ok_or_else(bad)?)
            }
        };
        if from == until || from == DAY_MINUTES {
            return Err(format!(
                "\"{}\" is empty; a whole day is written without hours",
                text.escape_debug()
            ));
        }
        self.spans
            .get_or_insert_default()
            .push(Span { days, from, until });
        if !self.text.is_empty() {
            self.text.push_str(", ");
        }
        self.text.push_str(&lower);
        Ok(())
    }

    /// Whether `ts` lies in one of the spans, at the site.
    #[must_use]
    pub fn hold(&self, ts: Timestamp, zone: &TimeZone) -> bool {
        let Some(spans) = &self.spans else {
            return true;
        };
        let Ok(at) = jiff::Timestamp::from_nanosecond(i128::from(ts.nanos())) else {
            return false;
        };
        let local = at.to_zoned(zone.clone());
        let day = local.weekday().to_monday_zero_offset().unsigned_abs();
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        spans.iter().any(|span| span.holds(day, minute))
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Span {
    fn holds(self, day: u8, minute: u16) -> bool {
        let on = |day: u8| self.days & 1_u8.checked_shl(u32::from(day)).unwrap_or(0) != 0;
        if self.from < self.until {
            return on(day) && (self.from..self.until).contains(&minute);
        }
        let yesterday = (day + 6) % 7;
        (on(day) && minute >= self.from) || (on(yesterday) && minute < self.until)
    }
}

/// `mon`, `mon-fri`, `sat,sun`, `daily`.
fn days_of(text: &str) -> Option<u8> {
    let place = |name: &str| DAYS.iter().position(|day| *day == name);
    if text == "daily" {
        return Some(0x7f);
    }
    let mut days = 0_u8;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (place(first)?, place(last)?);
        loop {
            days |= 1 << day;
            if day == last {
                break;
            }
            day = (day + 1) % DAYS.len();
        }
    }
    Some(days)
}

/// Minutes after midnight; `24:00` is the end of the day.
fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let part = |text: &str| -> Option<u16> {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let (hour, minute) = (part(hour)?, part(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-05 is a Monday.
    fn at(text: &str) -> Timestamp {
        let ts: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_secs(ts.as_second())
    }

    fn hours(texts: &[&str]) -> Hours {
        let mut hours = Hours::default();
        texts.iter().for_each(|text| hours.add(text).unwrap());
        hours
    }

    #[test]
    fn nights_belong_to_the_day_they_begin_on() {
        let nights = hours(&["mon-fri 18:00-08:00", "sat,sun"]);
        let zone = TimeZone::UTC;
        for (text, inside) in [
            ("2026-01-05T07:59:00Z", false), // Monday early: Sunday's span ended at midnight
            ("2026-01-05T12:00:00Z", false),
            ("2026-01-05T18:00:00Z", true),
            ("2026-01-06T07:59:59Z", true),
            ("2026-01-06T08:00:00Z", false),
            ("2026-01-10T07:00:00Z", true), // Saturday, Friday's night and its own day
            ("2026-01-11T23:59:00Z", true),
        ] {
            assert_eq!(nights.hold(at(text), &zone), inside, "{text}");
        }
        assert!(Hours::always().hold(at("2026-01-05T12:00:00Z"), &zone));
    }

    #[test]
    fn the_sites_clock_counts() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let office = hours(&["mon-fri 09:00-17:00"]);
        // 08:30 UTC in winter is 09:30 in Berlin, 16:30 UTC is 17:30.
        assert!(office.hold(at("2026-01-05T08:30:00Z"), &zone));
        assert!(!office.hold(at("2026-01-05T16:30:00Z"), &zone));
    }

    #[test]
    fn refuses_what_is_no_span() {
        for text in [
            "",
            "mon-",
            "monday",
            "mon 8-9",
            "mon 08:00-25:00",
            "mon 08:00-08:00",
            "mon 24:00-06:00",
            "mon 08:60-09:00",
            "mon +8:00-09:00",
        ] {
            assert!(Hours::default().add(text).is_err(), "{text}");
        }
        assert!(Hours::default().add("fri-mon 22:00-24:00").is_ok());
    }
}
