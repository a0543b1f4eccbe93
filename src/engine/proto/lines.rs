//! Lines of text protocols, read once for all of them: FTP, SMTP, POP3, IMAP, IRC, SIP.
//!
//! Standard: lines end with CR LF (RFC 5321 §2.3.8); a bare LF ends one as well, as real software has it.
//!           Replies of three digits: RFC 959 §4.2, RFC 5321 §4.2.
//! Input:    what is there of one direction, with gaps told.
//! Output:   one line at a time, without its end.
//! Bounds:   a line of [`LINE_LEN_MAX`] bytes; of a longer one the beginning is handed out, marked, and
//!           the rest passed over. Behind a gap everything up to the next line end is passed over. What
//!           was searched for a line end is not searched again, so a line that trickles in costs no more.

use crate::types::{Clue, ClueKind, Text, text};

use super::{Dir, Out};

/// Longest line that is handed out whole.
pub(super) const LINE_LEN_MAX: usize = 4096;
/// Longest text kept of one line.
pub(super) const TEXT_LEN_MAX: usize = 256;
/// Longest name kept: a path, a mailbox, an address.
pub(super) const NAME_LEN_MAX: usize = 1024;

/// Reader of one direction.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Bytes already searched for a line end.
    searched: usize,
    /// Whether the beginning of the line under way is gone.
    torn: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A line of which `used` bytes are done with; not `whole` if it goes on beyond the bound.
    Line {
        line: &'a [u8],
        used: usize,
        whole: bool,
    },
    /// Bytes of a line whose beginning is gone.
    Passed { used: usize },
    /// The line end is not there yet.
    More,
}

impl Lines {
    /// The next line of `data`, before which `gap` bytes were lost.
    pub(super) fn next<'a>(&mut self, data: &'a [u8], gap: u64) -> Next<'a> {
        if gap > 0 {
            (self.torn, self.searched) = (true, 0);
        }
        let window = data.get(..LINE_LEN_MAX).unwrap_or(data);
        let from = self.searched.min(window.len());
        let ahead = window.get(from..).unwrap_or_default();
        let end = memchr::memchr(b'\n', ahead).map(|at| from.saturating_add(at));
        self.searched = 0;
        match end {
            Some(end) => {
                let used = end.saturating_add(1);
                if std::mem::take(&mut self.torn) {
                    return Next::Passed { used };
                }
                let line = data.get(..end).unwrap_or_default();
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let whole = true;
                Next::Line { line, used, whole }
            }
            None if self.torn && !window.is_empty() => Next::Passed { used: window.len() },
            None if window.len() == LINE_LEN_MAX => {
                self.torn = true;
                let (line, used, whole) = (window, LINE_LEN_MAX, false);
                Next::Line { line, used, whole }
            }
            None => {
                self.searched = window.len();
                Next::More
            }
        }
    }
}

impl Lines {
    /// What was looked at is done with in another way.
    pub(super) fn restart(&mut self) {
        self.searched = 0;
    }
}

/// A reader for each direction.
#[derive(Debug, Default)]
pub(super) struct BothLines {
    orig: Lines,
    resp: Lines,
}

impl BothLines {
    /// The reader of a direction.
    pub(super) fn of(&mut self, dir: Dir) -> &mut Lines {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }
}

/// A line of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply<'a> {
    /// Three digits, the first from 1 to 6.
    pub(super) code: u16,
    /// Whether more lines follow.
    pub(super) more: bool,
    /// What stands behind.
    pub(super) text: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Reads a line; `None` if it is no reply's first or last.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        let [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9'] = digits else {
            return None;
        };
        let code = str::from_utf8(digits).ok()?.parse().ok()?;
        match rest {
            [] => Some(Self {
                code,
                more: false,
                text: rest,
            }),
            [mark @ (b' ' | b'-'), text @ ..] => Some(Self {
                code,
                more: *mark == b'-',
                text,
            }),
            _ => None,
        }
    }

    /// Whether a start could be the beginning of a reply.
    pub(super) fn may_begin(start: &[u8]) -> bool {
        let digits = start.get(..3).unwrap_or(start);
        let first = digits.first().is_some_and(|d| (b'1'..=b'6').contains(d));
        let mark = start.get(3).is_none_or(|b| matches!(b, b' ' | b'-'));
        first && digits.iter().all(u8::is_ascii_digit) && mark
    }
}

/// Whether no line of text begins here: where TLS was agreed on, it has begun.
pub(super) fn is_binary(data: &[u8]) -> bool {
    data.first()
        .is_some_and(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace() || *byte >= 0x80)
}

/// The first word of a line and what follows the spaces behind it.
pub(super) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr2(b' ', b'\t', line).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
    (word, rest.trim_ascii())
}

/// Whether a word can be a command's: letters first, few of them.
pub(super) fn is_verb(word: &[u8]) -> bool {
    (2..=16).contains(&word.len())
        && word.first().is_some_and(u8::is_ascii_alphabetic)
        && word.iter().all(u8::is_ascii_alphanumeric)
}

/// A command's word as it is told: in capitals.
pub(super) fn verb(word: &[u8]) -> Text {
    text(&word.to_ascii_uppercase(), 16)
}

/// Whether `start` begins with one of the words and a space, or ends within one; case does not matter.
pub(super) fn begins_with_any(start: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| {
        let len = start.len().min(word.len());
        let (head, word) = (start.get(..len), word.get(..len));
        head.zip(word)
            .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    })
}

/// Whether a line holds a word, whatever its case. Both are short.
pub(super) fn holds(line: &[u8], wanted: &[u8]) -> bool {
    line.windows(wanted.len())
        .any(|window| window.eq_ignore_ascii_case(wanted))
}

/// The first line of a start, for a probe: at most [`TEXT_LEN_MAX`] bytes of it.
pub(super) fn first_line(start: &[u8]) -> &[u8] {
    let window = start.get(..TEXT_LEN_MAX).unwrap_or(start);
    let end = memchr::memchr(b'\n', window).unwrap_or(window.len());
    window.get(..end).unwrap_or_default()
}

/// Adds a value to a list that holds each once and at most `max`.
pub(super) fn add_distinct(list: &mut Vec<Text>, value: Text, max: usize) {
    if list.len() < max && !list.contains(&value) {
        list.push(value);
    }
}

/// Text between the first `open` and the `close` behind it.
pub(super) fn between(line: &[u8], open: u8, close: u8) -> Option<&[u8]> {
    let rest = line.get(memchr::memchr(open, line)?.saturating_add(1)..)?;
    rest.get(..memchr::memchr(close, rest)?)
}

/// Tells what software the sender of `dir` says it is.
pub(super) fn tell_software(dir: Dir, evidence: &'static str, value: Text, out: &mut Out<'_>) {
    tell(dir, ClueKind::Software, evidence, value, out);
}

/// Tells something of the sender of `dir`.
pub(super) fn tell(
    dir: Dir,
    kind: ClueKind,
    evidence: &'static str,
    value: Text,
    out: &mut Out<'_>,
) {
    if value.is_empty() {
        return;
    }
    let side = match dir {
        Dir::Orig => out.flow.orig,
        Dir::Resp => out.flow.resp,
    };
    out.clue(Clue {
        mac: None,
        ip: Some(side.ip()),
        kind,
        evidence,
        value,
    });
}

/// Whether a record of TLS begins here: no line of text does so, and whoever asked for TLS may get it without an answer
/// that was seen.
pub(super) fn is_tls(data: &[u8]) -> bool {
    matches!(data, [0x16] | [0x16, 3, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_lf_with_or_without_cr() {
        let mut lines = Lines::default();
        let data = b"USER a\r\nb\n";
        let line = |line, used| Next::Line {
            line,
            used,
            whole: true,
        };
        assert_eq!(lines.next(data, 0), line(&b"USER a"[..], 8));
        assert_eq!(lines.next(&data[8..], 0), line(&b"b"[..], 2));
        assert_eq!(lines.next(b"half", 0), Next::More);
        assert_eq!(lines.searched, 4);
        assert_eq!(lines.next(b"half\n", 0), line(&b"half"[..], 5));
    }

    #[test]
    fn a_gap_tears_the_line_it_lies_in() {
        let mut lines = Lines::default();
        assert_eq!(lines.next(b"rest of it", 7), Next::Passed { used: 10 });
        assert_eq!(
            lines.next(b"still\r\nNOOP\r\n", 0),
            Next::Passed { used: 7 }
        );
        let whole = true;
        let (line, used) = (&b"NOOP"[..], 6);
        assert_eq!(lines.next(b"NOOP\r\n", 0), Next::Line { line, used, whole });
    }

    #[test]
    fn of_a_line_beyond_the_bound_the_beginning_is_handed_out() {
        let mut lines = Lines::default();
        let mut data = vec![b'x'; LINE_LEN_MAX + 10];
        data.extend(b"\r\nEND\r\n");
        let Next::Line { line, used, whole } = lines.next(&data, 0) else {
            panic!("a line")
        };
        assert_eq!(
            (line.len(), used, whole),
            (LINE_LEN_MAX, LINE_LEN_MAX, false)
        );
        assert_eq!(lines.next(&data[used..], 0), Next::Passed { used: 12 });
    }

    #[test]
    fn replies_of_rfc_959_section_4_2() {
        let read = |line: &'static [u8]| Reply::read(line).map(|r| (r.code, r.more, r.text));
        assert_eq!(
            read(b"123-First line"),
            Some((123, true, &b"First line"[..]))
        );
        assert_eq!(
            read(b"123 The last line"),
            Some((123, false, &b"The last line"[..]))
        );
        assert_eq!(read(b"250"), Some((250, false, &b""[..])));
        assert_eq!(read(b" 234 A line beginning with numbers"), None);
        assert_eq!(read(b"7bit"), None);
        assert_eq!(read(b"2500 x"), None);
    }

    #[test]
    fn words_and_lists() {
        assert_eq!(word(b"RETR  a b "), (&b"RETR"[..], &b"a b"[..]));
        assert!(begins_with_any(b"eh", &[b"EHLO "]) && !begins_with_any(b"EXPN", &[b"EHLO "]));
        assert_eq!(between(b"x \"a b\" y", b'"', b'"'), Some(&b"a b"[..]));
        let mut list = Vec::new();
        for value in ["a", "b", "a", "c"] {
            add_distinct(&mut list, value.into(), 2);
        }
        assert_eq!(list, ["a", "b"]);
    }
}
