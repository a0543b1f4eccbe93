//! Teredo: IPv6 in UDP over IPv4, through address translators.
//!
//! Standard: RFC 4380 §5.1.1: an authentication (0x0001) and an origin indication (0x0000) may stand
//!           before the IPv6 packet.
//! Guess:    the IPv6 packet is as long as what is left of the datagram.

use super::narrow;
use super::tunnel::{Encapsulated, Inner, Kind};

/// The registered port.
pub(super) const PORT: u16 = 3_544;

/// Reads what stands before the IPv6 packet.
pub(super) fn parse(bytes: &[u8], len: u32) -> Option<Encapsulated<'_>> {
    let mut rest = bytes;
    if let Some(&[0, 1, client, value]) = rest.first_chunk::<4>() {
        // Client id and authentication value, then a nonce of 8 bytes and a confirmation.
        let lens = usize::from(client).saturating_add(usize::from(value));
        rest = rest.get(lens.saturating_add(13)..)?;
    }
    if rest.starts_with(&[0, 0]) {
        rest = rest.get(8..)?;
    }
    let left = len.saturating_sub(narrow(bytes.len().saturating_sub(rest.len())));
    let (&[version, _, _, _, l0, l1, _, _], _) = rest.split_first_chunk::<8>()?;
    let said = u32::from(u16::from_be_bytes([l0, l1])).saturating_add(40);
    let tunnel = (Kind::Teredo, None);
    (version >> 4 == 6 && said == left)
        .then(|| Encapsulated::new(tunnel, Inner::EtherType(0x86dd), rest, left))
}
