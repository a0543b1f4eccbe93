//! One device's entry: what it is called, what is claimed of it, and how much each evidence weighs.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tapir_message::{Address, Claim, Device, DeviceName};

use crate::types::Timestamp;

/// Per device.
const DEVICE_NAMES_MAX: usize = 16;
const DEVICE_CLAIMS_MAX: usize = 32;
/// A claim's text at most.
const CLAIM_LEN_MAX: usize = 200;

/// One device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// What is written out.
    pub device: Device,
    /// What its first frame was.
    pub first_evidence: String,
}

impl Entry {
    /// The address used when the device has no name: the latest of the best evidence, IPv4 first.
    #[must_use]
    pub fn main_address(&self) -> Option<IpAddr> {
        let rank = |a: &&Address| (a.addr.is_ipv4(), strength(&a.evidence), a.last_ts);
        self.device
            .addresses
            .iter()
            .max_by_key(rank)
            .map(|a| a.addr)
    }

    /// Refreshes the best name: the host name of the best evidence, of those the latest, else the
    /// address, else the hardware address.
    pub(super) fn rename(&mut self) {
        let rank = |n: &&DeviceName| (name_strength(&n.evidence), n.last_ts);
        let named = self
            .device
            .names
            .iter()
            .max_by_key(rank)
            .map(|n| n.name.clone());
        let name = named
            .or_else(|| self.main_address().map(|ip| ip.to_string()))
            .or_else(|| self.device.mac.map(|mac| mac.to_string()));
        self.device.name = name.unwrap_or_else(|| self.device.id.clone());
    }

    /// Notes a claim, and says where among the device's it stands; none if there are too many.
    pub(super) fn claim(&mut self, ts: Timestamp, claim: &str, evidence: &str) -> Option<usize> {
        // Cut before anything is compared or copied.
        let end = claim.char_indices().nth(CLAIM_LEN_MAX).map(|(at, _)| at);
        let claim = end.and_then(|end| claim.get(..end)).unwrap_or(claim);
        let claims = &mut self.device.claims;
        let same = |c: &Claim| c.claim == claim && c.evidence == evidence;
        if let Some(at) = claims.iter().position(same) {
            claims.get_mut(at)?.last_ts = ts;
            return Some(at);
        }
        if claims.len() >= DEVICE_CLAIMS_MAX {
            return None;
        }
        claims.push(Claim {
            claim: claim.to_owned(),
            evidence: evidence.to_owned(),
            first_ts: ts,
            last_ts: ts,
        });
        claims.len().checked_sub(1)
    }
}

/// How much an evidence weighs against another.
pub(super) fn strength(evidence: &str) -> u8 {
    match evidence {
        "dhcp" | "arp" | "ndp" => 2,
        _ => 1,
    }
}

/// Which name to call a device by: what it tells the whole network goes before what one program
/// says to another.
fn name_strength(evidence: &str) -> u8 {
    if ["dhcp", "lldp", "cdp"]
        .iter()
        .any(|told| evidence.starts_with(told))
    {
        3
    } else if evidence.starts_with("mdns") || evidence.starts_with("llmnr") {
        2
    } else {
        1
    }
}

/// Adds or refreshes a name.
pub(super) fn name(device: &mut Device, ts: Timestamp, name: &str, evidence: &str) {
    if let Some(old) = device
        .names
        .iter_mut()
        .find(|n| n.name == name && n.evidence == evidence)
    {
        old.last_ts = ts;
        return;
    }
    if device.names.len() >= DEVICE_NAMES_MAX
        && let Some(oldest) =
            (0..device.names.len()).min_by_key(|i| device.names.get(*i).map(|n| n.last_ts))
    {
        device.names.remove(oldest);
    }
    let (name, evidence) = (name.to_owned(), evidence.to_owned());
    device.names.push(DeviceName {
        name,
        evidence,
        first_ts: ts,
        last_ts: ts,
    });
}

impl Entry {
    /// Bytes of its names and claims at most; a name and what it rests on are no longer than a claim.
    pub(super) const TEXTS_MAX: usize = DEVICE_NAMES_MAX
        * (size_of::<DeviceName>() + CLAIM_LEN_MAX)
        + DEVICE_CLAIMS_MAX * (size_of::<Claim>() + CLAIM_LEN_MAX);

    /// Bytes that the entry points to.
    pub(super) fn allocated(&self) -> usize {
        let device = &self.device;
        let addresses = device
            .addresses
            .capacity()
            .saturating_mul(size_of::<Address>());
        let names = device
            .names
            .capacity()
            .saturating_mul(size_of::<DeviceName>());
        let claims = device.claims.capacity().saturating_mul(size_of::<Claim>());
        let own = [
            device.id.capacity(),
            device.name.capacity(),
            device.vendor.as_ref().map_or(0, String::capacity),
            device.vlans.capacity().saturating_mul(size_of::<u16>()),
            self.first_evidence.capacity(),
            addresses,
            names,
            claims,
        ];
        let evidence = device.addresses.iter().map(|one| one.evidence.capacity());
        let pair = |a: &String, b: &String| a.capacity().saturating_add(b.capacity());
        let names = device
            .names
            .iter()
            .map(|one| pair(&one.name, &one.evidence));
        let claims = device
            .claims
            .iter()
            .map(|one| pair(&one.claim, &one.evidence));
        let texts = evidence.chain(names).chain(claims).chain(own);
        texts.fold(0, usize::saturating_add)
    }
}
