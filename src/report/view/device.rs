//! The inventory: each device with what is known of it and why.

use std::collections::BTreeMap;

use serde::Serialize;
use tapir_message::Device;

use super::super::band::Band;
use super::super::findings::{Findings, sure};
use super::super::words::{Time, bytes, count, plural};
use super::super::{DEVICES_MAX, Summary};
use super::Zone;

/// Addresses in the row itself; all of them are in the evidence.
const ADDRESSES_MAX: usize = 3;
/// Lines of evidence of one kind.
const EVIDENCE_MAX: usize = 50;

/// One device.
#[derive(Debug, Serialize)]
pub(super) struct DeviceView<'a> {
    device: &'a Device,
    /// Its highest score and the band that its surest score puts it in.
    worst: Option<(u8, Band)>,
    addresses: Vec<String>,
    addresses_more: usize,
    /// Vendor and VLANs.
    hardware: String,
    first: Time,
    last: Time,
    sent: String,
    received: String,
    /// Share of the busiest device's bytes, 0–100, for the bars.
    sent_share: u64,
    received_share: u64,
    flows_orig: String,
    flows_resp: String,
    evidence: Vec<Evidence<'a>>,
    evidence_more: usize,
    evidence_words: String,
}

/// One statement, what it rests on and when it held.
#[derive(Debug, Serialize)]
struct Evidence<'a> {
    kind: &'static str,
    value: String,
    source: &'a str,
    first: Time,
    last: Time,
}

impl<'a> DeviceView<'a> {
    /// The inventory in its own order.
    pub(super) fn all(summary: &Summary<'a>, findings: &Findings<'a>) -> Vec<Self> {
        let mut worst: BTreeMap<&str, (u8, u8)> = BTreeMap::new();
        for breach in findings.breaches() {
            let entry = worst.entry(breach.device.as_str()).or_default();
            entry.0 = entry.0.max(breach.score.unwrap_or(0));
            entry.1 = entry.1.max(sure(breach));
        }
        let busiest = summary
            .devices
            .iter()
            .map(|d| d.bytes_sent.max(d.bytes_received))
            .max()
            .unwrap_or(0);
        let view = |device: &'a Device| {
            let worst = worst
                .get(device.id.as_str())
                .map(|(score, sure)| (*score, Band::of(*sure)));
            Self::new(device, worst, busiest, summary.time_zone)
        };
        summary.devices.iter().take(DEVICES_MAX).map(view).collect()
    }

    fn new(device: &'a Device, worst: Option<(u8, Band)>, busiest: u64, zone: Zone<'_>) -> Self {
        let part = |n: u64| {
            let hundredths = u128::from(n) * 100;
            hundredths
                .checked_div(u128::from(busiest))
                .and_then(|part| u64::try_from(part).ok())
                .unwrap_or(0)
        };
        // The address held last says where the device is now.
        let mut by_last: Vec<_> = device.addresses.iter().collect();
        by_last.sort_by_key(|a| (std::cmp::Reverse(a.last_ts), a.addr));
        let mut evidence = evidence(device, zone);
        let evidence_more = evidence.len().saturating_sub(EVIDENCE_MAX);
        evidence.truncate(EVIDENCE_MAX);
        Self {
            worst,
            addresses: by_last
                .iter()
                .take(ADDRESSES_MAX)
                .map(|a| a.addr.to_string())
                .collect(),
            addresses_more: device.addresses.len().saturating_sub(ADDRESSES_MAX),
            hardware: hardware(device),
            first: Time::new(device.first_ts, zone),
            last: Time::new(device.last_ts, zone),
            sent: bytes(device.bytes_sent),
            received: bytes(device.bytes_received),
            sent_share: part(device.bytes_sent),
            received_share: part(device.bytes_received),
            flows_orig: count(device.flows_orig),
            flows_resp: count(device.flows_resp),
            evidence,
            evidence_more,
            evidence_words: [
                plural(device.names.len(), "name", "names"),
                plural(device.addresses.len(), "address", "addresses"),
                plural(device.claims.len(), "statement", "statements"),
            ]
            .join(", "),
            device,
        }
    }
}

/// `Lenovo · VLAN 8, 12`, as far as it is known.
fn hardware(device: &Device) -> String {
    let vlans: Vec<String> = device.vlans.iter().take(8).map(u16::to_string).collect();
    let vlans = if vlans.is_empty() {
        String::new()
    } else {
        format!("VLAN {}", vlans.join(", "))
    };
    let vendor = device.vendor.clone().unwrap_or_default();
    let parts = [vendor, vlans];
    let known: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    known.join(" · ")
}

/// Names first, then addresses, then what else is claimed.
fn evidence<'a>(device: &'a Device, zone: Zone<'_>) -> Vec<Evidence<'a>> {
    let names = device.names.iter().map(|n| Evidence {
        kind: "name",
        value: n.name.clone(),
        source: &n.evidence,
        first: Time::new(n.first_ts, zone),
        last: Time::new(n.last_ts, zone),
    });
    let addresses = device.addresses.iter().map(|a| Evidence {
        kind: "address",
        value: a.addr.to_string(),
        source: &a.evidence,
        first: Time::new(a.first_ts, zone),
        last: Time::new(a.last_ts, zone),
    });
    let claims = device.claims.iter().map(|c| Evidence {
        kind: "is",
        value: c.claim.clone(),
        source: &c.evidence,
        first: Time::new(c.first_ts, zone),
        last: Time::new(c.last_ts, zone),
    });
    names.chain(addresses).chain(claims).collect()
}
