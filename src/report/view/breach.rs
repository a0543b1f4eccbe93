//! Incidents, breaches and health notes with their reasons.

use serde::Serialize;
use tapir_message::{Breach, Term};

use super::super::band::Band;
use super::super::findings::{Findings, Group, sure};
use super::super::words::{self, Time, count, how_often, plural};
use super::super::{BREACHES_MAX, Summary};
use super::Zone;

/// Highest score that each impact allows (design §5).
const CAPS: [u8; 5] = [39, 59, 79, 94, 100];

/// A score, and the band that `score_sure` puts it in.
#[derive(Debug, Serialize)]
struct Badge {
    score: u8,
    sure: u8,
    band: Band,
    words: &'static str,
}

impl Badge {
    const fn new(score: u8, sure: u8) -> Self {
        let band = Band::of(sure);
        Self {
            score,
            sure,
            band,
            words: band.words(),
        }
    }
}

/// One incident as a story.
#[derive(Debug, Serialize)]
pub(super) struct IncidentView<'a> {
    number: usize,
    badge: Badge,
    title: &'a str,
    id: &'a str,
    devices: &'a [String],
    attack: &'a [String],
    first: Time,
    last: Time,
    one_time: bool,
    story: Vec<Line<'a>>,
    story_more: usize,
}

/// One moment of a story.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: Time,
    badge: Option<Badge>,
    model: &'a str,
    text: &'a str,
    /// Number of the breach on this page.
    number: Option<usize>,
}

impl<'a> IncidentView<'a> {
    /// The incidents whose breaches are on the page, the worst first.
    pub(super) fn all(summary: &Summary<'a>, findings: &Findings<'a>) -> Vec<Self> {
        let mut before = 0;
        let mut out = Vec::new();
        for group in &findings.groups {
            if out.len() < BREACHES_MAX {
                let number = out.len() + 1;
                out.extend(Self::new(number, group, before, summary.time_zone));
            }
            before += group.breaches.len();
        }
        out
    }

    fn new(number: usize, group: &Group<'a>, before: usize, zone: Zone<'_>) -> Option<Self> {
        let incident = group.incident?;
        let line = |moment: &'a tapir_message::Moment| {
            let at = group.breaches.iter().position(|b| b.id == moment.breach);
            let breach = at.and_then(|index| group.breaches.get(index));
            let page_number = at.map(|index| before + index + 1);
            Line {
                time: Time::exact(moment.ts, zone),
                badge: moment
                    .score
                    .map(|score| Badge::new(score, breach.map_or(score, |b| sure(b)))),
                model: &moment.model,
                text: &moment.text,
                number: page_number.filter(|n| *n <= BREACHES_MAX),
            }
        };
        Some(Self {
            number,
            badge: Badge::new(group.score, group.sure),
            title: &incident.title,
            id: &incident.id,
            devices: &incident.device_names,
            attack: &incident.attack,
            first: Time::new(incident.first_ts, zone),
            last: Time::until(incident.first_ts, incident.last_ts, zone),
            one_time: incident.last_ts.since(incident.first_ts) < 60_000_000_000,
            story: incident
                .timeline
                .iter()
                .take(BREACHES_MAX)
                .map(line)
                .collect(),
            story_more: incident.timeline.len().saturating_sub(BREACHES_MAX),
        })
    }
}

/// One breach with every reason for its score.
#[derive(Debug, Serialize)]
pub(super) struct BreachView<'a> {
    number: usize,
    /// Number of its incident on this page.
    incident: Option<usize>,
    badge: Badge,
    breach: &'a Breach,
    class: &'static str,
    flow: Option<String>,
    time: Time,
    first: Time,
    last: Time,
    one_time: bool,
    firings: String,
    steps: Vec<Step<'a>>,
    rate: String,
    here: Option<String>,
    range: String,
    cap: Option<u8>,
    loss: Option<String>,
}

/// One row of the waterfall with its bar on a scale of 0 to 100.
#[derive(Debug, Serialize)]
struct Step<'a> {
    name: &'a str,
    text: &'a str,
    points: String,
    down: bool,
    x: i64,
    width: i64,
}

impl<'a> BreachView<'a> {
    /// The breaches on the page, incident by incident, the worst first.
    pub(super) fn all(summary: &Summary<'a>, findings: &Findings<'a>) -> Vec<Self> {
        let mut out = Vec::new();
        let mut incidents = 0;
        for group in &findings.groups {
            incidents += usize::from(group.incident.is_some());
            for breach in &group.breaches {
                if out.len() == BREACHES_MAX {
                    return out;
                }
                let incident = group.incident.map(|_| incidents);
                out.push(Self::new(out.len() + 1, incident, breach, summary));
            }
        }
        out
    }

    fn new(
        number: usize,
        incident: Option<usize>,
        breach: &'a Breach,
        summary: &Summary<'_>,
    ) -> Self {
        let zone = summary.time_zone;
        let rate = |rate: tapir_message::Rate| words::number(rate.0);
        Self {
            number,
            incident,
            badge: Badge::new(breach.score.unwrap_or(0), sure(breach)),
            breach,
            class: match breach.class {
                tapir_message::Class::Threat => "threat",
                tapir_message::Class::Anomaly => "anomaly",
                tapir_message::Class::Compliance => "compliance",
                tapir_message::Class::Health => "health",
            },
            flow: flow(breach),
            time: Time::new(breach.ts, zone),
            first: Time::new(breach.first_ts, zone),
            last: Time::until(breach.first_ts, breach.last_ts, zone),
            one_time: breach.last_ts.since(breach.first_ts) < 60_000_000_000,
            firings: match breach.count {
                0 | 1 => String::new(),
                n => format!("{} firings folded into one", count(n)),
            },
            steps: steps(&breach.terms),
            rate: rate(breach.rate),
            here: how_often(breach.rate.0, summary.devices.len())
                .map(|often| format!("{} here, among {}", often, network(summary))),
            range: format!("{} to {}", rate(breach.rate_low), rate(breach.rate_high)),
            cap: CAPS
                .get(usize::from(breach.impact).wrapping_sub(1))
                .copied(),
            loss: (breach.loss >= 0.000_05)
                .then(|| format!("{} %", words::number(breach.loss * 100.0))),
        }
    }
}

/// How large the network is.
fn network(summary: &Summary<'_>) -> String {
    plural(summary.devices.len(), "device", "devices")
}

/// `10.0.0.1:5 → 192.0.2.1:443`, as far as it is known.
fn flow(breach: &Breach) -> Option<String> {
    let end = |host: Option<std::net::IpAddr>, port: Option<u16>| {
        host.map(|host| match port {
            Some(port) => std::net::SocketAddr::new(host, port).to_string(),
            None => host.to_string(),
        })
    };
    let orig = end(breach.orig_h, breach.orig_p);
    let resp = end(breach.resp_h, breach.resp_p);
    match (orig, resp) {
        (Some(orig), Some(resp)) => Some(format!("{orig} → {resp}")),
        (one, other) => one.or(other),
    }
}

/// The waterfall: each bar begins where the one before ended.
fn steps(terms: &[Term]) -> Vec<Step<'_>> {
    let mut level = 0_i64;
    terms
        .iter()
        .map(|term| {
            let before = level;
            level += i64::from(term.points);
            let (low, high) = (
                before.min(level).clamp(0, 100),
                before.max(level).clamp(0, 100),
            );
            Step {
                name: &term.name,
                text: &term.text,
                points: match term.points {
                    0 => "0".to_owned(),
                    n if n > 0 => format!("+{n}"),
                    n => format!("−{}", n.unsigned_abs()),
                },
                down: term.points < 0,
                x: low,
                width: (high - low).max(1),
            }
        })
        .collect()
}

/// What the sensor says of itself.
#[derive(Debug, Serialize)]
pub(super) struct HealthView<'a> {
    breach: &'a Breach,
    priority: u8,
    time: Time,
}

impl<'a> HealthView<'a> {
    pub(super) fn new(breach: &'a Breach, zone: Zone<'_>) -> Self {
        Self {
            breach,
            priority: breach.priority.unwrap_or(0),
            time: Time::new(breach.ts, zone),
        }
    }
}
