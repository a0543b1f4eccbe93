//! The whole capture as one drawing: breaches by score above, traffic below.
//!
//! Units: drawing units of a 960 × 300 field, kept as integers in tenths so that they never vary.

use jiff::civil::Time as Clock;
use jiff::{SignedDuration, Unit, Zoned, ZonedRound};
use serde::Serialize;
use tapir_message::Timestamp;

use super::Summary;
use super::band::Band;
use super::findings::{Findings, sure};
use super::words::{bytes, minute, plural, zoned};

const LEFT: i64 = 44;
const RIGHT: i64 = 948;
const SCORE_TOP: i64 = 14;
const SCORE_BOTTOM: i64 = 174;
const TRAFFIC_TOP: i64 = 200;
const TRAFFIC_BOTTOM: i64 = 262;
/// Two weeks of hours; more bars are thinner than a pixel on a small screen.
const BARS_MAX: i64 = 336;
/// More marks than this hide each other.
const MARKS_MAX: usize = 300;
/// More ticks than this collide.
const TICKS_MAX: i64 = 11;
/// Room that a score beside its mark takes.
const NAME_WIDTH: f64 = 34.0;
const NAME_HEIGHT: f64 = 6.0;
/// Width of a tick's label.
const LABEL: i64 = 64;
/// Shorter than this, hourly bars show nothing.
const SPAN_MIN_NS: i128 = 3 * HOUR_NS as i128;
const HOUR_NS: i64 = 3_600_000_000_000;

/// The drawing, ready for the template.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    bars: Vec<Bar>,
    marks: Vec<Mark>,
    ticks: Vec<Tick>,
    grid: Vec<Line>,
    scored: String,
    traffic: String,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    label: String,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: f64,
    y: f64,
    /// Where the evidence began and ended.
    from: f64,
    to: f64,
    band: Band,
    score: u8,
    number: usize,
    label: String,
    /// Whether there is room for its score beside it.
    named: bool,
}

#[derive(Debug, Serialize)]
struct Tick {
    x: f64,
    label: String,
}

#[derive(Debug, Serialize)]
struct Line {
    y: f64,
    label: u8,
}

/// The time axis.
struct Axis {
    first: Timestamp,
    span: i128,
}

impl Axis {
    /// Tenths of a drawing unit.
    fn tenths(&self, ts: Timestamp) -> i64 {
        let width = i128::from(RIGHT - LEFT) * 10;
        let offset = i128::from(ts.nanos()) - i128::from(self.first.nanos());
        let x = (offset.clamp(0, self.span) * width)
            .checked_div(self.span)
            .unwrap_or(0);
        LEFT * 10 + i64::try_from(x).unwrap_or(0)
    }

    /// Whether `ts` is within the axis, a hundredth of it before its start included.
    fn nearly(&self, ts: Timestamp) -> bool {
        let offset = i128::from(ts.nanos()) - i128::from(self.first.nanos());
        offset >= -(self.span / 100)
    }

    fn x(&self, ts: Timestamp) -> f64 {
        units(self.tenths(ts))
    }
}

/// Draws a run; nothing if there is neither a breach nor enough traffic to draw.
pub(super) fn chart(summary: &Summary<'_>, findings: &Findings<'_>) -> Option<Chart> {
    let (first, last) = (summary.stats.first_ts?, summary.stats.last_ts?);
    let axis = Axis {
        first,
        span: (i128::from(last.nanos()) - i128::from(first.nanos())).max(1),
    };
    let (bars, peak, step) = bars(summary, &axis, last);
    let marks = marks(summary, findings, &axis);
    if bars.is_empty() && marks.is_empty() {
        return None;
    }
    let scored = plural(
        findings.breaches().count(),
        "scored breach",
        "scored breaches",
    );
    let traffic = if bars.is_empty() {
        String::new()
    } else {
        format!("highest bar {} in {}", bytes(peak), hours(step))
    };
    Some(Chart {
        ticks: ticks(summary, &axis, last),
        grid: [20, 40, 60, 80]
            .map(|score| Line {
                y: units(score_y(score)),
                label: score,
            })
            .into(),
        bars,
        marks,
        scored,
        traffic,
    })
}

/// Traffic as bars of one hour, or of as many hours as keep them visible.
fn bars(summary: &Summary<'_>, axis: &Axis, last: Timestamp) -> (Vec<Bar>, u64, i64) {
    let Some(&(start, _)) = summary.traffic.first().filter(|_| axis.span >= SPAN_MIN_NS) else {
        return (Vec::new(), 0, 1);
    };
    let hours_all = last.since(start).max(0) / HOUR_NS;
    let step = hours_all / BARS_MAX + 1;
    let width_ns = HOUR_NS.saturating_mul(step);
    let mut sums: Vec<(i64, u64)> = Vec::new();
    for &(ts, amount) in summary.traffic {
        let slot = ts.since(start).div_euclid(width_ns);
        match sums.last_mut() {
            Some((at, sum)) if *at == slot => *sum = sum.saturating_add(amount),
            _ => sums.push((slot, amount)),
        }
    }
    let peak = sums.iter().map(|(_, sum)| *sum).max().unwrap_or(0);
    let bars = sums
        .into_iter()
        .map(|(slot, sum)| {
            let from = start.plus(slot.saturating_mul(width_ns));
            let (left, right) = (axis.tenths(from), axis.tenths(from.plus(width_ns)));
            let full = u128::from((TRAFFIC_BOTTOM - TRAFFIC_TOP).unsigned_abs()) * 10;
            let height = (u128::from(sum) * full)
                .checked_div(u128::from(peak))
                .unwrap_or(0);
            let height = i64::try_from(height).unwrap_or(0);
            // A small gap keeps bars apart; a sliver of three tenths stays visible.
            let gap = ((right - left) / 8).min(15);
            Bar {
                x: units(left),
                y: units(TRAFFIC_BOTTOM * 10 - height),
                width: units((right - left - gap).max(3)),
                height: units(height),
                label: format!("{}: {}", minute(from, summary.time_zone), bytes(sum)),
            }
        })
        .collect();
    (bars, peak, step)
}

/// One mark for each of the worst breaches, the worst drawn last and so on top.
fn marks(summary: &Summary<'_>, findings: &Findings<'_>, axis: &Axis) -> Vec<Mark> {
    let mut marks: Vec<Mark> = findings
        .breaches()
        .enumerate()
        .take(MARKS_MAX)
        .map(|(index, breach)| {
            let score = breach.score.unwrap_or(0);
            let when = minute(breach.ts, summary.time_zone);
            Mark {
                x: axis.x(breach.ts),
                y: units(score_y(score)),
                from: axis.x(breach.first_ts),
                to: axis.x(breach.last_ts),
                band: Band::of(sure(breach)),
                score,
                number: index + 1,
                label: format!("{score}, {}, {}, {when}", breach.title, breach.device_name),
                named: true,
            }
        })
        .collect();
    // The worst is drawn last and named first; one that would lie over it stays without a number.
    marks.sort_by_key(|mark| (mark.score, std::cmp::Reverse(mark.number)));
    let places: Vec<(f64, f64)> = marks.iter().map(|mark| (mark.x, mark.y)).collect();
    for (at, mark) in marks.iter_mut().enumerate() {
        let worse = places.get(at + 1..).unwrap_or_default();
        let over = |&(x, y): &(f64, f64)| {
            (mark.x - x).abs() < NAME_WIDTH && (mark.y - y).abs() < NAME_HEIGHT
        };
        mark.named = !worse.iter().any(over);
    }
    marks
}

/// Tenths of a drawing unit.
fn score_y(score: u8) -> i64 {
    SCORE_BOTTOM * 10 - (SCORE_BOTTOM - SCORE_TOP) * i64::from(score.min(100)) / 10
}

/// Times at round hours or days of the zone.
fn ticks(summary: &Summary<'_>, axis: &Axis, last: Timestamp) -> Vec<Tick> {
    const STEPS_MIN: [i64; 13] = [
        1, 5, 10, 30, 60, 180, 360, 720, 1_440, 2_880, 10_080, 43_200, 525_600,
    ];
    let minutes = last.since(axis.first) / 60_000_000_000;
    let step = STEPS_MIN
        .into_iter()
        .find(|step| minutes / step < TICKS_MAX);
    let step = step.unwrap_or_else(|| minutes / TICKS_MAX + 1);
    let start = zoned(axis.first, summary.time_zone);
    let mut at = if step >= 1_440 {
        start.with().time(Clock::midnight()).build()
    } else {
        let by_hour = step >= 60;
        let unit = if by_hour { Unit::Hour } else { Unit::Minute };
        let every = if by_hour { step / 60 } else { step };
        let round = ZonedRound::new()
            .smallest(unit)
            .mode(jiff::RoundMode::Trunc)
            .increment(every);
        // Half a day divides no hour unit jiff rounds to; midnight serves as well.
        start
            .round(round)
            .or_else(|_| start.with().time(Clock::midnight()).build())
    };
    let mut out = Vec::new();
    // Twice the ticks that fit is more than any start before the first packet can need.
    for _ in 0..4 * TICKS_MAX {
        let Ok(time) = at else { break };
        let ns = i64::try_from(time.timestamp().as_nanosecond()).unwrap_or(i64::MAX);
        let ts = Timestamp::from_nanos(ns);
        if ts > last {
            break;
        }
        // A day that began just before the first packet is labelled at the edge.
        if axis.nearly(ts) {
            let x = axis.tenths(ts);
            let fits = x <= (RIGHT - LABEL) * 10;
            out.push(Tick {
                x: units(x),
                label: if fits {
                    label(&time, step, out.is_empty())
                } else {
                    String::new()
                },
            });
        }
        at = if step >= 1_440 {
            time.checked_add(jiff::Span::new().days(step / 1_440))
        } else {
            time.checked_add(SignedDuration::from_mins(step))
        };
    }
    out
}

/// A tick's text; the month stands at the first one and where it changes.
fn label(time: &Zoned, step_min: i64, first: bool) -> String {
    let pattern = match step_min {
        ..1_440 => "%H:%M",
        1_440 if !first && time.day() > 1 => "%a %-d",
        1_440 => "%a %-d %b",
        _ => "%-d %b %y",
    };
    time.strftime(pattern).to_string()
}

/// `an hour`, `3 hours`.
fn hours(step: i64) -> String {
    if step == 1 {
        "an hour".to_owned()
    } else {
        format!("{step} hours")
    }
}

/// Tenths as drawing units.
fn units(tenths: i64) -> f64 {
    f64::from(i32::try_from(tenths).unwrap_or(0)) / 10.0
}
