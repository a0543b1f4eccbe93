//! What was found, in the order in which it is told: the worst incident first.

use tapir_message::{Breach, Class, Incident};

use super::Summary;
use super::band::Band;
use super::words::{duration, plural};

/// An incident with its scored breaches, or a breach that belongs to none.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) incident: Option<&'a Incident>,
    /// Highest score in it.
    pub(super) score: u8,
    /// Highest `score_sure` in it.
    pub(super) sure: u8,
    /// The worst first.
    pub(super) breaches: Vec<&'a Breach>,
}

impl Group<'_> {
    /// What the group asks for.
    pub(super) const fn band(&self) -> Band {
        Band::of(self.sure)
    }
}

/// Everything scored, and what the sensor says of itself.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    /// The worst first.
    pub(super) groups: Vec<Group<'a>>,
    /// The most urgent first.
    pub(super) health: Vec<&'a Breach>,
}

impl<'a> Findings<'a> {
    /// Sorts what a summary holds. Ties go by time, then by id, so the order is always the same.
    pub(super) fn new(summary: &Summary<'a>) -> Self {
        let mut health: Vec<&Breach> = Vec::new();
        let mut scored: Vec<&Breach> = Vec::new();
        for breach in summary.breaches {
            if breach.class == Class::Health {
                health.push(breach);
            } else {
                scored.push(breach);
            }
        }
        health.sort_by_key(|b| (std::cmp::Reverse(b.priority), b.ts, b.id.as_str()));
        scored.sort_by_key(|b| b.incident.as_str());
        let mut incidents: Vec<&Incident> = summary
            .incidents
            .iter()
            .filter(|i| i.score.is_some())
            .collect();
        incidents.sort_by_key(|i| i.id.as_str());

        let mut groups = Vec::new();
        let mut rest = scored.into_iter().peekable();
        for incident in incidents {
            while let Some(loose) = rest.next_if(|b| b.incident < incident.id) {
                groups.push(Self::group(None, vec![loose]));
            }
            let mut own = Vec::new();
            while let Some(breach) = rest.next_if(|b| b.incident == incident.id) {
                own.push(breach);
            }
            groups.push(Self::group(Some(incident), own));
        }
        groups.extend(rest.map(|loose| Self::group(None, vec![loose])));
        groups.sort_by(|a, b| {
            let key = |g: &Group<'a>| {
                let first = g.breaches.iter().map(|b| b.first_ts).min();
                let name = g.breaches.first().map_or("", |b| b.id.as_str());
                (g.incident.map(|i| i.first_ts).or(first), name)
            };
            (b.score, b.sure)
                .cmp(&(a.score, a.sure))
                .then_with(|| key(a).cmp(&key(b)))
        });
        Self { groups, health }
    }

    /// Joins breaches and finds the highest scores.
    fn group(incident: Option<&'a Incident>, mut breaches: Vec<&'a Breach>) -> Group<'a> {
        breaches.sort_by(|a, b| {
            (b.score, b.score_sure)
                .cmp(&(a.score, a.score_sure))
                .then_with(|| (a.ts, &a.id).cmp(&(b.ts, &b.id)))
        });
        let score = breaches.iter().filter_map(|b| b.score).max();
        let score = score.max(incident.and_then(|i| i.score)).unwrap_or(0);
        let sure = breaches.iter().map(|b| sure(b)).max().unwrap_or(score);
        Group {
            incident,
            score,
            sure,
            breaches,
        }
    }

    /// All scored breaches, group by group.
    pub(super) fn breaches(&self) -> impl Iterator<Item = &'a Breach> + '_ {
        self.groups.iter().flat_map(|g| g.breaches.iter().copied())
    }

    /// What the whole run asks for; `None` if nothing was scored.
    pub(super) fn band(&self) -> Option<Band> {
        self.groups.iter().map(Group::band).max()
    }

    /// The highest score.
    pub(super) fn score(&self) -> u8 {
        self.groups.iter().map(|g| g.score).max().unwrap_or(0)
    }

    /// The verdict in one sentence.
    pub(super) fn verdict(&self, summary: &Summary<'_>) -> String {
        let Some(band) = self.band() else {
            return match watched(summary) {
                None => "No packet was read, so there is nothing to say.".to_owned(),
                Some(_) if knows_normal(summary) => "Nothing out of the ordinary was seen.".into(),
                Some(ns) => format!(
                    "Nothing fired, but {} of traffic cannot show what is normal here.",
                    duration(ns)
                ),
            };
        };
        let incidents = self.groups.iter().filter(|g| g.incident.is_some()).count();
        let what = if incidents > 0 {
            plural(incidents, "incident", "incidents")
        } else {
            plural(self.groups.len(), "breach", "breaches")
        };
        let worst = if self.groups.len() == 1 {
            "scored"
        } else {
            "the worst scored"
        };
        format!("{}: {what}, {worst} {}.", band.verdict(), self.score())
    }
}

/// From the first packet to the last, nanoseconds; `None` without a packet.
fn watched(summary: &Summary<'_>) -> Option<i64> {
    let (first, last) = (summary.stats.first_ts?, summary.stats.last_ts?);
    Some(last.since(first))
}

/// Whether there was time to learn what is ordinary: before, silence says little.
pub(super) fn knows_normal(summary: &Summary<'_>) -> bool {
    summary.site_days >= 1.0
}

/// The score that decides: `score_sure`, or the score where it lacks.
pub(crate) fn sure(breach: &Breach) -> u8 {
    breach.score_sure.or(breach.score).unwrap_or(0)
}

/// Reasons why the verdict rests on less than the whole traffic, most telling first.
pub(super) fn doubts(summary: &Summary<'_>) -> Vec<&'static str> {
    let stats = summary.stats;
    // One packet in fifty: below that a verdict does not turn on what is missing.
    let many = |n: u64| n > stats.packets / 50;
    let mut out = Vec::new();
    if !stats.cut_at_byte.is_empty() {
        out.push("a damaged file was read only in part");
    }
    if many(stats.truncated) {
        out.push("the capture holds only the beginning of many packets");
    }
    if many(stats.not_decoded.values().sum()) || many(stats.malformed.values().sum()) {
        out.push("many packets could not be decoded");
    }
    if stats.bounded {
        out.push("a table reached its bound");
    }
    if summary
        .breaches
        .iter()
        .any(|b| b.class == Class::Health && b.priority >= Some(60))
    {
        out.push("the sensor reports a fault of its own");
    }
    out
}

/// Devices that appeared after the first day; `None` while there was no more than one day.
pub(super) fn new_devices(summary: &Summary<'_>) -> Option<usize> {
    const DAY_NS: i64 = 86_400_000_000_000;
    let (first, last) = (summary.stats.first_ts?, summary.stats.last_ts?);
    (last.since(first) > DAY_NS).then(|| {
        let settled = first.plus(DAY_NS);
        summary
            .devices
            .iter()
            .filter(|d| d.first_ts > settled)
            .count()
    })
}
