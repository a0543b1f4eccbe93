//! Reading a TOML table by hand: every value with its place, every mistake kept, none fatal.
//!
//! Standard: TOML 1.1, parsed by `toml` with spans; the typed reading is ours so that all mistakes of
//!           a file are told at once and point into the expressions inside its strings.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Fault, ModelError};
use super::suggest::did_you_mean;

/// A key: its name, whether it must be there, what it is.
pub(crate) type Key = (&'static str, bool, &'static str);

/// A file being read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    /// Keys that look likely but have no place here, each with the reason.
    pub(crate) misplaced: &'static [(&'static str, &'static str)],
    /// Mistakes so far.
    pub(crate) errors: Vec<ModelError>,
}

/// A string value and where it stands, quotes included.
#[derive(Clone, Debug)]
pub(crate) struct Str<'t> {
    /// The value.
    pub(crate) text: &'t str,
    /// Its bytes in the file.
    pub(crate) span: Range<usize>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        Self {
            path,
            text,
            misplaced: &[],
            errors: Vec::new(),
        }
    }

    /// Keeps a mistake at byte `at` of the file.
    pub(crate) fn error(&mut self, at: usize, message: impl Into<String>) {
        self.errors
            .push(ModelError::at(self.path, self.text, at, message.into()));
    }

    /// The table that the file is; none if it is longer than `bytes_max` or no TOML. `what` is such a file.
    pub(crate) fn root(&mut self, what: &str, bytes_max: usize) -> Option<Spanned<DeTable<'a>>> {
        let len = self.text.len();
        if len > bytes_max {
            self.error(
                0,
                format!("{what} has at most {bytes_max} bytes; this has {len}"),
            );
            return None;
        }
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            self.error(at, error.message().lines().collect::<Vec<_>>().join("; "));
        }
        errors.is_empty().then_some(root)
    }

    /// Line of byte `at`.
    pub(crate) fn line(&self, at: usize) -> u32 {
        ModelError::at(self.path, self.text, at, String::new()).line
    }

    /// Keeps the mistakes inside a string, each at its own place.
    pub(crate) fn faults(&mut self, string: &Str<'_>, faults: Vec<Fault>) {
        for fault in faults {
            let inside = self
                .text
                .get(string.span.clone())
                .and_then(|raw| inner_offset(raw, string.text, fault.at));
            self.error(
                string.span.start.saturating_add(inside.unwrap_or(0)),
                fault.message,
            );
        }
    }

    /// Refuses keys that are not in `keys` and asks for those that must be there; `at` is where the table begins.
    pub(crate) fn keys(&mut self, table: &DeTable<'_>, keys: &[Key], at: usize) {
        for (key, _) in table {
            let name: &str = key.get_ref();
            if keys.iter().any(|(known, ..)| *known == name) {
                continue;
            }
            let misplaced = self.misplaced.iter().find(|(key, _)| *key == name);
            let message = if let Some((_, why)) = misplaced {
                (*why).to_owned()
            } else {
                let hint = did_you_mean(name, keys.iter().map(|(known, ..)| *known));
                format!("unknown key \"{}\"{hint}", name.escape_debug())
            };
            self.error(key.span().start, message);
        }
        for (name, required, what) in keys {
            if *required && table.get(*name).is_none() {
                self.error(at, format!("missing key \"{name}\": {what}"));
            }
        }
    }

    /// The string at `key`; absent if there is none.
    pub(crate) fn string<'t>(&mut self, table: &'t DeTable<'_>, key: &str) -> Option<Str<'t>> {
        let value = table.get(key)?;
        self.as_string(value, key)
    }

    /// A value that must be a string.
    pub(crate) fn as_string<'t>(
        &mut self,
        value: &'t Spanned<DeValue<'_>>,
        key: &str,
    ) -> Option<Str<'t>> {
        match value.get_ref() {
            DeValue::String(text) => Some(Str {
                text,
                span: value.span(),
            }),
            other => self.wrong(value, key, "a text in quotes", other),
        }
    }

    /// The strings of the array at `key`; empty if there is none.
    pub(crate) fn strings<'t>(&mut self, table: &'t DeTable<'_>, key: &str) -> Vec<Str<'t>> {
        let Some(value) = table.get(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| self.as_string(item, key))
                .collect(),
            other => {
                let _none: Option<()> = self.wrong(value, key, "a list of texts", other);
                Vec::new()
            }
        }
    }

    /// The word at `key`, one of a few.
    pub(crate) fn word<T: Copy>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let found = self.string(table, key)?;
        let known = words.iter().find(|(word, _)| *word == found.text);
        if known.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let (text, all) = (found.text.escape_debug(), all.join(", "));
            self.error(
                found.span.start,
                format!("{key} is one of {all}; found \"{text}\""),
            );
        }
        known.map(|(_, value)| *value)
    }

    /// The number at `key`, above 0 or at least `min`, with its place.
    pub(crate) fn number(&mut self, table: &DeTable<'_>, key: &str) -> Option<(f64, usize)> {
        let value = table.get(key)?;
        match number(value.get_ref()) {
            Some(number) => Some((number, value.span().start)),
            None => self.wrong(value, key, "a number", value.get_ref()),
        }
    }

    /// The whole number at `key`, from `range`.
    pub(crate) fn small(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        range: std::ops::RangeInclusive<u8>,
    ) -> Option<u8> {
        let value = table.get(key)?;
        self.as_small(value, key, range)
    }

    /// A value that must be a whole number from `range`.
    pub(crate) fn as_small(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        range: std::ops::RangeInclusive<u8>,
    ) -> Option<u8> {
        let whole = integer(value.get_ref());
        let small = whole
            .and_then(|whole| u8::try_from(whole).ok())
            .filter(|v| range.contains(v));
        if small.is_none() {
            let (low, high) = range.into_inner();
            let found =
                whole.map_or_else(|| value.get_ref().type_str().to_owned(), |v| v.to_string());
            let message = format!("{key} is a whole number from {low} to {high}; found {found}");
            self.error(value.span().start, message);
        }
        small
    }

    /// The whole number at `key`, from `range`.
    pub(crate) fn whole(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let value = table.get(key)?;
        let whole = integer(value.get_ref());
        let fitting = whole
            .and_then(|whole| u32::try_from(whole).ok())
            .filter(|v| range.contains(v));
        if fitting.is_none() {
            let (low, high) = range.into_inner();
            let found =
                whole.map_or_else(|| value.get_ref().type_str().to_owned(), |v| v.to_string());
            let message = format!("{key} is a whole number from {low} to {high}; found {found}");
            self.error(value.span().start, message);
        }
        fitting
    }

    /// The yes or no at `key`.
    pub(crate) fn flag(&mut self, table: &DeTable<'_>, key: &str) -> Option<bool> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            other => self.wrong(value, key, "true or false", other),
        }
    }

    /// The table at `key`, with its place.
    pub(crate) fn table<'t, 'i>(
        &mut self,
        table: &'t DeTable<'i>,
        key: &str,
    ) -> Option<(&'t DeTable<'i>, usize)> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::Table(inner) => Some((inner, value.span().start)),
            other => self.wrong(value, key, "a table", other),
        }
    }

    /// The tables of the array at `key`, each with its place; empty if there is none.
    pub(crate) fn tables<'t, 'i>(
        &mut self,
        table: &'t DeTable<'i>,
        key: &str,
    ) -> Vec<(&'t DeTable<'i>, usize)> {
        let Some(value) = table.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let wanted = format!("written [[{key}]]");
            let _none: Option<()> = self.wrong(value, key, &wanted, value.get_ref());
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(inner) => tables.push((inner, item.span().start)),
                other => {
                    let _none: Option<()> = self.wrong(item, key, "a table", other);
                }
            }
        }
        tables
    }

    /// Says what type was wanted and what was found.
    pub(crate) fn wrong<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        wanted: &str,
        found: &DeValue<'_>,
    ) -> Option<T> {
        self.error(
            value.span().start,
            format!("{key} must be {wanted}; found {}", found.type_str()),
        );
        None
    }
}

/// A whole number, if the value is one that fits.
pub(crate) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A number, whole or not.
pub(crate) fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        other => integer(other).map(|whole| whole as f64),
    }
}

/// Where byte `at` of a string's value stands in its raw text, quotes included.
///
/// `None` if the raw text cannot be followed; the caller then points at its start.
fn inner_offset(raw: &str, value: &str, at: usize) -> Option<usize> {
    let multi_line = raw.starts_with("'''") || raw.starts_with("\"\"\"");
    let quotes = if multi_line { 3 } else { 1 };
    let mut inner = raw.get(quotes..raw.len().checked_sub(quotes)?)?;
    if multi_line {
        // A newline right after the opening quotes is not part of the value.
        inner = inner
            .strip_prefix("\r\n")
            .or_else(|| inner.strip_prefix('\n'))
            .unwrap_or(inner);
    }
    let before = raw.len().checked_sub(quotes)?.checked_sub(inner.len())?;
    let escapes = raw.starts_with('"');
    let (mut decoded, mut found) = (0_usize, None);
    let mut characters = inner.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        let here = (decoded >= at).then_some(index);
        if !(escapes && character == '\\') {
            found = found.or(here);
            decoded = decoded.saturating_add(character.len_utf8());
            continue;
        }
        let (_, escape) = characters.next()?;
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            c if c.is_whitespace() => {
                while characters.next_if(|(_, c)| c.is_whitespace()).is_some() {}
                continue;
            }
            _ => 0,
        };
        found = found.or(here);
        let code: String = characters.by_ref().take(digits).map(|(_, c)| c).collect();
        let scalar = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
        decoded = decoded.saturating_add(scalar.map_or(1, char::len_utf8));
    }
    // If the sum differs, something in the raw text was not understood: point at the start instead.
    (decoded == value.len()).then(|| before.saturating_add(found.unwrap_or(inner.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_lead_into_every_kind_of_string() {
        for (raw, at_value, expected_raw) in [
            ("'abc'", 1, 2),
            ("\"abc\"", 2, 3),
            ("'''\nab\ncd'''", 3, 7),
            ("'''ab'''", 0, 3),
            (r#""a\"b""#, 2, 4),
            (r#""a\u00fcb""#, 3, 8),
            ("\"\"\"\na\\\n   b\"\"\"", 1, 10),
            ("'abc'", 3, 4),
        ] {
            let document = format!("k = {raw}");
            let table = DeTable::parse(&document).unwrap();
            let value = table
                .get_ref()
                .get("k")
                .unwrap()
                .get_ref()
                .as_str()
                .unwrap()
                .to_owned();
            assert_eq!(
                inner_offset(raw, &value, at_value),
                Some(expected_raw),
                "{raw}"
            );
        }
        assert_eq!(inner_offset("'abc'", "something else", 1), None);
        assert_eq!(inner_offset("", "", 0), None);
    }
}
