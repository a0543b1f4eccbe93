//! Lines on a terminal: pieces in colour, fields with a name, wrapped paragraphs.
//!
//! Input:  text of ours or from the wire; paragraphs are escaped here, pieces of a line before.
//! Bounds: a line never takes more columns than the screen has, as long as its pieces do not.

use tapir_engine::types::escaped;

use super::band::Band;
use super::words::{columns, width};

/// A title without its family: `Command / Rhythmic beacon` is `Rhythmic beacon`.
pub(crate) fn short_title(title: &str) -> &str {
    title.split_once(" / ").map_or(title, |(_, rest)| rest)
}

/// The ANSI code of a band.
pub(crate) const fn ink(band: Band) -> &'static str {
    match band {
        Band::Record => "2",
        Band::Note => "36",
        Band::Brief => "33",
        Band::Notify => "1;33",
        Band::Wake => "1;31",
        Band::Act => "1;97;41",
    }
}

/// Lines under construction.
#[derive(Debug)]
pub(crate) struct Screen {
    /// What was written.
    pub(crate) out: String,
    /// Columns.
    pub(crate) width: usize,
    /// Whether to write ANSI colours.
    pub(crate) color: bool,
}

impl Screen {
    /// One line from pieces with their ANSI code; pieces are escaped already or ours.
    pub(crate) fn line(&mut self, pieces: &[(&str, &str)]) {
        for (code, text) in pieces {
            if self.color && !code.is_empty() && !text.is_empty() {
                self.out.push_str("\u{1b}[");
                self.out.push_str(code);
                self.out.push('m');
                self.out.push_str(text);
                self.out.push_str("\u{1b}[0m");
            } else {
                self.out.push_str(text);
            }
        }
        self.blank();
    }

    /// Ends the line, without blanks at its end.
    pub(crate) fn blank(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
    }

    /// Text from column `indent` on, wrapped to at most `lines` lines and then cut.
    pub(crate) fn paragraph(&mut self, name: &str, indent: usize, text: &str, lines: usize) {
        let room = self.width.saturating_sub(indent);
        let text = escaped(text);
        let mut rest = text.as_str();
        for line in 1..=lines {
            let head = if line == 1 { name } else { "" };
            let (first, tail) = split(rest, room);
            let shown = if line == lines && !tail.is_empty() {
                // A word cut in two is harder to read than one less.
                format!("{}…", split(rest, room.saturating_sub(1)).0)
            } else {
                first.to_owned()
            };
            self.line(&[("2", &format!("{head:<indent$}")), ("", &shown)]);
            if tail.is_empty() {
                break;
            }
            rest = tail;
        }
    }
}

/// Splits at the last space that leaves at most `room` columns before it.
pub(crate) fn split(text: &str, room: usize) -> (&str, &str) {
    if width(text) <= room {
        return (text, "");
    }
    let mut used = 0;
    let mut hard = text.len();
    let mut soft = None;
    for (at, c) in text.char_indices() {
        used += columns(c);
        if used > room {
            hard = at;
            break;
        }
        if c == ' ' {
            soft = Some(at);
        }
    }
    let at = soft.unwrap_or(hard);
    let (first, rest) = text.split_at(at);
    (first, rest.trim_start())
}
