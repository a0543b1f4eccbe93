//! Entries and the rules by which an address belongs to a device.
//!
//! A device is known by its hardware address. An address belongs to the hardware address that claims
//! it by ARP, NDP or DHCP; a frame alone claims it only if nothing stronger is known and its sender
//! has no address of that family yet: a second one means the sender is a router, and the address
//! becomes a device of its own, known by address, behind that router.

mod bind;
mod held;
mod traffic;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tapir_message::{Claim, Device};

use super::Home;
use super::entry::{Entry, main_address, name, strength};
use super::fuse::Fusion;
use super::live::Table;
use super::table;
use crate::proto::dhcpv6::GUESSED;
use crate::types::{Clue, ClueKind, MacAddr, Map, Seed, ShortId, Sighting, Timestamp, ip_bits};

/// Devices at most.
const DEVICES_MAX: usize = 20_000;
/// Per device.
const DEVICE_ADDRESSES_MAX: usize = 32;
const DEVICE_VLANS_MAX: usize = 8;

/// A device's place in the inventory. Never written out: its order is that of first frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceIx(pub u32);

impl DeviceIx {
    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// All devices of the site.
#[derive(Debug)]
pub struct Inventory {
    sensor_id: String,
    home: Home,
    pub(super) table: Table,
    by_mac: Map<MacAddr, DeviceIx>,
    /// Who was asked for last: behind a router it is always the same.
    last_mac: Option<(MacAddr, DeviceIx)>,
    born: Vec<DeviceIx>,
    refused: u64,
    /// Who may be one machine with whom.
    pub(super) fusion: Fusion,
    /// The sensor's own addresses.
    own: Vec<IpAddr>,
}

impl Inventory {
    /// An inventory that already knows `entries`.
    #[must_use]
    pub fn new(sensor_id: &str, home: Home, seed: Seed, entries: Vec<Entry>) -> Self {
        let mut inventory = Self {
            sensor_id: sensor_id.to_owned(),
            home,
            table: Table::new(seed, entries),
            by_mac: Map::new(DEVICES_MAX, seed),
            last_mac: None,
            born: Vec::new(),
            refused: 0,
            fusion: Fusion::new(seed),
            own: Vec::new(),
        };
        table::prepare();
        inventory.remember_traits();
        for ix in (0..).map(DeviceIx).take(inventory.table.len()) {
            if let Some(mac) = inventory.table.peek(ix).and_then(|entry| entry.device.mac) {
                inventory.by_mac.insert(mac, ix);
            }
        }
        inventory
    }

    /// The same with the sensor's own addresses.
    #[must_use]
    pub fn with_own(self, own: Vec<IpAddr>) -> Self {
        Self { own, ..self }
    }

    /// Claims of a device that it is this sensor, if it holds an address of it.
    pub(super) fn claim_own(&self, device: &mut Device) {
        let own = device.addresses.iter();
        let own = own.filter(|address| self.own.contains(&address.addr));
        device.claims.extend(own.map(|address| Claim {
            claim: format!("{} of this sensor", address.addr),
            evidence: "own address".to_owned(),
            first_ts: address.first_ts,
            last_ts: address.last_ts,
        }));
    }

    /// All entries in order of their first frames, merged or not: what the next run should know.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.table.all()
    }

    /// The home networks.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Entries refused because the inventory was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.saturating_add(self.table.refused())
    }

    /// The device that holds `ip`.
    #[must_use]
    pub fn by_ip(&self, ip: IpAddr) -> Option<DeviceIx> {
        self.at(ip_bits(ip))
    }

    /// The device that holds the address of these bits.
    #[inline]
    #[must_use]
    pub fn at(&self, bits: u128) -> Option<DeviceIx> {
        Some(self.table.main(self.table.at(bits)?))
    }

    /// The same, and whether the address lies in the home networks.
    #[inline]
    pub fn whose(&mut self, bits: u128) -> (Option<DeviceIx>, bool) {
        let (holder, is_home) = self.table.whose(&self.home, bits);
        (holder.map(|ix| self.table.main(ix)), is_home)
    }

    /// Asks for what a flow's event will change of the device at `ix`.
    #[inline]
    pub fn ask(&self, ix: DeviceIx) {
        if let Some(live) = self.table.live(ix) {
            live.ask();
        }
    }

    /// The hardware address that `ip` was last tied to.
    #[must_use]
    pub fn mac_of(&self, ip: IpAddr) -> Option<MacAddr> {
        let holder = self.table.at(ip_bits(ip))?;
        self.table.peek(holder)?.device.mac
    }

    /// What the device of the entry at `ix` is called; its times and sums, and what was merged into it, are
    /// in [`Self::whole`].
    #[must_use]
    pub fn entry(&self, ix: DeviceIx) -> Option<&Entry> {
        self.table.peek(self.table.main(ix))
    }

    /// The address that the device of the entry at `ix` is shown with.
    #[must_use]
    pub fn main_address(&self, ix: DeviceIx) -> Option<IpAddr> {
        let main = self.table.main(ix);
        match self.table.peek(main)?.device.addresses.as_slice() {
            one @ ([] | [_]) if self.table.is_alone(main) => Some(one.first()?.addr),
            // Which of several it is depends on when each was last heard of.
            _ => main_address(&self.whole(main)?),
        }
    }

    /// The id of the device at `ix`.
    #[inline]
    #[must_use]
    pub fn id(&self, ix: DeviceIx) -> Option<ShortId> {
        Some(self.table.live(ix)?.id)
    }

    /// Whether a device was first seen since they were last taken.
    #[must_use]
    pub fn has_born(&self) -> bool {
        !self.born.is_empty()
    }

    /// Devices first seen since the last call, in order.
    pub fn take_born(&mut self) -> Vec<DeviceIx> {
        std::mem::take(&mut self.born)
    }

    /// Takes in a sighting.
    pub fn sighted(&mut self, ts: Timestamp, sighting: &Sighting) {
        let mac = Some(sighting.mac).filter(|mac| mac.is_station());
        let ours = sighting.ip.filter(|ip| self.home.holds_bits(ip_bits(*ip)));
        let ix = match (ours, mac) {
            (Some(ip), Some(mac)) if strength(sighting.evidence) > 1 => {
                self.bind_strong(ts, mac, ip, sighting.evidence)
            }
            (Some(ip), mac) => self.bind_weak(ts, mac, ip),
            (None, Some(mac)) => self.by_mac_or_new(ts, mac, sighting.evidence),
            (None, None) => None,
        };
        let Some(ix) = ix else { return };
        self.met(ts, ix, sighting.vlan);
        let foreign = |ip: IpAddr| !ip.is_unspecified() && !ip.is_multicast();
        if ours.is_none() && mac.is_some() && sighting.ip.is_some_and(foreign) {
            let foreign = sighting.ip.map_or(0, ip_bits);
            self.table.forwards(ts, ix, foreign);
        }
    }

    /// The device at `ix` sent a frame in `vlan`.
    fn met(&mut self, ts: Timestamp, ix: DeviceIx, vlan: u16) {
        let Some(live) = self.table.live_mut(ix) else {
            return;
        };
        live.last_ts = live.last_ts.max(ts);
        if vlan == 0 || vlan == live.vlan {
            return;
        }
        live.vlan = vlan;
        let Some(entry) = self.table.entry_mut(ix) else {
            return;
        };
        let vlans = &mut entry.device.vlans;
        if vlans.len() < DEVICE_VLANS_MAX && !vlans.contains(&vlan) {
            vlans.push(vlan);
            vlans.sort_unstable();
        }
    }

    /// Takes in evidence from a protocol.
    pub fn clue(&mut self, ts: Timestamp, clue: &Clue) {
        let by_mac = clue.mac.filter(|mac| mac.is_station());
        let ix = match (clue.kind, by_mac, clue.ip) {
            (ClueKind::DnsName | ClueKind::Announced, ..) => return,
            // The address stays with a device that is known; nobody is made of a hardware address that only a
            // client's identity tells.
            (ClueKind::Lease, Some(mac), _)
                if clue.evidence == GUESSED && self.by_mac.get(&mac).is_none() =>
            {
                return;
            }
            (ClueKind::Lease, Some(mac), Some(ip)) if self.home.holds(ip) => {
                self.bind_strong(ts, mac, ip, "dhcp")
            }
            (_, Some(mac), _) => {
                let protocol = clue.evidence.split(' ').next();
                self.by_mac_or_new(ts, mac, protocol.unwrap_or_default())
            }
            (_, None, Some(ip)) => self.table.at(ip_bits(ip)),
            _ => None,
        };
        let Some(ix) = ix else { return };
        let Some(entry) = self.table.entry_mut(ix) else {
            return;
        };
        let (value, evidence) = (clue.value.as_str(), clue.evidence);
        let news = match clue.kind {
            ClueKind::HostName if !value.is_empty() => {
                let news = name(&mut entry.device, ts, value, evidence);
                // A name heard again may be the latest now.
                if news || entry.device.name != value || !self.table.is_alone(ix) {
                    self.renew(ix);
                }
                news
            }
            ClueKind::Software => entry
                .claim(ts, ("", value), evidence)
                .is_some_and(|(new, _)| new),
            ClueKind::Serves => {
                entry.claim(ts, ("serves ", value), evidence);
                false
            }
            ClueKind::User => {
                entry.user(ts, value, evidence);
                false
            }
            _ => false,
        };
        if news {
            self.told(ts, ix, evidence);
        }
    }

    /// The device of a hardware address, made if new.
    fn by_mac_or_new(&mut self, ts: Timestamp, mac: MacAddr, evidence: &str) -> Option<DeviceIx> {
        if let Some((_, ix)) = self.last_mac.filter(|(last, _)| *last == mac) {
            return Some(ix);
        }
        if let Some(ix) = self.by_mac.get(&mac).copied() {
            self.last_mac = Some((mac, ix));
            return Some(ix);
        }
        let ix = self.create(ts, mac, evidence)?;
        self.by_mac.insert(mac, ix);
        if let Some(entry) = self.table.entry_mut(ix) {
            entry.device.mac = Some(mac);
            entry.device.vendor = super::vendor(mac).map(str::to_owned);
            if mac.is_local() {
                entry.claim(ts, ("made up locally", ""), "hardware address");
            }
            entry.rename();
        }
        Some(ix)
    }

    /// A new entry, unless the inventory is full.
    fn create(
        &mut self,
        ts: Timestamp,
        key: impl std::fmt::Display,
        evidence: &str,
    ) -> Option<DeviceIx> {
        if self.table.len() >= DEVICES_MAX {
            self.refused = self.refused.saturating_add(1);
            return None;
        }
        let id = device_id(&self.sensor_id, &key.to_string());
        let device = Device {
            name: id.clone(),
            id,
            mac: None,
            vendor: None,
            behind: None,
            other_macs: Vec::new(),
            kind: None,
            os: None,
            roles: Vec::new(),
            users: Vec::new(),
            merged: Vec::new(),
            addresses: vec![],
            names: vec![],
            claims: vec![],
            first_ts: ts,
            last_ts: ts,
            flows_orig: 0,
            flows_resp: 0,
            bytes_sent: 0,
            bytes_received: 0,
            vlans: vec![],
        };
        let ix = self.table.push(Entry {
            device,
            first_evidence: evidence.to_owned(),
            link: None,
            apart: Vec::new(),
            done: Vec::new(),
        })?;
        self.born.push(ix);
        Some(ix)
    }
}

/// `d-` and eight base32 digits of a hash over the sensor and what the device is known by.
fn device_id(sensor_id: &str, key: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(sensor_id.as_bytes())
        .update(&[0])
        .update(key.as_bytes());
    format!(
        "d-{}",
        crate::types::base32(hasher.finalize().as_bytes(), 8)
    )
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
