//! JSON text, written without an intermediate tree and escaped for terminals as well.
//!
//! Standard: RFC 8259. Control characters, DEL, C1 controls and the direction-changing characters of
//! Unicode go out as `\uXXXX`, so a line may be shown on a terminal or a page as it is.

use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;

use super::Value;
use super::digits::{push_ipv4, push_micros, push_number, with_ipv4};
use super::text::push_escaped;

/// One JSON object on one line, keys in the order of the calls.
///
/// Bytes and not a `String`: what is short and of our own making is put in a machine word at a time.
#[derive(Debug)]
pub struct Json<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Json<'a> {
    /// Opens an object at the end of `out`.
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    /// Closes the object.
    #[inline]
    pub fn close(self) {
        // The brace takes the place of the first member's comma.
        match self.out.get_mut(self.start) {
            Some(comma) => *comma = b'{',
            None => self.out.push(b'{'),
        }
        self.out.push(b'}');
    }

    /// Writes one more member, whose `key` is a comma, the name in quotes and a colon; nothing if the
    /// value is `None`.
    #[expect(
        clippy::inline_always,
        reason = "at every call the kind of value is known"
    )]
    #[inline(always)]
    pub fn field(&mut self, key: &str, value: Value<'_>) {
        debug_assert!(key.starts_with(",\"") && key.ends_with("\":"), "{key}");
        if matches!(value, Value::None) {
            return;
        }
        self.out.extend_from_slice(key.as_bytes());
        put(self.out, value);
    }

    /// The same for a text of our own in which nothing needs to be escaped: a name of a state, an id.
    #[inline]
    pub fn word(&mut self, key: &str, word: &str) {
        debug_assert!(is_plain(word), "{word:?} needs to be escaped");
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(b'"');
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b'"');
    }

    /// The same for the first `len` bytes of an array of plain ASCII, which is copied whole and then cut.
    #[inline]
    pub fn ascii<const N: usize>(&mut self, key: &str, ascii: &[u8; N], len: usize) {
        debug_assert!(str::from_utf8(&ascii[..len]).is_ok_and(is_plain));
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(b'"');
        let end = self.out.len().saturating_add(len);
        self.out.extend_from_slice(ascii);
        self.out.truncate(end);
        self.out.push(b'"');
    }

    /// Writes members that another object's calls have written.
    #[inline]
    pub fn members(&mut self, members: &[u8]) {
        debug_assert!(
            str::from_utf8(members).is_ok_and(|text| text.is_empty() || text.starts_with(",\""))
        );
        self.out.extend_from_slice(members);
    }
}

/// Writes a value.
#[expect(
    clippy::inline_always,
    reason = "at every call the kind of value is known"
)]
#[inline(always)]
fn put(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::None => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(v) => integer(out, v),
        Value::Num(v) => number(out, v),
        Value::Addr(v) => address(out, v),
        Value::Interval(v) => seconds(out, v.0),
        Value::Time(v) => seconds(out, v.nanos()),
        Value::Str(v) => quoted(out, v),
        Value::StrList(v) => list(out, v, |out, v| quoted(out, v)),
        Value::AddrList(v) => list(out, v, |out, v| address(out, *v)),
        Value::IntervalList(v) => list(out, v, |out, v| seconds(out, v.0)),
    }
}

/// Writes a whole number.
fn integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_number(out, value.unsigned_abs());
}

/// Writes a number with a fraction; JSON has no infinity.
fn number(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        let _infallible = write!(out, "{value}");
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Writes an address with quotes.
fn address(out: &mut Vec<u8>, ip: IpAddr) {
    out.push(b'"');
    match ip {
        IpAddr::V4(v4) => push_ipv4(out, v4.octets(), b'"'),
        IpAddr::V6(v6) => {
            let _infallible = write!(out, "{v6}\"");
        }
    }
}

/// An address as text.
#[must_use]
pub fn ip_text(ip: IpAddr) -> String {
    let mut text = String::with_capacity(16);
    push_ip(&mut text, ip);
    text
}

/// Appends an address. IPv4, the bulk of them, goes without the formatting machinery.
pub(crate) fn push_ip(out: &mut impl fmt::Write, ip: IpAddr) {
    let _infallible = match ip {
        IpAddr::V4(v4) => with_ipv4(v4.octets(), |text| out.write_str(text)),
        IpAddr::V6(v6) => write!(out, "{v6}"),
    };
}

/// Nanoseconds as seconds with six decimals, as Zeek writes times and intervals.
fn seconds(out: &mut Vec<u8>, ns: i64) {
    let micros = ns.unsigned_abs() / 1_000;
    if ns < 0 && micros > 0 {
        out.push(b'-');
    }
    push_number(out, micros / 1_000_000);
    push_micros(out, micros % 1_000_000);
}

/// Writes a list.
fn list<T>(out: &mut Vec<u8>, items: &[T], one: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        one(out, item);
    }
    out.push(b']');
}

/// Whether nothing in a text needs to be escaped: all of it between blank and tilde, no quote, no
/// backslash. Eight bytes at a time, the last eight once more where they are not a whole step.
#[inline]
fn is_plain(text: &str) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Each byte's upper bit says what is wrong with it. Of a byte below 128 no step borrows from or
    // carries to its neighbour before that neighbour, or it, has been found wrong.
    let wrong = |bytes: &[u8; 8]| {
        let word = u64::from_le_bytes(*bytes);
        let below = |bound: u8, word: u64| {
            word.wrapping_sub(ONES.wrapping_mul(u64::from(bound))) & !word & HIGH
        };
        let equals = |byte: u8| below(1, word ^ ONES.wrapping_mul(u64::from(byte)));
        (word & HIGH) | below(b' ', word) | equals(0x7f) | equals(b'"') | equals(b'\\')
    };
    let bytes = text.as_bytes();
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().all(|b| is_plain_byte(*b));
    };
    let (steps, _) = bytes.as_chunks::<8>();
    steps
        .iter()
        .fold(wrong(last), |all, step| all | wrong(step))
        == 0
}

/// Whether a byte stands for itself in JSON and on a terminal.
#[inline]
fn is_plain_byte(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\'
}

/// Writes a string with quotes, escaped.
fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if is_plain(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        let mut escaped = String::with_capacity(text.len().saturating_mul(2));
        for character in text.chars() {
            match character {
                '"' => escaped.push_str("\\\""),
                '\\' => escaped.push_str("\\\\"),
                c => push_escaped(&mut escaped, c),
            }
        }
        out.extend_from_slice(escaped.as_bytes());
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::{Interval, Timestamp};
    use super::*;

    /// Every byte at every place of a text of up to 24.
    #[test]
    fn finds_what_needs_to_be_escaped() {
        for len in 0..24 {
            let text = "a~ b".repeat(6).chars().take(len).collect::<String>();
            assert!(is_plain(&text), "{text}");
            for at in 0..len {
                for code in 0..=0xffu8 {
                    let mut text: Vec<char> = text.chars().collect();
                    text[at] = char::from(code);
                    let text: String = text.into_iter().collect();
                    let expected = text.bytes().all(is_plain_byte);
                    assert_eq!(is_plain(&text), expected, "{text:?}");
                }
            }
        }
        assert!(!is_plain_byte(b'"') && !is_plain_byte(0x7f) && !is_plain_byte(0x1f));
    }

    #[test]
    fn writes_values_as_zeek_does_and_escapes_terminals() {
        let mut out = Vec::new();
        let mut json = Json::open(&mut out);
        json.field(
            ",\"ts\":",
            Value::Time(Timestamp::from_nanos(1_500_000_000_123_456_789)),
        );
        json.field(",\"gone\":", Value::None);
        json.field(",\"q\":", Value::Str("a\u{1b}[31m\"\u{202e}"));
        json.field(",\"l\":", Value::StrList(&["x".into(), "y".into()]));
        json.field(",\"d\":", Value::Interval(Interval(-1_500_000)));
        json.ascii(",\"a\":", b"abcd", 3);
        json.word(",\"w\":", "");
        json.field(",\"i\":", Value::Int(i64::MIN));
        json.field(",\"n\":", Value::Interval(Interval(-999)));
        json.field(
            ",\"v6\":",
            Value::Addr(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])),
        );
        json.close();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"ts":1500000000.123456,"q":"a\u001b[31m\"\u202e","l":["x","y"],"d":-0.001500,"#,
                r#""a":"abc","w":"","i":-9223372036854775808,"n":0.000000,"v6":"2001:db8::1"}"#
            )
        );
        let mut out = b"x".to_vec();
        Json::open(&mut out).close();
        assert_eq!(out, b"x{}");
        assert_eq!(ip_text(IpAddr::from([192, 0, 2, 255])), "192.0.2.255");
    }
}
