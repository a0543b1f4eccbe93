//! One device: which is meant, and everything that is known of it.
//!
//! Input:  what a person typed: id, address, hardware address, name, or a part of id or name.
//! Order:  the first of these ways that finds any decides; if it finds several, they are named.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tapir_engine::model::closest;
use tapir_message::{Breach, Device, Incident, MacAddr, Merge, Timestamp};

use super::answer::{Refusal, Why};

/// Evidence may still be added to what is younger than this.
pub const OPEN_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// Devices named where several are meant, and names where none is.
const CANDIDATES_MAX: usize = 6;
const NEAREST_MAX: usize = 3;
/// Characters of what was typed that are said again.
const TYPED_MAX: usize = 40;

/// Everything about one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Portrait {
    /// Latest time known: ages are counted from it.
    pub now: Timestamp,
    /// The device.
    pub device: Device,
    /// Id and name of the router it was seen behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<Router>,
    /// Its breaches that are kept, the newest first.
    pub breaches: Vec<Breach>,
    /// The incidents it takes part in, the newest first.
    pub incidents: Vec<Incident>,
    /// What was merged into it, the newest first.
    pub merges: Vec<Merge>,
}

/// A router that another device was seen behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Router {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What there is to know, of which a portrait takes what concerns its device.
#[derive(Debug, Default)]
pub struct Known {
    /// Latest time known.
    pub now: Option<Timestamp>,
    /// The inventory.
    pub devices: Vec<Device>,
    /// All breaches.
    pub breaches: Vec<Breach>,
    /// All incidents.
    pub incidents: Vec<Incident>,
    /// All merges.
    pub merges: Vec<Merge>,
}

impl Known {
    /// Everything about the device that `wanted` means.
    ///
    /// # Errors
    /// It means none, or several.
    pub fn portrait(self, wanted: &str) -> Result<Portrait, Refusal> {
        let device = find(&self.devices, wanted)?.clone();
        let router = device.behind.and_then(|mac| {
            let mut all = self.devices.iter();
            all.find(|other| has_mac(other, mac))
        });
        let router = router.map(|router| Router {
            id: router.id.clone(),
            name: router.name.clone(),
        });
        let (mut breaches, mut incidents) = (self.breaches, self.incidents);
        breaches.retain(|breach| device.goes_by(&breach.device));
        breaches.sort_by(|a, b| (b.last_ts, &a.id).cmp(&(a.last_ts, &b.id)));
        incidents.retain(|incident| incident.devices.iter().any(|id| device.goes_by(id)));
        incidents.sort_by(|a, b| (b.last_ts, &a.id).cmp(&(a.last_ts, &b.id)));
        let mut merges = self.merges;
        merges.retain(|merge| device.goes_by(&merge.other));
        merges.sort_by(|a, b| (b.ts, &a.other).cmp(&(a.ts, &b.other)));
        Ok(Portrait {
            now: self.now.unwrap_or(device.last_ts).max(device.last_ts),
            device,
            router,
            breaches,
            incidents,
            merges,
        })
    }
}

impl Portrait {
    /// Whether evidence may still be added to what was last seen at `last_ts`.
    #[must_use]
    pub fn is_open(&self, last_ts: Timestamp) -> bool {
        self.now.since(last_ts) < OPEN_NS
    }
}

/// The one device that `wanted` means.
pub(super) fn find<'a>(devices: &'a [Device], wanted: &str) -> Result<&'a Device, Refusal> {
    let text = wanted.trim();
    let address: Option<IpAddr> = text.parse().ok();
    let mac = hardware_address(text);
    let ways: [&dyn Fn(&Device) -> bool; 5] = [
        &|device| ids(device).any(|id| id.eq_ignore_ascii_case(text)),
        &|device| {
            device
                .addresses
                .iter()
                .any(|held| Some(held.addr) == address)
        },
        &|device| mac.is_some_and(|mac| has_mac(device, mac)),
        &|device| names(device).any(|name| is_called(name, text)),
        &|device| {
            let mut all = names(device).chain(ids(device));
            !text.is_empty() && all.any(|name| has(name, text))
        },
    ];
    for way in ways {
        let mut found: Vec<&Device> = devices.iter().filter(|device| way(device)).collect();
        found.sort_by(|a, b| (b.last_ts, &a.id).cmp(&(a.last_ts, &b.id)));
        match found.as_slice() {
            [] => {}
            [one] => return Ok(one),
            many => return Err(several(wanted, many)),
        }
    }
    Err(none(devices, wanted))
}

/// Whether a name contains a text, whatever the case.
pub(super) fn has(name: &str, wanted: &str) -> bool {
    name.to_lowercase().contains(&wanted.to_lowercase())
}

/// A device as it is named in a sentence.
pub(super) fn named(device: &Device) -> String {
    if device.name == device.id {
        device.id.clone()
    } else {
        format!("{} ({})", device.name, device.id)
    }
}

/// What was typed, as far as it is said again.
pub(super) fn typed(wanted: &str) -> String {
    wanted.chars().take(TYPED_MAX).collect()
}

/// Its id, and those of what was merged into it.
fn ids(device: &Device) -> impl Iterator<Item = &str> {
    let all = device.merged.iter().chain([&device.id]);
    all.map(String::as_str)
}

fn names(device: &Device) -> impl Iterator<Item = &str> {
    let all = device.names.iter().map(|name| name.name.as_str());
    all.chain([device.name.as_str()])
}

/// Whether a name is `wanted`, or begins with it as its host part.
fn is_called(name: &str, wanted: &str) -> bool {
    let (name, wanted) = (name.to_lowercase(), wanted.to_lowercase());
    name == wanted || name.split('.').next() == Some(&wanted)
}

fn has_mac(device: &Device, mac: MacAddr) -> bool {
    device.mac == Some(mac) || device.other_macs.contains(&mac)
}

/// Six pairs of hex digits, with `:`, `-`, `.` or nothing between them.
fn hardware_address(text: &str) -> Option<MacAddr> {
    let digits: String = text.chars().filter(|c| !":-.".contains(*c)).collect();
    if digits.len() != 12 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u64::from_str_radix(&digits, 16).ok()?;
    let [_, _, mac @ ..] = number.to_be_bytes();
    Some(MacAddr(mac))
}

fn several(wanted: &str, found: &[&Device]) -> Refusal {
    let candidate = |device: &&Device| {
        let latest = device.addresses.iter().max_by_key(|held| held.last_ts);
        let address = latest.map(|held| held.addr.to_string());
        let mac = device.mac.map(|mac| mac.to_string());
        match address.or(mac) {
            Some(at) if at != device.name => format!("{} at {at}", named(device)),
            _ => named(device),
        }
    };
    let mut shown: Vec<String> = found.iter().take(CANDIDATES_MAX).map(candidate).collect();
    if found.len() > CANDIDATES_MAX {
        shown.push(format!("{} others", found.len() - CANDIDATES_MAX));
    }
    let text = format!(
        "\"{}\" may be {} devices, the latest seen first: {}; give the id",
        typed(wanted),
        found.len(),
        shown.join(", ")
    );
    Refusal::new(Why::Ambiguous, text)
}

fn none(devices: &[Device], wanted: &str) -> Refusal {
    let mut left: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    let hosts = devices
        .iter()
        .filter_map(|device| device.name.split('.').next());
    left.extend(hosts);
    left.sort_unstable();
    left.dedup();
    let mut near = Vec::new();
    while near.len() < NEAREST_MAX
        && let Some(name) = closest(wanted.trim(), left.iter().copied())
    {
        left.retain(|other| *other != name);
        near.push(format!("\"{name}\""));
    }
    let remedy = if near.is_empty() {
        "`tapir show devices` lists them".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    let text = format!("no device \"{}\"; {remedy}", typed(wanted));
    Refusal::new(Why::NotFound, text)
}
