//! Where a data connection will be, and which folder the server is in.
//!
//! Standard: RFC 959 §4.1.2 (PORT, PASV), RFC 2428 (EPRT, EPSV).

use std::net::{IpAddr, Ipv4Addr};

use compact_str::format_compact;

use super::super::lines::{NAME_LEN_MAX, between};
use crate::types::{Text, text};

/// Address and port of `h1,h2,h3,h4,p1,p2`, in `PORT` and behind whatever text a 227 reply has.
pub(super) fn six_numbers(text: &[u8]) -> Option<(IpAddr, u16)> {
    let start = text.iter().position(u8::is_ascii_digit)?;
    let mut numbers = [0_u8; 6];
    let mut fields = text.get(start..)?.split(|byte| *byte == b',');
    for (at, number) in numbers.iter_mut().enumerate() {
        let field = fields.next()?.trim_ascii();
        // The last one may be followed by a bracket or a full stop.
        let len = if at == 5 {
            field.iter().take_while(|b| b.is_ascii_digit()).count()
        } else {
            field.len()
        };
        *number = str::from_utf8(field.get(..len)?).ok()?.parse().ok()?;
    }
    let [a, b, c, d, high, low] = numbers;
    let port = u16::from_be_bytes([high, low]);
    Some((Ipv4Addr::new(a, b, c, d).into(), port))
}

/// Address and port of `|1|132.235.1.2|6275|`, the delimiter being what comes first.
pub(super) fn extended(arg: &[u8]) -> Option<(IpAddr, u16)> {
    let (delimiter, rest) = arg.split_first()?;
    let mut fields = rest.split(|byte| byte == delimiter);
    let (_family, address, port) = (fields.next()?, fields.next()?, fields.next()?);
    let address = str::from_utf8(address).ok()?.parse().ok()?;
    Some((address, str::from_utf8(port).ok()?.parse().ok()?))
}

/// The port of a 229 reply: `Entering Extended Passive Mode (|||6446|)`.
pub(super) fn extended_passive(reply: &[u8]) -> Option<u16> {
    let inside = between(reply, b'(', b')')?;
    let (delimiter, rest) = inside.split_first()?;
    let mut fields = rest.split(|byte| byte == delimiter);
    let port = fields.nth(2)?;
    str::from_utf8(port).ok()?.parse().ok()
}

/// The number of bytes in a 150 reply: `Opening BINARY mode data connection for a (2048 bytes).`
pub(super) fn announced_size(reply: &[u8]) -> Option<u64> {
    let end = memchr::memmem::rfind(reply, b" bytes")?;
    let head = reply.get(..end)?;
    let start = head.len().checked_sub(
        head.iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count(),
    )?;
    str::from_utf8(head.get(start..)?).ok()?.parse().ok()
}

/// The folder after `CWD to`.
pub(super) fn entered(from: Option<&str>, to: &[u8]) -> Option<Text> {
    if to.starts_with(b"/") {
        return Some(text(to, NAME_LEN_MAX));
    }
    let from = from?.trim_end_matches('/');
    let to = text(to, NAME_LEN_MAX);
    let way = match to.as_str() {
        "." => from.into(),
        ".." => from.rsplit_once('/').map_or("", |(up, _)| up).into(),
        to => format_compact!("{from}/{to}"),
    };
    Some(if way.is_empty() { "/".into() } else { way }).filter(|way| way.len() <= NAME_LEN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_the_standards_write_them() {
        let six = six_numbers(b"Entering Passive Mode (192,168,1,9,4,1).");
        assert_eq!(six, Some(([192, 168, 1, 9].into(), 1025)));
        assert_eq!(
            six_numbers(b"10,0,0,1,0,20"),
            Some(([10, 0, 0, 1].into(), 20))
        );
        assert_eq!(six_numbers(b"10,0,0,256,0,20"), None);
        // RFC 2428 §2 and §3.
        let four = extended(b"|1|132.235.1.2|6275|");
        assert_eq!(four, Some(([132, 235, 1, 2].into(), 6275)));
        let six = extended(b"|2|1080::8:800:200C:417A|5282|").unwrap();
        assert_eq!(six, ("1080::8:800:200c:417a".parse().unwrap(), 5282));
        let passive = extended_passive(b"Entering Extended Passive Mode (|||6446|)");
        assert_eq!(passive, Some(6446));
        assert_eq!(extended_passive(b"Entering (6446)"), None);
    }

    #[test]
    fn sizes_and_folders() {
        assert_eq!(
            announced_size(b"Opening data connection for a (2048 bytes)."),
            Some(2048)
        );
        assert_eq!(announced_size(b"Ok to send data."), None);
        let way = |from, to: &[u8]| entered(from, to);
        assert_eq!(way(None, b"/pub"), Some("/pub".into()));
        assert_eq!(way(Some("/pub"), b"new"), Some("/pub/new".into()));
        assert_eq!(way(Some("/pub"), b".."), Some("/".into()));
        assert_eq!(way(None, b"new"), None);
    }
}
