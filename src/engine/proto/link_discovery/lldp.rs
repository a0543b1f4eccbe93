//! LLDP: values one behind the other, seven bits of type and nine of length before each.
//!
//! Standard: IEEE 802.1AB §8.4 to §8.6; annex D.2.1 for the port's VLAN.

use compact_str::ToCompactString as _;

use super::{ADDRS_MAX, LinkDiscoveryRecord, VALUES_MAX, address, named, said, seconds};
use crate::types::{MacAddr, Text};

/// Types (§8.4).
const END: u8 = 0;
const CHASSIS_ID: u8 = 1;
const PORT_ID: u8 = 2;
const TTL: u8 = 3;
const PORT_DESCRIPTION: u8 = 4;
const SYSTEM_NAME: u8 = 5;
const SYSTEM_DESCRIPTION: u8 = 6;
const CAPABILITIES: u8 = 7;
const MANAGEMENT_ADDRESS: u8 = 8;
const ORGANISATION: u8 = 127;
/// Bits of what a system does (§8.5.8).
const DOES: [&str; 11] = [
    "other",
    "repeater",
    "bridge",
    "access point",
    "router",
    "telephone",
    "cable modem",
    "station",
    "C-VLAN bridge",
    "S-VLAN bridge",
    "relay",
];

/// Reads a frame; `None` if it does not begin as each must: chassis, port, lifetime (§8.2).
pub(super) fn read(body: &[u8]) -> Option<LinkDiscoveryRecord> {
    let mut record = LinkDiscoveryRecord::default();
    let mut addrs = Vec::new();
    let mut rest = body;
    for at in 0..VALUES_MAX {
        let Some((kind, value, behind)) = value(rest) else {
            break;
        };
        rest = behind;
        match (at, kind) {
            (0, CHASSIS_ID) => record.chassis_id = id(value, 4, 5),
            (1, PORT_ID) => record.port_id = id(value, 3, 4),
            (2, TTL) => record.ttl = seconds(u16::from_be_bytes(*value.first_chunk()?)),
            (0..=2, _) => return None,
            (_, END) => break,
            (_, PORT_DESCRIPTION) => record.port_description = said(value),
            (_, SYSTEM_NAME) => record.system_name = said(value),
            (_, SYSTEM_DESCRIPTION) => record.system_description = said(value),
            (_, CAPABILITIES) => {
                // What it could do, then what it does.
                if let Some(&[_, _, high, low]) = value.first_chunk() {
                    let bits = u16::from_be_bytes([high, low]);
                    record.capabilities = named(bits.into(), &DOES);
                }
            }
            (_, MANAGEMENT_ADDRESS) if addrs.len() < ADDRS_MAX => addrs.extend(managed(value)),
            // 802.1's organisation code, its first subtype.
            (_, ORGANISATION) => {
                if let [0, 0x80, 0xc2, 1, high, low] = *value {
                    let vlan = u16::from_be_bytes([high, low]);
                    record.port_vlan = Some(vlan).filter(|vlan| *vlan > 0);
                }
            }
            _ => {}
        }
    }
    record.chassis_id.as_ref()?;
    record.management_addrs = Some(addrs).filter(|list| !list.is_empty());
    Some(record)
}

/// Type, value, and what follows.
fn value(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, second], rest) = data.split_first_chunk()?;
    let len = usize::from(first & 1) << 8 | usize::from(second);
    let (value, rest) = rest.split_at_checked(len)?;
    Some((first >> 1, value, rest))
}

/// An id behind its subtype: a hardware address, an address of the network, or text (§8.5.2, §8.5.3).
fn id(value: &[u8], mac: u8, network: u8) -> Option<Text> {
    let (&subtype, id) = value.split_first()?;
    if subtype == mac {
        let mac = MacAddr(id.try_into().ok()?);
        return Some(mac.to_compact_string());
    }
    if subtype == network {
        // IANA's address family, then the address.
        let (_family, octets) = id.split_first()?;
        return address(octets).map(|ip| ip.to_compact_string());
    }
    said(id)
}

/// A length, IANA's address family, the address (§8.5.9).
fn managed(value: &[u8]) -> Option<std::net::IpAddr> {
    let (&len, rest) = value.split_first()?;
    match rest.get(..usize::from(len))? {
        [1, octets @ ..] if octets.len() == 4 => address(octets),
        [2, octets @ ..] if octets.len() == 16 => address(octets),
        _ => None,
    }
}
