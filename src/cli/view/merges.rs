//! `device merges`: which devices are held to be one machine, and on whose word.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;

use super::table::{Cell, Column, table};
use crate::control::MergeEntry;
use crate::report::screen::Screen;
use crate::report::words::short;

pub(super) fn show(screen: &mut Screen, zone: &TimeZone, merges: &[MergeEntry]) {
    if merges.is_empty() {
        let text = "No device was merged with another; `tapir device merge` does it.";
        return screen.paragraph("", 0, text, 2);
    }
    let columns = [
        Column::text("DEVICE", 10),
        Column::whole("ITS ID"),
        Column::whole("MERGED"),
        Column::whole("SINCE"),
        Column::text("WHO", 10),
        Column::text("WHY", 10),
    ];
    let row = |entry: &MergeEntry| {
        let merge = &entry.merge;
        vec![
            Cell::inked("1", escaped(&entry.name)),
            Cell::plain(escaped(&merge.into)),
            Cell::plain(escaped(&merge.other)),
            Cell::inked("2", short(merge.ts, zone)),
            Cell::plain(escaped(merge.who.as_deref().unwrap_or("automatic"))),
            Cell::plain(escaped(&merge.why)),
        ]
    };
    let rows: Vec<Vec<Cell>> = merges.iter().map(row).collect();
    table(screen, &columns, &rows);
    screen.line(&[("2", "tapir device split ID takes a merge back")]);
}
