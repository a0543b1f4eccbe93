//! CDP: values one behind the other, two bytes of type and two of length, which counts these four as well.
//!
//! Source: Cisco, "Cisco Discovery Protocol" (packet format), and what its devices send.

use std::net::IpAddr;

use super::{ADDRS_MAX, LinkDiscoveryRecord, VALUES_MAX, address, named, said, seconds};

const DEVICE_ID: u16 = 1;
const ADDRESSES: u16 = 2;
const PORT_ID: u16 = 3;
const CAPABILITIES: u16 = 4;
const VERSION: u16 = 5;
const PLATFORM: u16 = 6;
const NATIVE_VLAN: u16 = 10;
const SYSTEM_NAME: u16 = 0x14;
const MANAGEMENT_ADDRESSES: u16 = 0x16;
/// Bits of what a device does.
const DOES: [&str; 8] = [
    "router",
    "bridge",
    "source-route bridge",
    "switch",
    "host",
    "IGMP",
    "repeater",
    "telephone",
];

/// Reads a frame; `None` if it is cut before its first value, or that is no id.
pub(super) fn read(body: &[u8]) -> Option<LinkDiscoveryRecord> {
    let (&[version, ttl, _, _], mut rest) = body.split_first_chunk()?;
    if !matches!(version, 1 | 2) {
        return None;
    }
    let mut record = LinkDiscoveryRecord {
        ttl: seconds(ttl.into()),
        ..LinkDiscoveryRecord::default()
    };
    let mut addrs = Vec::new();
    for _ in 0..VALUES_MAX {
        let Some((kind, value, behind)) = value(rest) else {
            break;
        };
        rest = behind;
        match kind {
            DEVICE_ID => record.chassis_id = said(value),
            SYSTEM_NAME => record.system_name = said(value),
            PORT_ID => record.port_id = said(value),
            VERSION => record.system_description = said(value),
            PLATFORM => record.platform = said(value),
            ADDRESSES | MANAGEMENT_ADDRESSES => addresses(value, &mut addrs),
            CAPABILITIES => {
                let bits = value.try_into().map(u32::from_be_bytes);
                record.capabilities = named(bits.unwrap_or(0), &DOES);
            }
            NATIVE_VLAN => record.port_vlan = value.try_into().map(u16::from_be_bytes).ok(),
            _ => {}
        }
    }
    record.chassis_id.as_ref()?;
    // The id is the name unless a name is told as well.
    if record.system_name.is_none() {
        record.system_name.clone_from(&record.chassis_id);
    }
    record.management_addrs = Some(addrs).filter(|list| !list.is_empty());
    Some(record)
}

/// Type, value, and what follows.
fn value(data: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let &[k0, k1, l0, l1] = data.first_chunk()?;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let (value, rest) = data.split_at_checked(len)?;
    Some((u16::from_be_bytes([k0, k1]), value.get(4..)?, rest))
}

/// Four bytes of count; of each address its protocol's type and name with their length, then itself with its length.
fn addresses(value: &[u8], addrs: &mut Vec<IpAddr>) {
    let mut rest = value.get(4..).unwrap_or_default();
    for _ in 0..ADDRS_MAX {
        let Some((octets, behind)) = one(rest) else {
            return;
        };
        rest = behind;
        if let Some(ip) = address(octets).filter(|ip| !addrs.contains(ip))
            && addrs.len() < ADDRS_MAX
        {
            addrs.push(ip);
        }
    }
}

/// The bytes of one address, and what follows.
fn one(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[_kind, len], rest) = data.split_first_chunk()?;
    let (_protocol, rest) = rest.split_at_checked(len.into())?;
    let (len, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*len).into())
}
