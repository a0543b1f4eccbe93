//! Search filters as text.
//!
//! Standard: RFC 4511 §4.5.1.7 (filter), RFC 4515 (text; §3: what is escaped).
//! Bounds:   16 filters within each other, 1 KiB of text; what goes beyond either becomes `...`.

use crate::proto::ber::{OCTET_STRING, SEQUENCE, Value, Values};
use crate::types::Text;

/// Longest text of a filter.
pub(super) const FILTER_LEN_MAX: usize = 1024;
/// Filters within filters.
const DEPTH_MAX: u8 = 16;

/// The filter as text.
pub(super) fn written(filter: Value<'_>) -> Text {
    let mut out = String::new();
    write(filter, DEPTH_MAX, &mut out);
    out.into()
}

fn write(filter: Value<'_>, depth: u8, out: &mut String) {
    let Some(depth) = depth.checked_sub(1).filter(|_| out.len() < FILTER_LEN_MAX) else {
        if !out.ends_with("...") {
            out.push_str("...");
        }
        return;
    };
    out.push('(');
    match filter.tag {
        0xa0 | 0xa1 => {
            out.push(if filter.tag == 0xa0 { '&' } else { '|' });
            for inner in Values::new(filter.body) {
                write(inner, depth, out);
                if out.len() >= FILTER_LEN_MAX {
                    break;
                }
            }
        }
        0xa2 => {
            out.push('!');
            if let Some(inner) = Values::new(filter.body).next() {
                write(inner, depth, out);
            }
        }
        0xa3 => assertion(filter.body, "=", out),
        0xa4 => substrings(filter.body, out),
        0xa5 => assertion(filter.body, ">=", out),
        0xa6 => assertion(filter.body, "<=", out),
        0x87 => {
            value(filter.body, out);
            out.push_str("=*");
        }
        0xa8 => assertion(filter.body, "~=", out),
        0xa9 => extensible(filter.body, out),
        _ => out.push('?'),
    }
    out.push(')');
}

/// AttributeValueAssertion.
fn assertion(body: &[u8], sign: &str, out: &mut String) {
    let mut parts = Values::new(body);
    value(parts.next_of(OCTET_STRING).unwrap_or_default(), out);
    out.push_str(sign);
    value(parts.next_of(OCTET_STRING).unwrap_or_default(), out);
}

/// SubstringFilter.
fn substrings(body: &[u8], out: &mut String) {
    let mut parts = Values::new(body);
    value(parts.next_of(OCTET_STRING).unwrap_or_default(), out);
    out.push('=');
    let mut last = 0x80;
    for (index, part) in Values::new(parts.next_of(SEQUENCE).unwrap_or_default()).enumerate() {
        // initial, any, final; a star between any two.
        if index > 0 || part.tag != 0x80 {
            out.push('*');
        }
        value(part.body, out);
        last = part.tag;
        if out.len() >= FILTER_LEN_MAX {
            break;
        }
    }
    if last != 0x82 {
        out.push('*');
    }
}

/// MatchingRuleAssertion.
fn extensible(body: &[u8], out: &mut String) {
    let parts = Values::new(body);
    value(parts.first_of(0x82).unwrap_or_default(), out);
    if parts.first_of(0x84).is_some_and(|flag| flag != [0]) {
        out.push_str(":dn");
    }
    if let Some(rule) = parts.first_of(0x81) {
        out.push(':');
        value(rule, out);
    }
    out.push_str(":=");
    value(parts.first_of(0x83).unwrap_or_default(), out);
}

/// A value: what means something in a filter, what is no text and what is no letter as `\xx`.
fn value(bytes: &[u8], out: &mut String) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let room = FILTER_LEN_MAX.saturating_sub(out.len());
    let hex = |byte: u8, out: &mut String| {
        let digit = |nibble: u8| HEX.get(usize::from(nibble & 15)).copied().unwrap_or('?');
        out.extend(['\\', digit(byte >> 4), digit(byte)]);
    };
    for chunk in bytes.get(..room).unwrap_or(bytes).utf8_chunks() {
        for character in chunk.valid().chars() {
            if out.len() >= FILTER_LEN_MAX {
                return;
            }
            match character {
                '*' | '(' | ')' | '\\' | '\0'..='\x1f' | '\x7f' => {
                    hex(u8::try_from(character).unwrap_or(b'?'), out);
                }
                character => out.push(character),
            }
        }
        for byte in chunk.invalid() {
            if out.len() >= FILTER_LEN_MAX {
                return;
            }
            hex(*byte, out);
        }
    }
}

/// The value that the attribute `name` must equal, among the parts of the outermost AND.
pub(super) fn equals<'a>(filter: Value<'a>, name: &[u8]) -> Option<&'a [u8]> {
    if filter.tag != 0xa0 {
        return None;
    }
    let equal = Values::new(filter.body).filter(|part| part.tag == 0xa3);
    equal.into_iter().find_map(|part| {
        let mut parts = Values::new(part.body);
        let attribute = parts.next_of(OCTET_STRING)?;
        let value = parts.next_of(OCTET_STRING)?;
        attribute.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::gss::tests::der;

    fn first(bytes: &[u8]) -> Option<Value<'_>> {
        Values::new(bytes).next()
    }

    fn text(filter: &[u8]) -> Text {
        written(first(filter).unwrap())
    }

    fn ava(tag: u8, attribute: &str, value: &[u8]) -> Vec<u8> {
        der(tag, &[der(4, attribute.as_bytes()), der(4, value)].concat())
    }

    #[test]
    fn the_examples_of_rfc_4515_section_4() {
        assert_eq!(text(&ava(0xa3, "cn", b"Babs Jensen")), "(cn=Babs Jensen)");
        assert_eq!(
            text(&der(0xa2, &ava(0xa3, "cn", b"Tim Howes"))),
            "(!(cn=Tim Howes))"
        );
        let any = der(
            0xa4,
            &[
                der(4, b"o"),
                der(
                    0x30,
                    &[der(0x80, b"univ"), der(0x81, b"of"), der(0x81, b"mich")].concat(),
                ),
            ]
            .concat(),
        );
        assert_eq!(text(&any), "(o=univ*of*mich*)");
        let babs = der(
            0xa4,
            &[der(4, b"cn"), der(0x30, &der(0x80, b"Babs J"))].concat(),
        );
        let or = der(0xa1, &[ava(0xa3, "sn", b"Jensen"), babs].concat());
        let and = der(0xa0, &[ava(0xa3, "objectClass", b"Person"), or].concat());
        assert_eq!(
            text(&and),
            "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))"
        );
        assert_eq!(text(&der(0x87, b"seeAlso")), "(seeAlso=*)");
        let extensible = [
            der(0x81, b"2.4.6.8.10"),
            der(0x82, b"sn"),
            der(0x83, b"Barney"),
            der(0x84, &[0xff]),
        ];
        assert_eq!(
            text(&der(0xa9, &extensible.concat())),
            "(sn:dn:2.4.6.8.10:=Barney)"
        );
        assert_eq!(
            text(&ava(
                0xa3,
                "o",
                b"Parens R Us (for all your parenthetical needs)"
            )),
            r"(o=Parens R Us \28for all your parenthetical needs\29)"
        );
        let star = der(0xa4, &[der(4, b"cn"), der(0x30, &der(0x81, b"*"))].concat());
        assert_eq!(text(&star), r"(cn=*\2a*)");
        assert_eq!(
            text(&ava(0xa3, "bin", &[0, 0, 0, 4])),
            r"(bin=\00\00\00\04)"
        );
        assert_eq!(text(&ava(0xa3, "sn", b"Lu\xc4\x8di\xc4\x87")), "(sn=Lučić)");
        assert_eq!(text(&ava(0xa5, "n", b"\xff")), r"(n>=\ff)");
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let mut deep = der(0x87, b"x");
        for _ in 0..100 {
            deep = der(0xa2, &deep);
        }
        assert_eq!(
            text(&deep),
            format!("{}...{}", "(!".repeat(16), ")".repeat(16))
        );
        let long: Vec<_> = (0..1000)
            .flat_map(|_| ava(0xa3, "cn", &[b'x'; 50]))
            .collect();
        assert!(text(&der(0xa1, &long)).len() < FILTER_LEN_MAX + 64);
        assert!(text(&ava(0xa3, "cn", &[0xff; 9000])).len() < FILTER_LEN_MAX + 64);
    }

    #[test]
    fn a_part_of_an_and_is_found() {
        let parts = [ava(0xa3, "DnsDomain", b"ex.org"), ava(0xa3, "Host", b"PC7")];
        let and = der(0xa0, &parts.concat());
        assert_eq!(equals(first(&and).unwrap(), b"host"), Some(&b"PC7"[..]));
        assert_eq!(equals(first(&and).unwrap(), b"User"), None);
    }
}
