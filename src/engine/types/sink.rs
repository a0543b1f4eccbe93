//! JSON text, written without an intermediate tree and escaped for terminals as well.
//!
//! Standard: RFC 8259. Control characters, DEL, C1 controls and the direction-changing characters of
//! Unicode go out as `\uXXXX`, so a line may be shown on a terminal or a page as it is.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::text::push_escaped;
use super::{Interval, Timestamp, Value};

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

    /// Writes one member; nothing if the value is `None`.
    pub fn member(&mut self, name: &str, value: Value<'_>) {
        if value == Value::None {
            return;
        }
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        quoted(self.out, name);
        self.out.push(':');
        put(self.out, value);
    }
}

/// Writes a value.
fn put(out: &mut String, value: Value<'_>) {
    let _infallible = match value {
        Value::None => write!(out, "null"),
        Value::Bool(v) => write!(out, "{v}"),
        Value::Int(v) => write!(out, "{v}"),
        Value::Num(v) if v.is_finite() => write!(out, "{v}"),
        Value::Num(_) => write!(out, "null"),
        Value::Addr(v) => write!(out, "\"{v}\""),
        Value::Interval(v) => seconds(out, v.0),
        Value::Time(v) => seconds(out, v.nanos()),
        Value::Str(v) => {
            quoted(out, v);
            Ok(())
        }
        Value::StrList(v) => list(out, v, |out, v| quoted(out, v)),
        Value::AddrList(v) => list(out, v, |out, v: &IpAddr| put(out, Value::Addr(*v))),
        Value::IntervalList(v) => list(out, v, |out, v: &Interval| put(out, Value::Interval(*v))),
    };
}

/// Nanoseconds as seconds with six decimals, as Zeek writes times and intervals.
fn seconds(out: &mut String, ns: i64) -> std::fmt::Result {
    let micros = Timestamp::from_nanos(ns).nanos().unsigned_abs() / 1_000;
    let sign = if ns < 0 && micros > 0 { "-" } else { "" };
    write!(
        out,
        "{sign}{}.{:06}",
        micros / 1_000_000,
        micros % 1_000_000
    )
}

/// Writes a list.
fn list<T>(out: &mut String, items: &[T], one: impl Fn(&mut String, &T)) -> std::fmt::Result {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        one(out, item);
    }
    out.push(']');
    Ok(())
}

/// Writes a string with quotes, escaped.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c => push_escaped(out, c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
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
