//! What is wrong with a model file, and exactly where.
//!
//! A mistake names file, line and column, what was found and what would be right. Lines and columns
//! count from 1, columns in characters, as editors show them.

use std::fmt;

/// One mistake in one model file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}")]
pub struct ModelError {
    /// The file, as it was named to [`super::Models::load`].
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What was found and what would be right.
    pub message: String,
}

impl ModelError {
    /// A mistake at byte `offset` of `text`.
    pub(crate) fn at(path: &str, text: &str, offset: usize, message: String) -> Self {
        let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
        let line_start = before
            .rfind('\n')
            .map_or(0, |newline| newline.saturating_add(1));
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        Self {
            path: path.to_owned(),
            line: one_based(before.matches('\n').count()),
            column: one_based(column),
            message,
        }
    }
}

/// A count of what lies before, as a position from 1.
fn one_based(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1)
}

/// A mistake inside an expression or a sentence, at a byte offset of its own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Byte offset into the expression.
    pub(crate) at: usize,
    /// See [`ModelError::message`].
    pub(crate) message: String,
}

impl Fault {
    /// A mistake at `at`.
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let text = "a\nbü!c\n";
        // Byte 5 is the exclamation mark: a \n b ü(2 bytes) !
        let error = ModelError::at("x.toml", text, 5, "oh".to_owned());
        assert_eq!(error.to_string(), "x.toml:2:3: oh");
        let past = ModelError::at("x.toml", text, 99, "oh".to_owned());
        assert_eq!((past.line, past.column), (3, 1));
    }
}
