//! Tokens of a condition to a tree, by precedence climbing (Pratt).
//!
//! Binding, loosest first: `or`, `and`, `not`, comparisons (which do not chain), `+ -`, `* /`, sign.
//! Bounds: 4 KiB of text, 32 levels of nesting; both are mistakes beyond.

use std::net::IpAddr;

use super::error::Fault;
use super::lexer::{Token, TokenKind, tokens};
use super::net::Net;

/// Longest condition in bytes.
pub(super) const CONDITION_BYTES_MAX: usize = 4 * 1024;
/// Deepest nesting.
const DEPTH_MAX: usize = 32;

/// A node with the byte offsets it spans.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    /// What it is.
    pub(super) kind: ExprKind,
    /// First byte.
    pub(super) start: usize,
    /// Byte after the last.
    pub(super) end: usize,
    depth: usize,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExprKind {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A decimal.
    Num(f64),
    /// A length of time in nanoseconds.
    Interval(i64),
    /// A text.
    Str(String),
    /// An address.
    Addr(IpAddr),
    /// A block of addresses.
    Net(Net),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// A field.
    Name(String),
    /// A function and its argument.
    Call(String, Box<Expr>),
    /// `not a`.
    Not(Box<Expr>),
    /// `-a`.
    Negative(Box<Expr>),
    /// `a and b and c`.
    And(Vec<Expr>),
    /// `a or b or c`.
    Or(Vec<Expr>),
    /// Any other operator.
    Binary(Operator, Box<Expr>, Box<Expr>),
}

/// An operator with two sides other than `and` and `or`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    In,
    Contains,
    StartsWith,
    EndsWith,
    Like,
}

/// Makes a node of a chain's parts.
type Make = fn(Vec<Expr>) -> ExprKind;

/// All operators with their spelling and how tightly they bind.
const OPERATORS: &[(Operator, &str, u8)] = &[
    (Operator::Equal, "==", COMPARISON),
    (Operator::Unequal, "!=", COMPARISON),
    (Operator::Less, "<", COMPARISON),
    (Operator::LessEqual, "<=", COMPARISON),
    (Operator::Greater, ">", COMPARISON),
    (Operator::GreaterEqual, ">=", COMPARISON),
    (Operator::In, "in", COMPARISON),
    (Operator::Contains, "contains", COMPARISON),
    (Operator::StartsWith, "starts_with", COMPARISON),
    (Operator::EndsWith, "ends_with", COMPARISON),
    (Operator::Like, "like", COMPARISON),
    (Operator::Add, "+", SUM),
    (Operator::Subtract, "-", SUM),
    (Operator::Multiply, "*", PRODUCT),
    (Operator::Divide, "/", PRODUCT),
];

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const SIGN: u8 = 7;

/// Words that can be no field.
const RESERVED: &[&str] = &[
    "and",
    "or",
    "not",
    "in",
    "contains",
    "starts_with",
    "ends_with",
    "like",
    "true",
    "false",
];

impl Operator {
    /// As it is written.
    pub(super) fn spelling(self) -> &'static str {
        OPERATORS
            .iter()
            .find(|(operator, ..)| *operator == self)
            .map_or("", |(_, text, _)| text)
    }
}

/// The tree of a condition.
///
/// # Errors
///
/// The first place where the text is no condition.
pub(super) fn parse(text: &str) -> Result<Expr, Fault> {
    if text.len() > CONDITION_BYTES_MAX {
        let message = format!(
            "a condition has at most {CONDITION_BYTES_MAX} bytes; this has {}",
            text.len()
        );
        return Err(Fault::new(0, message));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        end: text.len(),
    };
    let expr = parser.expression(OR, 0)?;
    match parser.peek() {
        TokenKind::End => Ok(expr),
        found => {
            let message = format!("expected an operator or the end, found {}", describe(found));
            Err(Fault::new(parser.at(), message))
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> &TokenKind {
        self.tokens
            .get(self.next)
            .map_or(&TokenKind::End, |token| &token.kind)
    }

    fn peek_second(&self) -> &TokenKind {
        self.tokens
            .get(self.next.saturating_add(1))
            .map_or(&TokenKind::End, |token| &token.kind)
    }

    /// Offset of the next token.
    fn at(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.end, |token| token.start)
    }

    fn advance(&mut self) -> TokenKind {
        let kind = self.peek().clone();
        self.next = self.next.saturating_add(1);
        kind
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(found) if found == word)
    }

    /// Takes a sign or says what was expected.
    fn expect(&mut self, sign: &'static str) -> Result<(), Fault> {
        if *self.peek() == TokenKind::Sign(sign) {
            self.advance();
            return Ok(());
        }
        let found = describe(self.peek());
        Err(Fault::new(
            self.at(),
            format!("expected \"{sign}\", found {found}"),
        ))
    }

    /// The operator at hand, how tightly it binds, and whether `not` stands before it.
    fn operator(&self) -> Option<(Operator, u8, bool)> {
        let spelled = |kind: &TokenKind| {
            OPERATORS.iter().find(|(_, text, _)| match kind {
                TokenKind::Sign(sign) => sign == text,
                TokenKind::Word(word) => word == text,
                _ => false,
            })
        };
        if self.is_word("not") {
            let (operator, _, binds) = spelled(self.peek_second())?;
            let is_word = matches!(self.peek_second(), TokenKind::Word(_));
            return is_word.then_some((*operator, *binds, true));
        }
        spelled(self.peek()).map(|(operator, _, binds)| (*operator, *binds, false))
    }

    fn node(&self, kind: ExprKind, start: usize, depth: usize) -> Result<Expr, Fault> {
        let before = self.next.saturating_sub(1);
        // The end is only for quoting the text in a message: up to the next token, space trimmed there.
        let end = self
            .tokens
            .get(before.saturating_add(1))
            .map_or(self.end, |token| token.start);
        let expr = Expr {
            kind,
            start,
            end,
            depth,
        };
        if depth > DEPTH_MAX {
            Err(too_deep(start))
        } else {
            Ok(expr)
        }
    }

    /// An expression whose operators bind at least as tightly as `binds_min`.
    fn expression(&mut self, binds_min: u8, depth: usize) -> Result<Expr, Fault> {
        if depth > DEPTH_MAX {
            return Err(too_deep(self.at()));
        }
        let mut left = self.prefix(depth)?;
        // Whether `left` is a chain built here, to which the next `and` or `or` is added.
        let mut chained = false;
        loop {
            if let Some((binds, make)) = self.connective().filter(|(binds, _)| *binds >= binds_min)
            {
                self.advance();
                let right = self.expression(binds + 1, depth + 1)?;
                left = self.chain(left, right, chained, make)?;
                chained = true;
                continue;
            }
            let Some((operator, binds, negated)) = self.operator() else {
                return Ok(left);
            };
            if binds < binds_min {
                return Ok(left);
            }
            left = self.binary(left, operator, binds, negated, depth)?;
            chained = false;
        }
    }

    /// How tightly the `and` or `or` at hand binds, and what it makes.
    fn connective(&self) -> Option<(u8, Make)> {
        match self.peek() {
            TokenKind::Word(word) if word == "and" => Some((AND, ExprKind::And)),
            TokenKind::Word(word) if word == "or" => Some((OR, ExprKind::Or)),
            _ => None,
        }
    }

    /// `left and right`, joined to the chain before if `left` is one.
    fn chain(&self, left: Expr, right: Expr, chained: bool, make: Make) -> Result<Expr, Fault> {
        let (start, depth) = (left.start, left.depth.max(right.depth));
        let (items, depth) = match (left.kind, make(Vec::new())) {
            (ExprKind::And(mut items), ExprKind::And(_))
            | (ExprKind::Or(mut items), ExprKind::Or(_))
                if chained =>
            {
                items.push(right);
                (items, depth)
            }
            (kind, _) => (vec![Expr { kind, ..left }, right], depth + 1),
        };
        self.node(make(items), start, depth)
    }

    fn binary(
        &mut self,
        left: Expr,
        operator: Operator,
        binds: u8,
        negated: bool,
        depth: usize,
    ) -> Result<Expr, Fault> {
        self.next = self.next.saturating_add(1 + usize::from(negated));
        let right = self.expression(binds + 1, depth + 1)?;
        let (start, height) = (left.start, left.depth.max(right.depth) + 1);
        let kind = ExprKind::Binary(operator, Box::new(left), Box::new(right));
        let mut expr = self.node(kind, start, height)?;
        if negated {
            expr = self.node(ExprKind::Not(Box::new(expr)), start, height + 1)?;
        }
        let chains = matches!(self.operator(), Some((_, COMPARISON, _)));
        if binds == COMPARISON && chains {
            return Err(Fault::new(
                self.at(),
                "comparisons do not chain; write a < b and b < c",
            ));
        }
        Ok(expr)
    }

    /// What stands before any operator: a value, a field, a call, or something in brackets.
    fn prefix(&mut self, depth: usize) -> Result<Expr, Fault> {
        let start = self.at();
        let (kind, depth) = match self.advance() {
            TokenKind::Int(value) => (ExprKind::Int(value), 0),
            TokenKind::Num(value) => (ExprKind::Num(value), 0),
            TokenKind::Interval(value) => (ExprKind::Interval(value), 0),
            TokenKind::Str(value) => (ExprKind::Str(value), 0),
            TokenKind::Addr(value) => (ExprKind::Addr(value), 0),
            TokenKind::Net(value) => (ExprKind::Net(value), 0),
            TokenKind::Sign("(") => {
                let inner = self.expression(OR, depth + 1)?;
                self.expect(")")?;
                return Ok(inner);
            }
            TokenKind::Sign("[") => self.list(depth)?,
            TokenKind::Sign("-") => {
                let inner = self.expression(SIGN, depth + 1)?;
                let height = inner.depth + 1;
                (ExprKind::Negative(Box::new(inner)), height)
            }
            TokenKind::Word(word) if word == "not" => {
                let inner = self.expression(NOT, depth + 1)?;
                let height = inner.depth + 1;
                (ExprKind::Not(Box::new(inner)), height)
            }
            TokenKind::Word(word) if word == "true" || word == "false" => {
                (ExprKind::Bool(word == "true"), 0)
            }
            TokenKind::Word(word) if !RESERVED.contains(&word.as_str()) => {
                if *self.peek() == TokenKind::Sign("(") {
                    self.advance();
                    let inner = self.expression(OR, depth + 1)?;
                    self.expect(")")?;
                    let height = inner.depth + 1;
                    (ExprKind::Call(word, Box::new(inner)), height)
                } else {
                    (ExprKind::Name(word), 0)
                }
            }
            found => {
                let message = format!("expected a field or a value, found {}", describe(&found));
                return Err(Fault::new(start, message));
            }
        };
        self.node(kind, start, depth)
    }

    /// The rest of a list; a comma may stand after the last element.
    fn list(&mut self, depth: usize) -> Result<(ExprKind, usize), Fault> {
        let (mut items, mut height) = (Vec::new(), 0);
        while *self.peek() != TokenKind::Sign("]") {
            let item = self.expression(OR, depth + 1)?;
            height = height.max(item.depth + 1);
            items.push(item);
            if *self.peek() != TokenKind::Sign(",") {
                break;
            }
            self.advance();
        }
        self.expect("]")?;
        Ok((ExprKind::List(items), height))
    }
}

fn too_deep(at: usize) -> Fault {
    Fault::new(at, format!("nested deeper than {DEPTH_MAX} levels"))
}

/// A token as a message names it.
fn describe(kind: &TokenKind) -> String {
    match kind {
        TokenKind::Word(word) => format!("\"{}\"", word.escape_debug()),
        TokenKind::Sign(sign) => format!("\"{sign}\""),
        TokenKind::Str(_) => "a text".to_owned(),
        TokenKind::Int(_) | TokenKind::Num(_) => "a number".to_owned(),
        TokenKind::Interval(_) => "a length of time".to_owned(),
        TokenKind::Addr(_) | TokenKind::Net(_) => "an address".to_owned(),
        TokenKind::End => "the end".to_owned(),
    }
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
