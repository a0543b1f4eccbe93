//! BSD loopback: four bytes of address family, then the packet.
//!
//! Standard: LINKTYPE_NULL (0, byte order of the capturing machine) and LINKTYPE_LOOP (108, network
//! order). The family's numbers differ between systems, so the packet's own version decides.

use super::{Layer, Malformed, Network, ip};

/// Decodes a loopback frame.
pub(super) fn decode(frame: &[u8], wire_len: u32) -> Result<Network<'_>, Malformed> {
    let Some((family, packet)) = frame.split_first_chunk::<4>() else {
        return Err(Malformed::new(Layer::Link, 4, frame.len()));
    };
    let family = match u32::from_be_bytes(*family) {
        big @ 0..=0xffff => big,
        _ => u32::from_le_bytes(*family),
    };
    match family {
        2 | 10 | 23..=30 => ip::by_version(packet, wire_len.saturating_sub(4)).map_err(|m| m.at(4)),
        other => Ok(Network::EtherType(u16::try_from(other).unwrap_or(u16::MAX))),
    }
}
