//! GTP-U: a subscriber's packets between radio and core.
//!
//! Standard: 3GPP TS 29.281 §5.1 (header), §5.2.1 (extension headers), §6.1 (message 255 is a G-PDU).
//! Guess:    version 1, protocol type 1, a G-PDU whose length is the datagram's, IP inside.
//! Bounds:   eight extension headers.

use super::tunnel::{Encapsulated, Inner, Kind};
use super::{ip, narrow};

/// The registered port.
pub(super) const PORT: u16 = 2_152;
/// Most extension headers looked through.
const EXTENSIONS_MAX: usize = 8;

/// Reads a GTP-U header.
pub(super) fn parse(bytes: &[u8], len: u32) -> Option<Encapsulated<'_>> {
    let (&[flags, message, l0, l1, t0, t1, t2, t3], rest) = bytes.split_first_chunk::<8>()?;
    let said = u32::from(u16::from_be_bytes([l0, l1]));
    if flags & 0xf0 != 0x30 || message != 255 || said > len.saturating_sub(8) {
        return None;
    }
    let body = ip::captured(rest, said);
    let mut rest = body;
    // Any of sequence number, N-PDU number and extension brings all four bytes.
    if flags & 0x07 != 0 {
        let (&[_, _, _, next], behind) = rest.split_first_chunk::<4>()?;
        rest = behind;
        if flags & 0x04 != 0 {
            rest = behind_extensions(next, rest)?;
        }
    }
    if !matches!(rest.first().map(|byte| byte >> 4), Some(4 | 6)) {
        return None;
    }
    let teid = u64::from(u32::from_be_bytes([t0, t1, t2, t3]));
    let left = said.saturating_sub(narrow(body.len().saturating_sub(rest.len())));
    Some(Encapsulated::new(
        (Kind::Gtp, Some(teid)),
        Inner::Ip,
        rest,
        left,
    ))
}

/// Each begins with its length in words of 4 bytes and ends with the next one's type.
fn behind_extensions(mut next: u8, mut rest: &[u8]) -> Option<&[u8]> {
    for _ in 0..EXTENSIONS_MAX {
        if next == 0 {
            return Some(rest);
        }
        let len = usize::from(*rest.first()?).saturating_mul(4);
        let (extension, behind) = rest.split_at_checked(len)?;
        (next, rest) = (*extension.last()?, behind);
    }
    (next == 0).then_some(rest)
}
