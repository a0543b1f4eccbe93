//! VXLAN: Ethernet in UDP.
//!
//! Standard: RFC 7348 §5; draft-smith-vxlan-group-policy for the G flag and what it fills;
//!           draft-ietf-nvo3-vxlan-gpe §3.1 for the P flag and the protocol it announces.
//! Guess:    no flags but I, G and P are set, the last byte is 0, and the inner headers check out.

use super::tunnel::{Encapsulated, Inner, Kind};

/// The registered port.
pub(super) const PORT: u16 = 4_789;
/// The port Linux had before, and still has where nobody says otherwise.
pub(super) const PORT_LINUX: u16 = 8_472;

/// The port of the protocol extension.
pub(super) const PORT_GPE: u16 = 4_790;

/// Reads a VXLAN header.
pub(super) fn parse(bytes: &[u8], len: u32) -> Option<Encapsulated<'_>> {
    let (&[flags, _, _, next, v0, v1, v2, last], rest) = bytes.split_first_chunk::<8>()?;
    if flags & 0x7b != 0x08 || last != 0 {
        return None;
    }
    let inner = match (flags & 0x04, next) {
        (0, _) | (_, 3) => Inner::Ethernet,
        (_, 1) => Inner::EtherType(0x0800),
        (_, 2) => Inner::EtherType(0x86dd),
        _ => return None,
    };
    let vni = u64::from(u32::from_be_bytes([0, v0, v1, v2]));
    let id = (Kind::Vxlan, Some(vni));
    Some(Encapsulated::new(id, inner, rest, len.saturating_sub(8)))
}
