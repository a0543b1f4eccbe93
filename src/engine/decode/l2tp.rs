//! L2TP version 2: PPP in UDP.
//!
//! Standard: RFC 2661 §3.1: flags and version, perhaps length, tunnel and session, perhaps sequence
//!           numbers and an offset. Control messages (T set) stay ordinary datagrams.
//! Guess:    version 2 with reserved bits 0, lengths that fit, and IP inside PPP.

use super::tunnel::{Encapsulated, Inner, Kind};
use super::{Network, ip, narrow, ppp};

/// The registered port.
pub(super) const PORT: u16 = 1_701;

/// Reads a data message.
pub(super) fn parse(bytes: &[u8], len: u32) -> Option<Encapsulated<'_>> {
    let (&[f0, f1], mut rest) = bytes.split_first_chunk::<2>()?;
    let flags = u16::from_be_bytes([f0, f1]);
    // T and all that is reserved must be 0, the version 2; L, S, O and P may be anything.
    if flags & 0xb4ff != 2 {
        return None;
    }
    let mut len = len;
    if flags & 0x4000 != 0 {
        let said = u32::from(number(&mut rest)?);
        if said > len {
            return None;
        }
        len = said;
    }
    let (tunnel, session) = (number(&mut rest)?, number(&mut rest)?);
    if flags & 0x0800 != 0 {
        number(&mut rest)?;
        number(&mut rest)?;
    }
    if flags & 0x0200 != 0 {
        let pad = usize::from(number(&mut rest)?);
        rest = rest.get(pad..)?;
    }
    let left = len.checked_sub(narrow(bytes.len().saturating_sub(rest.len())))?;
    let rest = ip::captured(rest, left);
    let id = u64::from(tunnel).wrapping_shl(16) | u64::from(session);
    let is_ip = matches!(ppp::decode(rest, left), Ok(Network::Ip(_)));
    is_ip.then(|| Encapsulated::new((Kind::L2tp, Some(id)), Inner::Ppp, rest, left))
}

/// Takes a number off the front.
fn number(rest: &mut &[u8]) -> Option<u16> {
    let (two, behind) = rest.split_first_chunk::<2>()?;
    *rest = behind;
    Some(u16::from_be_bytes(*two))
}
