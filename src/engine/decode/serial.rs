//! Link types that name the network layer themselves: Cisco HDLC and the kernel's firewall log.
//!
//! Standard: LINKTYPE_C_HDLC (104): address, control, EtherType. LINKTYPE_NFLOG (239): family, version 0,
//!           resource, then attributes of length, type and value in the capturing machine's byte order
//!           (little-endian nearly everywhere), padded to 4 bytes; attribute 9 is the packet.
//! Bounds:   thirty-two attributes.

use super::{Frame, Layer, Malformed, Network, after_ether_type, bare, ip, narrow};

/// Most attributes looked at.
const ATTRIBUTES_MAX: usize = 32;
/// NFULA_PAYLOAD.
const PAYLOAD: u16 = 9;

/// Decodes a frame of Cisco's HDLC.
pub(super) fn hdlc(frame: &[u8], wire_len: u32) -> Result<Frame<'_>, Malformed> {
    let Some((&[_, _, t0, t1], rest)) = frame.split_first_chunk::<4>() else {
        return Err(Malformed::new(Layer::Link, 4, frame.len()));
    };
    let ether_type = u16::from_be_bytes([t0, t1]);
    let ((vlan, inner_vlan), network) = after_ether_type(ether_type, rest, 4, wire_len)?;
    Ok(Frame {
        vlan,
        inner_vlan,
        ..bare(network)
    })
}

/// Decodes a message of the firewall log.
pub(super) fn nflog(frame: &[u8], wire_len: u32) -> Result<Network<'_>, Malformed> {
    let Some((_, mut rest)) = frame.split_first_chunk::<4>() else {
        return Err(Malformed::new(Layer::Link, 4, frame.len()));
    };
    let cut = wire_len.saturating_sub(narrow(frame.len()));
    for _ in 0..ATTRIBUTES_MAX {
        let Some((&[l0, l1, k0, k1], value)) = rest.split_first_chunk::<4>() else {
            return Err(Malformed::new(Layer::Link, 4, rest.len()));
        };
        let (len, kind) = (u16::from_le_bytes([l0, l1]), u16::from_le_bytes([k0, k1]));
        let Some(len) = usize::from(len).checked_sub(4) else {
            return Err(Malformed::new(Layer::Link, 4, usize::from(len)));
        };
        if kind & 0x7fff == PAYLOAD {
            let have = narrow(value.len()).saturating_add(cut);
            let len = narrow(len).min(have);
            return ip::by_version(ip::captured(value, len), len);
        }
        let padded = len.saturating_add(3) & !3;
        let Some(behind) = value.get(padded..) else {
            return Err(Malformed::new(Layer::Link, padded, value.len()));
        };
        rest = behind;
    }
    Ok(Network::EtherType(0))
}
