//! PPP, with or without HDLC framing, and its session over Ethernet.
//!
//! Standard: RFC 1661 §2 and §6.5 (protocol field, perhaps one byte), RFC 1662 §3.1 (FF 03), RFC 2516 §4
//!           (PPPoE: version and type 1, code 0, session, length).
//! Not done: compressed headers (RFC 1144), multilink; PPPoE discovery is counted by its EtherType.

use super::tunnel::{Encapsulated, Inner, Kind};
use super::{Ipv4, Ipv6, Layer, Malformed, Network, ip, mpls, narrow};

/// Decodes a PPP packet.
pub(super) fn decode(frame: &[u8], wire_len: u32) -> Result<Network<'_>, Malformed> {
    let rest = frame.strip_prefix(&[0xff, 0x03]).unwrap_or(frame);
    let (number, rest) = match rest {
        // The last byte of a protocol number is odd, the first even.
        [one, rest @ ..] if one & 1 == 1 => (u16::from(*one), rest),
        [high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        _ => return Err(Malformed::new(Layer::Ppp, 4, frame.len())),
    };
    let offset = narrow(frame.len().saturating_sub(rest.len()));
    let len = wire_len.saturating_sub(offset);
    let network = match number {
        0x0021 => Ipv4::parse(rest, len).map(|v| Network::Ip(v.ip)),
        0x0057 => Ipv6::parse(rest, len).map(|v| Network::Ip(v.ip)),
        0x0281 | 0x0283 => mpls::parse(rest, len).map(Network::Tunnelled),
        other => Ok(Network::Ppp(other)),
    };
    network.map_err(|m| m.at(offset))
}

/// Reads the header of a PPPoE session.
pub(super) fn over_ethernet(bytes: &[u8], wire_len: u32) -> Result<Encapsulated<'_>, Malformed> {
    let Some((&[version, code, s0, s1, l0, l1], rest)) = bytes.split_first_chunk::<6>() else {
        return Err(Malformed::new(Layer::Ppp, 6, bytes.len()));
    };
    let left = wire_len.saturating_sub(6);
    let len = u32::from(u16::from_be_bytes([l0, l1]));
    if version != 0x11 || code != 0 || len > left {
        let need = usize::try_from(len).unwrap_or(0).saturating_add(6);
        let have = usize::try_from(wire_len)
            .unwrap_or(0)
            .min(need.saturating_sub(1));
        return Err(Malformed::new(Layer::Ppp, need, have));
    }
    let session = u64::from(u16::from_be_bytes([s0, s1]));
    let rest = ip::captured(rest, len);
    let tunnel = (Kind::Pppoe, Some(session));
    Ok(Encapsulated::new(tunnel, Inner::Ppp, rest, len))
}
