//! The answer for programs: one JSON object, keys in declared order.
//!
//! Standard: RFC 8259. Hostile characters are written `\uXXXX`, so the text may be shown as it is.
//! Bounds:   as many breaches and incidents as the page shows; `breaches` and `incidents` count all.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use tapir_engine::types::is_hostile;
use tapir_message::{Mirror, Rate, Timestamp, Warning};

use super::band::Band;
use super::findings::{Findings, doubts, new_devices, sure};
use super::{BREACHES_MAX, Summary};

/// Name and version of this object's shape.
const SCHEMA: &str = "tapir.answer/1";

/// The answer as JSON on one line, with a newline at its end.
#[must_use]
pub fn answer_json(summary: &Summary<'_>) -> String {
    json_line(&Answer::new(summary))
}

/// A value as JSON on one line that may be shown as it is, with a newline at its end.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Escaping);
    // Plain data with string keys always serialises; an empty answer would show that it did not.
    if value.serialize(&mut serializer).is_err() {
        out.clear();
    }
    out.push(b'\n');
    String::from_utf8(out).unwrap_or_default()
}

#[derive(Serialize)]
struct Answer<'a> {
    schema: &'static str,
    version: &'a str,
    models: usize,
    models_hash: &'a str,
    sensor_id: &'a str,
    inputs: &'a [String],
    verdict: Option<Band>,
    verdict_text: String,
    score: Option<u8>,
    score_sure: Option<u8>,
    incomplete: Vec<&'static str>,
    first_ts: Option<Timestamp>,
    last_ts: Option<Timestamp>,
    packets: u64,
    bytes: u64,
    flows: u64,
    devices: usize,
    devices_new: Option<usize>,
    incidents: usize,
    incidents_worst: Vec<IncidentLine<'a>>,
    breaches: usize,
    breaches_worst: Vec<BreachLine<'a>>,
    health: Vec<HealthLine<'a>>,
    mirror: &'a Mirror,
    missed: Missed<'a>,
    learning: &'a str,
    out_dir: Option<&'a str>,
}

#[derive(Serialize)]
struct IncidentLine<'a> {
    id: &'a str,
    score: u8,
    score_sure: u8,
    band: Band,
    title: &'a str,
    devices: &'a [String],
    device_names: &'a [String],
    first_ts: Timestamp,
    last_ts: Timestamp,
    breaches: usize,
}

#[derive(Serialize)]
struct BreachLine<'a> {
    id: &'a str,
    incident: &'a str,
    model: &'a str,
    title: &'a str,
    score: u8,
    score_sure: u8,
    band: Band,
    provisional: bool,
    rate: Rate,
    device: &'a str,
    device_name: &'a str,
    first_ts: Timestamp,
    last_ts: Timestamp,
    text: &'a str,
}

#[derive(Serialize)]
struct HealthLine<'a> {
    id: &'a str,
    model: &'a str,
    priority: u8,
    ts: Timestamp,
    text: &'a str,
}

/// What was not read or not understood.
#[derive(Serialize)]
struct Missed<'a> {
    not_decoded: &'a BTreeMap<String, u64>,
    not_understood: &'a BTreeMap<String, u64>,
    malformed: &'a BTreeMap<String, u64>,
    truncated: u64,
    filtered: u64,
    cut_at_byte: &'a BTreeMap<String, u64>,
    refused: &'a BTreeMap<String, u64>,
    bounded: bool,
    warnings: &'a [Warning],
}

impl<'a> Answer<'a> {
    fn new(summary: &Summary<'a>) -> Self {
        let findings = Findings::new(summary);
        let stats = summary.stats;
        let scored = findings.band().is_some();
        Self {
            schema: SCHEMA,
            version: summary.version,
            models: summary.models,
            models_hash: summary.models_hash,
            sensor_id: summary.sensor_id,
            inputs: summary.inputs,
            verdict: findings.band(),
            verdict_text: findings.verdict(summary),
            score: scored.then(|| findings.score()),
            score_sure: findings.groups.iter().map(|g| g.sure).max(),
            incomplete: doubts(summary),
            first_ts: stats.first_ts,
            last_ts: stats.last_ts,
            packets: stats.packets,
            bytes: stats.bytes,
            flows: stats.flows,
            devices: summary.devices.len(),
            devices_new: new_devices(summary),
            incidents: findings
                .groups
                .iter()
                .filter(|g| g.incident.is_some())
                .count(),
            incidents_worst: incidents(&findings),
            breaches: findings.breaches().count(),
            breaches_worst: breaches(&findings),
            health: health(&findings),
            mirror: &stats.mirror,
            missed: Missed {
                not_decoded: &stats.not_decoded,
                not_understood: &stats.not_understood,
                malformed: &stats.malformed,
                truncated: stats.truncated,
                filtered: stats.filtered,
                cut_at_byte: &stats.cut_at_byte,
                refused: &stats.refused,
                bounded: stats.bounded,
                warnings: &stats.warnings,
            },
            learning: summary.learning,
            out_dir: summary.out_dir,
        }
    }
}

fn incidents<'a>(findings: &Findings<'a>) -> Vec<IncidentLine<'a>> {
    findings
        .groups
        .iter()
        .filter_map(|group| {
            let incident = group.incident?;
            Some(IncidentLine {
                id: &incident.id,
                score: group.score,
                score_sure: group.sure,
                band: group.band(),
                title: &incident.title,
                devices: &incident.devices,
                device_names: &incident.device_names,
                first_ts: incident.first_ts,
                last_ts: incident.last_ts,
                breaches: group.breaches.len(),
            })
        })
        .take(BREACHES_MAX)
        .collect()
}

fn breaches<'a>(findings: &Findings<'a>) -> Vec<BreachLine<'a>> {
    findings
        .breaches()
        .take(BREACHES_MAX)
        .map(|breach| BreachLine {
            id: &breach.id,
            incident: &breach.incident,
            model: &breach.model,
            title: &breach.title,
            score: breach.score.unwrap_or(0),
            score_sure: sure(breach),
            band: Band::of(sure(breach)),
            provisional: breach.provisional,
            rate: breach.rate,
            device: &breach.device,
            device_name: &breach.device_name,
            first_ts: breach.first_ts,
            last_ts: breach.last_ts,
            text: &breach.text,
        })
        .collect()
}

fn health<'a>(findings: &Findings<'a>) -> Vec<HealthLine<'a>> {
    findings
        .health
        .iter()
        .take(BREACHES_MAX)
        .map(|breach| HealthLine {
            id: &breach.id,
            model: &breach.model,
            priority: breach.priority.unwrap_or(0),
            ts: breach.ts,
            text: &breach.text,
        })
        .collect()
}

/// Compact JSON in which hostile characters are escaped.
struct Escaping;

impl serde_json::ser::Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        let mut plain = fragment;
        while let Some((at, c)) = plain.char_indices().find(|(_, c)| is_hostile(*c)) {
            let (before, rest) = plain.split_at(at);
            writer.write_all(before.as_bytes())?;
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = rest.split_at(c.len_utf8()).1;
        }
        writer.write_all(plain.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Office, hostile, same_as_file};
    use super::*;

    #[test]
    fn the_office_as_json() {
        same_as_file("answer.json", &answer_json(&Office::new().summary()));
    }

    /// Escapes are undone by any JSON reader: the value is the name that was on the wire.
    #[test]
    fn hostile_names_are_escaped_and_kept() {
        let office = hostile();
        let text = answer_json(&office.summary());
        assert!(text.trim_end_matches('\n').chars().all(|c| !is_hostile(c)));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value["breaches_worst"][0]["device_name"].as_str(),
            Some(office.breaches[0].device_name.as_str()),
        );
    }
}
