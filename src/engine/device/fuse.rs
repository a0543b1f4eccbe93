//! When two entries are one machine, by evidence alone.
//!
//! A machine may have several hardware addresses: a cable and Wi-Fi, a dock, one made up for privacy that changes. Two
//! entries with a hardware address each are held to be one machine if
//! - nothing that both say of themselves differs: neither names, nor client identifiers, nor systems; and
//! - a number that is given to one machine only (DHCP client identifier, DUID) is the same, and the name or the
//!   system is, too; or
//! - the name and the system are the same, and they were not at work at the same time: the second came when the
//!   first went, give or take 30 seconds.
//!
//! Virtual machines are copied with their names, and no cable is pulled from them: of two hardware addresses that a
//! hypervisor gave, only a number tells that they are one machine's.
//! Names that a maker gives to each of a kind are no names here, and routers, and what tells more than three names,
//! are left alone: others stand behind them. If the two turn out to have different numbers, are at work together for three
//! minutes on end after all, or say different things of themselves within a minute, they are two machines again, for good. Machines with the same
//! name are thus two as long as both are on, and numbers copied with a disk image do not make them one.
//! What a person merged or split, no evidence changes.
//! Bounds: of machines with the same trait the last four are compared; 64 pairs are watched at once.

use tapir_message::Device;

use super::entry::Entry;
use super::group::{Apart, Link, WHY_LEN_MAX, cut};
use super::inventory::{DeviceIx, Inventory};
use crate::types::{Map, Seed, Timestamp};

/// How long a first address may be at work when a second one is, already; and when that is decided: before the second
/// is judged as new.
const OVERLAP_NS: i64 = 30 * SECOND_NS;
const SETTLED_NS: i64 = 58 * SECOND_NS;
/// Who was not heard for so long is not at work.
const QUIET_NS: i64 = 60 * SECOND_NS;
const SECOND_NS: i64 = 1_000_000_000;
/// Minutes on end at work together that make two machines.
const TOGETHER_MAX: u8 = 3;
/// Own names of one machine at most.
const NAMES_MAX: usize = 3;
/// Machines remembered for a trait, and pairs watched.
const HOLDERS: usize = 4;
const WATCHES_MAX: usize = 64;
/// Traits at most: two for each device.
const TRAITS_MAX: usize = 40_000;

/// Evidence of names that a device gives itself.
const OWN_NAMES: [&str; 12] = [
    "dhcp option 12",
    "dhcp option 81",
    "dhcpv6 option 39",
    "mdns",
    "llmnr",
    "nbns",
    "browser",
    "ntlm",
    "ntlm dns name",
    "kerberos machine account",
    "kerberos host address",
    "cldap",
];
/// Evidence of numbers that one machine has.
const NUMBERS: [&str; 2] = ["dhcp client id", "dhcpv6 client id"];
/// Evidence of what it runs; what the last one tells depends on the message, so that it may differ.
const SYSTEMS: [&str; 7] = [
    "dhcp vendor class",
    "dhcpv6 vendor class",
    "ntlm version",
    "browser version",
    "smb native os",
    "mdns device info",
    PARAMETERS,
];
const PARAMETERS: &str = "dhcp parameter list";
/// Names, or beginnings of names, that many machines have.
const COMMON: [&str; 22] = [
    "LOCALHOST",
    "LOCALHOST6",
    "IPHONE",
    "IPAD",
    "ANDROID",
    "MACBOOK",
    "MACBOOK-PRO",
    "MACBOOK-AIR",
    "IMAC",
    "MAC",
    "UBUNTU",
    "DEBIAN",
    "KALI",
    "RASPBERRYPI",
    "OPENWRT",
    "UNKNOWN",
    "WORKGROUP",
    "USER-PC",
    "ADMIN-PC",
    "PC",
    "ESPRESSIF",
    "HOST",
];
const COMMON_BEGINS: [&str; 4] = ["GALAXY-", "PIXEL-", "REDMI-", "ONEPLUS-"];

/// Who has which trait, and who is watched.
#[derive(Debug)]
pub(super) struct Fusion {
    holders: Map<u64, [u32; HOLDERS]>,
    watches: Vec<Watch>,
}

/// Two entries that are one machine unless both go on.
#[derive(Debug)]
struct Watch {
    due: Timestamp,
    pair: (DeviceIx, DeviceIx),
}

impl Fusion {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            holders: Map::new(TRAITS_MAX, seed),
            watches: Vec::new(),
        }
    }

    /// Notes that `ix` has a trait; returns the others that have it, the last first.
    fn hold(&mut self, key: u64, ix: DeviceIx) -> Vec<DeviceIx> {
        let Some(holders) = self.holders.entry(key, || [u32::MAX; HOLDERS]) else {
            return Vec::new();
        };
        let others = holders.iter().filter(|at| **at != u32::MAX && **at != ix.0);
        let others: Vec<DeviceIx> = others.map(|at| DeviceIx(*at)).collect();
        let slots = std::iter::once(ix.0).chain(others.iter().map(|at| at.0));
        for (slot, at) in holders.iter_mut().zip(slots) {
            *slot = at;
        }
        others
    }

    /// Bytes now and at the bound.
    pub(super) fn held(&self) -> (usize, usize) {
        let watches = self.watches.capacity().saturating_mul(size_of::<Watch>());
        let bound = Map::<u64, [u32; HOLDERS]>::table_bound(TRAITS_MAX);
        let bound = bound.saturating_add(WATCHES_MAX.saturating_mul(size_of::<Watch>()));
        (self.holders.table_bytes().saturating_add(watches), bound)
    }
}

impl Inventory {
    /// Notes the traits of entries that were saved.
    pub(super) fn remember_traits(&mut self) {
        for ix in (0..).map(DeviceIx).take(self.table.len()) {
            let keys = self.table.peek(ix).map(keys).unwrap_or_default();
            for key in keys {
                self.fusion.hold(key, ix);
            }
        }
    }

    /// The entry at `ix` has told something new of itself.
    pub(super) fn told(&mut self, ts: Timestamp, ix: DeviceIx, evidence: &str) {
        if !OWN_NAMES.contains(&evidence)
            && !NUMBERS.contains(&evidence)
            && !SYSTEMS.contains(&evidence)
        {
            return;
        }
        let keys = self.table.peek(ix).map(keys).unwrap_or_default();
        for key in keys {
            for other in self.fusion.hold(key, ix) {
                self.weigh(ts, ix.min(other), ix.max(other));
            }
        }
        if !self.table.is_alone(ix) {
            self.doubt(ts, ix);
        }
    }

    /// Decides whether the entries of a pair are one machine; `old` was there first.
    fn weigh(&mut self, ts: Timestamp, old: DeviceIx, new: DeviceIx) {
        if self.table.main(old) == self.table.main(new) || self.table.are_apart(old, new) {
            return;
        }
        let (Some(first), Some(came)) = (self.heard(old), self.came(new)) else {
            return;
        };
        let pair = self.table.peek(old).zip(self.table.peek(new));
        let Some((one, other)) = pair.map(|(old, new)| (&old.device, &new.device)) else {
            return;
        };
        // Most were at work together, and only a number would count.
        if first > came.plus(OVERLAP_NS) && shared(one, other, &NUMBERS).is_none() {
            return;
        }
        let Some(grounds) = grounds(one, other) else {
            return;
        };
        if !grounds.firm && first > came {
            let due = came.plus(SETTLED_NS);
            if ts < due {
                return self.watch(due, (old, new));
            }
        }
        self.fuse(ts, (old, new), grounds);
    }

    /// Decides on a pair later. At the bound it is left until one of them tells something new.
    fn watch(&mut self, due: Timestamp, pair: (DeviceIx, DeviceIx)) {
        let watches = &mut self.fusion.watches;
        if watches.len() < WATCHES_MAX && watches.iter().all(|watch| watch.pair != pair) {
            watches.push(Watch { due, pair });
            watches.sort_by_key(|watch| (watch.due, watch.pair));
        }
    }

    /// Makes two entries one machine: the one that was there first stays.
    fn fuse(&mut self, ts: Timestamp, (old, new): (DeviceIx, DeviceIx), grounds: Grounds) {
        let (one, other) = (self.table.main(old), self.table.main(new));
        let into = one.min(other);
        let link = Link {
            into,
            ts,
            who: None,
            why: grounds.why,
            firm: grounds.firm,
            together: (0, 0),
        };
        // At the bound both stay by themselves.
        if self.table.link(one.max(other), link).is_ok() {
            self.renew(into);
        }
    }

    /// The entry at `ix` told something new: if another of its machine has another number, or says something else
    /// at the same time, they are not one.
    fn doubt(&mut self, ts: Timestamp, ix: DeviceIx) {
        for other in self.table.members(ix) {
            let Some((one, its)) = self.table.peek(ix).zip(self.table.peek(other)) else {
                continue;
            };
            let awake = self.heard(other).is_some_and(|at| ts.since(at) < QUIET_NS);
            let number = NUMBERS
                .iter()
                .any(|evidence| contradict(&one.device, &its.device, evidence));
            if other != ix && (number || awake && differ(&one.device, &its.device)) {
                self.disband(ts, ix, other);
            }
        }
    }

    /// Notes that the entry at `ix`, one of several of a machine, is at work.
    pub(super) fn works(&mut self, ts: Timestamp, ix: DeviceIx) {
        let minute = |ts: Timestamp| ts.nanos().div_euclid(QUIET_NS);
        let now = minute(ts);
        for other in self.table.members(ix) {
            if other == ix || self.heard(other).is_none_or(|at| minute(at) != now) {
                continue;
            }
            let link = self.table.link_mut(ix.max(other));
            let Some(link) = link.filter(|link| link.who.is_none() && !link.firm) else {
                continue;
            };
            let (last, run) = link.together;
            if last == now {
                continue;
            }
            let run = if last == now.saturating_sub(1) {
                run.saturating_add(1)
            } else {
                1
            };
            link.together = (now, run);
            if run >= TOGETHER_MAX {
                self.disband(ts, ix, other);
            }
        }
    }

    /// Two entries are not one machine after all.
    fn disband(&mut self, ts: Timestamp, one: DeviceIx, other: DeviceIx) {
        if self.table.main(one) != self.table.main(other) {
            return;
        }
        let (old, new) = (one.min(other), one.max(other));
        let by_evidence = |ix| {
            self.table
                .peek(ix)?
                .link
                .as_ref()?
                .who
                .is_none()
                .then_some(ix)
        };
        let Some(part) = by_evidence(new).or_else(|| by_evidence(old)) else {
            return;
        };
        self.part(ts, part, None);
        let apart = Apart {
            from: old,
            ts,
            who: None,
        };
        self.table.keep_apart(new, apart);
    }

    /// When the first pair that is watched is to be decided.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.fusion.watches.first().map(|watch| watch.due)
    }

    /// Decides on the pairs that are due.
    pub fn advance(&mut self, ts: Timestamp) {
        while let Some(watch) = self.fusion.watches.first().filter(|watch| watch.due <= ts) {
            let (due, (old, new)) = (watch.due, watch.pair);
            self.fusion.watches.remove(0);
            self.weigh(due, old, new);
        }
    }

    /// Time leapt: pairs that are watched are left until one of them tells something new.
    pub fn epoch(&mut self) {
        self.fusion.watches.clear();
    }

    /// When the entry at `ix` was heard last.
    fn heard(&self, ix: DeviceIx) -> Option<Timestamp> {
        let last = self.table.peek(ix)?.device.last_ts;
        Some(self.table.live(ix)?.last_ts.max(last))
    }

    /// When the entry at `ix` was heard first.
    fn came(&self, ix: DeviceIx) -> Option<Timestamp> {
        Some(self.table.peek(ix)?.device.first_ts)
    }
}

/// Why two entries are one machine.
struct Grounds {
    /// Whether a number is the same.
    firm: bool,
    why: String,
}

/// What two entries have in common, if that is enough and nothing differs.
fn grounds(one: &Device, other: &Device) -> Option<Grounds> {
    let (ones, others) = names_of(one).zip(names_of(other))?;
    if differ(one, other) {
        return None;
    }
    let name = ones.into_iter().find(|name| others.contains(name));
    let number = shared(one, other, &NUMBERS);
    let system = shared(one, other, &SYSTEMS);
    let firm = number.is_some();
    let name = name.map(|name| format!("name {name}"));
    let said =
        |said: Option<(&str, &str)>| said.map(|(evidence, text)| format!("{evidence} {text}"));
    let common: Vec<String> = [said(number), name, said(system)]
        .into_iter()
        .flatten()
        .collect();
    let copies = is_virtual(one) && is_virtual(other) && !firm;
    (common.len() >= 2 && !copies).then(|| Grounds {
        firm,
        why: cut(
            &format!("the same {}", common.join(", the same ")),
            WHY_LEN_MAX,
        ),
    })
}

/// Whether a hypervisor made up the hardware address.
fn is_virtual(device: &Device) -> bool {
    const MAKERS: [&str; 5] = [
        "VMware",
        "PCS Systemtechnik",
        "Xensource",
        "Parallels",
        "Microsoft",
    ];
    let maker = device.vendor.as_deref().unwrap_or_default();
    let qemu = device
        .mac
        .is_some_and(|mac| mac.0.starts_with(&[0x52, 0x54, 0x00]));
    qemu || MAKERS.iter().any(|known| maker.starts_with(known))
}

/// The first thing that both claim on the given evidence.
fn shared<'a>(one: &'a Device, other: &Device, evidence: &[&str]) -> Option<(&'a str, &'a str)> {
    let others: Vec<_> = claims(other, evidence).map(|(_, said)| said).collect();
    claims(one, evidence).find(|(_, said)| others.contains(said))
}

/// The names of a device if it is one of those whose evidence is surely its own.
fn names_of(device: &Device) -> Option<Vec<String>> {
    let relays = |claim: &tapir_message::Claim| claim.evidence.starts_with("frame");
    if device.mac.is_none() || device.claims.iter().any(relays) {
        return None;
    }
    Some(own_names(device)).filter(|names| names.len() <= NAMES_MAX)
}

/// Whether two devices say different things of themselves.
fn differ(one: &Device, other: &Device) -> bool {
    let named = |evidence: &&str| {
        let of = |device: &Device| {
            let names = device
                .names
                .iter()
                .filter(|name| name.evidence == **evidence);
            names.map(|name| plain(&name.name)).collect()
        };
        apart(of(one), of(other))
    };
    let steady = NUMBERS.iter().chain(&SYSTEMS);
    let mut steady = steady.filter(|evidence| **evidence != PARAMETERS);
    OWN_NAMES.iter().any(named) || steady.any(|evidence| contradict(one, other, evidence))
}

/// Whether two devices claim different things on the same evidence.
fn contradict(one: &Device, other: &Device, evidence: &str) -> bool {
    let of = |device| claims(device, &[evidence]).map(|(_, text)| text).collect();
    apart(of(one), of(other))
}

/// Whether both say something and never the same.
fn apart<T: PartialEq>(ones: Vec<T>, others: Vec<T>) -> bool {
    !ones.is_empty() && !others.is_empty() && !ones.iter().any(|one| others.contains(one))
}

/// What is claimed of a device on the given evidence; what a boot program says is nobody's.
fn claims<'a>(device: &'a Device, evidence: &[&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let claims = device.claims.iter().filter(move |claim| {
        evidence.contains(&claim.evidence.as_str()) && !claim.claim.starts_with("PXEClient")
    });
    claims.map(|claim| (claim.evidence.as_str(), claim.claim.as_str()))
}

/// The names that a device gives itself and that are not everybody's.
fn own_names(device: &Device) -> Vec<String> {
    let own = device
        .names
        .iter()
        .filter(|name| OWN_NAMES.contains(&name.evidence.as_str()));
    let mut names: Vec<String> = own.map(|name| plain(&name.name)).collect();
    let common = |name: &String| {
        COMMON.contains(&name.as_str()) || COMMON_BEGINS.iter().any(|begin| name.starts_with(begin))
    };
    names.retain(|name| !name.is_empty() && !common(name));
    names.sort_unstable();
    names.dedup();
    names
}

/// A host name without its domain, in capitals.
fn plain(name: &str) -> String {
    let host = name.split('.').next().unwrap_or_default();
    host.to_uppercase()
}

/// What the traits of an entry are found by.
fn keys(entry: &Entry) -> Vec<u64> {
    let device = &entry.device;
    let Some(names) = names_of(device) else {
        return Vec::new();
    };
    let key = |kind: u8, text: &str| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[kind]).update(text.as_bytes());
        let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    };
    let names = names.into_iter().map(|name| key(0, &name));
    let numbers = claims(device, &NUMBERS).map(|(_, number)| key(1, number));
    names.chain(numbers).collect()
}

#[cfg(test)]
#[path = "fuse_tests.rs"]
mod tests;
