//! Calls and replies: RFC 5531 §9, as XDR has them (RFC 4506): words of four bytes, opaque bytes with their length before
//! them and padding behind.

use compact_str::ToCompactString as _;

use crate::types::Text;

/// Longest credential or verifier (RFC 5531 §8.2).
const AUTH_LEN_MAX: usize = 400;
/// Words of a call up to its credential's length.
pub(super) const CALL_LEN: usize = 32;

/// A message.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    Call(Call<'a>),
    /// `accepted` if the call was carried out.
    Reply {
        accepted: bool,
    },
}

/// A call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) program: u32,
    pub(super) version: u32,
    pub(super) procedure: u32,
    pub(super) flavor: u32,
    credential: &'a [u8],
    /// Arguments, as far as they are there.
    pub(super) arguments: Xdr<'a>,
}

impl<'a> Call<'a> {
    /// Machine name and user of `AUTH_SYS` (RFC 5531 appendix A).
    pub(super) fn auth_sys(&self) -> Option<(&'a [u8], u32)> {
        if self.flavor != 1 {
            return None;
        }
        let mut credential = Xdr(self.credential);
        let _stamp = credential.word()?;
        let machine = credential.opaque(255)?;
        Some((machine, credential.word()?))
    }
}

/// Name of a flavor of credentials (RFC 5531 §8.2 and its registry).
pub(super) fn flavor(number: u32) -> Text {
    let known = match number {
        0 => "AUTH_NONE",
        1 => "AUTH_SYS",
        2 => "AUTH_SHORT",
        3 => "AUTH_DH",
        6 => "RPCSEC_GSS",
        7 => "AUTH_TLS",
        _ => return number.to_compact_string(),
    };
    known.into()
}

/// Reads a message; `None` if it is none.
pub(super) fn read(data: &[u8]) -> Option<(u32, Kind<'_>)> {
    let mut xdr = Xdr(data);
    let (xid, kind) = (xdr.word()?, xdr.word()?);
    let kind = match kind {
        0 => Kind::Call(call(xdr)?),
        1 => Kind::Reply {
            accepted: accepted(xdr)?,
        },
        _ => return None,
    };
    Some((xid, kind))
}

fn call(mut xdr: Xdr<'_>) -> Option<Call<'_>> {
    if xdr.word()? != 2 {
        return None;
    }
    let (program, version, procedure) = (xdr.word()?, xdr.word()?, xdr.word()?);
    let flavor = xdr.word()?;
    let credential = xdr.opaque(AUTH_LEN_MAX)?;
    let _flavor = xdr.word()?;
    let _verifier = xdr.opaque(AUTH_LEN_MAX)?;
    Some(Call {
        program,
        version,
        procedure,
        flavor,
        credential,
        arguments: xdr,
    })
}

/// Whether a reply says that the call was carried out.
fn accepted(mut xdr: Xdr<'_>) -> Option<bool> {
    match xdr.word()? {
        0 => {
            let _flavor = xdr.word()?;
            let _verifier = xdr.opaque(AUTH_LEN_MAX)?;
            Some(xdr.word()? == 0)
        }
        1 => Some(false),
        _ => None,
    }
}

/// What a message begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// A call that wants something.
    Call,
    /// One that only asks whether the program is there, as scanners do at any port.
    Ping,
    /// A reply has too little of its own: it could be another's.
    Reply,
    /// More bytes may tell.
    Unsure,
}

/// What a message begins as; `None` if it is none.
pub(super) fn begins(start: &[u8]) -> Option<Begins> {
    let mut xdr = Xdr(start);
    let (Some(_xid), Some(kind)) = (xdr.word(), xdr.word()) else {
        return Some(Begins::Unsure);
    };
    match kind {
        0 if start.len() < CALL_LEN => Some(Begins::Unsure),
        0 => {
            let call = call(xdr).filter(|call| is_program(call.program))?;
            // No credential is empty, the others are not.
            let fits = (call.flavor == 0) == call.credential.is_empty();
            let begins = if call.procedure == 0 {
                Begins::Ping
            } else {
                Begins::Call
            };
            (fits && call.flavor <= 7).then_some(begins)
        }
        1 => accepted(xdr).map(|_| Begins::Reply),
        _ => None,
    }
}

/// Numbers that are given to programs: by Sun and IANA, by a site, for the time being (RFC 5531 §8.4).
fn is_program(number: u32) -> bool {
    (100_000..1_000_000).contains(&number) || (0x2000_0000..0x6000_0000).contains(&number)
}

/// What is still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Xdr<'a>(&'a [u8]);

impl<'a> Xdr<'a> {
    pub(super) fn word(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*word))
    }

    /// Bytes behind their length, at most `max`.
    pub(super) fn opaque(&mut self, max: usize) -> Option<&'a [u8]> {
        let len = usize::try_from(self.word()?)
            .ok()
            .filter(|len| *len <= max)?;
        self.fixed(len)
    }

    /// So many bytes, and the padding behind them.
    pub(super) fn fixed(&mut self, len: usize) -> Option<&'a [u8]> {
        let (value, rest) = self.0.split_at_checked(len)?;
        let padding = len.next_multiple_of(4).saturating_sub(len);
        self.0 = rest.get(padding..)?;
        Some(value)
    }
}
