//! A model's own tests: rows it must breach on, and rows it must not.

use std::net::IpAddr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::types::{FieldType, Interval, Text, Timestamp, Value};

use super::lexer::{TokenKind, quantity};
use super::model::{Model, Words};
use super::reader::{Key, Reader, integer, number};
use super::schema::{At, Common, Row, Scope, type_name};

/// One test of a model.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What must come of it.
    pub expect: Expect,
    /// Lowest and highest score (of class health: priority) a breach may have.
    pub band: Option<(u8, u8)>,
    /// The row, if the test has one.
    pub row: Option<TrialRow>,
    /// Names of the defeats that must apply, if the test says so.
    pub defeats: Option<Vec<String>>,
    /// A capture file for the test of the whole pipeline.
    pub capture: Option<String>,
    /// What the test shows.
    pub note: Option<String>,
    /// Line of the model file.
    pub line: u32,
}

/// What must come of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A breach.
    Breach,
    /// None: ordinary traffic.
    NoBreach,
    /// None: what looks most like a breach and is none.
    NearMiss,
}

pub(super) const EXPECTATIONS: Words<Expect> = &[
    ("breach", Expect::Breach),
    ("no_breach", Expect::NoBreach),
    ("near_miss", Expect::NearMiss),
];

const KEYS: &[Key] = &[
    ("expect", true, "breach, no_breach or near_miss"),
    ("band", false, "lowest and highest score"),
    ("row", false, "field = value, as the condition sees them"),
    ("defeats", false, "names of the defeats that must apply"),
    ("capture", false, "a capture file"),
    ("note", false, "what the test shows"),
];

/// A row of a test: the fields it gives, all others absent.
#[derive(Clone, Debug, Default)]
pub struct TrialRow {
    values: Vec<(At, Owned)>,
}

#[derive(Clone, Debug)]
enum Owned {
    Bool(bool),
    Int(i64),
    Num(f64),
    Str(String),
    Addr(IpAddr),
    Interval(i64),
    Time(i64),
    StrList(Vec<Text>),
    AddrList(Vec<IpAddr>),
    IntervalList(Vec<Interval>),
}

impl TrialRow {
    fn value(&self, wanted: At) -> Value<'_> {
        let found = self.values.iter().find(|(at, _)| *at == wanted);
        found.map_or(Value::None, |(_, value)| match value {
            Owned::Bool(v) => Value::Bool(*v),
            Owned::Int(v) => Value::Int(*v),
            Owned::Num(v) => Value::Num(*v),
            Owned::Str(v) => Value::Str(v),
            Owned::Addr(v) => Value::Addr(*v),
            Owned::Interval(v) => Value::Interval(Interval(*v)),
            Owned::Time(v) => Value::Time(Timestamp::from_nanos(*v)),
            Owned::StrList(v) => Value::StrList(v),
            Owned::AddrList(v) => Value::AddrList(v),
            Owned::IntervalList(v) => Value::IntervalList(v),
        })
    }
}

impl Row for TrialRow {
    fn field(&self, index: usize) -> Value<'_> {
        self.value(At::Field(index))
    }

    fn common(&self, common: Common) -> Value<'_> {
        self.value(At::Common(common))
    }
}

/// Reads one `[[test]]`. `cap` is the highest score the model can have; absent for class health.
pub(super) fn read(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    at: usize,
    scope: &Scope,
    cap: Option<u8>,
) -> Option<Trial> {
    reader.keys(table, KEYS, at);
    let expect = reader.word(table, "expect", EXPECTATIONS);
    let band = read_band(reader, table);
    match (expect, band) {
        (Some(Expect::Breach), None) if table.get("band").is_none() => {
            reader.error(at, "a breach needs its band = [lowest, highest score]");
        }
        (Some(Expect::NoBreach | Expect::NearMiss), Some(_)) => {
            reader.error(at, "only a breach has a band");
        }
        (_, Some((low, _))) if cap.is_some_and(|cap| low > cap) => {
            let message = format!(
                "the band begins at {low}, but the impact holds the score to {}",
                cap.unwrap_or(0)
            );
            reader.error(at, message);
        }
        _ => {}
    }
    if table.get("row").is_none() && table.get("capture").is_none() {
        reader.error(at, "a test needs a row = { field = value } or a capture");
    }
    let row = table.get("row").map(|row| read_row(reader, row, scope));
    let defeats = table
        .get("defeats")
        .is_some()
        .then(|| reader.strings(table, "defeats"));
    let text = |reader: &mut Reader<'_>, key| reader.string(table, key).map(|s| s.text.to_owned());
    Some(Trial {
        expect: expect?,
        band,
        row,
        defeats: defeats.map(|names| names.into_iter().map(|name| name.text.to_owned()).collect()),
        capture: text(reader, "capture"),
        note: text(reader, "note"),
        line: reader.line(at),
    })
}

fn read_band(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Option<(u8, u8)> {
    let value = table.get("band")?;
    let items = value.get_ref().as_array();
    let ends = items.and_then(|items| Some((items.first()?, items.get(1)?, items.len() == 2)));
    let Some((low, high, true)) = ends else {
        return reader.wrong(value, "band", "[lowest, highest]", value.get_ref());
    };
    let (low, high) = (
        reader.as_small(low, "band", 0..=100),
        reader.as_small(high, "band", 0..=100),
    );
    let (low, high) = (low?, high?);
    if low > high {
        reader.error(value.span().start, format!("band: {low} is above {high}"));
    }
    Some((low, high))
}

fn read_row(reader: &mut Reader<'_>, row: &Spanned<DeValue<'_>>, scope: &Scope) -> TrialRow {
    let DeValue::Table(table) = row.get_ref() else {
        let _none: Option<()> = reader.wrong(row, "row", "{ field = value }", row.get_ref());
        return TrialRow::default();
    };
    let mut values = Vec::new();
    for (key, value) in table {
        let Some((at, field_type)) = scope.find(key.get_ref()) else {
            reader.error(key.span().start, scope.unknown(key.get_ref()));
            continue;
        };
        match owned(value.get_ref(), field_type) {
            Some(value) => values.push((at, value)),
            None => {
                let (name, found) = (type_name(field_type), value.get_ref().type_str());
                let message = format!("{} is {name}; this {found} is none", key.get_ref());
                reader.error(value.span().start, message);
            }
        }
    }
    TrialRow { values }
}

/// A value as a row holds it; lengths of time are `"10m"` or seconds, addresses texts.
fn owned(value: &DeValue<'_>, field_type: FieldType) -> Option<Owned> {
    match field_type {
        FieldType::Bool => value.as_bool().map(Owned::Bool),
        FieldType::Int => match value.as_str() {
            Some(text) => match quantity(text)? {
                TokenKind::Int(value) => Some(Owned::Int(value)),
                _ => None,
            },
            None => integer(value).map(Owned::Int),
        },
        FieldType::Num => number(value).map(Owned::Num),
        FieldType::Str => value.as_str().map(|text| Owned::Str(text.to_owned())),
        FieldType::Addr => value.as_str()?.parse().ok().map(Owned::Addr),
        FieldType::Interval => interval(value).map(Owned::Interval),
        FieldType::Time => seconds(value).map(Owned::Time),
        FieldType::StrList => list(value, |item| item.as_str().map(Text::from)).map(Owned::StrList),
        FieldType::AddrList => list(value, |item| item.as_str()?.parse().ok()).map(Owned::AddrList),
        FieldType::IntervalList => {
            list(value, |item| interval(item).map(Interval)).map(Owned::IntervalList)
        }
    }
}

fn list<T>(value: &DeValue<'_>, one: impl Fn(&DeValue<'_>) -> Option<T>) -> Option<Vec<T>> {
    value
        .as_array()?
        .iter()
        .map(|item| one(item.get_ref()))
        .collect()
}

fn interval(value: &DeValue<'_>) -> Option<i64> {
    match value.as_str() {
        Some(text) => match quantity(text)? {
            TokenKind::Interval(ns) => Some(ns),
            _ => None,
        },
        None => seconds(value),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` stops at the ends of the range"
)]
fn seconds(value: &DeValue<'_>) -> Option<i64> {
    number(value)
        .filter(|seconds| seconds.is_finite())
        .map(|seconds| (seconds * 1e9) as i64)
}

impl Model {
    /// Runs the tests that have a row: the condition, the defeats, the sentences. Empty if all is well.
    #[must_use]
    pub fn check_tests(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for trial in &self.tests {
            let Some(row) = &trial.row else { continue };
            let mut say =
                |what: String| wrong.push(format!("{}:{}: {what}", self.path, trial.line));
            let fires = self.when.eval(row);
            match (trial.expect, fires) {
                (Expect::Breach, false) => {
                    say(format!("{}: this row must breach and does not", self.id))
                }
                (Expect::NoBreach, true) => {
                    say(format!("{}: this row breaches and must not", self.id))
                }
                (Expect::NearMiss, true) => {
                    say(format!("{}: this near miss breaches", self.id));
                }
                _ => {}
            }
            if trial.expect == Expect::Breach {
                self.check_breach(trial, row, &mut say);
            }
        }
        wrong
    }

    /// What a breaching row must show besides: its defeats, whole sentences, the priority.
    fn check_breach(&self, trial: &Trial, row: &TrialRow, say: &mut dyn FnMut(String)) {
        let applies: Vec<&str> = self
            .defeats
            .iter()
            .filter(|defeat| defeat.when.eval(row))
            .map(|defeat| defeat.name.as_str())
            .collect();
        if let Some(wanted) = &trial.defeats
            && *wanted != applies
        {
            say(format!(
                "{}: defeats {wanted:?} were expected, {applies:?} apply",
                self.id
            ));
        }
        let sentences = [
            ("owner", &self.owner),
            ("engineer", &self.engineer),
            ("rarity_text", &self.rarity_text),
        ];
        let applying = self
            .defeats
            .iter()
            .filter(|defeat| applies.contains(&defeat.name.as_str()));
        for (name, template) in sentences
            .into_iter()
            .chain(applying.map(|d| ("defeat's", &d.text)))
        {
            for field in template.lacking(row) {
                say(format!(
                    "{}: the {name} sentence needs \"{field}\", which the row lacks",
                    self.id
                ));
            }
        }
        if let (Some(priority), Some((low, high))) = (self.priority(), trial.band)
            && !(low..=high).contains(&priority)
        {
            say(format!(
                "{}: priority {priority} is outside {low} to {high}",
                self.id
            ));
        }
    }
}
