//! How a server and a client of MySQL meet: greeting and sign-in.
//!
//! Source:   "Protocol::HandshakeV10" and "Protocol::HandshakeResponse41" of the makers' documentation.
//! Bounds:   64 attributes of a client, names of 256 bytes.
//! Secrets:  the answer to the challenge is handed out for what is in clear, and not kept.

use super::record::MysqlRecord;
use crate::proto::gss::tell;
use crate::proto::lines::TEXT_LEN_MAX;
use crate::proto::little_endian::{u8_at, u32_at};
use crate::proto::{Dir, Out};
use crate::types::{ClueKind, Text, text};

/// What a client can, a bit each.
const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const TLS: u32 = 1 << 11;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
const CONNECT_ATTRS: u32 = 1 << 20;
const LENENC_DATA: u32 = 1 << 21;
pub(super) const QUERY_ATTRIBUTES: u32 = 1 << 27;
/// Bytes before the account's name: abilities, longest packet, character set, 23 zeroes.
const FIXED_LEN: usize = 32;
/// Attributes looked at.
const ATTRIBUTES_MAX: usize = 64;

/// The bytes up to a NUL, and what follows it.
fn terminated(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (value, rest) = bytes.split_at_checked(memchr::memchr(0, bytes)?)?;
    Some((value, rest.get(1..)?))
}

/// The version a greeting gives.
pub(super) fn version(body: &[u8]) -> Option<Text> {
    let [10, rest @ ..] = body else {
        return None;
    };
    let (version, rest) = terminated(rest)?;
    let is_version = version.first().is_some_and(u8::is_ascii_digit)
        && version.len() <= 128
        && version.iter().all(u8::is_ascii_graphic);
    // Behind connection and eight bytes of challenge comes a zero.
    (is_version && u8_at(rest, 12) == Some(0)).then(|| text(version, TEXT_LEN_MAX))
}

/// Whether it is a greeting.
pub(super) fn is_greeting(body: &[u8], len: usize) -> bool {
    (20..512).contains(&len) && version(body).is_some()
}

/// Whether it is an error in place of a greeting: its number, and a text.
pub(super) fn is_refusal(body: &[u8], len: usize) -> bool {
    // Errors of servers have numbers from 1000 on.
    let &[super::ERROR, low, high, first, ..] = body else {
        return false;
    };
    let is_code = (1000..=4999).contains(&u16::from_le_bytes([low, high]));
    is_code && (first == b'#' || first.is_ascii_uppercase()) && (8..512).contains(&len)
}

/// Whether it is a sign-in, or the request to encrypt that comes before it.
pub(super) fn is_response(body: &[u8], len: usize) -> bool {
    body.len() >= FIXED_LEN && may_be_response(body, len)
}

/// Whether it may become one: as far as they are there, the client speaks version 4.1, and zeroes follow.
pub(super) fn may_be_response(body: &[u8], len: usize) -> bool {
    let can = body
        .get(1)
        .is_none_or(|can| u32::from(*can) << 8 & PROTOCOL_41 != 0);
    // MariaDB puts further abilities into the last four.
    let zeroes = body.iter().take(FIXED_LEN).skip(9).take(19);
    (FIXED_LEN..4096).contains(&len) && can && zeroes.copied().all(|byte| byte == 0)
}

/// Whether it is the request to encrypt.
pub(super) fn is_tls_request(body: &[u8], len: usize) -> bool {
    len == FIXED_LEN && u32_at(body, 0).is_some_and(|can| can & TLS != 0)
}

/// What a sign-in says.
#[derive(Debug)]
pub(super) struct SignIn<'a> {
    pub(super) record: MysqlRecord,
    /// What the client can.
    pub(super) can: u32,
    /// The answer to the challenge.
    pub(super) answer: Option<&'a [u8]>,
}

/// Reads a sign-in.
pub(super) fn read(body: &[u8], len: usize) -> Option<SignIn<'_>> {
    if len == FIXED_LEN || !is_response(body, len) {
        return None;
    }
    let can = u32_at(body, 0)?;
    let mut record = MysqlRecord {
        cmd: "login",
        ..MysqlRecord::default()
    };
    let mut answer = None;
    let _as_far_as_it_goes = fill(body, can, &mut record, &mut answer);
    Some(SignIn {
        record,
        can,
        answer,
    })
}

fn fill<'a>(
    body: &'a [u8],
    can: u32,
    record: &mut MysqlRecord,
    answer: &mut Option<&'a [u8]>,
) -> Option<()> {
    let (user, rest) = terminated(body.get(FIXED_LEN..)?)?;
    record.arg = Some(text(user, TEXT_LEN_MAX));
    let (said, mut rest) = answered(rest, can)?;
    *answer = Some(said);
    if can & CONNECT_WITH_DB != 0 && !rest.is_empty() {
        let (database, behind) = terminated(rest)?;
        record.database = Some(text(database, TEXT_LEN_MAX)).filter(|name| !name.is_empty());
        rest = behind;
    }
    if can & PLUGIN_AUTH != 0 {
        let (plugin, _) = terminated(rest)?;
        record.auth_plugin = Some(text(plugin, TEXT_LEN_MAX)).filter(|name| !name.is_empty());
    }
    attributes(body, |name, value| {
        if name == b"program_name" {
            record.application = Some(text(value, TEXT_LEN_MAX));
        }
    });
    Some(())
}

/// The answer to the challenge, and what follows it.
fn answered(rest: &[u8], can: u32) -> Option<(&[u8], &[u8])> {
    if can & (LENENC_DATA | SECURE_CONNECTION) != 0 {
        let (&len, rest) = rest.split_first()?;
        // Longer ones have their length in more bytes, and are no answers of known methods.
        return rest
            .split_at_checked(usize::from(len))
            .filter(|_| len < 0xfb);
    }
    terminated(rest)
}

/// Calls for each attribute of the client.
fn attributes(body: &[u8], mut call: impl FnMut(&[u8], &[u8])) -> Option<()> {
    let can = u32_at(body, 0)?;
    if can & CONNECT_ATTRS == 0 {
        return None;
    }
    let (_user, rest) = terminated(body.get(FIXED_LEN..)?)?;
    let (_, mut rest) = answered(rest, can)?;
    if can & CONNECT_WITH_DB != 0 {
        rest = terminated(rest)?.1;
    }
    if can & PLUGIN_AUTH != 0 {
        rest = terminated(rest)?.1;
    }
    // Their length as a whole, in one byte or, behind 0xfc, in two.
    rest = match rest {
        [0xfc, _, _, rest @ ..] | [0..=0xfa, rest @ ..] => rest,
        _ => return None,
    };
    for _ in 0..ATTRIBUTES_MAX {
        let mut next = || {
            let (&len, behind) = rest.split_first()?;
            let (value, behind) = behind.split_at_checked(usize::from(len))?;
            rest = behind;
            Some(value).filter(|_| len < 0xfb)
        };
        let (name, value) = (next()?, next()?);
        call(name, value);
    }
    Some(())
}

/// What a client says of the machine it runs on: its system, and who is signed in there.
pub(super) fn clues(body: &[u8], dir: Dir, out: &mut Out<'_>) {
    attributes(body, |name, value| {
        let (kind, evidence) = match name {
            b"_os" => (ClueKind::Software, "mysql client system"),
            b"os_user" => (ClueKind::User, "mysql client user"),
            _ => return,
        };
        let value = text(value, TEXT_LEN_MAX);
        tell(
            dir,
            kind,
            evidence,
            Some(&value).filter(|value| !value.is_empty()),
            out,
        );
    });
}
