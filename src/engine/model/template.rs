//! Sentences with fields in them: `{device} sent {bytes_out:bytes} to {peer or 'somebody'}`.
//!
//! Signs:  `{field}`, `{field:format}`, `{field or 'text'}` for an absent one (else `unknown`), `{{` and `}}`.
//! Format: `bytes` (int, num), `percent` (a share, int or num), `basename` (str).
//! Output: values from the wire are not escaped here but where they are printed.
//! Bounds: 1,024 bytes and 32 fields a template, 128 characters a value, cut with `…`.

use std::fmt::Write as _;

use crate::types::{FieldType, Value};

use super::error::Fault;
use super::eval::basename;
use super::schema::{At, Row, Scope, type_name};
use super::suggest::did_you_mean;

const TEMPLATE_BYTES_MAX: usize = 1_024;
const FIELDS_MAX: usize = 32;
/// Most characters of one value in a sentence.
const VALUE_CHARS_MAX: usize = 128;
const FORMATS: &[&str] = &["bytes", "percent", "basename"];

/// A sentence with places for a row's values.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Field {
        at: At,
        name: String,
        format: Format,
        absent: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Plain,
    Bytes,
    Percent,
    Basename,
}

impl Template {
    /// Compiles `source` for rows of `scope`.
    ///
    /// # Errors
    ///
    /// All mistakes, with their places in `source`.
    pub(super) fn compile(source: &str, scope: &Scope) -> Result<Self, Vec<Fault>> {
        let mut compiler = Compiler {
            scope,
            parts: Vec::new(),
            faults: Vec::new(),
        };
        if source.len() > TEMPLATE_BYTES_MAX {
            let message = format!("a sentence has at most {TEMPLATE_BYTES_MAX} bytes");
            return Err(vec![Fault::new(0, message)]);
        }
        if source.trim().is_empty() {
            return Err(vec![Fault::new(0, "an empty sentence says nothing")]);
        }
        compiler.walk(source);
        let fields = compiler
            .parts
            .iter()
            .filter(|part| matches!(part, Part::Field { .. }))
            .count();
        if fields > FIELDS_MAX {
            compiler.faults.push(Fault::new(
                0,
                format!("at most {FIELDS_MAX} fields in a sentence"),
            ));
        }
        if compiler.faults.is_empty() {
            Ok(Self {
                source: source.to_owned(),
                parts: compiler.parts,
            })
        } else {
            Err(compiler.faults)
        }
    }

    /// The sentence for `row`. Values are raw and at most 128 characters each.
    #[must_use]
    pub fn render(&self, row: &dyn Row) -> String {
        let mut out = String::with_capacity(self.source.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field {
                    at, format, absent, ..
                } => match at.of(row) {
                    Value::None => out.push_str(absent.as_deref().unwrap_or("unknown")),
                    value => put_bounded(&mut out, value, *format),
                },
            }
        }
        out
    }

    /// The template as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Fields that `row` lacks and the sentence has no other words for.
    pub(super) fn lacking<'a>(&'a self, row: &'a dyn Row) -> impl Iterator<Item = &'a str> {
        self.parts.iter().filter_map(move |part| match part {
            Part::Field {
                at,
                name,
                absent: None,
                ..
            } if at.of(row) == Value::None => Some(name.as_str()),
            _ => None,
        })
    }
}

struct Compiler<'a> {
    scope: &'a Scope,
    parts: Vec<Part>,
    faults: Vec<Fault>,
}

impl Compiler<'_> {
    fn walk(&mut self, source: &str) {
        let (mut at, mut text) = (0, String::new());
        while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
            let plain = rest.find(['{', '}']).unwrap_or(rest.len());
            text.push_str(rest.get(..plain).unwrap_or_default());
            at += plain;
            let rest = rest.get(plain..).unwrap_or_default();
            if rest.starts_with("{{") || rest.starts_with("}}") {
                text.push_str(rest.get(..1).unwrap_or_default());
                at += 2;
            } else if rest.starts_with('}') {
                self.faults
                    .push(Fault::new(at, "a lone \"}\" is written \"}}\""));
                at += 1;
            } else if !rest.is_empty() {
                let Some(len) = closing(rest) else {
                    self.faults.push(Fault::new(
                        at,
                        "this \"{\" has no \"}\"; a lone one is written \"{{\"",
                    ));
                    return;
                };
                self.parts.push(Part::Text(std::mem::take(&mut text)));
                self.place(rest.get(1..len).unwrap_or_default(), at + 1);
                at += len + 1;
            }
        }
        self.parts.push(Part::Text(text));
    }

    /// What stands between `{` and `}`.
    fn place(&mut self, inside: &str, at: usize) {
        let (field, absent) = match inside.split_once(" or ") {
            Some((field, other)) => (field, Some((other.trim(), at + field.len() + 4))),
            None => (inside, None),
        };
        let (name, format) = match field.split_once(':') {
            Some((name, format)) => (name.trim(), Some((format.trim(), at + name.len() + 1))),
            None => (field.trim(), None),
        };
        let Some((place, field_type)) = self.scope.find(name) else {
            self.faults.push(Fault::new(at, self.scope.unknown(name)));
            return;
        };
        let format = format.map_or(Some(Format::Plain), |(format, at)| {
            self.format(format, field_type, at)
        });
        let absent = absent.map(|(text, at)| self.unquoted(text, at));
        let (Some(format), Some(absent)) =
            (format, absent.map_or(Some(None), |text| text.map(Some)))
        else {
            return;
        };
        self.parts.push(Part::Field {
            at: place,
            name: name.to_owned(),
            format,
            absent,
        });
    }

    fn format(&mut self, name: &str, field_type: FieldType, at: usize) -> Option<Format> {
        let is_number = matches!(field_type, FieldType::Int | FieldType::Num);
        let message = match name {
            "bytes" if is_number => return Some(Format::Bytes),
            "percent" if is_number => return Some(Format::Percent),
            "basename" if field_type == FieldType::Str => return Some(Format::Basename),
            name if FORMATS.contains(&name) => {
                format!("{} cannot be written as {name}", type_name(field_type))
            }
            name => {
                let hint = did_you_mean(name, FORMATS.iter().copied());
                format!(
                    "unknown format \"{}\"{hint} (there are: {})",
                    name.escape_debug(),
                    FORMATS.join(", ")
                )
            }
        };
        self.faults.push(Fault::new(at, message));
        None
    }

    fn unquoted(&mut self, text: &str, at: usize) -> Option<String> {
        let inner = text
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
            .or_else(|| {
                text.strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'))
            });
        if inner.is_none() {
            self.faults
                .push(Fault::new(at, "after \"or\" stands a text in quotes"));
        }
        inner.map(str::to_owned)
    }
}

/// Length up to the `}` that closes the `{` at the start; one inside quotes does not.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, character) in text.char_indices().skip(1) {
        match (quote, character) {
            (None, '}') => return Some(index),
            (None, '{') => return None,
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), character) if open == character => quote = None,
            _ => {}
        }
    }
    None
}

/// Writes a value, cut at [`VALUE_CHARS_MAX`] characters.
fn put_bounded(out: &mut String, value: Value<'_>, format: Format) {
    let start = out.len();
    put(out, value, format);
    let written = out.get(start..).unwrap_or_default();
    if let Some((cut, _)) = written.char_indices().nth(VALUE_CHARS_MAX) {
        let end = written
            .get(..cut)
            .and_then(|kept| kept.char_indices().next_back());
        out.truncate(start.saturating_add(end.map_or(0, |(index, _)| index)));
        out.push('…');
    }
}

fn put(out: &mut String, value: Value<'_>, format: Format) {
    let number = match value {
        Value::Int(v) => Some(v as f64),
        Value::Num(v) => Some(v),
        _ => None,
    };
    let _infallible = match (format, value, number) {
        (Format::Bytes, _, Some(v)) => bytes(out, v),
        (Format::Percent, _, Some(v)) => rounded(out, v * 100.0, " %"),
        (Format::Basename, Value::Str(v), _) => {
            out.push_str(head(basename(v)));
            Ok(())
        }
        (_, Value::None, _) => Ok(()),
        (_, Value::Bool(v), _) => write!(out, "{}", if v { "yes" } else { "no" }),
        (_, Value::Int(v), _) => write!(out, "{v}"),
        (_, Value::Num(v), _) => rounded(out, v, ""),
        (_, Value::Str(v), _) => {
            out.push_str(head(v));
            Ok(())
        }
        (_, Value::Addr(v), _) => write!(out, "{v}"),
        (_, Value::Interval(v), _) => length(out, v.0),
        (_, Value::Time(v), _) => write!(out, "{v}"),
        (_, Value::StrList(items), _) => list(out, items.iter().map(|item| Value::Str(item))),
        (_, Value::AddrList(items), _) => list(out, items.iter().map(|item| Value::Addr(*item))),
        (_, Value::IntervalList(items), _) => {
            list(out, items.iter().map(|item| Value::Interval(*item)))
        }
    };
}

/// The first characters of a text, one more than are shown, so that the cut is seen.
fn head(text: &str) -> &str {
    let end = text
        .char_indices()
        .nth(VALUE_CHARS_MAX.saturating_add(1))
        .map(|(index, _)| index);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The first elements of a list, one more than could be shown.
fn list<'a>(out: &mut String, items: impl Iterator<Item = Value<'a>>) -> std::fmt::Result {
    for (index, item) in items.take(VALUE_CHARS_MAX.saturating_add(1)).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        put(out, item, Format::Plain);
    }
    Ok(())
}

/// A size with a unit a person reads: `26 MB`, by thousands.
fn bytes(out: &mut String, value: f64) -> std::fmt::Result {
    let units = [(1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " KB")];
    // From 999.5 on the next unit's rounding would print 1000 of this one.
    let unit = units.iter().find(|(one, _)| value.abs() >= one * 0.9995);
    match unit {
        Some((one, name)) => rounded(out, value / one, name),
        None => rounded(out, value, " bytes"),
    }
}

/// A length of time in the unit a person would choose: `90 s`, `12 min`, `3 h`, `2 days`.
fn length(out: &mut String, ns: i64) -> std::fmt::Result {
    let units = [
        (172_800e9, 86_400e9, " days"),
        (7_200e9, 3_600e9, " h"),
        (120e9, 60e9, " min"),
        (1e9, 1e9, " s"),
        (1e6, 1e6, " ms"),
        (1e3, 1e3, " µs"),
    ];
    let value = ns as f64;
    let unit = units.iter().find(|(from, ..)| value.abs() >= *from);
    match unit {
        Some((_, one, name)) => rounded(out, value / one, name),
        None if ns == 0 => write!(out, "0 s"),
        None => rounded(out, value, " ns"),
    }
}

/// A number with about three digits, and what follows it.
fn rounded(out: &mut String, value: f64, tail: &str) -> std::fmt::Result {
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.1 || size == 0.0 => 2,
        _ => 4,
    };
    let digits = format!("{value:.decimals$}");
    let digits = if decimals > 0 {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        &digits
    };
    write!(out, "{}{tail}", if digits == "-0" { "0" } else { digits })
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
