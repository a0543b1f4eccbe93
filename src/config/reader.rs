//! The file as written: every value with its place, every mistake kept, none fatal.
//!
//! Standard: TOML 1.1, parsed by `toml` with spans. A value that is missing or wrong is replaced by
//!           its default, so that reading goes on to the next mistake.
//! Bounds:   64 KiB a file; lists as long as their key allows.

use std::path::Path;
use std::str::FromStr;

use tapir_engine::model::did_you_mean;
use tapir_engine::types::escaped;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::keys::{SECTIONS, Section, section};

/// Most bytes of a configuration file.
pub(super) const FILE_BYTES_MAX: usize = 64 * 1024;
/// Characters of a wrong value that an error repeats.
const SHOWN_CHARS: usize = 60;

/// A configuration file being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    path: Option<&'a Path>,
    text: &'a str,
    /// Mistakes so far.
    pub(super) errors: Vec<ConfigError>,
}

/// One table of the file: its values, its keys, where it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'t, 'i> {
    values: Option<&'t DeTable<'i>>,
    section: &'static Section,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: Option<&'a Path>, text: &'a str) -> Self {
        Self {
            path,
            text,
            errors: Vec::new(),
        }
    }

    /// Keeps a mistake at byte `at` of the file.
    pub(super) fn error(&mut self, at: usize, key: impl Into<String>, text: impl Into<String>) {
        self.errors.push(ConfigError {
            path: self.path.map(Path::to_owned),
            line: self.line(at),
            key: key.into(),
            text: text.into(),
        });
    }

    /// Keeps a mistake of the command line.
    pub(super) fn flag(&mut self, flag: &str, text: impl Into<String>) {
        self.errors.push(ConfigError {
            path: None,
            line: 0,
            key: flag.to_owned(),
            text: text.into(),
        });
    }

    /// Refuses tables and keys that are not in the list.
    pub(super) fn known(&mut self, root: &DeTable<'_>) {
        self.known_in(root, "");
    }

    fn known_in(&mut self, table: &DeTable<'_>, prefix: &str) {
        let names: Vec<&str> = names_below(prefix);
        for (key, value) in table {
            let name: &str = key.get_ref();
            let path = format!("{prefix}{name}");
            if !names.contains(&name) {
                let hint = did_you_mean(name, names.iter().copied());
                let hint = if hint.is_empty() {
                    format!("; known here: {}", names.join(", "))
                } else {
                    hint
                };
                self.error(key.span().start, shown(&path), format!("unknown{hint}"));
                continue;
            }
            let below = format!("{path}.");
            let is_table = SECTIONS
                .iter()
                .any(|s| s.name == path || s.name.starts_with(&below));
            if !is_table {
                continue;
            }
            match value.get_ref() {
                DeValue::Table(inner) => self.known_in(inner, &below),
                DeValue::Array(items) if section(&path).is_some_and(|s| s.many) => {
                    for item in items {
                        match item.get_ref() {
                            DeValue::Table(inner) => self.known_in(inner, &below),
                            other => self.wrong(item.span().start, &path, "a table", other),
                        }
                    }
                }
                other => self.wrong(value.span().start, &path, "a table", other),
            }
        }
    }

    /// The tables of a name: exactly one of most, any number of some.
    pub(super) fn tables<'t, 'i>(
        &self,
        root: &'t DeTable<'i>,
        name: &'static str,
    ) -> Vec<Table<'t, 'i>> {
        let Some(section) = section(name) else {
            return Vec::new();
        };
        let table = |values, at| Table {
            values,
            section,
            at,
        };
        let mut found: Option<(&DeValue<'i>, usize)> = None;
        let mut inside = root;
        for part in name.split('.') {
            found = inside
                .get(part)
                .map(|value| (value.get_ref(), value.span().start));
            match found {
                Some((DeValue::Table(next), _)) => inside = next,
                _ => break,
            }
        }
        match found {
            Some((DeValue::Table(values), at)) => vec![table(Some(values), at)],
            Some((DeValue::Array(items), _)) if section.many => items
                .iter()
                .filter_map(|item| match item.get_ref() {
                    DeValue::Table(values) => Some(table(Some(values), item.span().start)),
                    _ => None,
                })
                .collect(),
            _ if section.many => Vec::new(),
            _ => vec![table(None, 0)],
        }
    }

    /// What stands at a key, and where.
    fn value<'t, 'i>(table: Table<'t, 'i>, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        table.values.and_then(|values| values.get(key))
    }

    /// Whether a key was written.
    pub(super) fn has(table: Table<'_, '_>, key: &str) -> bool {
        Self::value(table, key).is_some()
    }

    /// Where a key, or else its table, stands.
    pub(super) fn place(table: Table<'_, '_>, key: &str) -> usize {
        Self::value(table, key).map_or(table.at, |value| value.span().start)
    }

    /// A text, or its default.
    pub(super) fn text(&mut self, table: Table<'_, '_>, key: &'static str) -> Option<String> {
        let Some(value) = Self::value(table, key) else {
            return default_of(table.section, key).and_then(|v| v.as_str().map(str::to_owned));
        };
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            other => {
                let path = path_of(table, key);
                self.wrong(value.span().start, &path, "a text in quotes", other);
                None
            }
        }
    }

    /// A text that has to be of a form; `wanted` says which.
    pub(super) fn parsed<T>(
        &mut self,
        table: Table<'_, '_>,
        key: &'static str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(table, key)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            let message = format!("found \"{}\"; {wanted}", shown(&text));
            self.error(Self::place(table, key), path_of(table, key), message);
        }
        parsed
    }

    /// Texts of a form in a list of at most `most`.
    pub(super) fn list<T>(
        &mut self,
        table: Table<'_, '_>,
        key: &'static str,
        most: usize,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let path = path_of(table, key);
        let Some(value) = Self::value(table, key) else {
            let default = default_of(table.section, key);
            let items = default.as_ref().and_then(toml::Value::as_array);
            let texts = items.into_iter().flatten().filter_map(toml::Value::as_str);
            return texts.filter_map(parse).collect();
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(
                value.span().start,
                &path,
                "a list of texts",
                value.get_ref(),
            );
            return Vec::new();
        };
        if items.len() > most {
            let message = format!("found {} entries; give at most {most}", items.len());
            self.error(value.span().start, path.clone(), message);
        }
        let mut found = Vec::new();
        for item in items.iter().take(most) {
            match item.get_ref() {
                DeValue::String(text) => match parse(text) {
                    Some(parsed) => found.push(parsed),
                    None => {
                        let message = format!("found \"{}\"; {wanted}", shown(text));
                        self.error(item.span().start, path.clone(), message);
                    }
                },
                other => self.wrong(item.span().start, &path, "a text in quotes", other),
            }
        }
        found
    }

    /// The lines in which the entries of a list stand.
    pub(super) fn lines(&self, table: Table<'_, '_>, key: &str) -> Vec<usize> {
        let items = Self::value(table, key).and_then(|value| value.get_ref().as_array());
        let items = items.into_iter().flat_map(|items| items.iter());
        items.map(|item| self.line(item.span().start)).collect()
    }

    /// The line of byte `at` of the file.
    fn line(&self, at: usize) -> usize {
        let before = self.text.get(..self.text.floor_char_boundary(at));
        before.unwrap_or_default().matches('\n').count() + 1
    }

    /// A whole number from a range, or its default.
    pub(super) fn number<T: TryFrom<u64> + Copy>(
        &mut self,
        table: Table<'_, '_>,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<T> {
        let default = default_of(table.section, key).and_then(|value| value.as_integer());
        let Some(value) = Self::value(table, key) else {
            return T::try_from(u64::try_from(default?).ok()?).ok();
        };
        let path = path_of(table, key);
        let whole = value.get_ref().as_integer();
        let Some(whole) = whole else {
            self.wrong(value.span().start, &path, "a whole number", value.get_ref());
            return None;
        };
        let number = i128::from_str_radix(whole.as_str(), whole.radix()).ok();
        let fits = number
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| range.contains(number));
        if fits.is_none() {
            let (low, high) = range.into_inner();
            let message = format!(
                "found {}; use a whole number from {low} to {high}",
                shown(whole.as_str())
            );
            self.error(value.span().start, path, message);
        }
        fits.and_then(|number| T::try_from(number).ok())
    }

    /// True or false, or its default.
    pub(super) fn flag_at(&mut self, table: Table<'_, '_>, key: &'static str) -> bool {
        let default = default_of(table.section, key).and_then(|value| value.as_bool());
        let Some(value) = Self::value(table, key) else {
            return default.unwrap_or(false);
        };
        match value.get_ref() {
            DeValue::Boolean(found) => *found,
            other => {
                let path = path_of(table, key);
                self.wrong(value.span().start, &path, "true or false", other);
                false
            }
        }
    }

    /// Says what type was wanted and what was found.
    fn wrong(&mut self, at: usize, key: &str, wanted: &str, found: &DeValue<'_>) {
        let text = format!("found {}; it must be {wanted}", kind(found));
        self.error(at, shown(key), text);
    }
}

/// `section.key`.
pub(super) fn path_of(table: Table<'_, '_>, key: &str) -> String {
    format!("{}.{key}", table.section.name)
}

/// The value that the documentation gives; none if the key has only an example.
fn default_of(section: &Section, key: &str) -> Option<toml::Value> {
    let key = section.keys.iter().find(|known| known.name == key)?;
    if key.optional {
        return None;
    }
    toml::Value::from_str(key.value).ok()
}

/// What may stand below a table: keys of a section, or the next part of a section's name.
fn names_below(prefix: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for section in SECTIONS {
        let whole = prefix.strip_suffix('.').unwrap_or(prefix);
        if section.name == whole {
            names.extend(section.keys.iter().map(|key| key.name));
        } else if let Some(rest) = section.name.strip_prefix(prefix) {
            names.extend(rest.split('.').next());
        }
    }
    names
}

/// What a value is, in words.
fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", shown(text)),
        DeValue::Boolean(found) => found.to_string(),
        DeValue::Integer(whole) => shown(whole.as_str()),
        other => format!("a value of type {}", other.type_str()),
    }
}

/// A piece of the file as an error repeats it: cut, escaped.
pub(super) fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN_CHARS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    escaped(&cut)
}
