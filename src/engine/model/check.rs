//! A parsed condition to a checked one: every name is a field, every operator has sides it can take.
//!
//! All mistakes of one condition are told at once; a part with a mistake is left out of the checks
//! around it, so that one mistake is told once.

use crate::types::{FieldType, Interval, Value};

use super::error::Fault;
use super::eval::{Arithmetic, Condition, Relation, Scalar, StrExpr, Test};
use super::net::Net;
use super::parser::{Expr, ExprKind, Operator, parse};
use super::schema::{At, Scope, type_name};
use super::suggest::did_you_mean;

/// Most characters of the condition quoted in a message.
const QUOTE_CHARS_MAX: usize = 60;
const FUNCTIONS: &[&str] = &["exists", "len", "lower", "basename"];

impl Condition {
    /// Compiles `source` for rows of `scope`.
    ///
    /// # Errors
    ///
    /// All mistakes, with their places in `source`.
    pub(super) fn compile(source: &str, scope: &Scope) -> Result<Self, Vec<Fault>> {
        let expr = parse(source).map_err(|fault| vec![fault])?;
        let mut checker = Checker {
            source,
            scope,
            faults: Vec::new(),
        };
        match checker.truth(&expr) {
            Some(test) if checker.faults.is_empty() => Ok(Self {
                source: source.to_owned(),
                test,
            }),
            _ => Err(checker.faults),
        }
    }
}

/// A checked part of a condition.
pub(super) enum Typed {
    Truth(Test),
    Scalar(Scalar, FieldType),
    Text(StrExpr),
    List(At, FieldType),
    Net(Net),
}

impl Typed {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Truth(_) => "bool",
            Self::Scalar(_, field_type) | Self::List(_, field_type) => type_name(*field_type),
            Self::Text(_) => "str",
            Self::Net(_) => "address block",
        }
    }
}

/// The work on one condition.
pub(super) struct Checker<'a> {
    source: &'a str,
    scope: &'a Scope,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    pub(super) fn fault(&mut self, at: usize, message: impl Into<String>) {
        self.faults.push(Fault::new(at, message));
    }

    /// The text of a node, in quotes, for a message.
    pub(super) fn quote(&self, expr: &Expr) -> String {
        let text = self
            .source
            .get(expr.start..expr.end)
            .unwrap_or_default()
            .trim();
        let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((cut, _)) = words.char_indices().nth(QUOTE_CHARS_MAX) {
            words.truncate(cut);
            words.push('…');
        }
        format!("\"{words}\"")
    }

    /// A node that must be true or false.
    fn truth(&mut self, expr: &Expr) -> Option<Test> {
        match self.typed(expr)? {
            Typed::Truth(test) => Some(test),
            other => {
                let (quote, found) = (self.quote(expr), other.type_name());
                self.fault(
                    expr.start,
                    format!(
                        "{quote}: expected a condition, found {found}; compare it with something"
                    ),
                );
                None
            }
        }
    }

    fn truths(&mut self, items: &[Expr]) -> Option<Vec<Test>> {
        let tests: Vec<Option<Test>> = items.iter().map(|item| self.truth(item)).collect();
        tests.into_iter().collect()
    }

    pub(super) fn typed(&mut self, expr: &Expr) -> Option<Typed> {
        let literal = |value, field_type| Some(Typed::Scalar(Scalar::Literal(value), field_type));
        match &expr.kind {
            ExprKind::Bool(v) => Some(Typed::Truth(Test::Literal(*v))),
            ExprKind::Int(v) => literal(Value::Int(*v), FieldType::Int),
            ExprKind::Num(v) => literal(Value::Num(*v), FieldType::Num),
            ExprKind::Interval(v) => literal(Value::Interval(Interval(*v)), FieldType::Interval),
            ExprKind::Addr(v) => literal(Value::Addr(*v), FieldType::Addr),
            ExprKind::Str(v) => Some(Typed::Text(StrExpr::Literal(v.clone()))),
            ExprKind::Net(v) => Some(Typed::Net(*v)),
            ExprKind::List(_) => {
                let after = "in, like, contains, starts_with and ends_with";
                self.fault(
                    expr.start,
                    format!("a list stands only to the right of {after}"),
                );
                None
            }
            ExprKind::Name(name) => self.field(name, expr.start),
            ExprKind::Call(name, argument) => self.call(name, argument, expr),
            ExprKind::Not(inner) => Some(Typed::Truth(Test::Not(Box::new(self.truth(inner)?)))),
            ExprKind::Negative(inner) => self.negative(inner, expr),
            ExprKind::And(items) => Some(Typed::Truth(Test::And(self.truths(items)?))),
            ExprKind::Or(items) => Some(Typed::Truth(Test::Or(self.truths(items)?))),
            ExprKind::Binary(operator, left, right) => match operator {
                Operator::Add => self.arithmetic(Arithmetic::Add, left, right, expr),
                Operator::Subtract => self.arithmetic(Arithmetic::Subtract, left, right, expr),
                Operator::Multiply => self.arithmetic(Arithmetic::Multiply, left, right, expr),
                Operator::Divide => self.arithmetic(Arithmetic::Divide, left, right, expr),
                Operator::In => self.membership(left, right, expr).map(Typed::Truth),
                Operator::Contains | Operator::StartsWith | Operator::EndsWith | Operator::Like => {
                    self.matching(*operator, left, right, expr)
                        .map(Typed::Truth)
                }
                _ => self
                    .comparison(*operator, left, right, expr)
                    .map(Typed::Truth),
            },
        }
    }

    fn field(&mut self, name: &str, start: usize) -> Option<Typed> {
        let Some((at, field_type)) = self.scope.find(name) else {
            self.fault(start, self.scope.unknown(name));
            return None;
        };
        Some(match field_type {
            FieldType::Bool => Typed::Truth(Test::Field(at)),
            FieldType::Str => Typed::Text(StrExpr::Field(at)),
            FieldType::StrList | FieldType::AddrList | FieldType::IntervalList => {
                Typed::List(at, field_type)
            }
            _ => Typed::Scalar(Scalar::Field(at), field_type),
        })
    }

    fn call(&mut self, name: &str, argument: &Expr, expr: &Expr) -> Option<Typed> {
        if name == "exists" {
            let ExprKind::Name(field) = &argument.kind else {
                self.fault(argument.start, "exists takes the name of a field");
                return None;
            };
            let Some((at, _)) = self.scope.find(field) else {
                self.fault(argument.start, self.scope.unknown(field));
                return None;
            };
            return Some(Typed::Truth(Test::Exists(at)));
        }
        if !FUNCTIONS.contains(&name) {
            let hint = did_you_mean(name, FUNCTIONS.iter().copied());
            let known = FUNCTIONS.join(", ");
            let message = format!("unknown function \"{name}\"{hint} (there are: {known})");
            self.fault(expr.start, message);
            return None;
        }
        let typed = self.typed(argument)?;
        match (name, typed) {
            ("len", Typed::Text(text)) => {
                Some(Typed::Scalar(Scalar::TextLen(text), FieldType::Int))
            }
            ("len", Typed::List(at, _)) => Some(Typed::Scalar(Scalar::ListLen(at), FieldType::Int)),
            ("lower", Typed::Text(text)) => Some(Typed::Text(StrExpr::Lower(Box::new(text)))),
            ("basename", Typed::Text(text)) => Some(Typed::Text(StrExpr::Basename(Box::new(text)))),
            (_, other) => {
                let takes = if name == "len" {
                    "str or a list"
                } else {
                    "str"
                };
                let found = other.type_name();
                self.fault(
                    argument.start,
                    format!("{name} takes {takes}, found {found}"),
                );
                None
            }
        }
    }

    fn negative(&mut self, inner: &Expr, expr: &Expr) -> Option<Typed> {
        match self.typed(inner)? {
            Typed::Scalar(value, field_type)
                if is_number(field_type) || field_type == FieldType::Interval =>
            {
                Some(Typed::Scalar(Scalar::Negative(Box::new(value)), field_type))
            }
            other => {
                let (quote, found) = (self.quote(expr), other.type_name());
                self.fault(expr.start, format!("{quote}: cannot negate {found}"));
                None
            }
        }
    }

    fn arithmetic(
        &mut self,
        operator: Arithmetic,
        left: &Expr,
        right: &Expr,
        expr: &Expr,
    ) -> Option<Typed> {
        let (typed_left, typed_right) = (self.typed(left), self.typed(right));
        let (left, right) = (typed_left?, typed_right?);
        let names = (left.type_name(), right.type_name());
        if let (Typed::Scalar(left, a), Typed::Scalar(right, b)) = (left, right)
            && let Some(result) = result_type(operator, a, b)
        {
            let value = Scalar::Arithmetic(operator, Box::new(left), Box::new(right));
            return Some(Typed::Scalar(value, result));
        }
        let verb = match operator {
            Arithmetic::Add => "add",
            Arithmetic::Subtract => "subtract",
            Arithmetic::Multiply => "multiply",
            Arithmetic::Divide => "divide",
        };
        let quote = self.quote(expr);
        self.fault(
            expr.start,
            format!("{quote}: cannot {verb} {} and {}", names.0, names.1),
        );
        None
    }

    fn comparison(
        &mut self,
        operator: Operator,
        left: &Expr,
        right: &Expr,
        expr: &Expr,
    ) -> Option<Test> {
        let (typed_left, typed_right) = (self.typed(left), self.typed(right));
        let (left, right) = (typed_left?, typed_right?);
        let relation = match operator {
            Operator::Less => Relation::Less,
            Operator::LessEqual => Relation::LessEqual,
            Operator::Greater => Relation::Greater,
            Operator::GreaterEqual => Relation::GreaterEqual,
            _ => Relation::Equal,
        };
        let equality = matches!(operator, Operator::Equal | Operator::Unequal);
        let (a, b) = (left.type_name(), right.type_name());
        let test = match (left, right) {
            (Typed::Scalar(left, x), Typed::Scalar(right, y))
                if x == y && (equality || x != FieldType::Addr) || is_number(x) && is_number(y) =>
            {
                Test::Compare(relation, left, right)
            }
            (Typed::Text(left), Typed::Text(right)) if equality => {
                self.no_capitals(&left, &right, expr);
                Test::TextSame(left, right)
            }
            (Typed::Truth(left), Typed::Truth(right)) if equality => {
                Test::Same(Box::new(left), Box::new(right))
            }
            _ => {
                let quote = self.quote(expr);
                let advice = advice(a, b, equality);
                self.fault(
                    expr.start,
                    format!("{quote}: cannot compare {a} with {b}{advice}"),
                );
                return None;
            }
        };
        let unequal = operator == Operator::Unequal;
        Some(if unequal {
            Test::Not(Box::new(test))
        } else {
            test
        })
    }

    /// `lower(x) == 'ABC'` is never true: that is a mistake, not a wish.
    pub(super) fn no_capitals(&mut self, left: &StrExpr, right: &StrExpr, expr: &Expr) {
        if let (StrExpr::Lower(_), StrExpr::Literal(text))
        | (StrExpr::Literal(text), StrExpr::Lower(_)) = (left, right)
            && *text != text.to_lowercase()
        {
            let quote = self.quote(expr);
            self.fault(
                expr.start,
                format!("{quote}: what lower gives has no capitals"),
            );
        }
    }
}

pub(super) fn is_number(field_type: FieldType) -> bool {
    matches!(field_type, FieldType::Int | FieldType::Num)
}

/// What an operator makes of two types; `None` if nothing.
fn result_type(operator: Arithmetic, left: FieldType, right: FieldType) -> Option<FieldType> {
    use Arithmetic::{Add, Divide, Multiply, Subtract};
    use FieldType::{Int, Interval, Num, Time};
    match (operator, left, right) {
        (Divide, Int | Num, Int | Num) => Some(Num),
        (_, Int, Int) => Some(Int),
        (_, Int | Num, Int | Num) => Some(Num),
        (Add | Subtract, Interval, Interval) => Some(Interval),
        (Multiply | Divide, Interval, Int | Num) | (Multiply, Int | Num, Interval) => {
            Some(Interval)
        }
        (Divide, Interval, Interval) => Some(Num),
        (Subtract, Time, Time) => Some(Interval),
        (Add | Subtract, Time, Interval) => Some(Time),
        _ => None,
    }
}

/// What would be right where two types do not compare.
fn advice(left: &str, right: &str, equality: bool) -> &'static str {
    match (left, right) {
        ("addr", "address block") | ("address block", "addr") => "; use in",
        ("interval", "int" | "num") | ("int" | "num", "interval") => {
            "; write a length of time with its unit, such as 10s"
        }
        ("str", "str") if !equality => "; only == and != compare texts",
        ("addr", "addr") if !equality => "; only == and != compare addresses",
        ("bool", "bool") if !equality => "; only == and != compare these",
        _ if left.starts_with("list") => "; use contains, like or len",
        _ => "",
    }
}

#[cfg(test)]
#[path = "condition_tests.rs"]
mod tests;
