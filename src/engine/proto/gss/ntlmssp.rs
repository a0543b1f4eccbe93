//! NTLMSSP: who signs in, and what both machines call themselves.
//!
//! Standard: \[MS-NLMP\] 2.2.1.2 (CHALLENGE), 2.2.1.3 (AUTHENTICATE), 2.2.2.1 (AV_PAIR).
//! Input:    bytes with the message anywhere inside (some wrap it in ways of their own).
//! Bounds:   256 bytes a name, 32 AV pairs. Challenges, responses and keys are never copied.

use compact_str::format_compact;

use crate::proto::little_endian::{field, size16_at, size32_at, u8_at, u16_at, u32_at, utf16};
use crate::types::{Text, heap};

/// Longest name kept: a DNS name has 255.
const NAME_LEN_MAX: usize = 256;
/// AV pairs looked at; there are ten kinds.
const AV_PAIRS_MAX: usize = 32;
/// NTLMSSP_NEGOTIATE_UNICODE.
const UNICODE: u32 = 1;
/// NTLMSSP_NEGOTIATE_VERSION: the Version field says which Windows it is.
const VERSION: u32 = 0x0200_0000;

/// A message of interest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Type 2, from the server.
    Challenge(Challenge),
    /// Type 3, from the client.
    Authenticate(Authenticate),
}

/// What the server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// MsvAvNbComputerName.
    pub(super) nb_name: Option<Text>,
    /// MsvAvDnsComputerName.
    pub(super) dns_name: Option<Text>,
    /// MsvAvDnsTreeName.
    pub(super) tree_name: Option<Text>,
    /// Such as `Windows 10.0.17763`.
    pub(super) system: Option<Text>,
}

heap!(Challenge: nb_name, dns_name, tree_name, system);

/// What the client says of itself and its user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Authenticate {
    /// Account; absent for an anonymous sign-in.
    pub(super) user: Option<Text>,
    /// Its domain.
    pub(super) domain: Option<Text>,
    /// Name of the client.
    pub(super) workstation: Option<Text>,
    /// Such as `Windows 10.0.17763`.
    pub(super) system: Option<Text>,
}

heap!(Authenticate: user, domain, workstation, system);

/// The first CHALLENGE or AUTHENTICATE in `blob`.
pub(super) fn find(blob: &[u8]) -> Option<Message> {
    let at = memchr::memmem::find(blob, b"NTLMSSP\0")?;
    let message = blob.get(at..)?;
    match u32_at(message, 8)? {
        2 => Some(Message::Challenge(challenge(message)?)),
        3 => Some(Message::Authenticate(authenticate(message)?)),
        _ => None,
    }
}

fn challenge(message: &[u8]) -> Option<Challenge> {
    let flags = u32_at(message, 20)?;
    let mut found = Challenge {
        system: system(message, 48, flags),
        ..Challenge::default()
    };
    let mut pairs = payload(message, 40).unwrap_or_default();
    for _ in 0..AV_PAIRS_MAX {
        let (Some(id), Some(len)) = (u16_at(pairs, 0), size16_at(pairs, 2)) else {
            break;
        };
        let Some(value) = field(pairs, 4, len) else {
            break;
        };
        match id {
            0 => break,
            1 => found.nb_name = name(value, true),
            3 => found.dns_name = name(value, true),
            5 => found.tree_name = name(value, true),
            _ => {}
        }
        pairs = pairs.get(len.saturating_add(4)..).unwrap_or_default();
    }
    Some(found)
}

fn authenticate(message: &[u8]) -> Option<Authenticate> {
    let flags = u32_at(message, 60)?;
    let text = |at| payload(message, at).and_then(|bytes| name(bytes, flags & UNICODE != 0));
    Some(Authenticate {
        domain: text(28),
        user: text(36),
        workstation: text(44),
        system: system(message, 64, flags),
    })
}

/// What the length and offset at `at` point to.
fn payload(message: &[u8], at: usize) -> Option<&[u8]> {
    let offset = size32_at(message, at.checked_add(4)?)?;
    field(message, offset, size16_at(message, at)?)
}

/// A name; `None` if empty.
fn name(bytes: &[u8], unicode: bool) -> Option<Text> {
    let name = if unicode {
        utf16(bytes, NAME_LEN_MAX)
    } else {
        crate::types::text(bytes, NAME_LEN_MAX)
    };
    Some(name).filter(|name| !name.is_empty())
}

/// The Version field; builds of 0 come from programs that only imitate Windows.
fn system(message: &[u8], at: usize, flags: u32) -> Option<Text> {
    let version = field(message, at, 4).filter(|_| flags & VERSION != 0)?;
    let (major, minor) = (u8_at(version, 0)?, u8_at(version, 1)?);
    let build = u16_at(version, 2).filter(|build| *build != 0)?;
    Some(format_compact!("Windows {major}.{minor}.{build}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A CHALLENGE inside other bytes, laid out after \[MS-NLMP\] 2.2.1.2.
    fn challenge_blob() -> Vec<u8> {
        let mut blob = b"\x60\x30NTLMSSP\0\x02\0\0\0".to_vec();
        blob.extend([0; 8]); // TargetNameFields
        blob.extend(0x0200_0001_u32.to_le_bytes()); // NegotiateFlags
        blob.extend([0xaa; 8]); // ServerChallenge
        blob.extend([0; 8]); // Reserved
        blob.extend([0x1c, 0, 0x1c, 0, 56, 0, 0, 0]); // TargetInfoFields: 28 bytes at 56
        blob.extend([10, 0, 0x63, 0x45, 0, 0, 0, 15]); // Version 10.0 build 17763
        blob.extend(b"\x02\0\x02\0X\0"); // MsvAvNbDomainName
        blob.extend(b"\x01\0\x04\0D\0C\0"); // MsvAvNbComputerName
        blob.extend(b"\x03\0\x06\0d\0.\0x\0"); // MsvAvDnsComputerName
        blob.extend([0; 4]); // MsvAvEOL
        blob
    }

    #[test]
    fn a_challenge_names_the_server() {
        let Some(Message::Challenge(found)) = find(&challenge_blob()) else {
            panic!("no challenge")
        };
        assert_eq!(found.nb_name.as_deref(), Some("DC"));
        assert_eq!(found.dns_name.as_deref(), Some("d.x"));
        assert_eq!(found.system.as_deref(), Some("Windows 10.0.17763"));
        assert_eq!(found.tree_name, None);
    }

    #[test]
    fn cut_messages_give_less_and_never_panic() {
        let blob = challenge_blob();
        for len in 0..blob.len() {
            find(&blob[..len]);
        }
        let mut authenticate = b"NTLMSSP\0\x03\0\0\0".to_vec();
        authenticate.extend([0xff; 80]);
        for len in 0..authenticate.len() {
            find(&authenticate[..len]);
        }
    }
}
