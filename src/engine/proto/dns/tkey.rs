//! TKEY: who signs in at a name server, to change names there.
//!
//! Standard: RFC 2930 §2 (the record), RFC 3645 §3.1 and §4.1 (its mode 3 carries a security token, in the
//!           answer section, of older clients in the additional one).
//! Output:   the records of `gss`: the ticket shown, or the NTLM sign-in.
//! Secrets:  other modes carry keys and are not looked at.

use super::wire::{Cursor, Header};
use crate::proto::gss::{self, SignIn, Verdict};
use crate::proto::{Input, Out};

/// The record's number, of questions and records alike.
pub(super) const TKEY: u16 = 249;
/// GSS-API negotiation (RFC 2930 §2.5).
const GSS_API: u16 = 3;
/// Records of a message that are looked at.
const RECORDS_MAX: u32 = 8;

/// Takes the tokens of a message whose records begin at `cursor`.
pub(super) fn take(
    sign_in: &mut Option<Box<SignIn>>,
    (mut cursor, header): (Cursor<'_>, Header),
    input: Input<'_>,
    out: &mut Out<'_>,
) {
    let mut accepted = None;
    for _ in 0..header.records().min(RECORDS_MAX) {
        let Ok(rr) = cursor.record() else { break };
        if rr.rtype != TKEY {
            continue;
        }
        let data = Cursor {
            message: cursor.message,
            at: rr.rdata_at,
        };
        if let Some(token) = key(data).and_then(gss::read) {
            accepted = accepted.or(token.accepted);
            let sign_in = sign_in.get_or_insert_default();
            sign_in.take(token, (input.ts, input.dir), out);
        }
    }
    let settled = match header.rcode() {
        0 => accepted,
        _ => Some(false),
    };
    if let (Some(success), Some(sign_in), true) = (settled, sign_in, header.is_response()) {
        let verdict = Verdict {
            success,
            status: None,
        };
        sign_in.settle(&verdict, input.dir.other(), out);
    }
}

/// The key data of a record in mode GSS-API: behind the algorithm's name, two times, mode, error and length.
fn key(mut cursor: Cursor<'_>) -> Option<&[u8]> {
    cursor.name().ok()?;
    cursor.take(8).ok()?;
    let (mode, _error, len) = (cursor.u16().ok()?, cursor.u16().ok()?, cursor.u16().ok()?);
    let key = cursor.take(usize::from(len)).ok()?;
    (mode == GSS_API).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::super::Dns;
    use crate::proto::Dir;
    use crate::proto::gss::tests::{authenticate, challenge, init, resp};
    use crate::proto::testing::{datagrams, endures, views};

    /// A message about `k` with a token in mode `mode`.
    fn message(flags: u16, mode: u16, key: &[u8]) -> Vec<u8> {
        let len = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
        let rdata = [
            &b"\x08gss-tsig\0\0\0\0\0\0\0\0\0"[..],
            &mode.to_be_bytes(),
            &[0, 0],
            &len(key),
            key,
            &[0, 0],
        ];
        let (rdata, flags) = (rdata.concat(), flags.to_be_bytes());
        let parts = [
            &b"\0\x07"[..],
            &flags,
            b"\0\x01\0\x01\0\0\0\0",
            b"\x01k\0\0\xf9\0\xff",
            b"\xc0\x0c\0\xf9\0\xff\0\0\0\0",
            &len(&rdata),
            &rdata,
        ];
        parts.concat()
    }

    fn talk(pieces: &[(Dir, Vec<u8>)]) -> Vec<String> {
        let rows = datagrams::<Dns>(53, &views(pieces)).records.into_iter();
        rows.filter(|row| row.starts_with("ntlm")).collect()
    }

    #[test]
    fn a_sign_in_at_a_name_server_is_a_record() {
        let talked = |last_flags, last: &[u8]| {
            talk(&[
                (Dir::Orig, message(0, 3, &init(b"NTLMSSP\0\x01\0\0\0"))),
                (Dir::Resp, message(0x8000, 3, &resp(1, Some(&challenge())))),
                (Dir::Orig, message(0, 3, &resp(1, Some(&authenticate())))),
                (Dir::Resp, message(last_flags, 3, last)),
            ])
        };
        let who =
            r#""username":"eve","hostname":"PC","domainname":"AD","server_nb_computer_name":"DC""#;
        let told = |success| [format!(r#"ntlm {{{who},"success":{success}}}"#)];
        assert_eq!(talked(0x8000, &resp(0, None)), told(true));
        assert_eq!(talked(0x8005, b""), told(false));
    }

    #[test]
    fn other_modes_are_not_looked_at() {
        assert!(talk(&[(Dir::Orig, message(0, 2, &authenticate()))]).is_empty());
    }

    #[test]
    fn endures_cuts_and_noise() {
        let whole = message(0x8000, 3, &resp(1, Some(&authenticate())));
        endures::<Dns>(&[(Dir::Resp, &whole)], true);
    }
}
