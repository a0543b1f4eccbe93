//! One device's entry: what it is called, what is claimed of it, and how much each evidence weighs.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tapir_message::{Address, Claim, Device, DeviceName, DeviceUser};

use super::duty::{Done, Duty};
use super::group::{APART_MAX, Apart, Link, WHO_LEN_MAX, WHY_LEN_MAX};
use crate::types::Timestamp;

/// Per device.
const DEVICE_NAMES_MAX: usize = 16;
const DEVICE_CLAIMS_MAX: usize = 32;
const DEVICE_USERS_MAX: usize = 16;
/// Claims on one evidence, so that no evidence leaves others without room.
const CLAIMS_OF_ONE_MAX: usize = 10;
/// A claim's text at most.
const CLAIM_LEN_MAX: usize = 200;

/// One device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// What is written out.
    pub device: Device,
    /// What its first frame was.
    pub first_evidence: String,
    /// What it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<Box<Link>>,
    /// What it is not, whatever the evidence says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) apart: Vec<Apart>,
    /// What it does for others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) done: Vec<Done>,
}

impl Entry {
    /// The address used when the device has no name.
    pub(super) fn main_address(&self) -> Option<IpAddr> {
        main_address(&self.device)
    }

    /// The host name of the best evidence, of those the latest; with what it ranks by.
    pub(super) fn best_name(&self) -> Option<((u8, Timestamp), &str)> {
        let names = self.device.names.iter();
        let ranked = names.map(|n| ((name_strength(&n.evidence), n.last_ts), n.name.as_str()));
        ranked.max_by_key(|(rank, _)| *rank)
    }

    /// Refreshes the name: the best of the host names, else the address, else the hardware address.
    pub(super) fn rename(&mut self) {
        let best = self.best_name().map(|(_, name)| name);
        // A name heard again is seldom a better one than that it goes by.
        if best == Some(&*self.device.name) {
            return;
        }
        let named = best.map(str::to_owned);
        let name = named
            .or_else(|| self.main_address().map(|ip| ip.to_string()))
            .or_else(|| self.device.mac.map(|mac| mac.to_string()));
        self.device.name = name.unwrap_or_else(|| self.device.id.clone());
    }

    /// Notes a claim, `what` and its `value`, and says whether it is new, and where among the device's it stands;
    /// none if there are too many. Of those on the same evidence the oldest makes room.
    pub(super) fn claim(
        &mut self,
        ts: Timestamp,
        (what, value): (&str, &str),
        evidence: &str,
    ) -> Option<(bool, usize)> {
        // Cut before anything is compared or copied.
        let value = if value.len() > CLAIM_LEN_MAX {
            let end = value.char_indices().nth(CLAIM_LEN_MAX).map(|(at, _)| at);
            end.and_then(|end| value.get(..end)).unwrap_or(value)
        } else {
            value
        };
        let claims = &mut self.device.claims;
        // Texts lie elsewhere; their lengths tell most of them apart.
        let len = what.len().saturating_add(value.len());
        let same = |c: &Claim| {
            c.claim.len() == len
                && c.evidence == evidence
                && c.claim.strip_prefix(what) == Some(value)
        };
        if let Some(at) = claims.iter().position(same) {
            claims.get_mut(at)?.last_ts = ts;
            return Some((false, at));
        }
        let alike =
            (0..claims.len()).filter(|at| claims.get(*at).is_some_and(|c| c.evidence == evidence));
        let oldest = alike
            .clone()
            .min_by_key(|at| claims.get(*at).map(|c| c.last_ts));
        let is_full = claims.len() >= DEVICE_CLAIMS_MAX || alike.count() >= CLAIMS_OF_ONE_MAX;
        // What frames show is made again without a look where it stands: it stays there.
        let oldest = oldest.filter(|_| !evidence.starts_with("frame"));
        let at = if is_full { oldest? } else { claims.len() };
        let claim = Claim {
            claim: [what, value].concat(),
            evidence: evidence.to_owned(),
            first_ts: ts,
            last_ts: ts,
        };
        match claims.get_mut(at) {
            Some(oldest) => *oldest = claim,
            None => claims.push(claim),
        }
        Some((true, at))
    }

    /// Notes that an account was used, unless it is a machine's own; of too many the oldest is forgotten.
    pub(super) fn user(&mut self, ts: Timestamp, user: &str, evidence: &str) {
        let name = user.rsplit('\\').next().unwrap_or(user);
        let name = name.split('@').next().unwrap_or(name);
        if name.is_empty() || name.ends_with('$') || name.starts_with("host/") {
            return;
        }
        let user = user
            .get(..user.floor_char_boundary(CLAIM_LEN_MAX))
            .unwrap_or(user);
        let users = &mut self.device.users;
        let same = |u: &&mut DeviceUser| u.user == user && u.evidence == evidence;
        if let Some(old) = users.iter_mut().find(same) {
            old.last_ts = ts;
            return;
        }
        if users.len() >= DEVICE_USERS_MAX
            && let Some(oldest) =
                (0..users.len()).min_by_key(|at| users.get(*at).map(|u| u.last_ts))
        {
            users.remove(oldest);
        }
        users.push(DeviceUser {
            user: user.to_owned(),
            evidence: evidence.to_owned(),
            first_ts: ts,
            last_ts: ts,
        });
    }
}

/// The address that a device is shown with: the latest of the best evidence, IPv4 first.
pub(super) fn main_address(device: &Device) -> Option<IpAddr> {
    let rank = |a: &&Address| (a.addr.is_ipv4(), strength(&a.evidence), a.last_ts);
    device.addresses.iter().max_by_key(rank).map(|a| a.addr)
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

/// Adds or refreshes a name; says whether it is new.
pub(super) fn name(device: &mut Device, ts: Timestamp, name: &str, evidence: &str) -> bool {
    if let Some(old) = device
        .names
        .iter_mut()
        .find(|n| n.name == name && n.evidence == evidence)
    {
        old.last_ts = ts;
        return false;
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
    true
}

impl Entry {
    /// Bytes of what it points to at most, but for addresses and VLANs; a name, a user and what they rest on are
    /// no longer than a claim.
    pub(super) const TEXTS_MAX: usize = DEVICE_NAMES_MAX
        * (size_of::<DeviceName>() + CLAIM_LEN_MAX)
        + DEVICE_CLAIMS_MAX * (size_of::<Claim>() + CLAIM_LEN_MAX)
        + DEVICE_USERS_MAX * (size_of::<DeviceUser>() + CLAIM_LEN_MAX)
        + size_of::<Link>()
        + WHY_LEN_MAX
        + WHO_LEN_MAX
        + APART_MAX * (size_of::<Apart>() + WHO_LEN_MAX)
        + Duty::COUNT * size_of::<Done>();

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
        let users = device
            .users
            .capacity()
            .saturating_mul(size_of::<DeviceUser>());
        let apart = self.apart.capacity().saturating_mul(size_of::<Apart>());
        let link = self.link.as_ref().map_or(0, |link| {
            let who = link.who.as_ref().map_or(0, String::capacity);
            size_of::<Link>().saturating_add(pair_len(&link.why, who))
        });
        let own = [
            device.id.capacity(),
            device.name.capacity(),
            device.vendor.as_ref().map_or(0, String::capacity),
            device.vlans.capacity().saturating_mul(size_of::<u16>()),
            self.first_evidence.capacity(),
            self.done.capacity().saturating_mul(size_of::<Done>()),
            addresses,
            names,
            claims,
            users,
            apart,
            link,
        ];
        let evidence = device.addresses.iter().map(|one| one.evidence.capacity());
        let pair = |a: &String, b: &String| pair_len(a, b.capacity());
        let names = device
            .names
            .iter()
            .map(|one| pair(&one.name, &one.evidence));
        let claims = device
            .claims
            .iter()
            .map(|one| pair(&one.claim, &one.evidence));
        let users = device
            .users
            .iter()
            .map(|one| pair(&one.user, &one.evidence));
        let whos = self.apart.iter().filter_map(|one| one.who.as_ref());
        let texts = evidence.chain(names).chain(claims).chain(users).chain(own);
        let texts = texts.chain(whos.map(String::capacity));
        texts.fold(0, usize::saturating_add)
    }
}

/// Bytes of a text and of another.
fn pair_len(text: &String, other: usize) -> usize {
    text.capacity().saturating_add(other)
}
