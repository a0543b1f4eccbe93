//! Entries and the rules by which an address belongs to a device.
//!
//! A device is known by its hardware address. An address belongs to the hardware address that claims
//! it by ARP, NDP or DHCP; a frame alone claims it only if nothing stronger is known and its sender
//! has no address of that family yet: a second one means the sender is a router, and the address
//! becomes a device of its own, known by address, behind that router.

mod held;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tapir_message::{Address, Device};

use super::Home;
use super::entry::{Entry, name, strength};
use super::live::{Again, Table};
use crate::proto::dhcpv6::GUESSED;
use crate::types::{
    Clue, ClueKind, FlowEvent, MacAddr, Map, Phase, Seed, ShortId, Sighting, Timestamp, ip_bits,
};

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
    table: Table,
    by_mac: Map<MacAddr, DeviceIx>,
    /// Who was asked for last: behind a router it is always the same.
    last_mac: Option<(MacAddr, DeviceIx)>,
    born: Vec<DeviceIx>,
    refused: u64,
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
        };
        for ix in (0..).map(DeviceIx).take(inventory.table.len()) {
            if let Some(mac) = inventory.table.peek(ix).and_then(|entry| entry.device.mac) {
                inventory.by_mac.insert(mac, ix);
            }
        }
        inventory
    }

    /// All entries in order of their first frames.
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
        self.table.at(bits)
    }

    /// What the device at `ix` is called, and what is claimed of it; times and sums are in [`Self::whole`].
    #[must_use]
    pub fn entry(&self, ix: DeviceIx) -> Option<&Entry> {
        self.table.peek(ix)
    }

    /// A copy of the entry at `ix` with its times and sums.
    #[must_use]
    pub fn whole(&self, ix: DeviceIx) -> Option<Entry> {
        self.table.whole(ix)
    }

    /// The address that the device at `ix` is shown with.
    #[must_use]
    pub fn main_address(&self, ix: DeviceIx) -> Option<IpAddr> {
        match self.table.peek(ix)?.device.addresses.as_slice() {
            // Which of several it is depends on when each was last heard of.
            [_, _, ..] => self.table.whole(ix)?.main_address(),
            one => Some(one.first()?.addr),
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
            self.table.again(ts, ix, Again::Forwards);
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
            (ClueKind::DnsName, ..) => return,
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
            (_, None, Some(ip)) => self.by_ip(ip),
            _ => None,
        };
        let Some(entry) = ix.and_then(|ix| self.table.entry_mut(ix)) else {
            return;
        };
        match clue.kind {
            ClueKind::HostName if !clue.value.is_empty() => {
                name(&mut entry.device, ts, &clue.value, clue.evidence);
                entry.rename();
            }
            ClueKind::Software => {
                entry.claim(ts, &clue.value, clue.evidence);
            }
            ClueKind::Serves => {
                entry.claim(ts, &format!("serves {}", clue.value), clue.evidence);
            }
            ClueKind::User => {
                entry.claim(ts, &format!("used by {}", clue.value), clue.evidence);
            }
            _ => {}
        }
    }

    /// Counts a flow's traffic for the devices at its ends: each end's address, and who holds it.
    pub fn flow(
        &mut self,
        ts: Timestamp,
        (orig, orig_device): (u128, Option<DeviceIx>),
        (resp, resp_device): (u128, Option<DeviceIx>),
        event: &FlowEvent,
    ) {
        let new = u32::from(event.phase == Phase::New);
        let sent = (event.orig_bytes, event.resp_bytes);
        if let Some(ix) = orig_device {
            self.spoke(ts, (orig, ix), sent, event.orig_pkts, (new, 0));
        }
        let sent = (event.resp_bytes, event.orig_bytes);
        if let Some(ix) = resp_device {
            self.spoke(ts, (resp, ix), sent, event.resp_pkts, (0, new));
        }
    }

    /// Counts bytes sent and received, packets sent, and flows begun and met, of the device that holds
    /// `addr`.
    fn spoke(
        &mut self,
        ts: Timestamp,
        (addr, ix): (u128, DeviceIx),
        (sent, received): (u32, u32),
        pkts: u32,
        (orig, resp): (u32, u32),
    ) {
        let Some(live) = self.table.live_mut(ix) else {
            return;
        };
        live.bytes_sent = live.bytes_sent.saturating_add(sent.into());
        live.bytes_received = live.bytes_received.saturating_add(received.into());
        live.flows_orig = live.flows_orig.saturating_add(orig);
        live.flows_resp = live.flows_resp.saturating_add(resp);
        if pkts > 0 {
            live.last_ts = live.last_ts.max(ts);
            self.table.heard_of(ts, ix, addr);
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
            entry.rename();
        }
        Some(ix)
    }

    /// Binds an address by ARP, NDP or DHCP: `mac` holds it, whoever held it before.
    fn bind_strong(
        &mut self,
        ts: Timestamp,
        mac: MacAddr,
        ip: IpAddr,
        evidence: &str,
    ) -> Option<DeviceIx> {
        let ix = self.by_mac_or_new(ts, mac, evidence)?;
        self.release_weak(ts, ix, ip);
        self.hold(ts, ix, ip, evidence);
        Some(ix)
    }

    /// Binds an address by a frame alone: see the rules at the top.
    fn bind_weak(&mut self, ts: Timestamp, mac: Option<MacAddr>, ip: IpAddr) -> Option<DeviceIx> {
        if let Some(ix) = self.by_ip(ip) {
            self.table.heard_of(ts, ix, ip_bits(ip));
            return Some(ix);
        }
        let Some(mac) = mac else {
            return self.known_by_address(ts, ip, None);
        };
        let ix = self.by_mac_or_new(ts, mac, "frame")?;
        let entry = self.table.peek(ix)?;
        let same_family = |a: &Address| a.addr.is_ipv4() == ip.is_ipv4();
        if ip.is_ipv4() && entry.device.addresses.iter().any(same_family) {
            self.table.again(ts, ix, Again::Router);
            return self.known_by_address(ts, ip, Some(mac));
        }
        self.hold(ts, ix, ip, "frame");
        Some(ix)
    }

    /// A device known by its address only.
    fn known_by_address(
        &mut self,
        ts: Timestamp,
        ip: IpAddr,
        behind: Option<MacAddr>,
    ) -> Option<DeviceIx> {
        let ix = self.create(ts, ip, "frame")?;
        if let Some(entry) = self.table.entry_mut(ix) {
            entry.device.behind = behind;
        }
        self.hold(ts, ix, ip, "frame");
        Some(ix)
    }

    /// When a device proves one address, those it was only guessed to hold become devices of their own.
    fn release_weak(&mut self, ts: Timestamp, ix: DeviceIx, proven: IpAddr) {
        let Some(entry) = self.table.entry_mut(ix) else {
            return;
        };
        let mac = entry.device.mac;
        let guessed = |a: &Address| {
            a.addr != proven && a.addr.is_ipv4() && proven.is_ipv4() && a.evidence == "frame"
        };
        let loose: Vec<Address> = entry
            .device
            .addresses
            .extract_if(.., |a| guessed(a))
            .collect();
        for address in loose {
            self.table.unbind(ip_bits(address.addr));
            if let Some(new) = self.known_by_address(address.first_ts, address.addr, mac)
                && let Some(entry) = self.table.entry_mut(new)
            {
                entry.device.last_ts = address.last_ts.min(ts);
            }
        }
    }

    /// Notes that the device at `ix` holds `ip`.
    fn hold(&mut self, ts: Timestamp, ix: DeviceIx, ip: IpAddr, evidence: &str) {
        if let Some(before) = self.by_ip(ip).filter(|before| *before != ix)
            && let Some(entry) = self.table.entry_mut(before)
        {
            entry.claim(ts, &format!("lost address {ip}"), evidence);
        }
        if !self.table.bind(ip_bits(ip), ix) {
            return;
        }
        let Some(entry) = self.table.entry_mut(ix) else {
            return;
        };
        let mut gone = None;
        let held = &mut entry.device.addresses;
        if let Some(old) = held.iter_mut().find(|a| a.addr == ip) {
            old.last_ts = old.last_ts.max(ts);
            if strength(evidence) > strength(&old.evidence) {
                old.evidence = evidence.to_owned();
            }
        } else {
            if held.len() >= DEVICE_ADDRESSES_MAX
                && let Some(oldest) =
                    (0..held.len()).min_by_key(|i| held.get(*i).map(|a| a.last_ts))
            {
                gone = Some(held.remove(oldest));
            }
            let evidence = evidence.to_owned();
            // Nearly all devices have one address, and there are many devices.
            held.reserve_exact(1);
            held.push(Address {
                addr: ip,
                evidence,
                first_ts: ts,
                last_ts: ts,
            });
        }
        entry.rename();
        if let Some(gone) = gone {
            self.table.unbind(ip_bits(gone.addr));
        }
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
        let ix = DeviceIx(u32::try_from(self.table.len()).ok()?);
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
        self.table.push(Entry {
            device,
            first_evidence: evidence.to_owned(),
        });
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
