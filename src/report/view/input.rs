//! What was read and what was not understood, as tables.

use std::collections::BTreeMap;

use serde::Serialize;
use tapir_message::Stats;

use super::super::words::{count, plural, share};

/// Rows of one table; the rest is counted and stands in `stats.json`.
pub(super) const ROWS_MAX: usize = 16;

/// A table of names and counts, the largest first.
#[derive(Debug, Serialize)]
pub(super) struct Tally<'a> {
    title: &'static str,
    unit: &'static str,
    rows: Vec<Row<'a>>,
    more: usize,
}

/// One line of a table.
#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    count: String,
    /// Share of the table's largest, 0–100.
    share: u64,
}

/// One way in which traffic was not understood.
#[derive(Debug, Serialize)]
pub(super) struct Gap<'a> {
    what: &'static str,
    count: String,
    why: String,
    rows: Vec<Row<'a>>,
    more: usize,
}

/// Protocols, records and oddities.
pub(super) fn seen(stats: &Stats) -> Vec<Tally<'_>> {
    [
        ("Protocols", "flows", &stats.services),
        ("Records", "lines", &stats.records),
        ("Oddities", "times", &stats.weird),
    ]
    .into_iter()
    .filter(|(_, _, map)| !map.is_empty())
    .map(|(title, unit, map)| {
        let (rows, more) = rows(map);
        Tally {
            title,
            unit,
            rows,
            more,
        }
    })
    .collect()
}

/// Everything that was not read to the end, those with a count only.
pub(super) fn gaps(stats: &Stats) -> Vec<Gap<'_>> {
    let with_share = |why: &str, n: u64| {
        let part = share(n, stats.packets);
        format!("{why} ({part} of all packets).")
    };
    let mut out: Vec<Gap<'_>> = mirror(stats).into_iter().collect();
    let maps = [
        (
            "Not decoded",
            "Packets of a link type that is not read",
            &stats.not_decoded,
        ),
        (
            "Not understood",
            "Frames of an EtherType or IP protocol that no parser is there for; counted as traffic",
            &stats.not_understood,
        ),
        (
            "Malformed",
            "Packets with a header that contradicts itself",
            &stats.malformed,
        ),
    ];
    for (what, why, map) in maps {
        let sum = map.values().fold(0_u64, |sum, n| sum.saturating_add(*n));
        if sum > 0 {
            out.push(Gap::new(what, count(sum), with_share(why, sum), map));
        }
    }
    let single = [
        (
            "Truncated",
            "The capture holds only the beginning of these packets",
            stats.truncated,
        ),
        (
            "Copies",
            "Packets recognised as copies of another; each was counted once",
            stats.duplicate,
        ),
        (
            "Kept out",
            "Packets that the capture filter kept out",
            stats.filtered,
        ),
    ];
    for (what, why, n) in single {
        if n > 0 {
            out.push(Gap::new(what, count(n), with_share(why, n), &NONE));
        }
    }
    out.extend(damage(stats));
    out
}

/// The mirror's grade, and what to change; nothing if it is as it should be.
fn mirror(stats: &Stats) -> Option<Gap<'_>> {
    let grade = stats.mirror.grade?;
    let told = stats.mirror.causes.iter();
    let told: Vec<String> = told.map(|c| format!("{} {}", c.text, c.fix)).collect();
    if told.is_empty() {
        return None;
    }
    Some(Gap::new(
        "Mirror",
        grade.letter().to_owned(),
        told.join(" "),
        &NONE,
    ))
}

/// What happened to files, tables and times.
fn damage(stats: &Stats) -> Vec<Gap<'_>> {
    let mut out = Vec::new();
    if !stats.cut_at_byte.is_empty() {
        let files = plural(stats.cut_at_byte.len(), "file", "files");
        let why = "Damaged; read up to the byte named here.".to_owned();
        out.push(Gap::new("Damage", files, why, &stats.cut_at_byte));
    }
    if !stats.refused.is_empty() {
        let sum = stats
            .refused
            .values()
            .fold(0_u64, |sum, n| sum.saturating_add(*n));
        let why = "Entries that a table refused at its bound.".to_owned();
        out.push(Gap::new("Refused", count(sum), why, &stats.refused));
    }
    let words = [
        (
            stats.bounded,
            "Bounded",
            "yes".to_owned(),
            "A table was at its bound: the output may depend on the number of workers.",
        ),
        (
            stats.clamped > 0,
            "Times moved",
            count(stats.clamped),
            "Packet times that ran backwards were set to the time before them.",
        ),
        (
            stats.epochs > 0,
            "Clock jumps",
            count(stats.epochs),
            "Time jumped and stayed there: flows were closed and learning paused.",
        ),
    ];
    for (holds, what, value, why) in words {
        if holds {
            out.push(Gap::new(what, value, why.to_owned(), &NONE));
        }
    }
    out
}

static NONE: BTreeMap<String, u64> = BTreeMap::new();

impl<'a> Gap<'a> {
    fn new(what: &'static str, count: String, why: String, map: &'a BTreeMap<String, u64>) -> Self {
        let (rows, more) = rows(map);
        Self {
            what,
            count,
            why,
            rows,
            more,
        }
    }
}

/// The largest entries, ties by name, and how many were left out.
fn rows(map: &BTreeMap<String, u64>) -> (Vec<Row<'_>>, usize) {
    let mut all: Vec<(&String, &u64)> = map.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let largest = all.first().map_or(0, |(_, n)| **n);
    let rows = all
        .iter()
        .take(ROWS_MAX)
        .map(|(name, n)| Row {
            name: if *name == "-" { "not recognised" } else { name },
            count: count(**n),
            share: (u128::from(**n) * 100)
                .checked_div(u128::from(largest))
                .and_then(|part| u64::try_from(part).ok())
                .unwrap_or(0),
        })
        .collect();
    (rows, all.len().saturating_sub(ROWS_MAX))
}
