//! The operators that take a list: `in`, `contains`, `starts_with`, `ends_with`, `like`.

use crate::types::{FieldType, Value};

use super::check::{Checker, Typed, is_number};
use super::eval::{AddrSubject, Matcher, Scalar, StrExpr, Subject, Test};
use super::glob::Globs;
use super::net::Net;
use super::parser::{Expr, ExprKind, Operator};

impl Checker<'_> {
    /// `left in right`.
    pub(super) fn membership(&mut self, left: &Expr, right: &Expr, expr: &Expr) -> Option<Test> {
        if let ExprKind::List(items) = &right.kind {
            let left = self.typed(left);
            let items: Vec<Option<Typed>> = items.iter().map(|item| self.typed(item)).collect();
            let items: Vec<Typed> = items.into_iter().collect::<Option<_>>()?;
            return self.in_list(left?, items, expr);
        }
        let (typed_left, typed_right) = (self.typed(left), self.typed(right));
        let (left, right) = (typed_left?, typed_right?);
        let names = (left.type_name(), right.type_name());
        match (left, right) {
            (Typed::Scalar(addr, FieldType::Addr), Typed::Net(net)) => {
                Some(Test::AddrIn(AddrSubject::Addr(addr), vec![net]))
            }
            (Typed::List(at, FieldType::AddrList), Typed::Net(net)) => {
                Some(Test::AddrIn(AddrSubject::List(at), vec![net]))
            }
            (Typed::Text(text), Typed::List(at, FieldType::StrList)) => {
                Some(Test::TextInField(text, at))
            }
            (Typed::Scalar(addr, FieldType::Addr), Typed::List(at, FieldType::AddrList)) => {
                Some(Test::AddrInField(addr, at))
            }
            _ => self.not_in(names.0, names.1, expr),
        }
    }

    fn in_list(&mut self, left: Typed, items: Vec<Typed>, expr: &Expr) -> Option<Test> {
        let name = left.type_name();
        if items.is_empty() {
            self.fault(expr.start, "nothing is in an empty list");
            return None;
        }
        let mut other = None;
        let test = match left {
            Typed::Text(text) => {
                let texts = keep(items, &mut other, literal_text);
                Test::Texts(Subject::Text(text), Matcher::OneOf(sorted(texts)))
            }
            Typed::Scalar(addr, FieldType::Addr) => Test::AddrIn(
                AddrSubject::Addr(addr),
                keep(items, &mut other, literal_net),
            ),
            Typed::List(at, FieldType::AddrList) => {
                Test::AddrIn(AddrSubject::List(at), keep(items, &mut other, literal_net))
            }
            Typed::Scalar(value, field_type) => {
                let same = |item| match item {
                    Typed::Scalar(item, x)
                        if x == field_type || is_number(x) && is_number(field_type) =>
                    {
                        Ok(item)
                    }
                    item => Err(item.type_name()),
                };
                Test::OneOf(value, keep(items, &mut other, same))
            }
            _ => return self.not_in(name, "a list", expr),
        };
        match other {
            Some(found) => self.not_in(name, &format!("a list with {found}"), expr),
            None => Some(test),
        }
    }

    fn not_in(&mut self, left: &str, right: &str, expr: &Expr) -> Option<Test> {
        let quote = self.quote(expr);
        let advice = if left == "list of str" {
            "; use contains or like"
        } else {
            ""
        };
        self.fault(
            expr.start,
            format!("{quote}: {left} cannot be in {right}{advice}"),
        );
        None
    }

    /// `left like right` and its kin; the right side is a text or a list of them.
    pub(super) fn matching(
        &mut self,
        operator: Operator,
        left: &Expr,
        right: &Expr,
        expr: &Expr,
    ) -> Option<Test> {
        let subject = self.typed(left);
        let items = match &right.kind {
            ExprKind::List(items) => items.iter().map(|item| self.typed(item)).collect(),
            _ => vec![self.typed(right)],
        };
        let (subject, items) = (subject?, items.into_iter().collect::<Option<Vec<Typed>>>()?);
        let (name, spelling) = (subject.type_name(), operator.spelling());
        let mut other = None;
        let subject = match subject {
            Typed::List(at, FieldType::AddrList) if operator == Operator::Contains => {
                let nets = keep(items, &mut other, literal_net);
                let test = Test::AddrIn(AddrSubject::List(at), nets);
                return if other.is_none() {
                    Some(test)
                } else {
                    self.no_match(spelling, other, expr)
                };
            }
            Typed::Text(text) => Subject::Text(text),
            Typed::List(at, FieldType::StrList) => Subject::List(at),
            _ => {
                let quote = self.quote(expr);
                self.fault(
                    expr.start,
                    format!("{quote}: {spelling} needs str on its left, found {name}"),
                );
                return None;
            }
        };
        let texts = keep(items, &mut other, literal_text);
        if other.is_some() || texts.is_empty() {
            return self.no_match(spelling, other, expr);
        }
        if let (
            Subject::Text(text),
            Operator::Contains | Operator::StartsWith | Operator::EndsWith,
        ) = (&subject, operator)
        {
            texts
                .iter()
                .for_each(|item| self.no_capitals(text, &StrExpr::Literal(item.clone()), expr));
        }
        let matcher = match (operator, &subject) {
            // A list contains a text if it is one of its elements.
            (Operator::Contains, Subject::List(_)) => Matcher::OneOf(sorted(texts)),
            (Operator::Contains, Subject::Text(_)) => Matcher::Contains(texts),
            (Operator::StartsWith, _) => Matcher::StartsWith(texts),
            (Operator::EndsWith, _) => Matcher::EndsWith(texts),
            _ => match Globs::new(texts.iter().map(String::as_str)) {
                Ok(globs) => Matcher::Like(globs),
                Err(message) => {
                    self.fault(right.start, message);
                    return None;
                }
            },
        };
        Some(Test::Texts(subject, matcher))
    }

    fn no_match(&mut self, spelling: &str, found: Option<&str>, expr: &Expr) -> Option<Test> {
        let quote = self.quote(expr);
        let found = found.unwrap_or("an empty list");
        let wants = "a text in quotes, or a list of them, on its right";
        self.fault(
            expr.start,
            format!("{quote}: {spelling} needs {wants}, found {found}"),
        );
        None
    }
}

/// The items that are wanted; `other` is the type of the first that is not.
fn keep<T>(
    items: Vec<Typed>,
    other: &mut Option<&'static str>,
    wanted: impl Fn(Typed) -> Result<T, &'static str>,
) -> Vec<T> {
    let mut kept = Vec::new();
    for item in items {
        match wanted(item) {
            Ok(item) => kept.push(item),
            Err(found) => *other = other.or(Some(found)),
        }
    }
    kept
}

fn literal_text(item: Typed) -> Result<String, &'static str> {
    match item {
        Typed::Text(StrExpr::Literal(text)) => Ok(text),
        item => Err(item.type_name()),
    }
}

fn literal_net(item: Typed) -> Result<Net, &'static str> {
    match item {
        Typed::Net(net) => Ok(net),
        Typed::Scalar(Scalar::Literal(Value::Addr(addr)), _) => Ok(Net::host(addr)),
        item => Err(item.type_name()),
    }
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable();
    texts
}
