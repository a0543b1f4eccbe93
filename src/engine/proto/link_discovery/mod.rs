//! What switches, access points and telephones tell the port at their other end: LLDP and CDP.
//!
//! Standard: IEEE 802.1AB §8 and §9 (LLDP), its annex D (802.1 values); CDP as Cisco documents it.
//! Input:    what a frame carries behind its EtherType or SNAP header, and who sent it. There is no IP, so no flow.
//! Output:   one `link_discovery` record and clues for `device`: for the port that sent it and for the
//!           management addresses, which belong to the same box.
//! Bounds:   64 values of a frame, 8 management addresses, texts of 256 bytes. Who calls sees to it that what is
//!           told again and again comes here once an hour.
//! Not done: inventory and location of LLDP-MED, power, VLAN names; EDP, FDP, MNDP.

mod cdp;
mod lldp;

use std::net::IpAddr;

use compact_str::ToCompactString as _;

use super::Out;
use super::lines::TEXT_LEN_MAX;
use crate::record;
use crate::types::{Clue, ClueKind, Interval, MacAddr, Text, text};

/// Values of a frame that are looked at; switches send about fifteen.
const VALUES_MAX: usize = 64;
/// Management addresses kept.
const ADDRS_MAX: usize = 8;

record! {
    /// What one port says of itself to its neighbour (LLDP, CDP).
    pub struct LinkDiscoveryRecord = "link_discovery" {
        /// `lldp` or `cdp`.
        pub proto: &'static str = "proto",
        /// The port's hardware address: who sent the frame.
        pub mac: Text = "mac",
        /// What the box is known by: a hardware address, a serial number, a name.
        pub chassis_id: Option<Text> = "chassis_id",
        /// What the box calls the port.
        pub port_id: Option<Text> = "port_id",
        /// What its administrator calls the port.
        pub port_description: Option<Text> = "port_description",
        /// The box's name.
        pub system_name: Option<Text> = "system_name",
        /// Maker, model and software, as it says.
        pub system_description: Option<Text> = "system_description",
        /// The model alone, where it is told apart.
        pub platform: Option<Text> = "platform",
        /// What it does, such as `bridge`, `router`, `telephone`.
        pub capabilities: Option<Vec<Text>> = "capabilities",
        /// Addresses it is managed by.
        pub management_addrs: Option<Vec<IpAddr>> = "management_addrs",
        /// VLAN of the port's untagged frames.
        pub port_vlan: Option<u16> = "port_vlan",
        /// For how long this holds.
        pub ttl: Interval = "ttl",
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkProtocol {
    /// IEEE 802.1AB.
    Lldp,
    /// Cisco's.
    Cdp,
}

/// Reads what `mac` announces and tells it.
pub(crate) fn tell(protocol: LinkProtocol, body: &[u8], mac: MacAddr, out: &mut Out<'_>) {
    let (name, read) = match protocol {
        LinkProtocol::Lldp => ("lldp", lldp::read(body)),
        LinkProtocol::Cdp => ("cdp", cdp::read(body)),
    };
    let Some(mut record) = read else {
        let odd = match protocol {
            LinkProtocol::Lldp => "lldp_malformed",
            LinkProtocol::Cdp => "cdp_malformed",
        };
        return out.weird(odd, Some(mac.to_compact_string()), name);
    };
    record.proto = name;
    record.mac = mac.to_compact_string();
    clues(protocol, &record, mac, out);
    out.record(out.ts, record);
}

/// Tells `device` the name, the software and the kind of the box: of who sent the frame, and of who holds one of
/// the management addresses.
fn clues(protocol: LinkProtocol, record: &LinkDiscoveryRecord, mac: MacAddr, out: &mut Out<'_>) {
    let evidence = match protocol {
        LinkProtocol::Lldp => ["lldp system name", "lldp description", "lldp capabilities"],
        LinkProtocol::Cdp => ["cdp device id", "cdp platform", "cdp capabilities"],
    };
    // A serial number or a hardware address is no name.
    let name = record
        .system_name
        .as_deref()
        .filter(|name| !is_number(name));
    let software = record
        .platform
        .as_deref()
        .or(record.system_description.as_deref());
    let does = record.capabilities.as_ref().map(|list| list.join(", "));
    let values = [name, software, does.as_deref()];
    let kinds = [ClueKind::HostName, ClueKind::Software, ClueKind::Software];
    let managed = record.management_addrs.iter().flatten();
    let about: Vec<_> = [(Some(mac), None)]
        .into_iter()
        .chain(managed.map(|ip| (None, Some(*ip))))
        .collect();
    for ((value, kind), evidence) in values.into_iter().zip(kinds).zip(evidence) {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            continue;
        };
        for &(mac, ip) in &about {
            out.clue(Clue {
                mac,
                ip,
                kind,
                evidence,
                value: value.into(),
            });
        }
    }
}

/// Whether a name is nothing but hexadecimal digits of a hardware address.
fn is_number(name: &str) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_hexdigit).count();
    let rest = name
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'-' | b'.'));
    rest && digits == 12
}

/// Text without the zero bytes and blanks around it; absent if nothing is left.
fn said(bytes: &[u8]) -> Option<Text> {
    let bytes = bytes.split(|byte| *byte == 0).next()?.trim_ascii();
    (!bytes.is_empty()).then(|| text(bytes, TEXT_LEN_MAX))
}

/// An address of four or sixteen bytes that a box can be reached by.
fn address(octets: &[u8]) -> Option<IpAddr> {
    let ip = match octets.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
    };
    Some(ip).filter(|ip| !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback())
}

/// Names of the bits that are set, in their order.
fn named(bits: u32, names: &[&'static str]) -> Option<Vec<Text>> {
    let set = names.iter().enumerate();
    let set = set.filter(|(bit, _)| bits >> (bit & 31) & 1 != 0);
    let list: Vec<Text> = set.map(|(_, name)| (*name).into()).collect();
    (!list.is_empty()).then_some(list)
}

fn seconds(s: u16) -> Interval {
    Interval(i64::from(s).saturating_mul(1_000_000_000))
}

#[cfg(test)]
mod tests;
