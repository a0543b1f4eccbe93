//! Names of attachments: parameters of MIME fields, and what they say when decoded.
//!
//! Standard: RFC 2045 §5.1 (parameters), RFC 2231 (parameters in pieces and in other character sets),
//!           RFC 2047 (encoded words, which mail programs write into names though they should not).
//! Bounds:   10 pieces of a parameter; what comes out is cut to 256 bytes.
//! Not done: character sets other than UTF-8, US-ASCII and ISO-8859-1; their bytes are shown as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::lines::TEXT_LEN_MAX;
use crate::types::{Text, text};

/// Pieces of one parameter.
const PIECES_MAX: u8 = 10;

/// The value of parameter `key`, its pieces joined and its percent signs decoded.
pub(super) fn parameter(field: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let parameters = || Parameters {
        rest: field,
        first: true,
    };
    let named = |wanted: &[u8]| {
        parameters()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    if let Some(value) = named(key) {
        return Some(unquoted(value));
    }
    if let Some(value) = named(&[key, b"*"].concat()) {
        return Some(percent(without_charset(&unquoted(value))));
    }
    let mut whole = Vec::new();
    for piece in 0..PIECES_MAX {
        let digit = [b'0'.saturating_add(piece)];
        if let Some(value) = named(&[key, b"*", &digit].concat()) {
            whole.extend(unquoted(value));
        } else if let Some(value) = named(&[key, b"*", &digit, b"*"].concat()) {
            let value = unquoted(value);
            let value = if piece == 0 {
                without_charset(&value)
            } else {
                &value
            };
            whole.extend(percent(value));
        } else {
            break;
        }
    }
    (!whole.is_empty()).then_some(whole)
}

/// The `name=value` pairs behind the first semicolon.
struct Parameters<'a> {
    rest: &'a [u8],
    first: bool,
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut quoted = false;
            let end = self.rest.iter().position(|byte| {
                quoted ^= *byte == b'"';
                *byte == b';' && !quoted
            });
            let (part, rest) = match end {
                Some(end) => self.rest.split_at_checked(end)?,
                None if self.rest.is_empty() => return None,
                None => (self.rest, &[][..]),
            };
            self.rest = rest.get(1..).unwrap_or_default();
            let value = std::mem::take(&mut self.first);
            if value {
                continue;
            }
            let part = part.trim_ascii();
            if let Some(at) = memchr::memchr(b'=', part)
                && let Some((name, value)) = part.split_at_checked(at)
            {
                let value = value.get(1..).unwrap_or_default();
                return Some((name.trim_ascii(), value.trim_ascii()));
            }
        }
    }
}

/// A value without its quotes and the backslashes inside them.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some(inside) = value.strip_prefix(b"\"") else {
        return value.to_vec();
    };
    let (mut out, mut escaped) = (Vec::with_capacity(inside.len()), false);
    for byte in inside {
        match byte {
            b'\\' if !escaped => escaped = true,
            b'"' if !escaped => break,
            byte => {
                out.push(*byte);
                escaped = false;
            }
        }
    }
    out
}

/// What follows `utf-8'en'` (RFC 2231 §4).
fn without_charset(value: &[u8]) -> &[u8] {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    parts.nth(2).unwrap_or(value)
}

/// The byte that two hexadecimal digits stand for.
pub(super) fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

fn percent(value: &[u8]) -> Vec<u8> {
    escapes(value, b'%')
}

/// Bytes in which `mark` and two hexadecimal digits stand for one.
fn escapes(mut value: &[u8], mark: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    while let Some((byte, rest)) = value.split_first() {
        value = rest;
        if *byte == mark
            && let [high, low, rest @ ..] = rest
            && let Some(byte) = hex(*high, *low)
        {
            out.push(byte);
            value = rest;
        } else {
            out.push(*byte);
        }
    }
    out
}

/// A name with its encoded words decoded: `=?utf-8?B?…?=`, `=?iso-8859-1?Q?…?=`.
pub(super) fn decoded(name: &[u8]) -> Text {
    let (mut rest, mut out) = (name, Text::default());
    let mut behind_word = false;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (before, word) = rest.split_at_checked(at).unwrap_or_default();
        let Some((said, after)) = encoded_word(word) else {
            break;
        };
        // White space between two encoded words is none (RFC 2047 §6.2).
        if !(behind_word && before.trim_ascii().is_empty()) {
            out.push_str(&text(before, TEXT_LEN_MAX));
        }
        out.push_str(&said);
        (rest, behind_word) = (after, true);
    }
    out.push_str(&text(rest, TEXT_LEN_MAX));
    text(out.as_bytes(), TEXT_LEN_MAX)
}

/// The encoded word that begins here, and what follows it.
fn encoded_word(word: &[u8]) -> Option<(Text, &[u8])> {
    let mut parts = word.splitn(5, |byte| *byte == b'?');
    let (_, charset, encoding) = (parts.next()?, parts.next()?, parts.next()?);
    let (body, after) = (parts.next()?, parts.next()?.strip_prefix(b"=")?);
    let bytes = match encoding {
        b"B" | b"b" => STANDARD.decode(body).ok()?,
        b"Q" | b"q" => {
            let spaced: Vec<u8> = body
                .iter()
                .map(|byte| if *byte == b'_' { b' ' } else { *byte })
                .collect();
            escapes(&spaced, b'=')
        }
        _ => return None,
    };
    let said = if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        bytes.iter().map(|byte| char::from(*byte)).collect()
    } else {
        text(&bytes, TEXT_LEN_MAX)
    };
    Some((said, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(field: &str) -> Option<Text> {
        parameter(field.as_bytes(), b"filename").map(|name| decoded(&name))
    }

    #[test]
    fn parameters_as_the_standards_write_them() {
        assert_eq!(
            name("attachment; filename=a.txt; size=9"),
            Some("a.txt".into())
        );
        assert_eq!(
            name(r#"attachment; FileName="a;\"b\".txt""#),
            Some("a;\"b\".txt".into())
        );
        assert_eq!(name("attachment; xfilename=a"), None);
        assert_eq!(name("filename=a"), None);
        // RFC 2231 §4 and §4.1.
        let field = "x; filename*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A";
        assert_eq!(name(field), Some("This is ***fun***".into()));
        let field = "x; filename*0*=utf-8''%c3%bc; filename*1=\"ber\"; filename*2=.txt";
        assert_eq!(name(field), Some("über.txt".into()));
    }

    #[test]
    fn encoded_words_of_rfc_2047() {
        // §8: "If you can read this you understand the example."; Latin-1 a-ring in Q.
        let words = "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= \
                     =?US-ASCII?Q?u_understand_the_example.?=";
        let said = "If you can read this you understand the example.";
        assert_eq!(decoded(words.as_bytes()), said);
        assert_eq!(decoded(b"=?iso-8859-1?q?Gr=FC=DFe?= 1.doc"), "Grüße 1.doc");
        assert_eq!(decoded(b"=?x?B?!?= a"), "=?x?B?!?= a");
    }
}
