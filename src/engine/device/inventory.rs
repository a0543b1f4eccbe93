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
use crate::types::{Clue, ClueKind, FlowEvent, MacAddr, Map, Phase, Seed, Sighting, Timestamp};

/// Devices at most.
const DEVICES_MAX: usize = 20_000;
/// Addresses bound at most, over all devices.
const ADDRESSES_MAX: usize = 80_000;
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
    entries: Vec<Entry>,
    by_mac: Map<MacAddr, DeviceIx>,
    /// By address as 128 bits, IPv4 mapped: hashed in one step.
    by_ip: Map<u128, DeviceIx>,
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
            entries,
            by_mac: Map::new(DEVICES_MAX, seed),
            by_ip: Map::new(ADDRESSES_MAX, seed),
            born: Vec::new(),
            refused: 0,
        };
        for (ix, entry) in (0..).map(DeviceIx).zip(&inventory.entries) {
            if let Some(mac) = entry.device.mac {
                inventory.by_mac.insert(mac, ix);
            }
            for address in &entry.device.addresses {
                inventory.by_ip.insert(bits(address.addr), ix);
            }
        }
        inventory
    }

    /// All entries in order of their first frames.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The home networks.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Entries refused because the inventory was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.saturating_add(self.by_ip.refused())
    }

    /// The device that holds `ip`.
    #[must_use]
    pub fn by_ip(&self, ip: IpAddr) -> Option<DeviceIx> {
        self.by_ip.get(&bits(ip)).copied()
    }

    /// The entry at `ix`.
    #[must_use]
    pub fn entry(&self, ix: DeviceIx) -> Option<&Entry> {
        self.entries.get(ix.index())
    }

    /// Devices first seen since the last call, in order.
    pub fn take_born(&mut self) -> Vec<DeviceIx> {
        std::mem::take(&mut self.born)
    }

    /// Takes in a sighting.
    pub fn sighted(&mut self, ts: Timestamp, sighting: &Sighting) {
        let mac = Some(sighting.mac).filter(|mac| mac.is_station());
        let ours = sighting.ip.filter(|ip| self.home.holds(*ip));
        let ix = match (ours, mac) {
            (Some(ip), Some(mac)) if strength(sighting.evidence) > 1 => {
                self.bind_strong(ts, mac, ip, sighting.evidence)
            }
            (Some(ip), mac) => self.bind_weak(ts, mac, ip),
            (None, Some(mac)) => self.by_mac_or_new(ts, mac, sighting.evidence),
            (None, None) => None,
        };
        let Some(entry) = ix.and_then(|ix| self.entries.get_mut(ix.index())) else {
            return;
        };
        entry.device.last_ts = entry.device.last_ts.max(ts);
        let vlans = &mut entry.device.vlans;
        if sighting.vlan != 0 && vlans.len() < DEVICE_VLANS_MAX && !vlans.contains(&sighting.vlan) {
            vlans.push(sighting.vlan);
            vlans.sort_unstable();
        }
        let foreign = sighting
            .ip
            .is_some_and(|ip| !self.home.holds(ip) && !ip.is_unspecified() && !ip.is_multicast());
        if foreign && mac.is_some() {
            entry.claim(ts, "forwards for other networks", "frame");
        }
    }

    /// Takes in evidence from a protocol.
    pub fn clue(&mut self, ts: Timestamp, clue: &Clue) {
        let by_mac = clue.mac.filter(|mac| mac.is_station());
        let ix = match (clue.kind, by_mac, clue.ip) {
            (ClueKind::DnsName, ..) => return,
            (ClueKind::Lease, Some(mac), Some(ip)) if self.home.holds(ip) => {
                self.bind_strong(ts, mac, ip, "dhcp")
            }
            (_, Some(mac), _) => self.by_mac_or_new(ts, mac, "dhcp"),
            (_, None, Some(ip)) => self.by_ip(ip),
            _ => None,
        };
        let Some(entry) = ix.and_then(|ix| self.entries.get_mut(ix.index())) else {
            return;
        };
        match clue.kind {
            ClueKind::HostName if !clue.value.is_empty() => {
                name(&mut entry.device, ts, &clue.value, clue.evidence);
                entry.rename();
            }
            ClueKind::Software => entry.claim(ts, &clue.value, clue.evidence),
            ClueKind::Serves => {
                entry.claim(ts, &format!("serves {}", clue.value), clue.evidence);
            }
            _ => {}
        }
    }

    /// Counts a flow's traffic for the devices at its ends: each end's address, and who holds it.
    pub fn flow(
        &mut self,
        ts: Timestamp,
        (orig, orig_device): (IpAddr, Option<DeviceIx>),
        (resp, resp_device): (IpAddr, Option<DeviceIx>),
        event: &FlowEvent,
    ) {
        let new = u64::from(event.phase == Phase::New);
        let sent = (event.orig_bytes, event.resp_bytes);
        if let Some(device) = self.spoke(ts, orig, orig_device, sent, event.orig_pkts) {
            device.flows_orig = device.flows_orig.saturating_add(new);
        }
        let sent = (event.resp_bytes, event.orig_bytes);
        if let Some(device) = self.spoke(ts, resp, resp_device, sent, event.resp_pkts) {
            device.flows_resp = device.flows_resp.saturating_add(new);
        }
    }

    /// Counts bytes sent and received, and packets sent, of the device that holds `ip`.
    fn spoke(
        &mut self,
        ts: Timestamp,
        ip: IpAddr,
        ix: Option<DeviceIx>,
        (sent, received): (u64, u64),
        pkts: u64,
    ) -> Option<&mut Device> {
        let device = &mut self.entries.get_mut(ix?.index())?.device;
        device.bytes_sent = device.bytes_sent.saturating_add(sent);
        device.bytes_received = device.bytes_received.saturating_add(received);
        if pkts > 0 {
            device.last_ts = device.last_ts.max(ts);
            if let Some(held) = device.addresses.iter_mut().find(|a| a.addr == ip) {
                held.last_ts = held.last_ts.max(ts);
            }
        }
        Some(device)
    }

    /// The device of a hardware address, made if new.
    fn by_mac_or_new(&mut self, ts: Timestamp, mac: MacAddr, evidence: &str) -> Option<DeviceIx> {
        if let Some(ix) = self.by_mac.get(&mac) {
            return Some(*ix);
        }
        let ix = self.create(ts, mac, evidence)?;
        self.by_mac.insert(mac, ix);
        if let Some(entry) = self.entries.get_mut(ix.index()) {
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
            if let Some(held) = self
                .entries
                .get_mut(ix.index())
                .and_then(|e| e.device.addresses.iter_mut().find(|a| a.addr == ip))
            {
                held.last_ts = held.last_ts.max(ts);
            }
            return Some(ix);
        }
        let Some(mac) = mac else {
            return self.known_by_address(ts, ip, None);
        };
        let ix = self.by_mac_or_new(ts, mac, "frame")?;
        let entry = self.entries.get(ix.index())?;
        let same_family = |a: &Address| a.addr.is_ipv4() == ip.is_ipv4();
        if ip.is_ipv4() && entry.device.addresses.iter().any(same_family) {
            if let Some(entry) = self.entries.get_mut(ix.index()) {
                entry.claim(ts, "router", "frames of several addresses");
            }
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
        if let Some(entry) = self.entries.get_mut(ix.index()) {
            entry.device.behind = behind;
        }
        self.hold(ts, ix, ip, "frame");
        Some(ix)
    }

    /// When a device proves one address, those it was only guessed to hold become devices of their own.
    fn release_weak(&mut self, ts: Timestamp, ix: DeviceIx, proven: IpAddr) {
        let Some(entry) = self.entries.get_mut(ix.index()) else {
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
            self.by_ip.remove(&bits(address.addr));
            if let Some(new) = self.known_by_address(address.first_ts, address.addr, mac)
                && let Some(entry) = self.entries.get_mut(new.index())
            {
                entry.device.last_ts = address.last_ts.min(ts);
            }
        }
    }

    /// Notes that the device at `ix` holds `ip`.
    fn hold(&mut self, ts: Timestamp, ix: DeviceIx, ip: IpAddr, evidence: &str) {
        if let Some(before) = self.by_ip(ip).filter(|before| *before != ix)
            && let Some(entry) = self.entries.get_mut(before.index())
        {
            entry.claim(ts, &format!("lost address {ip}"), evidence);
        }
        if !self.by_ip.insert(bits(ip), ix) {
            return;
        }
        let Some(entry) = self.entries.get_mut(ix.index()) else {
            return;
        };
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
                let gone = held.remove(oldest);
                self.by_ip.remove(&bits(gone.addr));
            }
            let evidence = evidence.to_owned();
            held.push(Address {
                addr: ip,
                evidence,
                first_ts: ts,
                last_ts: ts,
            });
        }
        entry.rename();
    }

    /// A new entry, unless the inventory is full.
    fn create(
        &mut self,
        ts: Timestamp,
        key: impl std::fmt::Display,
        evidence: &str,
    ) -> Option<DeviceIx> {
        if self.entries.len() >= DEVICES_MAX {
            self.refused = self.refused.saturating_add(1);
            return None;
        }
        let ix = DeviceIx(u32::try_from(self.entries.len()).ok()?);
        let id = device_id(&self.sensor_id, &key.to_string());
        let device = Device {
            name: id.clone(),
            id,
            mac: None,
            vendor: None,
            behind: None,
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
        self.entries.push(Entry {
            device,
            first_evidence: evidence.to_owned(),
        });
        self.born.push(ix);
        Some(ix)
    }
}

/// An address as it is looked up.
fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
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
mod tests {
    use super::*;

    const PC: MacAddr = MacAddr([0x00, 0x11, 0x22, 0, 0, 1]);
    const ROUTER: MacAddr = MacAddr([0x00, 0x11, 0x22, 0, 0, 2]);

    fn inventory() -> Inventory {
        Inventory::new("tapir", Home::new(vec![]), Seed(1), vec![])
    }

    fn seen(inventory: &mut Inventory, s: i64, mac: MacAddr, ip: &str, evidence: &'static str) {
        let sighting = Sighting {
            mac,
            ip: ip.parse().ok(),
            evidence,
            vlan: 0,
        };
        inventory.sighted(Timestamp::from_secs(s), &sighting);
    }

    fn names(inventory: &Inventory) -> Vec<String> {
        inventory
            .entries()
            .iter()
            .map(|e| e.device.name.clone())
            .collect()
    }

    #[test]
    fn a_frame_makes_a_device_and_arp_proves_its_address() {
        let mut inventory = inventory();
        seen(&mut inventory, 1, PC, "10.0.0.5", "frame");
        seen(&mut inventory, 2, PC, "10.0.0.5", "arp");
        let [entry] = inventory.entries() else {
            panic!("one device")
        };
        assert_eq!(entry.device.name, "10.0.0.5");
        assert_eq!(entry.device.addresses[0].evidence, "arp");
        assert_eq!(inventory.take_born(), [DeviceIx(0)]);
    }

    #[test]
    fn addresses_behind_a_router_are_devices_of_their_own() {
        let mut inventory = inventory();
        seen(&mut inventory, 1, ROUTER, "10.9.0.1", "frame");
        seen(&mut inventory, 2, ROUTER, "10.9.0.2", "frame");
        seen(&mut inventory, 3, ROUTER, "10.0.0.1", "arp");
        // The router proved 10.0.0.1; what it was guessed to hold is now behind it.
        assert_eq!(names(&inventory), ["10.0.0.1", "10.9.0.2", "10.9.0.1"]);
        let behind: Vec<_> = inventory
            .entries()
            .iter()
            .map(|e| e.device.behind)
            .collect();
        assert_eq!(behind, [None, Some(ROUTER), Some(ROUTER)]);
    }

    #[test]
    fn a_device_keeps_its_identity_over_a_change_of_address() {
        let mut inventory = inventory();
        let lease = |ip: &str| Clue {
            mac: Some(PC),
            ip: ip.parse().ok(),
            kind: ClueKind::Lease,
            evidence: "dhcp",
            value: String::new(),
        };
        inventory.clue(Timestamp::from_secs(1), &lease("10.0.0.5"));
        inventory.clue(Timestamp::from_secs(9), &lease("10.0.0.6"));
        let name = Clue {
            kind: ClueKind::HostName,
            value: "pc-1".into(),
            ..lease("10.0.0.6")
        };
        inventory.clue(Timestamp::from_secs(9), &name);
        let [entry] = inventory.entries() else {
            panic!("one device")
        };
        assert_eq!(entry.device.addresses.len(), 2);
        assert_eq!(entry.main_address(), "10.0.0.6".parse().ok());
        assert_eq!(entry.device.name, "pc-1");
    }

    #[test]
    fn foreign_addresses_are_no_devices() {
        let mut inventory = inventory();
        seen(&mut inventory, 1, ROUTER, "198.51.100.7", "frame");
        assert_eq!(names(&inventory), [ROUTER.to_string()]);
        assert_eq!(inventory.by_ip("198.51.100.7".parse().unwrap()), None);
        assert_eq!(
            inventory.entries()[0].device.claims[0].claim,
            "forwards for other networks"
        );
    }
}
