//! What a DNS answer says, as one line of text in the form Zeek logs it.
//!
//! Standard: RFC 1035 §3.3, RFC 3596 (AAAA), RFC 2782 (SRV), RFC 4034 (DNSSEC), RFC 9460 (SVCB).
//! Bounds:   1 KiB a line; longer text is cut.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use compact_str::format_compact;

use super::wire::{Cursor, Rr};
use crate::types::{Text, push_ip, text};

/// Longest line.
const ANSWER_LEN_MAX: usize = 1024;

/// The address of an A or AAAA record.
pub(super) fn address(rr: &Rr<'_>) -> Option<IpAddr> {
    match rr.rtype {
        1 => <[u8; 4]>::try_from(rr.rdata).ok().map(IpAddr::from),
        28 => <[u8; 16]>::try_from(rr.rdata).ok().map(IpAddr::from),
        _ => None,
    }
}

/// One line for one record.
pub(super) fn line(message: &[u8], rr: &Rr<'_>, netbios: bool) -> Text {
    let said = match rr.rtype {
        1 | 28 => address(rr).map(|ip| {
            let mut text = Text::default();
            push_ip(&mut text, ip);
            text
        }),
        2 | 5 | 12 | 39 => name(message, rr, 0),
        6 => name(message, rr, 0),
        15 => name(message, rr, 2),
        16 | 99 => Some(strings(rr.rdata)),
        32 if netbios => Some(netbios_addresses(rr.rdata)),
        33 if netbios => Some(Text::from("NBSTAT")),
        33 => name(message, rr, 6),
        13 => Some(Text::from("HINFO")),
        43 => number(rr, 2, 1).and_then(|a| Some(format_compact!("DS {a} {}", number(rr, 3, 1)?))),
        46 => number(rr, 0, 2)
            .and_then(|t| Some(format_compact!("RRSIG {t} {}", name(message, rr, 18)?))),
        47 => name(message, rr, 0).map(|next| format_compact!("NSEC {} {next}", rr.name.to_text())),
        48 => number(rr, 3, 1).map(|a| format_compact!("DNSKEY {a}")),
        50 => Some(Text::from("NSEC3")),
        64 => service(message, rr, "SVCB"),
        65 => service(message, rr, "HTTPS"),
        257 => caa(rr.rdata),
        _ => None,
    };
    said.unwrap_or_else(|| format_compact!("<unknown type={}>", rr.rtype))
}

/// The name that stands `skip` bytes into the data.
fn name(message: &[u8], rr: &Rr<'_>, skip: usize) -> Option<Text> {
    let end = rr.rdata_at.saturating_add(rr.rdata.len());
    let at = rr.rdata_at.saturating_add(skip);
    let mut cursor = Cursor {
        message: message.get(..end)?,
        at,
    };
    cursor.name().ok().map(|name| name.to_text())
}

/// A big-endian number of `len` bytes, `skip` bytes into the data.
fn number(rr: &Rr<'_>, skip: usize, len: usize) -> Option<u32> {
    let bytes = rr.rdata.get(skip..skip.saturating_add(len))?;
    Some(
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte)),
    )
}

/// `HTTPS 1 .`: priority and target.
fn service(message: &[u8], rr: &Rr<'_>, kind: &str) -> Option<Text> {
    Some(format_compact!(
        "{kind} {} {}",
        number(rr, 0, 2)?,
        name(message, rr, 2)?
    ))
}

/// `CAA issue=letsencrypt.org` (RFC 8659 §4.1).
fn caa(rdata: &[u8]) -> Option<Text> {
    let (&[_flags, tag_len], rest) = rdata.split_first_chunk::<2>()?;
    let (tag, value) = rest.split_at_checked(usize::from(tag_len))?;
    Some(format_compact!(
        "CAA {}={}",
        text(tag, 255),
        text(value, ANSWER_LEN_MAX)
    ))
}

/// `TXT 5 hello TXT 3 you`: each string with its length, as Zeek writes them.
fn strings(mut rdata: &[u8]) -> Text {
    let mut out = Text::default();
    while let Some((len, rest)) = rdata.split_first()
        && out.len() < ANSWER_LEN_MAX
    {
        let (string, rest) = rest
            .split_at_checked(usize::from(*len))
            .unwrap_or((rest, &[]));
        let space = if out.is_empty() { "" } else { " " };
        let _infallible = write!(out, "{space}TXT {len} {}", text(string, 255));
        rdata = rest;
    }
    out
}

/// Addresses of a NetBIOS name: six bytes each, flags first (RFC 1002 §4.2.1.3).
fn netbios_addresses(rdata: &[u8]) -> Text {
    let mut out = Text::default();
    for entry in rdata.chunks_exact(6).take(16) {
        let &[_, _, a, b, c, d] = entry else { continue };
        let space = if out.is_empty() { "" } else { " " };
        let _infallible = write!(out, "{space}{}", Ipv4Addr::new(a, b, c, d));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line for data of a type, in a message that holds nothing else but the owner's name.
    fn said(rtype: u16, rdata: &[u8]) -> Text {
        let mut message = b"\x01a\x02de\x00".to_vec();
        message.extend(rtype.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
        message.extend(rdata);
        let rr = Cursor {
            message: &message,
            at: 0,
        }
        .record()
        .unwrap();
        line(&message, &rr, false)
    }

    #[test]
    fn lines_are_zeeks() {
        assert_eq!(said(1, &[192, 0, 2, 1]), "192.0.2.1");
        assert_eq!(said(28, &[0; 16]), "::");
        assert_eq!(said(5, b"\x03www\xc0\x00"), "www.a.de");
        assert_eq!(said(15, b"\x00\x0a\x02mx\xc0\x02"), "mx.de");
        assert_eq!(said(33, b"\0\0\0\0\0\x50\x01s\x00"), "s");
        assert_eq!(said(16, b"\x05hello\x03you"), "TXT 5 hello TXT 3 you");
        assert_eq!(said(65, b"\x00\x01\x00"), "HTTPS 1 .");
        assert_eq!(
            said(257, b"\x00\x05issueca.example"),
            "CAA issue=ca.example"
        );
        assert_eq!(said(1, &[1, 2, 3]), "<unknown type=1>");
        assert_eq!(said(9999, b""), "<unknown type=9999>");
    }
}
