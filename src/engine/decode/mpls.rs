//! MPLS: a stack of labels, then IP or an Ethernet pseudowire.
//!
//! Standard: RFC 3032 §2.1 (20 bits label, 3 bits class, 1 bit bottom, 8 bits TTL), RFC 4448 §4.6 and
//!           RFC 4385 §3 (control word), RFC 4928 §3 (first nibble).
//! Number:   up to three labels of 20 bits, the outermost in the lowest bits, above them their count
//!           (2 bits) and whether there were more (1 bit).
//! Guess:    nothing says what lies behind the stack. First nibble 4 or 6 is IP, as every router guesses;
//!           0 is a control word with Ethernet; else it is Ethernet without one.
//! Bounds:   eight labels; more is malformed.

use super::tunnel::{Encapsulated, Inner, Kind};
use super::{Layer, Malformed, narrow};

/// Most labels looked through.
const LABELS_MAX: usize = 8;
/// Labels that fit the number.
const KEPT_MAX: u32 = 3;

/// Reads a label stack.
///
/// # Errors
/// The stack is cut or too deep.
pub(super) fn parse(bytes: &[u8], wire_len: u32) -> Result<Encapsulated<'_>, Malformed> {
    let mut rest = bytes;
    let (mut id, mut count) = (0_u64, 0_u32);
    for _ in 0..LABELS_MAX {
        let Some((entry, behind)) = rest.split_first_chunk::<4>() else {
            let need = bytes.len().saturating_sub(rest.len()).saturating_add(4);
            return Err(Malformed::new(Layer::Mpls, need, bytes.len()));
        };
        let word = u32::from_be_bytes(*entry);
        if count < KEPT_MAX {
            id |= u64::from(word >> 12).wrapping_shl(count.wrapping_mul(20));
        }
        count = count.saturating_add(1);
        rest = behind;
        if word & 0x100 != 0 {
            let more = u64::from(count > KEPT_MAX);
            id |= u64::from(count.min(KEPT_MAX)).wrapping_shl(60) | more.wrapping_shl(62);
            let (stack, _) = bytes
                .split_at_checked(bytes.len().saturating_sub(rest.len()))
                .unwrap_or((bytes, &[]));
            let left = wire_len.saturating_sub(narrow(stack.len()));
            let (inner, rest, left) = behind_stack(rest, left);
            let carried = Encapsulated::new((Kind::Mpls, Some(id)), inner, rest, left);
            return Ok(Encapsulated { stack, ..carried });
        }
    }
    Err(Malformed::new(Layer::Mpls, 0, bytes.len()))
}

/// What the first nibble lets suppose.
fn behind_stack(rest: &[u8], len: u32) -> (Inner, &[u8], u32) {
    match rest.first().map(|byte| byte >> 4) {
        Some(4 | 6) => (Inner::Ip, rest, len),
        // A destination whose first nibble is 0 looks the same; an EtherType at its place tells them apart.
        Some(0) => match rest.split_first_chunk::<4>() {
            Some((_, frame)) if is_frame(frame) || !is_frame(rest) => {
                (Inner::Ethernet, frame, len.saturating_sub(4))
            }
            _ => (Inner::Ethernet, rest, len),
        },
        _ => (Inner::Ethernet, rest, len),
    }
}

/// Whether an EtherType known here stands where Ethernet has it.
fn is_frame(bytes: &[u8]) -> bool {
    let kind = bytes.get(12..).and_then(|rest| rest.first_chunk::<2>());
    kind.is_some_and(|kind| {
        matches!(
            u16::from_be_bytes(*kind),
            0x0800 | 0x0806 | 0x86dd | 0x8100 | 0x88a8 | 0x8847 | 0x8864
        )
    })
}

/// The labels of a stack, outermost first.
pub fn labels(stack: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (entries, _) = stack.as_chunks::<4>();
    entries
        .iter()
        .map(|entry| u64::from(u32::from_be_bytes(*entry) >> 12))
}

/// The labels kept in a tunnel's number, outermost first, and whether there were more.
pub fn kept(id: u64) -> (impl Iterator<Item = u64>, bool) {
    let count = u32::try_from(id >> 60 & 3).unwrap_or(0);
    let label = move |at: u32| id.wrapping_shr(at.wrapping_mul(20)) & 0xf_ffff;
    ((0..count).map(label), id >> 62 & 1 == 1)
}
