//! The page as data: every sentence and number is decided here, the template only places them.
//!
//! Bounds: [`BREACHES_MAX`], [`DEVICES_MAX`], and [`super::view::input::ROWS_MAX`] rows of a table.

mod breach;
mod device;
mod input;
mod service;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::band::Band;
use super::chart::{Chart, chart};
use super::findings::{Findings, doubts, knows_normal, new_devices};
use super::words::{bytes, count, duration, number, plural, span, zone_name};
use super::{BREACHES_MAX, DEVICES_MAX, Summary};
use breach::{BreachView, HealthView, IncidentView};
use device::DeviceView;
use input::{Gap, Tally};
use service::ServiceView;

/// Everything the template names.
#[derive(Debug, Serialize)]
pub(super) struct Page<'a> {
    sensor_id: &'a str,
    span: String,
    zone: String,
    verdict: String,
    /// Style class of the verdict: a band that asks for something, `calm` or `unsure`.
    mood: &'static str,
    /// Whether any packet was read.
    any: bool,
    notes: Vec<String>,
    tiles: Vec<Tile>,
    chart: Option<Chart>,
    incidents: Vec<IncidentView<'a>>,
    breaches: Vec<BreachView<'a>>,
    breaches_more: usize,
    health: Vec<HealthView<'a>>,
    devices: Vec<DeviceView<'a>>,
    devices_more: usize,
    services: Vec<ServiceView>,
    services_more: usize,
    inputs: &'a [String],
    seen: Vec<Tally<'a>>,
    gaps: Vec<Gap<'a>>,
    warnings: &'a [tapir_message::Warning],
    legend: Vec<LegendRow>,
    legend_here: bool,
    learning: &'a str,
    version: &'a str,
    models: String,
    models_hash: &'a str,
}

#[derive(Debug, Serialize)]
struct Tile {
    label: &'static str,
    value: String,
    note: String,
}

/// One band, what it promises and what that means for this capture.
#[derive(Debug, Serialize)]
struct LegendRow {
    band: Band,
    scores: String,
    words: &'static str,
    rate: String,
    here: String,
}

impl<'a> Page<'a> {
    /// The page of a run.
    pub(super) fn new(summary: &Summary<'a>) -> Self {
        let findings = Findings::new(summary);
        let stats = summary.stats;
        let times = stats.first_ts.zip(stats.last_ts);
        let shown = findings.breaches().count().min(BREACHES_MAX);
        let legend = legend(summary);
        let (services, services_more) = ServiceView::all(summary);
        Self {
            sensor_id: summary.sensor_id,
            span: times.map_or_else(
                || "no packet with a time".to_owned(),
                |(first, last)| span(first, last, summary.time_zone),
            ),
            zone: zone_name(summary.time_zone),
            verdict: findings.verdict(summary),
            mood: mood(summary, &findings),
            any: stats.packets > 0,
            notes: notes(summary, &findings),
            tiles: tiles(summary),
            chart: chart(summary, &findings),
            incidents: IncidentView::all(summary, &findings),
            breaches: BreachView::all(summary, &findings),
            breaches_more: findings.breaches().count() - shown,
            health: findings
                .health
                .iter()
                .take(BREACHES_MAX)
                .map(|breach| HealthView::new(breach, summary.time_zone))
                .collect(),
            devices: DeviceView::all(summary, &findings),
            devices_more: summary.devices.len().saturating_sub(DEVICES_MAX),
            services,
            services_more,
            inputs: summary.inputs,
            seen: input::seen(stats),
            gaps: input::gaps(stats),
            warnings: &stats.warnings,
            legend_here: legend.iter().any(|row| !row.here.is_empty()),
            legend,
            learning: summary.learning,
            version: summary.version,
            models: plural(summary.models, "model", "models"),
            models_hash: summary.models_hash,
        }
    }
}

/// How the verdict looks: calm is only what rests on all of the traffic.
fn mood(summary: &Summary<'_>, findings: &Findings<'_>) -> &'static str {
    match findings.band() {
        Some(band) if band >= Band::Brief => band.word(),
        _ if summary.stats.packets == 0
            || !doubts(summary).is_empty()
            || !knows_normal(summary) =>
        {
            "unsure"
        }
        _ => "calm",
    }
}

/// Sentences under the verdict.
fn notes(summary: &Summary<'_>, findings: &Findings<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(worst) = findings.groups.first() {
        let text = worst.breaches.first().map(|b| b.text.as_str());
        notes.extend(text.map(str::to_owned));
    } else if summary.stats.packets > 0 {
        notes.push(format!(
            "No model fired on the traffic of {}.",
            plural(summary.devices.len(), "device", "devices")
        ));
    }
    let doubts = doubts(summary);
    if !doubts.is_empty() {
        notes.push(format!(
            "This rests on incomplete input: {}.",
            doubts.join("; ")
        ));
    }
    notes
}

/// The figures in the header.
fn tiles(summary: &Summary<'_>) -> Vec<Tile> {
    let stats = summary.stats;
    let lasted = stats
        .first_ts
        .zip(stats.last_ts)
        .map(|(first, last)| last.since(first));
    let new = new_devices(summary);
    vec![
        Tile {
            label: "Watched",
            value: lasted.map_or_else(|| "–".to_owned(), duration),
            note: plural(summary.inputs.len(), "input", "inputs"),
        },
        Tile {
            label: "Packets",
            value: count(stats.packets),
            note: bytes(stats.bytes),
        },
        Tile {
            label: "Flows",
            value: count(stats.flows),
            note: plural(
                stats.services.keys().filter(|name| *name != "-").count(),
                "protocol",
                "protocols",
            ),
        },
        Tile {
            label: "Devices",
            value: count(summary.devices.len() as u64),
            note: new.map_or_else(String::new, |n| match n {
                0 => "none new after day one".to_owned(),
                n => format!("{} new after day one", count(n as u64)),
            }),
        },
    ]
}

/// What each band promises, and how often an innocent network of this size breaks it in this time.
fn legend(summary: &Summary<'_>) -> Vec<LegendRow> {
    const WEEK_S: i64 = 7 * 86_400;
    let stats = summary.stats;
    let lasted_s = stats
        .first_ts
        .zip(stats.last_ts)
        .map_or(0, |(first, last)| last.since(first) / 1_000_000_000);
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
    let device_weeks = summary.devices.len() as f64 * lasted_s as f64 / WEEK_S as f64;
    Band::ALL
        .into_iter()
        .map(|band| {
            let (low, high) = band.scores();
            let rate = band.rate_at_least();
            LegendRow {
                band,
                scores: format!("{low}–{high}"),
                words: band.words(),
                rate: rate.map_or_else(|| "no promise".to_owned(), number),
                here: rate
                    .filter(|_| device_weeks > 0.0)
                    .map_or_else(String::new, |rate| number(rate * device_weeks / 1_000.0)),
            }
        })
        .collect()
}

/// Shown times need the zone in many places.
type Zone<'z> = &'z TimeZone;
