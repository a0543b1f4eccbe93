//! A table in as many columns as the terminal has.
//!
//! Input:  cells whose text was escaped. Columns that may shrink do so, the widest first, until the
//!         table fits or none can shrink any more.

use crate::report::screen::Screen;
use crate::report::words::{cut, width};

/// Blanks between two columns.
const GAP: usize = 2;

/// One column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    head: &'static str,
    right: bool,
    /// It may be cut to so many columns; none if it is always whole.
    least: Option<usize>,
}

impl Column {
    /// Text that stays whole.
    pub(super) const fn whole(head: &'static str) -> Self {
        Self {
            head,
            right: false,
            least: None,
        }
    }

    /// Text that may be cut.
    pub(super) const fn text(head: &'static str, least: usize) -> Self {
        Self {
            head,
            right: false,
            least: Some(least),
        }
    }

    /// A number.
    pub(super) const fn number(head: &'static str) -> Self {
        Self {
            head,
            right: true,
            least: None,
        }
    }
}

/// Text with its ANSI code.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) ink: &'static str,
}

impl Cell {
    /// Text as it is.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ink: "",
        }
    }

    /// Text in a colour.
    pub(super) fn inked(ink: &'static str, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ink,
        }
    }
}

/// Writes a table with its head.
pub(super) fn table(screen: &mut Screen, columns: &[Column], rows: &[Vec<Cell>]) {
    let mut widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().filter_map(|row| row.get(index));
            let widest = cells.map(|cell| width(&cell.text)).max().unwrap_or(0);
            widest.max(column.head.len())
        })
        .collect();
    shrink(&mut widths, columns, screen.width);
    let head: Vec<Cell> = columns
        .iter()
        .map(|column| Cell::inked("2", column.head))
        .collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut pieces: Vec<(&str, String)> = Vec::new();
        for ((cell, column), wide) in row.iter().zip(columns).zip(&widths) {
            let text = cut(&cell.text, *wide);
            let pad = " ".repeat(wide.saturating_sub(width(&text)));
            let (before, after) = if column.right {
                (pad, String::new())
            } else {
                (String::new(), pad)
            };
            pieces.push(("", before));
            pieces.push((cell.ink, text));
            pieces.push(("", after + &" ".repeat(GAP)));
        }
        let pieces: Vec<(&str, &str)> = pieces.iter().map(|(ink, t)| (*ink, t.as_str())).collect();
        screen.line(&pieces);
    }
}

/// Takes columns from the widest that may give, one by one.
fn shrink(widths: &mut [usize], columns: &[Column], most: usize) {
    loop {
        let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        if total <= most {
            return;
        }
        let widest = widths
            .iter_mut()
            .zip(columns)
            .filter(|(wide, column)| {
                let least = column.least.map(|least| least.max(column.head.len()));
                least.is_some_and(|least| **wide > least)
            })
            .max_by_key(|(wide, _)| **wide);
        match widest {
            Some((wide, _)) => *wide -= 1,
            None => return,
        }
    }
}
