//! Text of a condition to tokens.
//!
//! Words:   `[A-Za-z_][A-Za-z0-9_.]*`; operators spelled as words are words here.
//! Numbers: digits with `_` between, decimals, a size (`KB MB GB TB` by 1000, `KiB MiB GiB TiB` by 1024) or a
//!          length of time (`ns us ms s m h d w`) attached; `5%` is 0.05.
//! Texts:   `'…'` or `"…"` on one line, without escapes: a text with one quote is written in the other.
//! Nets:    IPv4 and IPv6 addresses, with `/bits` attached a block.
//! Notes:   from `#` to the end of the line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::Fault;
use super::net::Net;

/// A token and the byte offsets it spans.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: TokenKind,
    /// First byte.
    pub(super) start: usize,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A field, a function, or an operator spelled as a word.
    Word(String),
    /// A whole number, sizes multiplied out.
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
    /// One of the signs below.
    Sign(&'static str),
    /// After the last token.
    End,
}

/// Signs, longer before shorter. The last seven are no part of the language and get advice instead.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", "=~", "&&",
    "||", "=", "!", "&", "|",
];

/// What to write instead of a sign other languages have.
const ADVICE: &[(&str, &str)] = &[
    ("=~", "like"),
    ("&&", "and"),
    ("||", "or"),
    ("=", "=="),
    ("!", "not"),
    ("&", "and"),
    ("|", "or"),
];

/// Units and what one of them is: a size in bytes, or a length of time in nanoseconds.
const UNITS: &[(&str, i128, bool)] = &[
    ("KB", 1_000, false),
    ("MB", 1_000_000, false),
    ("GB", 1_000_000_000, false),
    ("TB", 1_000_000_000_000, false),
    ("KiB", 1 << 10, false),
    ("MiB", 1 << 20, false),
    ("GiB", 1 << 30, false),
    ("TiB", 1 << 40, false),
    ("ns", 1, true),
    ("us", 1_000, true),
    ("ms", 1_000_000, true),
    ("s", 1_000_000_000, true),
    ("m", 60_000_000_000, true),
    ("h", 3_600_000_000_000, true),
    ("d", 86_400_000_000_000, true),
    ("w", 604_800_000_000_000, true),
];

/// Most digits of a number.
const DIGITS_MAX: usize = 18;

/// All tokens of `text`, the last one [`TokenKind::End`].
///
/// # Errors
///
/// The first character or word that is none.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let last = token.kind == TokenKind::End;
        tokens.push(token);
        if last {
            return Ok(tokens);
        }
    }
}

/// Reads a number with its unit, such as `10m` or `26MB`, as conditions write it.
pub(super) fn quantity(text: &str) -> Option<TokenKind> {
    number(text, 0).ok()
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Result<Token, Fault> {
        self.skip_space();
        let start = self.at;
        let kind = self.kind()?;
        Ok(Token { kind, start })
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn kind(&mut self) -> Result<TokenKind, Fault> {
        let (start, rest) = (self.at, self.rest());
        let Some(first) = rest.chars().next() else {
            return Ok(TokenKind::End);
        };
        match first {
            '\'' | '"' => self.quoted(first),
            ':' | '_' | '0'..='9' | 'a'..='z' | 'A'..='Z' => self.word(),
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| {
                    Fault::new(
                        start,
                        format!("unexpected character '{}'", first.escape_debug()),
                    )
                })?;
                if let Some((_, right)) = ADVICE.iter().find(|(wrong, _)| wrong == sign) {
                    return Err(Fault::new(
                        start,
                        format!("\"{sign}\" is written \"{right}\""),
                    ));
                }
                self.at += sign.len();
                Ok(TokenKind::Sign(sign))
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<TokenKind, Fault> {
        let inside = self.rest().get(1..).unwrap_or_default();
        let line = inside.split('\n').next().unwrap_or_default();
        let Some(end) = line.find(quote) else {
            return Err(Fault::new(
                self.at,
                format!("this text has no closing {quote}"),
            ));
        };
        self.at += end + 2;
        Ok(TokenKind::Str(
            line.get(..end).unwrap_or_default().to_owned(),
        ))
    }

    /// A name, a number or an address: all begin alike, and a colon decides for an address.
    fn word(&mut self) -> Result<TokenKind, Fault> {
        let (start, rest) = (self.at, self.rest());
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
        let len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        // A per cent sign belongs to the number before it; it is no operator.
        let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
        let percent = is_number && rest.get(len..).is_some_and(|tail| tail.starts_with('%'));
        let len = len + usize::from(percent);
        let word = rest.get(..len).unwrap_or_default();
        self.at += len;
        if word.contains(':') {
            let addr = word.parse::<Ipv6Addr>();
            let addr = addr.map_err(|_| Fault::new(start, format!("\"{word}\" is no address")))?;
            return self.address(start, addr.into());
        }
        if let Ok(addr) = word.parse::<Ipv4Addr>() {
            return self.address(start, addr.into());
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return number(word, start);
        }
        Ok(TokenKind::Word(word.to_owned()))
    }

    /// An address, or a block if a slash and digits follow without a space.
    fn address(&mut self, start: usize, addr: IpAddr) -> Result<TokenKind, Fault> {
        let Some(tail) = self.rest().strip_prefix('/') else {
            return Ok(TokenKind::Addr(addr));
        };
        let len = tail
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(tail.len());
        let prefix = tail.get(..len).unwrap_or_default();
        self.at += len + 1;
        let net = prefix
            .parse::<u8>()
            .map_err(|_| format!("\"{addr}/{prefix}\" is no block of addresses"))
            .and_then(|prefix| Net::new(addr, prefix));
        net.map(TokenKind::Net)
            .map_err(|message| Fault::new(start, message))
    }
}

/// A number with or without a unit.
fn number(word: &str, start: usize) -> Result<TokenKind, Fault> {
    let fault = |message: String| Err(Fault::new(start, message));
    let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_');
    let split = word.find(|c| !is_digit(c)).unwrap_or(word.len());
    let (digits, unit) = (
        word.get(..split).unwrap_or_default(),
        word.get(split..).unwrap_or_default(),
    );
    let digits = digits.replace('_', "");
    let (whole, decimals) = digits.split_once('.').unwrap_or((&digits, ""));
    let malformed = whole.is_empty() || decimals.contains('.') || digits.ends_with('.');
    if malformed || whole.len() + decimals.len() > DIGITS_MAX {
        return fault(format!(
            "\"{word}\" is no number of at most {DIGITS_MAX} digits"
        ));
    }
    if unit.is_empty() && !decimals.is_empty() {
        return digits
            .parse()
            .map(TokenKind::Num)
            .or_else(|_| fault(format!("\"{word}\" is no number")));
    }
    let scale = 10_i128.pow(u32::try_from(decimals.len()).unwrap_or(0));
    let mantissa: i128 = format!("{whole}{decimals}").parse().unwrap_or(0);
    if unit == "%" {
        // Both are whole and below 2^67, so there is one rounding, as in the decimal written out.
        return Ok(TokenKind::Num(mantissa as f64 / (scale * 100) as f64));
    }
    let plain = ("", 1, false);
    let known = UNITS.iter().find(|(name, ..)| *name == unit);
    let Some((_, one, is_time)) = known.or_else(|| unit.is_empty().then_some(&plain)) else {
        let sizes = "KB MB GB TB KiB MiB GiB TiB";
        return fault(format!(
            "unknown unit \"{unit}\"; sizes are {sizes}, times ns us ms s m h d w"
        ));
    };
    let product = mantissa.saturating_mul(*one);
    if product % scale != 0 {
        let what = if *is_time { "nanoseconds" } else { "bytes" };
        return fault(format!("\"{word}\" is no whole number of {what}"));
    }
    match i64::try_from(product / scale) {
        Ok(value) if *is_time => Ok(TokenKind::Interval(value)),
        Ok(value) => Ok(TokenKind::Int(value)),
        Err(_) => fault(format!("\"{word}\" is too large")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokens(text)
            .unwrap()
            .into_iter()
            .map(|token| token.kind)
            .collect()
    }

    #[test]
    fn literals_have_their_units_multiplied_out() {
        for (text, expected) in [
            ("10MB", TokenKind::Int(10_000_000)),
            ("1.5KiB", TokenKind::Int(1_536)),
            ("1_000", TokenKind::Int(1_000)),
            ("0.05", TokenKind::Num(0.05)),
            ("0.1%", TokenKind::Num(0.001)),
            ("500ms", TokenKind::Interval(500_000_000)),
            ("1.5h", TokenKind::Interval(5_400_000_000_000)),
            ("7d", TokenKind::Interval(604_800_000_000_000)),
            ("'it is \"so\"'", TokenKind::Str("it is \"so\"".to_owned())),
            (
                "fe80::/10",
                TokenKind::Net(Net::new("fe80::".parse().unwrap(), 10).unwrap()),
            ),
            ("10.0.0.1", TokenKind::Addr("10.0.0.1".parse().unwrap())),
            ("::1", TokenKind::Addr("::1".parse().unwrap())),
            ("id.orig_h", TokenKind::Word("id.orig_h".to_owned())),
        ] {
            assert_eq!(kinds(text), [expected, TokenKind::End], "{text}");
        }
    }

    #[test]
    fn offsets_and_notes() {
        let found = tokens("a # note\n <= 3").unwrap();
        let starts: Vec<usize> = found.iter().map(|token| token.start).collect();
        assert_eq!(starts, [0, 10, 13, 14]);
    }

    #[test]
    fn refuses_what_is_none_and_says_what_is_right() {
        for (text, at, advice) in [
            ("a && b", 2, "\"and\""),
            ("a = 1", 2, "\"==\""),
            ("x > 5 §", 6, "unexpected character '§'"),
            ("5parsecs", 0, "unknown unit \"parsecs\""),
            ("'open", 0, "no closing '"),
            ("10.0.0.1/8", 0, "did you mean 10.0.0.0/8?"),
            ("10.0.0.0/99", 0, "too long"),
            ("1.2.3", 0, "no number"),
            ("99999999999999999999", 0, "no number"),
            ("999999999999999999TB", 0, "too large"),
            ("a % 2", 2, "unexpected character '%'"),
            ("0.0001KB", 0, "whole number of bytes"),
            ("fe80::zz", 0, "no address"),
        ] {
            let fault = tokens(text).unwrap_err();
            assert_eq!(fault.at, at, "{text}");
            assert!(fault.message.contains(advice), "{text}: {}", fault.message);
        }
    }
}
