//! Geneve: Ethernet or IP in UDP, with options.
//!
//! Standard: RFC 8926 §3.4: version 0, options in words of 4 bytes, protocol type, VNI.
//! Guess:    version 0, no control packet, a protocol type known here, and inner headers that check out.

use super::narrow;
use super::tunnel::{Encapsulated, Inner, Kind};

/// The registered port.
pub(super) const PORT: u16 = 6_081;

/// Reads a Geneve header.
pub(super) fn parse(bytes: &[u8], len: u32) -> Option<Encapsulated<'_>> {
    let (&[options, flags, t0, t1, v0, v1, v2, last], rest) = bytes.split_first_chunk::<8>()?;
    if options >> 6 != 0 || flags & 0x80 != 0 || last != 0 {
        return None;
    }
    let options_len = usize::from(options & 0x3f).saturating_mul(4);
    let (_, rest) = rest.split_at_checked(options_len)?;
    let inner = match u16::from_be_bytes([t0, t1]) {
        0x6558 => Inner::Ethernet,
        number @ (0x0800 | 0x86dd | 0x0806 | 0x8847) => Inner::EtherType(number),
        _ => return None,
    };
    let vni = u64::from(u32::from_be_bytes([0, v0, v1, v2]));
    let left = len.checked_sub(narrow(options_len).saturating_add(8))?;
    Some(Encapsulated::new(
        (Kind::Geneve, Some(vni)),
        inner,
        rest,
        left,
    ))
}
