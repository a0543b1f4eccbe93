//! Provider backbone bridging: a customer's Ethernet frame in a provider's.
//!
//! Standard: IEEE 802.1Q §9.7 (I-TAG, EtherType 0x88e7): 3 bits priority, 1 bit drop eligible, 1 bit use
//!           customer addresses, 3 bits reserved, 24 bits service id, then the customer's frame.

use super::tunnel::{Encapsulated, Inner, Kind};
use super::{Layer, Malformed};

/// Reads an I-TAG.
pub(super) fn parse(bytes: &[u8], wire_len: u32) -> Result<Encapsulated<'_>, Malformed> {
    let Some((&[_, s0, s1, s2], rest)) = bytes.split_first_chunk::<4>() else {
        return Err(Malformed::new(Layer::Vlan, 4, bytes.len()));
    };
    let service = u64::from(u32::from_be_bytes([0, s0, s1, s2]));
    let id = (Kind::Pbb, Some(service));
    Ok(Encapsulated::new(
        id,
        Inner::Ethernet,
        rest,
        wire_len.saturating_sub(4),
    ))
}
