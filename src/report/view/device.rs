//! The inventory: each device with what is known of it and why.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use tapir_message::{Device, Judgement};

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
    /// Type, system and roles, as far as they are concluded.
    is: String,
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
    source: Cow<'a, str>,
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
            // Breaches of what was merged into it later are its own.
            let ids = std::iter::once(&device.id).chain(&device.merged);
            let worst = ids
                .filter_map(|id| worst.get(id.as_str()).copied())
                .reduce(|(score, sure), other| (score.max(other.0), sure.max(other.1)))
                .map(|(score, sure)| (score, Band::of(sure)));
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
            is: is(device),
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
                plural(device.users.len(), "user", "users"),
                plural(device.claims.len(), "statement", "statements"),
            ]
            .join(", "),
            device,
        }
    }
}

/// `pc · Windows 10 22H2 · dns server`, as far as it is concluded.
fn is(device: &Device) -> String {
    let judged = device.kind.iter().chain(&device.os).chain(&device.roles);
    let mut values: Vec<&str> = judged.map(|judged| judged.value.as_str()).collect();
    // A printer's role is that of a printer.
    let mut seen = Vec::new();
    values.retain(|value| {
        let new = !seen.contains(value);
        seen.push(*value);
        new
    });
    values.join(" · ")
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

/// What is concluded first, then names, users, addresses, and what else is claimed.
fn evidence<'a>(device: &'a Device, zone: Zone<'_>) -> Vec<Evidence<'a>> {
    let concluded = |kind: &'static str, judged: &'a Judgement| {
        let seen = judged.reasons.iter().map(|reason| reason.last_ts);
        let (first, last) = (seen.clone().min(), seen.max());
        let grounds: Vec<&str> = judged.reasons.iter().map(|r| r.what.as_str()).collect();
        Evidence {
            kind,
            value: format!("{}, {} % sure", judged.value, judged.confidence),
            source: grounds.join("; ").into(),
            first: Time::new(first.unwrap_or(device.first_ts), zone),
            last: Time::new(last.unwrap_or(device.last_ts), zone),
        }
    };
    let fact = |kind, value: String, source: &'a str, first, last| Evidence {
        kind,
        value,
        source: source.into(),
        first: Time::new(first, zone),
        last: Time::new(last, zone),
    };
    let kind = device.kind.iter().map(|kind| concluded("type", kind));
    let os = device.os.iter().map(|os| concluded("system", os));
    let roles = device.roles.iter().map(|role| concluded("role", role));
    let names = device.names.iter();
    let names = names.map(|n| fact("name", n.name.clone(), &n.evidence, n.first_ts, n.last_ts));
    let users = device.users.iter();
    let users = users.map(|u| fact("user", u.user.clone(), &u.evidence, u.first_ts, u.last_ts));
    let addresses = device.addresses.iter().map(|a| {
        let addr = a.addr.to_string();
        fact("address", addr, &a.evidence, a.first_ts, a.last_ts)
    });
    let hardware = device.other_macs.iter().map(|mac| {
        let (first, last) = (device.first_ts, device.last_ts);
        fact("hardware address", mac.to_string(), "merged", first, last)
    });
    let claims = device.claims.iter();
    let claims = claims.map(|c| fact("is", c.claim.clone(), &c.evidence, c.first_ts, c.last_ts));
    let concluded = kind.chain(os).chain(roles);
    let known = names
        .chain(users)
        .chain(addresses)
        .chain(hardware)
        .chain(claims);
    concluded.chain(known).collect()
}
