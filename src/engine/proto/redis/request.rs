//! Commands of a client, as arrays of texts or in a line.
//!
//! Bounds:   a line of 1 KiB; of an array the first five elements are looked at, those of up to 256 bytes.
//! Secrets:  a password is told of and not kept; but for the account of a sign-in, what else follows the
//!           command's name is passed over.

use compact_str::CompactStringExt as _;

use crate::proto::{Out, Parse, Probe, Protocol as _};
use crate::types::{Text, heap, text};

use super::Redis;

/// Longest command in a line.
const LINE_LEN_MAX: usize = 1024;
/// Elements of an array looked at, and the longest.
const LOOKED_AT_MAX: u64 = 5;
const LOOKED_AT_LEN_MAX: u64 = 256;
/// Longest name kept.
const NAME_LEN_MAX: usize = 64;
/// Most elements of an array, and longest text: the server's own limits.
const ELEMENTS_MAX: u64 = 1024 * 1024;
const TEXT_LEN_MAX: u64 = 512 * 1024 * 1024;
/// Commands whose first argument says what they do.
const IN_PARTS: [&str; 17] = [
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY",
    "MODULE", "OBJECT", "PUBSUB", "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO",
];

/// A command of which all is seen that is looked at.
#[derive(Debug, Default)]
pub(super) struct Command {
    /// In capitals.
    pub(super) name: Text,
    /// Account of a sign-in.
    pub(super) user: Option<Text>,
    /// Whether it carries a password.
    pub(super) password: bool,
}

heap!(Command: name, user);

/// Where the client's stream is.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Elements of the array that are still to come.
    left: u64,
    /// Elements of it in all.
    count: u64,
    command: Command,
    /// `HELLO` with a sign-in: the next element but one is the account.
    signs_in: bool,
}

heap!(Requests: command);

/// A whole line without its end, and its length with it.
pub(super) fn line(data: &[u8], max: usize) -> Option<(&[u8], usize)> {
    let window = data.get(..max).unwrap_or(data);
    let end = memchr::memchr(b'\n', window)?;
    let line = window.get(..end)?;
    Some((
        line.strip_suffix(b"\r").unwrap_or(line),
        end.saturating_add(1),
    ))
}

/// A number in digits.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let is_short = (1..=10).contains(&digits.len());
    let text = str::from_utf8(digits).ok().filter(|_| is_short)?;
    text.parse().ok()
}

/// A command's name in capitals, if it may be one.
fn name(word: &[u8]) -> Option<Text> {
    let fits = word.first().is_some_and(u8::is_ascii_alphabetic)
        && word.len() <= NAME_LEN_MAX
        && word
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-|".contains(byte));
    fits.then(|| text(&word.to_ascii_uppercase(), NAME_LEN_MAX))
}

/// Judges the first bytes of a stream.
pub(super) fn probe(start: &[u8]) -> Probe {
    match start {
        [b'*', rest @ ..] => {
            let Some((count, used)) = line(rest, 12) else {
                let is_number = rest
                    .iter()
                    .all(|byte| byte.is_ascii_digit() || *byte == b'\r');
                return if rest.len() < 12 && is_number {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                };
            };
            let behind = rest.get(used..).unwrap_or_default();
            let is_count = number(count).is_some_and(|count| (1..=ELEMENTS_MAX).contains(&count));
            match behind {
                _ if !is_count => Probe::NotMine,
                [] => Probe::Unsure,
                [b'$', rest @ ..] => first_text(rest),
                _ => Probe::NotMine,
            }
        }
        // In a line, or an answer: on its port.
        _ if COMMON.iter().any(|word| begins(start, word)) => Probe::Unsure,
        _ => Probe::NotMine,
    }
}

/// Commands that are often sent in a line, and answers that are nobody else's.
const COMMON: [&[u8]; 8] = [
    b"PING", b"INFO", b"AUTH", b"CONFIG", b"CLIENT", b"KEYS", b"+PONG", b"-NOAUTH",
];

/// Whether the start is the beginning of a word, or the word with a blank behind it.
fn begins(start: &[u8], word: &[u8]) -> bool {
    let shared = start.len().min(word.len());
    let (Some(start), Some(word), next) = (
        start.get(..shared),
        word.get(..shared),
        start.get(word.len()),
    ) else {
        return false;
    };
    start.eq_ignore_ascii_case(word) && next.is_none_or(u8::is_ascii_whitespace)
}

/// Behind the `$` of the first element: its length, and a name of that length.
fn first_text(rest: &[u8]) -> Probe {
    let Some((len, used)) = line(rest, 12) else {
        let is_number = rest
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'\r');
        return if rest.len() < 12 && is_number {
            Probe::Unsure
        } else {
            Probe::NotMine
        };
    };
    let Some(len) = number(len).and_then(|len| usize::try_from(len).ok()) else {
        return Probe::NotMine;
    };
    let behind = rest.get(used..).unwrap_or_default();
    match behind.get(..len) {
        Some(word) if name(word).is_some() => Probe::Certain,
        None if len <= NAME_LEN_MAX && (behind.is_empty() || name(behind).is_some()) => {
            Probe::Unsure
        }
        _ => Probe::NotMine,
    }
}

impl Requests {
    /// Takes the next piece; a command if this completes what is looked at of it.
    pub(super) fn take(&mut self, data: &[u8], out: &mut Out<'_>) -> (Parse, Option<Command>) {
        let need = |need: usize| (Parse::NeedMore { used: 0, need }, None);
        let broken = (Parse::Broken("redis_no_command"), None);
        let Some((line, used)) = line(data, LINE_LEN_MAX) else {
            return if data.len() < LINE_LEN_MAX {
                need(1)
            } else {
                broken
            };
        };
        if self.left == 0 {
            return match line {
                [b'*', count @ ..] => match number(count).filter(|count| *count <= ELEMENTS_MAX) {
                    Some(count) => {
                        *self = Self {
                            left: count,
                            count,
                            ..Self::default()
                        };
                        (Parse::Parsed { used }, None)
                    }
                    None => broken,
                },
                line => match inline(line, out) {
                    Some(command) => (Parse::Parsed { used }, command),
                    None => broken,
                },
            };
        }
        let [b'$', len @ ..] = line else {
            return broken;
        };
        let Some(len) = number(len).filter(|len| *len <= TEXT_LEN_MAX) else {
            return broken;
        };
        let whole = used
            .saturating_add(usize::try_from(len).unwrap_or(usize::MAX))
            .saturating_add(2);
        let index = self.count.saturating_sub(self.left);
        let is_looked_at = index < LOOKED_AT_MAX && len <= LOOKED_AT_LEN_MAX;
        let value = data.get(used..whole.saturating_sub(2));
        if is_looked_at && data.len() < whole {
            return need(whole.saturating_sub(data.len()));
        }
        let value = value.filter(|_| is_looked_at);
        if let Some(value) = value {
            self.element(index, value);
        }
        if self.is_secret(index) {
            show(&self.command, value, out);
        }
        if index == 0 && self.command.name.is_empty() {
            return broken;
        }
        self.left = self.left.saturating_sub(1);
        let command = (self.left == 0).then(|| std::mem::take(&mut self.command));
        (Parse::past(whole, data), command)
    }

    /// One of the first elements of an array.
    fn element(&mut self, index: u64, value: &[u8]) {
        let command = &mut self.command;
        match (index, &*command.name) {
            (0, _) => command.name = name(value).unwrap_or_default(),
            (1, "AUTH") => {
                command.password = true;
                // With one argument it is the password.
                command.user = (self.count == 3).then(|| text(value, 256));
            }
            (2, "HELLO") if value.eq_ignore_ascii_case(b"AUTH") => {
                (self.signs_in, command.password) = (true, true);
            }
            (3, "HELLO") if self.signs_in => command.user = Some(text(value, 256)),
            (1, _) => part(command, value),
            _ => {}
        }
    }

    /// Whether this element is a password: of `AUTH` the last, of `HELLO 3 AUTH account` the next.
    fn is_secret(&self, index: u64) -> bool {
        match (&*self.command.name, self.count) {
            ("AUTH", 2) => index == 1,
            ("AUTH", _) => index == 2,
            _ => self.signs_in && index == 4,
        }
    }
}

/// Tells of the password of a sign-in: of itself nothing if it is too long to be looked at.
fn show(command: &Command, secret: Option<&[u8]>, out: &mut Out<'_>) {
    let mechanism = if command.name == "AUTH" {
        "AUTH"
    } else {
        "HELLO"
    };
    out.credential((Redis::NAME, mechanism), command.user.clone(), secret);
}

/// Adds what a command of several parts does.
fn part(command: &mut Command, value: &[u8]) {
    if let Some(part) = name(value).filter(|_| IN_PARTS.contains(&&*command.name)) {
        command.name = [&command.name, " ", &part].concat_compact();
    }
}

/// A command in a line; `None` if it cannot be one. An empty line is none and does no harm.
fn inline(line: &[u8], out: &mut Out<'_>) -> Option<Option<Command>> {
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let Some(first) = words.next() else {
        return Some(None);
    };
    let mut command = Command {
        name: name(first)?,
        ..Command::default()
    };
    let second = words.next();
    if command.name == "AUTH" {
        command.password = second.is_some();
        let third = words.next();
        command.user = second
            .filter(|_| third.is_some())
            .map(|word| text(word, 256));
        if command.password {
            show(&command, third.or(second), out);
        }
    } else if let Some(second) = second {
        part(&mut command, second);
    }
    Some(Some(command))
}
