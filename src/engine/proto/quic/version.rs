//! Versions of QUIC: their names, and what differs between them in an Initial packet.
//!
//! Standard: RFC 9001 §5.2 (v1), RFC 9369 §3.3 (v2); drafts as far as their salt is known.
//! Names:    as Zeek's `quic.log` writes them; Google's own by their letters.

use compact_str::format_compact;

use crate::types::Text;

/// QUIC v1 (RFC 9000 §15).
pub(super) const V1: u32 = 1;
/// QUIC v2 (RFC 9369 §3.1).
pub(super) const V2: u32 = 0x6b33_43cf;
/// Version of a Version Negotiation packet (RFC 8999 §6).
pub(super) const NEGOTIATION: u32 = 0;

const DRAFT_22: u32 = 0xff00_0016;
const DRAFT_23: u32 = 0xff00_0017;
const DRAFT_28: u32 = 0xff00_001c;
const DRAFT_29: u32 = 0xff00_001d;
const DRAFT_32: u32 = 0xff00_0020;
const DRAFT_33: u32 = 0xff00_0021;
const DRAFT_34: u32 = 0xff00_0022;
/// Facebook's mvfst, on draft 22 and on draft 27.
const MVFST_22: u32 = 0xface_b001;
const MVFST_27: u32 = 0xface_b002;
const MVFST_EXPERIMENT: u32 = 0xface_b00e;

/// How the keys of Initial packets are had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    /// Salt of HKDF-Extract.
    pub(super) salt: [u8; 20],
    /// Labels of key, IV and header protection, `tls13 ` in front.
    pub(super) labels: [&'static str; 3],
}

const LABELS_V1: [&str; 3] = ["tls13 quic key", "tls13 quic iv", "tls13 quic hp"];
const LABELS_V2: [&str; 3] = ["tls13 quicv2 key", "tls13 quicv2 iv", "tls13 quicv2 hp"];

/// RFC 9001 §5.2.
const SALT_V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];
/// RFC 9369 §3.3.1.
const SALT_V2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb,
    0xf9, 0xbd, 0x2e, 0xd9,
];
/// draft-ietf-quic-tls-29 §5.2.
const SALT_DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0,
    0x43, 0x90, 0xa8, 0x99,
];
/// draft-ietf-quic-tls-23 §5.2.
const SALT_DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65,
    0xbe, 0xf9, 0xf5, 0x02,
];
/// draft-ietf-quic-tls-22 §5.2.
const SALT_DRAFT_22: [u8; 20] = [
    0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd,
    0x7a, 0x02, 0x64, 0x4a,
];

/// The recipe of a version; `None` if we have none.
pub(super) fn recipe(version: u32) -> Option<Recipe> {
    let salt = match version {
        V1 | DRAFT_33..=DRAFT_34 => SALT_V1,
        V2 => SALT_V2,
        DRAFT_29..=DRAFT_32 => SALT_DRAFT_29,
        DRAFT_23..=DRAFT_28 | MVFST_27 | MVFST_EXPERIMENT => SALT_DRAFT_23,
        DRAFT_22 | MVFST_22 => SALT_DRAFT_22,
        _ => return None,
    };
    let labels = if version == V2 { LABELS_V2 } else { LABELS_V1 };
    Some(Recipe { salt, labels })
}

/// Whether a version is one that somebody has used, rather than a number by chance.
pub(super) fn is_known(version: u32) -> bool {
    recipe(version).is_some()
        || (0xff00_0001..=DRAFT_34).contains(&version)
        || (0xface_b000..=0xface_b00f).contains(&version)
        || google(version).is_some()
}

/// Whether a version is reserved to make the other side negotiate (RFC 9000 §15).
pub(super) fn is_reserved(version: u32) -> bool {
    version & 0x0f0f_0f0f == 0x0a0a_0a0a
}

/// Google's own versions are text: `Q043`, `T051`.
pub(super) fn google(version: u32) -> Option<[u8; 4]> {
    let letters = version.to_be_bytes();
    let [kind, a, b, c] = letters;
    let is_number = a == b'0' && b.is_ascii_digit() && c.is_ascii_digit();
    (matches!(kind, b'Q' | b'T') && is_number).then_some(letters)
}

/// Whether a version's long header has both lengths of its connection ids in one byte, as drafts before 22.
pub(super) fn has_short_lengths(version: u32) -> bool {
    const Q044: u32 = 0x5130_3434;
    const Q049: u32 = 0x5130_3439;
    (Q044..=Q049).contains(&version)
}

/// A version by the name Zeek writes.
pub(super) fn name(version: u32) -> Text {
    match version {
        V1 => Text::const_new("1"),
        V2 => Text::const_new("quicv2"),
        0xff00_0001..=DRAFT_34 => format_compact!("draft-{}", version & 0xff),
        _ => match google(version) {
            Some(letters) => letters.iter().map(|letter| char::from(*letter)).collect(),
            None => format_compact!("unknown-{version:x}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_by_name() {
        for (version, expected) in [
            (1, "1"),
            (0x6b33_43cf, "quicv2"),
            (0xff00_001d, "draft-29"),
            (0x5130_3433, "Q043"),
            (0x5430_3531, "T051"),
            (0xface_b00e, "unknown-faceb00e"),
        ] {
            assert_eq!(name(version), expected);
            assert!(is_known(version));
        }
        assert!(!is_known(0) && !is_known(2) && !is_known(0x4745_5420));
        assert!(is_reserved(0x1a2a_3a4a) && !is_reserved(1));
    }
}
