//! A distinguished name as text.
//!
//! Standard: RFC 4514, with OpenSSL's short names of the attributes; most specific part first.
//! Bounds:   a written name is 1 KiB and the part that crosses it; parts beyond are left out.

use std::fmt::Write as _;

use x509_parser::asn1_rs::Tag;
use x509_parser::oid_registry::Oid;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::certificate::hex;
use crate::types::{Text, text};

/// Longest written name.
const NAME_LEN_MAX: usize = 1024;
/// Longest value of one part.
const VALUE_LEN_MAX: usize = 256;
/// The attribute that is a person's, host's or authority's own name.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// The name in the form `CN=host,O=Owner,C=CH`.
pub(super) fn written(name: &X509Name<'_>) -> Text {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut out = String::new();
    for (index, part) in parts.into_iter().rev().enumerate() {
        if out.len() >= NAME_LEN_MAX {
            break;
        }
        if index > 0 {
            out.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if out.len() >= NAME_LEN_MAX {
                break;
            }
            if index > 0 {
                out.push('+');
            }
            attribute_name(attribute.attr_type(), &mut out);
            out.push('=');
            match value(attribute) {
                Some(value) => escape(&value, &mut out),
                None => {
                    let bytes = attribute.as_slice();
                    out.push('#');
                    out.push_str(&hex(bytes.get(..VALUE_LEN_MAX).unwrap_or(bytes), true));
                }
            }
        }
    }
    out.into()
}

/// The most specific common name.
pub(super) fn common_name(name: &X509Name<'_>) -> Option<Text> {
    let names = name.iter_attributes();
    names
        .filter(|a| a.attr_type().as_bytes() == COMMON_NAME)
        .last()
        .and_then(value)
}

/// An attribute's name: OpenSSL's short one, else its dotted number, cut to a sane length.
fn attribute_name(oid: &Oid<'_>, out: &mut String) {
    match short_name(oid.as_bytes()) {
        Some(name) => out.push_str(name),
        None => out.push_str(&text(oid.to_id_string().as_bytes(), VALUE_LEN_MAX)),
    }
}

/// OpenSSL's short name of an attribute, by its number as DER has it (X.690 §8.19).
fn short_name(oid: &[u8]) -> Option<&'static str> {
    Some(match oid {
        // 2.5.4.n of X.520.
        [0x55, 4, attribute] => match attribute {
            3 => "CN",
            4 => "SN",
            5 => "serialNumber",
            6 => "C",
            7 => "L",
            8 => "ST",
            9 => "street",
            10 => "O",
            11 => "OU",
            12 => "title",
            13 => "description",
            15 => "businessCategory",
            17 => "postalCode",
            41 => "name",
            42 => "GN",
            43 => "initials",
            46 => "dnQualifier",
            65 => "pseudonym",
            97 => "organizationIdentifier",
            _ => return None,
        },
        // 0.9.2342.19200300.100.1.n of RFC 4519.
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, attribute] => match attribute {
            1 => "UID",
            25 => "DC",
            _ => return None,
        },
        // 1.2.840.113549.1.9.n of PKCS #9.
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, attribute] => match attribute {
            1 => "emailAddress",
            2 => "unstructuredName",
            _ => return None,
        },
        // 1.3.6.1.4.1.311.60.2.1.n, Microsoft's.
        [0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, attribute] => match attribute {
            1 => "jurisdictionL",
            2 => "jurisdictionST",
            3 => "jurisdictionC",
            _ => return None,
        },
        _ => return None,
    })
}

/// The value of an attribute as text; `None` if it is of no string type.
fn value(attribute: &AttributeTypeAndValue<'_>) -> Option<Text> {
    let bytes = attribute.as_slice();
    let bytes = bytes.get(..VALUE_LEN_MAX).unwrap_or(bytes);
    match attribute.attr_value().tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString => Some(text(bytes, VALUE_LEN_MAX)),
        // In practice Latin-1, whatever T.61 says.
        Tag::T61String => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (pairs, _) = bytes.as_chunks::<2>();
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            let decoded = char::decode_utf16(units);
            Some(
                decoded
                    .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect(),
            )
        }
        Tag::UniversalString => {
            let (fours, _) = bytes.as_chunks::<4>();
            let code = |four: &[u8; 4]| char::from_u32(u32::from_be_bytes(*four));
            Some(
                fours
                    .iter()
                    .map(|f| code(f).unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect(),
            )
        }
        _ => None,
    }
}

/// Writes a value with what RFC 4514 §2.4 wants escaped.
fn escape(value: &str, out: &mut String) {
    let mut rest = value.chars().peekable();
    let mut first = true;
    while let Some(character) = rest.next() {
        let outer_space = character == ' ' && (first || rest.peek().is_none());
        let special = matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';');
        match character {
            '\0' => out.push_str("\\00"),
            '#' if first => out.push_str("\\#"),
            c if special || outer_space => {
                let _infallible = write!(out, "\\{c}");
            }
            c => out.push(c),
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer as _;

    use super::*;

    /// A name of one part: SEQUENCE { SET { SEQUENCE { 2.5.4.3, value } } }.
    fn name(tag: u8, value: &[u8]) -> Vec<u8> {
        let len = u8::try_from(value.len()).unwrap();
        let mut der = vec![
            0x30,
            len + 11,
            0x31,
            len + 9,
            0x30,
            len + 7,
            6,
            3,
            0x55,
            4,
            3,
            tag,
            len,
        ];
        der.extend(value);
        der
    }

    fn text_of(tag: u8, value: &[u8]) -> Text {
        let der = name(tag, value);
        written(&X509Name::from_der(&der).unwrap().1)
    }

    /// Numbers as they are written lead to the names that OpenSSL gives them.
    #[test]
    fn attributes_are_known_by_their_numbers() {
        for (number, name) in [
            (&[2, 5, 4, 3][..], "CN"),
            (&[2, 5, 4, 97], "organizationIdentifier"),
            (&[0, 9, 2342, 19_200_300, 100, 1, 1], "UID"),
            (&[0, 9, 2342, 19_200_300, 100, 1, 25], "DC"),
            (&[1, 2, 840, 113_549, 1, 9, 1], "emailAddress"),
            (&[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3], "jurisdictionC"),
            (&[2, 5, 4, 99], "2.5.4.99"),
            (&[1, 2, 840, 113_549, 1, 9, 7], "1.2.840.113549.1.9.7"),
        ] {
            let mut out = String::new();
            attribute_name(&Oid::from(number).unwrap(), &mut out);
            assert_eq!(out, name);
        }
    }

    #[test]
    fn values_are_read_by_their_type_and_escaped() {
        assert_eq!(text_of(0x0c, "Büro".as_bytes()), "CN=Büro");
        assert_eq!(text_of(0x1e, &[0, b'B', 0, 0xfc]), "CN=Bü", "BMPString");
        assert_eq!(text_of(0x14, &[b'B', 0xfc]), "CN=Bü", "T61String");
        assert_eq!(text_of(0x0c, b" a,b+c\"\\ "), "CN=\\ a\\,b\\+c\\\"\\\\\\ ");
        assert_eq!(text_of(0x0c, b"#a#"), "CN=\\#a#");
        assert_eq!(text_of(0x04, &[0xde, 0xad]), "CN=#DEAD", "OCTET STRING");
        let der = name(0x0c, b"x");
        assert_eq!(
            common_name(&X509Name::from_der(&der).unwrap().1).as_deref(),
            Some("x")
        );
    }
}
