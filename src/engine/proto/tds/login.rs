//! How a client and a server of TDS meet: pre-login and login.
//!
//! Standard: \[MS-TDS\] 2.2.6.5 (pre-login), 2.2.6.4 (login).
//! Bounds:   16 options; names of 256 bytes.
//! Secrets:  the password is told of and not kept.

use compact_str::format_compact;

use super::record::TdsRecord;
use crate::proto::lines::TEXT_LEN_MAX;
use crate::proto::little_endian::{field, size16_at, size32_at, u8_at, utf16};
use crate::types::{Text, text};

/// Bytes of either message that tell whether it is one.
pub(super) const HEAD_LEN: usize = 8;
/// Options of a pre-login looked at; there are eight kinds.
const OPTIONS_MAX: usize = 16;
/// Options: version, encryption, instance.
const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const INSTANCE: u8 = 2;

/// The options: number and value.
fn options(body: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let heads = body.chunks_exact(5).take(OPTIONS_MAX);
    heads.map_while(|head| {
        let &[kind @ 0..=0xfe, o0, o1, l0, l1] = head else {
            return None;
        };
        let at = usize::from(u16::from_be_bytes([o0, o1]));
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        Some((kind, field(body, at, len)?))
    })
}

/// Whether the bytes behind a packet's header begin a pre-login: the version comes first, six bytes long, where
/// the list of options ends.
pub(super) fn is_prelogin(body: &[u8], packet_len: usize) -> bool {
    let &[VERSION, o0, o1, 0, 6, ENCRYPTION, ..] = body else {
        return false;
    };
    let at = usize::from(u16::from_be_bytes([o0, o1]));
    let end = at.checked_sub(1).and_then(|end| body.get(end));
    at % 5 == 1 && at.saturating_add(6) <= packet_len && end.is_none_or(|end| *end == 0xff)
}

/// Whether they begin a login: its length, a version of TDS from 7.0 on.
pub(super) fn is_login(body: &[u8]) -> bool {
    let is_version = matches!(u8_at(body, 7), Some(0x70..=0x74));
    is_version && size32_at(body, 0).is_some_and(|len| (94..=0x2_0000).contains(&len))
}

/// Adds what a server's pre-login says.
pub(super) fn answer(body: &[u8], record: &mut TdsRecord) {
    for (kind, value) in options(body) {
        match (kind, value) {
            (VERSION, &[major, minor, b0, b1, ..]) => {
                record.version = Some(version(major, minor, u16::from_be_bytes([b0, b1])));
            }
            (ENCRYPTION, &[mode, ..]) => {
                record.encryption = match mode {
                    0 => Some("off"),
                    1 => Some("on"),
                    2 => Some("not supported"),
                    3 => Some("required"),
                    _ => None,
                };
            }
            _ => {}
        }
    }
}

/// Adds the instance a client's pre-login asks for.
pub(super) fn ask(body: &[u8], record: &mut TdsRecord) {
    let instance = options(body).find(|(kind, _)| *kind == INSTANCE);
    if let Some((_, value)) = instance {
        let end = memchr::memchr(0, value).unwrap_or(value.len());
        let name = text(value.get(..end).unwrap_or_default(), TEXT_LEN_MAX);
        record.instance = Some(name).filter(|name| !name.is_empty());
    }
}

/// A version as the server's maker writes it.
pub(super) fn version(major: u8, minor: u8, build: u16) -> Text {
    format_compact!("{major}.{minor}.{build}")
}

/// Adds what a login says; the first token of an integrated sign-in, if it has one.
pub(super) fn read<'a>(body: &'a [u8], record: &mut TdsRecord) -> Option<&'a [u8]> {
    // Offset in bytes and length in characters, for each name.
    let name = |at: usize| {
        let (start, len) = (size16_at(body, at)?, size16_at(body, at.checked_add(2)?)?);
        let name = utf16(field(body, start, len.checked_mul(2)?)?, TEXT_LEN_MAX);
        (!name.is_empty()).then_some(name)
    };
    let version = u8_at(body, 7)?;
    record.tds_version = Some(format_compact!("{}.{}", version >> 4, version & 0x0f));
    record.client_host = name(36);
    record.user = name(40);
    record.password = size16_at(body, 46)? > 0;
    record.application = name(48);
    record.server_name = name(52);
    record.library = name(60);
    record.database = name(68);
    /// Bit of the second byte of flags: the sign-in is that of the operating system.
    const INTEGRATED: u8 = 0x80;
    let is_integrated = u8_at(body, 25)? & INTEGRATED != 0;
    record.auth = Some(if is_integrated { "integrated" } else { "sql" });
    let token = field(body, size16_at(body, 78)?, size16_at(body, 80)?)?;
    Some(token).filter(|token| !token.is_empty())
}

/// The password of a login, undone: each of its bytes had its halves exchanged and its bits changed (2.2.6.4). As
/// text, so that it is the same secret as in a protocol that sends it so.
pub(super) fn password(body: &[u8]) -> Option<Text> {
    let (start, len) = (size16_at(body, 44)?, size16_at(body, 46)?);
    let scrambled = field(body, start, len.checked_mul(2)?)?;
    let plain: Vec<u8> = scrambled
        .iter()
        .map(|byte| (byte ^ 0xa5).rotate_left(4))
        .collect();
    Some(utf16(&plain, TEXT_LEN_MAX))
}
