//! Linux cooked captures: what `any` gives instead of a link header.
//!
//! Standard: LINKTYPE_LINUX_SLL (113, 16 bytes) and LINKTYPE_LINUX_SLL2 (276, 20 bytes). Only the
//! sender's hardware address is there.

use super::{Frame, Layer, Malformed, after_ether_type};
use crate::types::MacAddr;

/// ARPHRD_ETHER and ARPHRD_LOOPBACK: the address is an EUI-48.
const ETHERNET_LIKE: [u16; 2] = [1, 772];

/// Decodes version 1: packet type, hardware type, address length, address, EtherType.
pub(super) fn decode_v1(frame: &[u8], wire_len: u32) -> Result<Frame<'_>, Malformed> {
    let Some((head, rest)) = frame.split_first_chunk::<16>() else {
        return Err(Malformed::new(Layer::Link, 16, frame.len()));
    };
    let [_, _, h0, h1, _, l, a0, a1, a2, a3, a4, a5, _, _, t0, t1] = *head;
    let mac = station(u16::from_be_bytes([h0, h1]), l, [a0, a1, a2, a3, a4, a5]);
    finish(mac, u16::from_be_bytes([t0, t1]), rest, 16, wire_len)
}

/// Decodes version 2: EtherType, interface, hardware type, packet type, address length, address.
pub(super) fn decode_v2(frame: &[u8], wire_len: u32) -> Result<Frame<'_>, Malformed> {
    let Some((head, rest)) = frame.split_first_chunk::<20>() else {
        return Err(Malformed::new(Layer::Link, 20, frame.len()));
    };
    let [
        t0,
        t1,
        _,
        _,
        _,
        _,
        _,
        _,
        h0,
        h1,
        _,
        l,
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        _,
        _,
    ] = *head;
    let mac = station(u16::from_be_bytes([h0, h1]), l, [a0, a1, a2, a3, a4, a5]);
    finish(mac, u16::from_be_bytes([t0, t1]), rest, 20, wire_len)
}

/// The address if it is an EUI-48, else zero.
fn station(hardware_type: u16, len: u8, mac: [u8; 6]) -> MacAddr {
    if len == 6 && ETHERNET_LIKE.contains(&hardware_type) {
        MacAddr(mac)
    } else {
        MacAddr::default()
    }
}

/// Goes on behind the cooked header. EtherType 4 means 802.2 LLC, 1 means raw 802.3.
fn finish(
    src_mac: MacAddr,
    ether_type: u16,
    rest: &[u8],
    offset: u32,
    wire_len: u32,
) -> Result<Frame<'_>, Malformed> {
    let ((vlan, inner_vlan), network) = after_ether_type(ether_type, rest, offset, wire_len)?;
    Ok(Frame {
        src_mac,
        dst_mac: MacAddr::default(),
        vlan,
        inner_vlan,
        network,
    })
}
