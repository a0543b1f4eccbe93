//! Numbers, sizes, times and rates as people say them.
//!
//! Units: sizes in powers of 1,000; times in the zone of the summary.

use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};
use serde::Serialize;
use tapir_message::Timestamp;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 60 * MINUTE_S;
const DAY_S: i64 = 24 * HOUR_S;

/// A time for machines and for people.
#[derive(Debug, Serialize)]
pub(crate) struct Time {
    iso: String,
    text: String,
}

impl Time {
    /// Day, month, hour and minute.
    pub(crate) fn new(ts: Timestamp, zone: &TimeZone) -> Self {
        Self {
            iso: ts.to_string(),
            text: minute(ts, zone),
        }
    }

    /// The end of a span that began at `first`: without the day if that is the same.
    pub(crate) fn until(first: Timestamp, last: Timestamp, zone: &TimeZone) -> Self {
        let same = zoned(first, zone).date() == zoned(last, zone).date();
        let pattern = if same { "%H:%M" } else { "%a %-d %b, %H:%M" };
        Self {
            iso: last.to_string(),
            text: format(last, zone, pattern),
        }
    }

    /// A time to the second.
    pub(crate) fn exact(ts: Timestamp, zone: &TimeZone) -> Self {
        Self {
            iso: ts.to_string(),
            text: format(ts, zone, "%a %-d %b, %H:%M:%S"),
        }
    }
}

/// The time in `zone`. Every 64-bit nanosecond count is within jiff's range.
pub(crate) fn zoned(ts: Timestamp, zone: &TimeZone) -> Zoned {
    Instant::from_nanosecond(i128::from(ts.nanos()))
        .unwrap_or_default()
        .to_zoned(zone.clone())
}

/// The time in `zone` after a strftime pattern of our own.
fn format(ts: Timestamp, zone: &TimeZone, pattern: &str) -> String {
    zoned(ts, zone).strftime(pattern).to_string()
}

/// `Tue 11 Nov, 02:14`.
pub(crate) fn minute(ts: Timestamp, zone: &TimeZone) -> String {
    format(ts, zone, "%a %-d %b, %H:%M")
}

/// `Tue 11 Nov, 02:14:05`.
pub(crate) fn second(ts: Timestamp, zone: &TimeZone) -> String {
    format(ts, zone, "%a %-d %b, %H:%M:%S")
}

/// `11 Nov 02:14`.
pub(crate) fn short(ts: Timestamp, zone: &TimeZone) -> String {
    format(ts, zone, "%-d %b %H:%M")
}

/// `11 Nov`.
pub(crate) fn day(ts: Timestamp, zone: &TimeZone) -> String {
    format(ts, zone, "%-d %b")
}

/// Whether a site allows a service; a dash where it has not said.
pub(crate) const fn sanctioned(said: Option<bool>) -> &'static str {
    match said {
        Some(true) => "yes",
        Some(false) => "no",
        None => "—",
    }
}

/// `02:14:05`.
pub(crate) fn clock(ts: Timestamp, zone: &TimeZone) -> String {
    format(ts, zone, "%H:%M:%S")
}

/// `11 Nov 02:14`, `11 Nov 02:14–02:20` or `11 Nov 02:14 – 12 Nov 09:00`, for narrow columns.
pub(crate) fn short_span(first: Timestamp, last: Timestamp, zone: &TimeZone) -> String {
    let (from, to) = (zoned(first, zone), zoned(last, zone));
    let start = from.strftime("%-d %b %H:%M");
    if from.date() != to.date() {
        format!("{start} – {}", to.strftime("%-d %b %H:%M"))
    } else if last.since(first) < MINUTE_S * 1_000_000_000 {
        start.to_string()
    } else {
        format!("{start}–{}", to.strftime("%H:%M"))
    }
}

/// `3 Nov to 13 Nov 2025`, or with the hours if it is one day.
pub(crate) fn span_days(first: Timestamp, last: Timestamp, zone: &TimeZone) -> String {
    let (from, to) = (zoned(first, zone), zoned(last, zone));
    if from.date() == to.date() {
        span(first, last, zone)
    } else if from.year() == to.year() {
        format!(
            "{} to {}",
            from.strftime("%-d %b"),
            to.strftime("%-d %b %Y")
        )
    } else {
        format!(
            "{} to {}",
            from.strftime("%-d %b %Y"),
            to.strftime("%-d %b %Y")
        )
    }
}

/// `3 Nov 2025, 00:00 to 13 Nov 2025, 00:00`, the day once if it is the same.
pub(crate) fn span(first: Timestamp, last: Timestamp, zone: &TimeZone) -> String {
    let (from, to) = (zoned(first, zone), zoned(last, zone));
    let start = from.strftime("%-d %b %Y, %H:%M");
    if from.date() == to.date() {
        format!("{start} to {}", to.strftime("%H:%M"))
    } else {
        format!("{start} to {}", to.strftime("%-d %b %Y, %H:%M"))
    }
}

/// Name of the zone: `Europe/Berlin`, or its offset.
pub(crate) fn zone_name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(offset)) => format!("UTC{offset}"),
        (None, Err(_)) => "local time".to_owned(),
    }
}

/// Thousands with commas.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 device`, `3 devices`, `no devices`.
pub(crate) fn plural(n: usize, one: &str, many: &str) -> String {
    match n {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{} {many}", count(n as u64)),
    }
}

/// A size with three digits: `28.3 MB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if n < 1_000 {
        return format!("{n} B");
    }
    let mut scale = 1_000_u64;
    let mut unit = "kB";
    for next in UNITS.iter().skip(1) {
        // The next unit as soon as this one would be rounded to 1000.
        if n / scale < 999 || (n / scale == 999 && n % scale < scale / 2) {
            break;
        }
        let Some(larger) = scale.checked_mul(1_000) else {
            break;
        };
        (scale, unit) = (larger, next);
    }
    let (scale, n) = (u128::from(scale), u128::from(n));
    let tenths = (n * 10 + scale / 2) / scale;
    let hundredths = (n * 100 + scale / 2) / scale;
    if hundredths < 1_000 {
        format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100)
    } else if tenths < 1_000 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", (n + scale / 2) / scale)
    }
}

/// A length of time in its two largest units: `9 d 14 h`.
pub(crate) fn duration(ns: i64) -> String {
    let secs = ns.max(0) / 1_000_000_000;
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big} {big_unit}")
        } else {
            format!("{big} {big_unit} {small} {small_unit}")
        }
    };
    if secs >= DAY_S {
        two(secs / DAY_S, "d", secs % DAY_S / HOUR_S, "h")
    } else if secs >= HOUR_S {
        two(secs / HOUR_S, "h", secs % HOUR_S / MINUTE_S, "min")
    } else if secs >= MINUTE_S {
        two(secs / MINUTE_S, "min", secs % MINUTE_S, "s")
    } else {
        format!("{secs} s")
    }
}

/// How long ago something was, in one unit: `now`, `12 min ago`, `3 h ago`, `9 d ago`.
pub(crate) fn ago(ns: i64) -> String {
    let secs = ns.max(0) / 1_000_000_000;
    match secs {
        0..MINUTE_S => "now".to_owned(),
        MINUTE_S..HOUR_S => format!("{} min ago", secs / MINUTE_S),
        HOUR_S..DAY_S => format!("{} h ago", secs / HOUR_S),
        _ => format!("{} d ago", secs / DAY_S),
    }
}

/// `part` of `whole` in percent with the digits that matter.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0 %".to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    match hundredths {
        0 => "< 0.01 %".to_owned(),
        1..=999 => format!("{}.{:02} %", hundredths / 100, hundredths % 100),
        _ => format!("{} %", hundredths / 100),
    }
}

/// A rate with at most three digits: `0.25`, `3.36`, `30.2`, `1,240`.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        return "an unknown number of".to_owned();
    }
    if value >= 100.0 {
        return count(whole(value));
    }
    let text = match value {
        10.0.. => format!("{value:.1}"),
        0.01.. => format!("{value:.2}"),
        _ if value > 0.0 => return "less than 0.01".to_owned(),
        _ => return "0".to_owned(),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How often something of `rate` per 1,000 device-weeks happens among `devices`.
pub(crate) fn how_often(rate: f64, devices: usize) -> Option<String> {
    if devices == 0 || !rate.is_finite() || rate <= 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a device count is far below 2^52"
    )]
    let weeks = 1_000.0 / (rate * devices as f64);
    let days = weeks * 7.0;
    Some(match weeks {
        5_200.0.. => "less than once in a hundred years".to_owned(),
        104.0.. => format!("about once in {} years", whole(weeks / 52.0)),
        2.0.. => format!("about once in {} weeks", whole(weeks)),
        _ if days >= 1.5 => format!("about once in {} days", whole(days)),
        _ if days >= 0.75 => "about once a day".to_owned(),
        _ => format!("about {} times a day", count(whole(1.0 / days))),
    })
}

/// The nearest whole number of a value that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
pub(crate) fn whole(value: f64) -> u64 {
    (value + 0.5) as u64
}

/// How many terminal columns a character takes; close enough to keep columns straight.
pub(crate) const fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// `text` in at most `max` columns, with an ellipsis if something was cut.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += columns(c);
        if used > max {
            break;
        }
        out.push(c);
    }
    let mut out = out.trim_end().to_owned();
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_say_them() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(plural(0, "device", "devices"), "no devices");
        for (n, text) in [
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (28_312_000, "28.3 MB"),
            (999_949, "1.00 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(n), text);
        }
        assert_eq!(share(1, 3), "33 %");
        assert_eq!(share(5, 100_000), "< 0.01 %");
        assert_eq!(number(30.199), "30.2");
        assert_eq!(number(5.0), "5");
        assert_eq!(number(1_240.4), "1,240");
    }

    #[test]
    fn a_rate_in_weeks_of_this_network() {
        // 1,000 device-weeks are 1000/14 = 71.4 weeks of 14 devices; 3.36 in them are one in 21.3.
        let of_14 = |rate| how_often(rate, 14).unwrap_or_default();
        assert_eq!(of_14(3.36), "about once in 21 weeks");
        assert_eq!(of_14(271.0), "about once in 2 days");
        assert_eq!(of_14(0.1), "about once in 14 years");
        assert_eq!(how_often(1.0, 0), None);
    }

    #[test]
    fn times_in_their_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC);
        let ts = Timestamp::from_secs(1_762_124_400); // 2025-11-02T23:00:00Z
        assert_eq!(minute(ts, &berlin), "Mon 3 Nov, 00:00");
        assert_eq!(
            span(ts, ts.plus(60_000_000_000), &berlin),
            "3 Nov 2025, 00:00 to 00:01"
        );
        assert_eq!(duration(830_000_000_000_000), "9 d 14 h");
        let ages = [-1, 59, 60, 3_599, 3_600, 86_399, 86_400, 830_000];
        assert_eq!(
            ages.map(|s| ago(s * 1_000_000_000)),
            [
                "now",
                "now",
                "1 min ago",
                "59 min ago",
                "1 h ago",
                "23 h ago",
                "1 d ago",
                "9 d ago"
            ]
        );
        assert_eq!(zone_name(&berlin), "Europe/Berlin");
        // The ends of the range must not stop a report.
        assert!(span(Timestamp::MIN, Timestamp::MAX, &berlin).starts_with("21 Sep 1677"));
    }

    #[test]
    fn cuts_by_columns() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語日本語", 5), "日本…");
        assert_eq!(width("e\u{301}"), 1);
    }
}
