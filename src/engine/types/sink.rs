//! JSON text, written without an intermediate tree and escaped for terminals as well.
//!
//! Standard: RFC 8259. Control characters, DEL, C1 controls and the direction-changing characters of
//! Unicode go out as `\uXXXX`, so a line may be shown on a terminal or a page as it is.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::Value;
use super::text::push_escaped;

/// One JSON object on one line, keys in the order of the calls.
#[derive(Debug)]
pub struct Json<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Json<'a> {
    /// Opens an object at the end of `out`.
    pub fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push('}');
    }

    /// Writes one more member, whose `key` is a comma, the name in quotes and a colon; nothing if the
    /// value is `None`.
    #[inline]
    pub fn field(&mut self, key: &str, value: Value<'_>) {
        if !matches!(value, Value::None) {
            self.key(key);
            put(self.out, value);
        }
    }

    /// The same for a text of our own in which nothing needs to be escaped: a name of a state, an id.
    #[inline]
    pub fn word(&mut self, key: &str, word: &str) {
        debug_assert!(is_plain(word), "{word:?} needs to be escaped");
        self.key(key);
        self.out.push('"');
        self.out.push_str(word);
        self.out.push('"');
    }

    #[inline]
    fn key(&mut self, key: &str) {
        let key = if std::mem::take(&mut self.first) {
            key.get(1..).unwrap_or_default()
        } else {
            key
        };
        self.out.push_str(key);
    }

    /// Writes one member; nothing if the value is `None`. `name` is a field's name: plain ASCII.
    pub fn member(&mut self, name: &str, value: Value<'_>) {
        if matches!(value, Value::None) {
            return;
        }
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        put(self.out, value);
    }
}

/// Writes a value.
#[inline]
fn put(out: &mut String, value: Value<'_>) {
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(v) => out.push_str(if v { "true" } else { "false" }),
        Value::Int(v) => out.push_str(itoa::Buffer::new().format(v)),
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

/// Writes a number with a fraction; JSON has no infinity.
fn number(out: &mut String, value: f64) {
    if value.is_finite() {
        let _infallible = write!(out, "{value}");
    } else {
        out.push_str("null");
    }
}

/// Writes an address with quotes.
fn address(out: &mut String, ip: IpAddr) {
    out.push('"');
    push_ip(out, ip);
    out.push('"');
}

/// An address as text.
#[must_use]
pub fn ip_text(ip: IpAddr) -> String {
    let mut text = String::with_capacity(15);
    push_ip(&mut text, ip);
    text
}

/// Appends an address. IPv4, the bulk of them, goes without the formatting machinery.
pub(crate) fn push_ip(out: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            for (index, octet) in v4.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push('.');
                }
                out.push_str(itoa::Buffer::new().format(octet));
            }
        }
        IpAddr::V6(v6) => {
            let _infallible = write!(out, "{v6}");
        }
    }
}

/// Nanoseconds as seconds with six decimals, as Zeek writes times and intervals.
fn seconds(out: &mut String, ns: i64) {
    let micros = ns.unsigned_abs() / 1_000;
    if ns < 0 && micros > 0 {
        out.push('-');
    }
    out.push_str(itoa::Buffer::new().format(micros / 1_000_000));
    // A leading 1 keeps the zeroes of the fraction.
    let mut fraction = itoa::Buffer::new();
    let digits = fraction.format(1_000_000 + micros % 1_000_000);
    out.push('.');
    out.push_str(digits.get(1..).unwrap_or_default());
}

/// Writes a list.
fn list<T>(out: &mut String, items: &[T], one: impl Fn(&mut String, &T)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        one(out, item);
    }
    out.push(']');
}

/// Whether nothing in a text needs to be escaped.
#[inline]
fn is_plain(text: &str) -> bool {
    // Without an early exit the loop runs over many bytes at a time.
    text.bytes().fold(true, |all, b| {
        all & (b' '..=b'~').contains(&b) & (b != b'"') & (b != b'\\')
    })
}

/// Writes a string with quotes, escaped.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    if is_plain(text) {
        out.push_str(text);
    } else {
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                c => push_escaped(out, c),
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::{Interval, Timestamp};
    use super::*;

    #[test]
    fn writes_values_as_zeek_does_and_escapes_terminals() {
        let mut out = String::new();
        let mut json = Json::open(&mut out);
        json.member(
            "ts",
            Value::Time(Timestamp::from_nanos(1_500_000_000_123_456_789)),
        );
        json.member("gone", Value::None);
        json.member("q", Value::Str("a\u{1b}[31m\"\u{202e}"));
        json.member("l", Value::StrList(&["x".into(), "y".into()]));
        json.member("d", Value::Interval(Interval(-1_500_000)));
        json.close();
        assert_eq!(
            out,
            r#"{"ts":1500000000.123456,"q":"a\u001b[31m\"\u202e","l":["x","y"],"d":-0.001500}"#
        );
    }
}
