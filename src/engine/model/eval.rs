//! A checked condition and how it is decided on a row.
//!
//! Absence: a comparison with an absent field is neither true nor false but unknown. `not` unknown is
//!          unknown; `and` is false if one side is, `or` true if one side is, whatever the other. A
//!          condition holds only if it is true: nothing fires on what was not seen, and `x != 1` is
//!          always the same as `not x == 1`. `exists(x)` is the way to ask.
//! Numbers: whole numbers saturate, `/` gives a decimal, division by zero is absent. An int and a num
//!          are compared as decimals.
//! Cost:    no allocation but for `lower`; time linear in the length of the texts.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use crate::types::{Interval, Text, Timestamp, Value};

use super::glob::Globs;
use super::net::Net;
use super::schema::{At, Row};

/// A typed boolean condition.
#[derive(Clone, Debug)]
pub struct Condition {
    pub(super) source: String,
    pub(super) test: Test,
}

impl Condition {
    /// Whether the condition is true of `row`; false also if what it asks for is absent.
    #[must_use]
    pub fn eval(&self, row: &dyn Row) -> bool {
        self.test.truth(row) == Some(true)
    }

    /// The condition as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Something true, false or unknown.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Literal(bool),
    Field(At),
    Exists(At),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    /// Both true or both false.
    Same(Box<Self>, Box<Self>),
    Compare(Relation, Scalar, Scalar),
    OneOf(Scalar, Vec<Scalar>),
    TextSame(StrExpr, StrExpr),
    Texts(Subject, Matcher),
    TextInField(StrExpr, At),
    AddrIn(AddrSubject, Vec<Net>),
    AddrInField(Scalar, At),
}

/// How two ordered values stand to each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relation {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A value that is neither text nor list nor truth.
#[derive(Clone, Debug)]
pub(super) enum Scalar {
    Literal(Value<'static>),
    Field(At),
    Negative(Box<Self>),
    Arithmetic(Arithmetic, Box<Self>, Box<Self>),
    TextLen(StrExpr),
    ListLen(At),
}

/// An operator on numbers and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// A text.
#[derive(Clone, Debug)]
pub(super) enum StrExpr {
    Literal(String),
    Field(At),
    Lower(Box<Self>),
    Basename(Box<Self>),
}

/// What is matched: one text, or any of a list.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    Text(StrExpr),
    List(At),
}

/// An address, or any of a list.
#[derive(Clone, Debug)]
pub(super) enum AddrSubject {
    Addr(Scalar),
    List(At),
}

/// What a text is matched with: any of the list will do.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// Sorted.
    OneOf(Vec<String>),
    Contains(Vec<String>),
    StartsWith(Vec<String>),
    EndsWith(Vec<String>),
    Like(Globs),
}

impl Test {
    /// True, false, or unknown.
    pub(super) fn truth(&self, row: &dyn Row) -> Option<bool> {
        match self {
            Self::Literal(value) => Some(*value),
            Self::Field(at) => match at.of(row) {
                Value::Bool(value) => Some(value),
                _ => None,
            },
            Self::Exists(at) => Some(at.of(row) != Value::None),
            Self::Not(inner) => inner.truth(row).map(|value| !value),
            Self::And(items) => any(items.iter().map(|item| item.truth(row)), false).map(|v| !v),
            Self::Or(items) => any(items.iter().map(|item| item.truth(row)), true),
            Self::Same(left, right) => Some(left.truth(row)? == right.truth(row)?),
            Self::Compare(relation, left, right) => {
                order(left.value(row), right.value(row)).map(|found| relation.holds(found))
            }
            Self::OneOf(left, items) => {
                let left = left.value(row);
                let same = |item: &Scalar| order(left, item.value(row)).map(Ordering::is_eq);
                any(items.iter().map(same), true)
            }
            Self::TextSame(left, right) => Some(left.text(row)? == right.text(row)?),
            Self::Texts(Subject::Text(text), matcher) => Some(matcher.matches(&text.text(row)?)),
            Self::Texts(Subject::List(at), matcher) => {
                Some(texts(*at, row)?.iter().any(|text| matcher.matches(text)))
            }
            Self::TextInField(text, at) => {
                let text = text.text(row)?;
                Some(texts(*at, row)?.iter().any(|item| *item == *text))
            }
            Self::AddrIn(AddrSubject::Addr(addr), nets) => {
                let addr = address(addr.value(row))?;
                Some(nets.iter().any(|net| net.contains(addr)))
            }
            Self::AddrIn(AddrSubject::List(at), nets) => {
                let is_in = |addr: &IpAddr| nets.iter().any(|net| net.contains(*addr));
                Some(addresses(*at, row)?.iter().any(is_in))
            }
            Self::AddrInField(addr, at) => {
                let addr = address(addr.value(row))?;
                Some(
                    addresses(*at, row)?
                        .iter()
                        .any(|item| item.to_canonical() == addr),
                )
            }
        }
    }
}

/// True if one item is `wanted`; otherwise unknown if one is unknown, else false.
fn any(items: impl Iterator<Item = Option<bool>>, wanted: bool) -> Option<bool> {
    let mut unknown = false;
    for item in items {
        match item {
            Some(value) if value == wanted => return Some(true),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(false)
}

impl Relation {
    fn holds(self, found: Ordering) -> bool {
        match self {
            Self::Equal => found.is_eq(),
            Self::Less => found.is_lt(),
            Self::LessEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterEqual => found.is_ge(),
        }
    }
}

impl Scalar {
    /// The value; `Value::None` if something it needs is absent.
    #[inline]
    fn value<'a>(&'a self, row: &'a dyn Row) -> Value<'a> {
        match self {
            Self::Literal(value) => *value,
            Self::Field(at) => at.of(row),
            computed => computed.compute(row),
        }
    }

    /// The value of what is neither literal nor field, apart so that those two are inlined.
    fn compute<'a>(&'a self, row: &'a dyn Row) -> Value<'a> {
        match self {
            Self::Literal(_) | Self::Field(_) => self.value(row),
            Self::Negative(inner) => match inner.value(row) {
                Value::Int(v) => Value::Int(v.saturating_neg()),
                Value::Num(v) => Value::Num(-v),
                Value::Interval(v) => Value::Interval(Interval(v.0.saturating_neg())),
                _ => Value::None,
            },
            Self::Arithmetic(operator, left, right) => {
                arithmetic(*operator, left.value(row), right.value(row))
            }
            Self::TextLen(text) => text
                .text(row)
                .map_or(Value::None, |text| length(text.chars().count())),
            Self::ListLen(at) => match at.of(row) {
                Value::StrList(items) => length(items.len()),
                Value::AddrList(items) => length(items.len()),
                Value::IntervalList(items) => length(items.len()),
                _ => Value::None,
            },
        }
    }
}

fn length(len: usize) -> Value<'static> {
    Value::Int(i64::try_from(len).unwrap_or(i64::MAX))
}

/// Two values put together; `Value::None` if one is absent or the result is no number.
fn arithmetic<'a>(operator: Arithmetic, left: Value<'_>, right: Value<'_>) -> Value<'a> {
    use Arithmetic::{Add, Divide, Multiply, Subtract};
    match (operator, left, right) {
        (Add, Value::Int(l), Value::Int(r)) => Value::Int(l.saturating_add(r)),
        (Subtract, Value::Int(l), Value::Int(r)) => Value::Int(l.saturating_sub(r)),
        (Multiply, Value::Int(l), Value::Int(r)) => Value::Int(l.saturating_mul(r)),
        (Add, Value::Interval(l), Value::Interval(r)) => ns(l.0.saturating_add(r.0)),
        (Subtract, Value::Interval(l), Value::Interval(r)) => ns(l.0.saturating_sub(r.0)),
        (Subtract, Value::Time(l), Value::Time(r)) => ns(l.since(r)),
        (Add, Value::Time(l), Value::Interval(r)) => Value::Time(l.plus(r.0)),
        (Subtract, Value::Time(l), Value::Interval(r)) => {
            Value::Time(Timestamp::from_nanos(l.nanos().saturating_sub(r.0)))
        }
        (Divide, Value::Interval(l), Value::Interval(r)) => quotient(decimal(l.0), decimal(r.0)),
        (Multiply, Value::Interval(l), Value::Int(r))
        | (Multiply, Value::Int(r), Value::Interval(l)) => ns(l.0.saturating_mul(r)),
        (Multiply, Value::Interval(l), Value::Num(r))
        | (Multiply, Value::Num(r), Value::Interval(l)) => whole_ns(decimal(l.0) * r),
        (Divide, Value::Interval(l), right) => match number(right) {
            Some(r) if r != 0.0 => whole_ns(decimal(l.0) / r),
            _ => Value::None,
        },
        (operator, left, right) => {
            let (Some(l), Some(r)) = (number(left), number(right)) else {
                return Value::None;
            };
            match operator {
                Add => finite(l + r),
                Subtract => finite(l - r),
                Multiply => finite(l * r),
                Divide => quotient(l, r),
            }
        }
    }
}

fn ns<'a>(ns: i64) -> Value<'a> {
    Value::Interval(Interval(ns))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` stops at the ends of the range, as wanted"
)]
fn whole_ns<'a>(value: f64) -> Value<'a> {
    if value.is_finite() {
        ns(value as i64)
    } else {
        Value::None
    }
}

fn quotient<'a>(left: f64, right: f64) -> Value<'a> {
    if right == 0.0 {
        Value::None
    } else {
        finite(left / right)
    }
}

fn finite<'a>(value: f64) -> Value<'a> {
    if value.is_finite() {
        Value::Num(value)
    } else {
        Value::None
    }
}

fn decimal(value: i64) -> f64 {
    value as f64
}

fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Int(v) => Some(decimal(v)),
        Value::Num(v) => Some(v),
        _ => None,
    }
}

/// How two values of one type stand; unknown if one is absent or no number.
#[inline]
fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(l), Value::Int(r)) => Some(l.cmp(&r)),
        (Value::Interval(l), Value::Interval(r)) => Some(l.cmp(&r)),
        (Value::Time(l), Value::Time(r)) => Some(l.cmp(&r)),
        (Value::Addr(l), Value::Addr(r)) => Some(l.to_canonical().cmp(&r.to_canonical())),
        (left, right) => number(left)?.partial_cmp(&number(right)?),
    }
}

fn address(value: Value<'_>) -> Option<IpAddr> {
    match value {
        Value::Addr(addr) => Some(addr.to_canonical()),
        _ => None,
    }
}

fn texts(at: At, row: &dyn Row) -> Option<&[Text]> {
    match at.of(row) {
        Value::StrList(items) => Some(items),
        _ => None,
    }
}

fn addresses(at: At, row: &dyn Row) -> Option<&[IpAddr]> {
    match at.of(row) {
        Value::AddrList(items) => Some(items),
        _ => None,
    }
}

impl StrExpr {
    /// The text, borrowed unless `lower` had to change it.
    fn text<'a>(&'a self, row: &'a dyn Row) -> Option<Cow<'a, str>> {
        match self {
            Self::Literal(text) => Some(Cow::Borrowed(text)),
            Self::Field(at) => match at.of(row) {
                Value::Str(text) => Some(Cow::Borrowed(text)),
                _ => None,
            },
            Self::Lower(inner) => Some(Cow::Owned(inner.text(row)?.to_lowercase())),
            Self::Basename(inner) => Some(match inner.text(row)? {
                Cow::Borrowed(text) => Cow::Borrowed(basename(text)),
                Cow::Owned(text) => Cow::Owned(basename(&text).to_owned()),
            }),
        }
    }
}

/// What follows the last slash or backslash.
pub(super) fn basename(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

impl Matcher {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::OneOf(items) => items
                .binary_search_by(|item| item.as_str().cmp(text))
                .is_ok(),
            Self::Contains(items) => items.iter().any(|item| text.contains(item.as_str())),
            Self::StartsWith(items) => items.iter().any(|item| text.starts_with(item.as_str())),
            Self::EndsWith(items) => items.iter().any(|item| text.ends_with(item.as_str())),
            Self::Like(globs) => globs.matches(text),
        }
    }
}
