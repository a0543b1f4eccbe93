//! What a security layer puts around messages after a SASL bind, and what is still to be read inside.
//!
//! Standard: RFC 4752 §3.3 (four bytes of length before each token); RFC 4121 §4.2.6.2, RFC 1964 §1.2.2 and
//!           RFC 4757 §7.3 (Kerberos); \[MS-NLMP\] 2.2.2.9 (NTLM). Signed messages are in clear.

use crate::proto::ber::{self, Values};
use crate::proto::{Dir, Probe, Protocol as _};

/// Bytes of a token that tell what it is: the longest header is that of RFC 1964 with its OID.
pub(super) const HEAD_LEN: usize = 64;

/// A token's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside<'a> {
    /// Signed only; with what follows the message, if anything does.
    Clear(&'a [u8]),
    /// Encrypted.
    Sealed,
    /// This is no token.
    None,
}

/// Looks into a token.
pub(super) fn inside(token: &[u8]) -> Inside<'_> {
    match token {
        [5, 4, flags, 0xff, e1, e0, r1, r0, ..] => {
            /// Sealed.
            const SEALED: u8 = 2;
            let (extra, rotated) = (
                u16::from_be_bytes([*e1, *e0]),
                u16::from_be_bytes([*r1, *r0]),
            );
            if flags & SEALED != 0 {
                return Inside::Sealed;
            }
            // The checksum stands behind the message, or rotated before it.
            let skip = if rotated == extra {
                usize::from(extra)
            } else {
                0
            };
            clear(token, skip.saturating_add(16))
        }
        [0x60, ..] => old(token).unwrap_or(Inside::None),
        [1, 0, 0, 0, ..] => match clear(token, 16) {
            Inside::None => Inside::Sealed,
            inside => inside,
        },
        _ => Inside::None,
    }
}

/// The token of RFC 1964.
fn old(token: &[u8]) -> Option<Inside<'_>> {
    let mut values = Values::new(ber::inside(token, 0x60)?);
    let _mechanism = values.next_of(ber::OBJECT_IDENTIFIER)?;
    match values.rest() {
        // TOK_ID, SGN_ALG, SEAL_ALG, filler; then number, checksum and confounder of eight bytes each.
        [2, 1, _, _, 0xff, 0xff, 0xff, 0xff, ..] => Some(clear(values.rest(), 32)),
        [2, 1, _, _, _, _, 0xff, 0xff, ..] => Some(Inside::Sealed),
        _ => None,
    }
}

/// What stands from `at` on, if that is a message.
fn clear(token: &[u8], at: usize) -> Inside<'_> {
    let message = token.get(at..).unwrap_or_default();
    match super::Ldap::probe(message, Dir::Orig) {
        Probe::Certain => Inside::Clear(message),
        _ => Inside::None,
    }
}
