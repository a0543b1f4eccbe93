//! GRE, and ERSPAN inside it.
//!
//! Standard: RFC 2784 §2, RFC 2890 §2 (key, sequence number), RFC 1701 (routing), RFC 2637 §4.1
//!           (version 1), draft-foschiano-erspan-03 §4 (ERSPAN I has no header, II 8 bytes, III 12 or 20).
//! Not done: source routing (R set) is passed over; what PPTP compresses or encrypts stays closed.

use super::tunnel::{Encapsulated, Inner, Kind};
use super::{Layer, Malformed, ip, narrow};

/// Checksum present.
const CHECKSUM: u16 = 0x8000;
/// Routing present.
const ROUTING: u16 = 0x4000;
/// Key present.
const KEY: u16 = 0x2000;
/// Sequence number present.
const SEQUENCE: u16 = 0x1000;
/// Version 1: acknowledgement number present.
const ACKNOWLEDGE: u16 = 0x0080;

/// Reads a GRE header; `None` if it is of a form that is not looked into.
///
/// # Errors
/// The header, or that of ERSPAN behind it, is cut.
pub(super) fn parse(bytes: &[u8], len: u32) -> Result<Option<Encapsulated<'_>>, Malformed> {
    let Some((&[f0, f1, t0, t1], mut rest)) = bytes.split_first_chunk::<4>() else {
        return Err(Malformed::new(Layer::Gre, 4, bytes.len()));
    };
    let (flags, kind) = (u16::from_be_bytes([f0, f1]), u16::from_be_bytes([t0, t1]));
    let version = flags & 7;
    if flags & ROUTING != 0 || version > 1 || (version == 1 && kind != 0x880b) {
        return Ok(None);
    }
    let mut field = |wanted: bool| -> Result<u32, Malformed> {
        if !wanted {
            return Ok(0);
        }
        let Some((word, behind)) = rest.split_first_chunk::<4>() else {
            let need = bytes.len().saturating_sub(rest.len()).saturating_add(4);
            return Err(Malformed::new(Layer::Gre, need, bytes.len()));
        };
        rest = behind;
        Ok(u32::from_be_bytes(*word))
    };
    field(version == 0 && flags & CHECKSUM != 0)?;
    let key = field(flags & KEY != 0)?;
    field(flags & SEQUENCE != 0)?;
    field(version == 1 && flags & ACKNOWLEDGE != 0)?;
    let left = len.saturating_sub(narrow(bytes.len().saturating_sub(rest.len())));
    if version == 1 {
        // The upper half of the key is the payload's length: 0 in a mere acknowledgement.
        let (payload_len, call) = (key >> 16, key & 0xffff);
        let left = left.min(payload_len);
        let inner = ip::captured(rest, left);
        let id = (Kind::Pptp, Some(u64::from(call)));
        return Ok((left > 0).then(|| Encapsulated::new(id, Inner::Ppp, inner, left)));
    }
    let id = (Kind::Gre, (flags & KEY != 0).then_some(u64::from(key)));
    Ok(match kind {
        0x6558 => Some(Encapsulated::new(id, Inner::Ethernet, rest, left)),
        0x880b => Some(Encapsulated::new(id, Inner::Ppp, rest, left)),
        // ERSPAN I has neither a sequence number nor a header of its own.
        0x88be if flags & SEQUENCE == 0 => Some(Encapsulated::new(
            (Kind::Erspan, None),
            Inner::Ethernet,
            rest,
            left,
        )),
        0x88be | 0x22eb => Some(erspan(kind == 0x22eb, rest, left)?),
        other => Some(Encapsulated::new(id, Inner::EtherType(other), rest, left)),
    })
}

/// Reads the header of ERSPAN II, or of III with the subheader it announces in its last bit.
fn erspan(third: bool, bytes: &[u8], len: u32) -> Result<Encapsulated<'_>, Malformed> {
    let optional = third && bytes.get(11).is_some_and(|last| last & 1 == 1);
    let need = match (third, optional) {
        (false, _) => 8,
        (true, false) => 12,
        (true, true) => 20,
    };
    let (Some((head, rest)), Some(&[_, _, s0, s1])) =
        (bytes.split_at_checked(need), bytes.first_chunk::<4>())
    else {
        return Err(Malformed::new(Layer::Gre, need, bytes.len()));
    };
    let session = u64::from(u16::from_be_bytes([s0, s1]) & 0x03ff);
    let left = len.saturating_sub(narrow(head.len()));
    // The third kind says in five bits what the frame is: 0 Ethernet, 2 IP.
    let is_ip = third && head.get(10).is_some_and(|byte| byte >> 2 & 0x1f == 2);
    let inner = if is_ip { Inner::Ip } else { Inner::Ethernet };
    Ok(Encapsulated::new(
        (Kind::Erspan, Some(session)),
        inner,
        rest,
        left,
    ))
}
