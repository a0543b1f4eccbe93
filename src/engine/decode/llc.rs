//! IEEE 802.2 LLC behind an 802.3 length, with SNAP.
//!
//! Standard: IEEE 802.2 §3; RFC 1042 for SNAP (AA AA 03, organisation code 0, EtherType). Cisco's
//! organisation code 00 00 0C with 20 00 is CDP.

use super::{Arp, Ipv4, Ipv6, Layer, Malformed, Network};

/// Decodes what follows the length field.
pub(super) fn decode(rest: &[u8], wire_len: u32) -> Result<Network<'_>, Malformed> {
    let Some(([dsap, ssap, control], body)) = rest.split_first_chunk::<3>() else {
        return Err(Malformed::new(Layer::Link, 3, rest.len()));
    };
    if (*dsap, *ssap, *control) != (0xaa, 0xaa, 0x03) {
        return Ok(Network::Llc(*dsap));
    }
    let Some(([o0, o1, o2, t0, t1], body)) = body.split_first_chunk::<5>() else {
        return Err(Malformed::new(Layer::Link, 8, rest.len()));
    };
    match [*o0, *o1, *o2] {
        [0, 0, 0] => {}
        [0, 0, 0x0c] if (*t0, *t1) == (0x20, 0) => return Ok(Network::Cdp(body)),
        _ => return Ok(Network::Llc(*dsap)),
    }
    let wire_len = wire_len.saturating_sub(8);
    let network = match u16::from_be_bytes([*t0, *t1]) {
        0x0800 => Ipv4::parse(body, wire_len).map(|v| Network::Ip(v.ip)),
        0x86dd => Ipv6::parse(body, wire_len).map(|v| Network::Ip(v.ip)),
        0x0806 => Arp::parse(body).map(Network::Arp),
        other => Ok(Network::EtherType(other)),
    };
    network.map_err(|m| m.at(8))
}
