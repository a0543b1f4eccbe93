//! Names as labels with a length byte each, outside DNS: DHCP, DHCPv6 and router advertisements.
//!
//! Standard: RFC 1035 §3.1; compression is not allowed there (RFC 4702 §2.3.1, RFC 8415 §10, RFC 8106 §5.2).

use crate::types::{Text, text};

/// The labels up to the end of the name or of the bytes, joined by dots.
pub(super) fn name(bytes: &[u8]) -> Text {
    read(bytes).0
}

/// At most `max` names one behind the other; `None` if there is none.
pub(super) fn names(mut bytes: &[u8], max: usize) -> Option<Vec<Text>> {
    let mut list = Vec::new();
    while !bytes.is_empty() && list.len() < max {
        let (name, rest) = read(bytes);
        // Padding is nothing but ends of names; what a label breaks off is no more names.
        if !name.is_empty() {
            list.push(name);
        }
        bytes = rest;
    }
    (!list.is_empty()).then_some(list)
}

/// A name and what follows its end.
fn read(mut bytes: &[u8]) -> (Text, &[u8]) {
    let mut out = Text::default();
    while let Some((&len, rest)) = bytes.split_first() {
        if len == 0 {
            return (out, rest);
        }
        let Some((label, rest)) = rest.split_at_checked(usize::from(len)) else {
            break;
        };
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(&text(label, 63));
        bytes = rest;
    }
    (out, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rfc_1035_section_3_1() {
        assert_eq!(name(b"\x03pc1\x01d\0rest"), "pc1.d");
        assert_eq!(name(b"\x03pc1"), "pc1");
        assert_eq!(name(b"\x09pc1"), "");
        let list = names(b"\x06kontor\x07example\0\x03eng\0\0\0\0", 8);
        assert_eq!(list, Some(vec!["kontor.example".into(), "eng".into()]));
        assert_eq!(
            names(&b"\x01a\0".repeat(9), 8).map(|list| list.len()),
            Some(8)
        );
        assert_eq!(names(&[0; 8], 8), None);
    }
}
