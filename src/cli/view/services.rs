//! `show services`: which services on the internet are used, and by whom.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;
use tapir_message::{ServiceTotal, ServiceUse, Timestamp};

use super::table::{Cell, Column, table};
use crate::report::screen::Screen;
use crate::report::words::{bytes, count, day, sanctioned, short};

/// Below so many columns the name of a service matters more than an hour.
const WIDE: usize = 100;

pub(super) fn show(
    screen: &mut Screen,
    zone: &TimeZone,
    services: &[ServiceTotal],
    total: usize,
    filtered: bool,
) {
    if services.is_empty() {
        let text = if filtered {
            "No service matches; leave out what was asked for to see all."
        } else {
            "No service of the catalogue was used yet."
        };
        return screen.paragraph("", 0, text, 3);
    }
    let last = if screen.width < WIDE { day } else { short };
    let columns = [
        Column::text("SERVICE", 8),
        Column::text("CATEGORY", 8),
        Column::whole("SANCTIONED"),
        Column::number("DEVICES"),
        Column::number("UP"),
        Column::number("DOWN"),
        Column::whole("FIRST"),
        Column::whole("LAST"),
    ];
    let rows: Vec<Vec<Cell>> = services.iter().map(|one| row(one, zone, last)).collect();
    table(screen, &columns, &rows);
    if services.len() < total {
        let shown = services.len();
        let text = format!("{shown} of {total} shown, those sent most to; --limit N shows more");
        screen.line(&[("2", &text)]);
    }
    if let [only] = services {
        screen.blank();
        users(screen, zone, &only.uses);
    }
}

/// A service; `last` writes when it was last heard of.
fn row(
    total: &ServiceTotal,
    zone: &TimeZone,
    last: fn(Timestamp, &TimeZone) -> String,
) -> Vec<Cell> {
    let said = sanctioned(total.sanctioned);
    vec![
        Cell::inked("1", escaped(&total.name)),
        Cell::plain(escaped(&total.category)),
        match total.sanctioned {
            Some(true) => Cell::inked("32", said),
            Some(false) => Cell::inked("31", said),
            None => Cell::inked("2", said),
        },
        Cell::plain(count(u64::try_from(total.uses.len()).unwrap_or(u64::MAX))),
        Cell::plain(bytes(total.bytes_up)),
        Cell::plain(bytes(total.bytes_down)),
        Cell::inked("2", day(total.first_ts, zone)),
        Cell::inked("2", last(total.last_ts, zone)),
    ]
}

/// Who uses the one service that is shown.
fn users(screen: &mut Screen, zone: &TimeZone, uses: &[ServiceUse]) {
    let columns = [
        Column::text("DEVICE", 10),
        Column::text("KNOWN BY", 8),
        Column::number("FLOWS"),
        Column::number("UP"),
        Column::number("DOWN"),
        Column::whole("FIRST"),
        Column::whole("LAST"),
    ];
    let row = |one: &ServiceUse| {
        vec![
            Cell::inked("1", escaped(&one.device_name)),
            Cell::plain(escaped(&one.evidence.join(", "))),
            Cell::plain(count(one.flows)),
            Cell::plain(bytes(one.bytes_up)),
            Cell::plain(bytes(one.bytes_down)),
            Cell::inked("2", day(one.first_ts, zone)),
            Cell::inked("2", short(one.last_ts, zone)),
        ]
    };
    let rows: Vec<Vec<Cell>> = uses.iter().map(row).collect();
    table(screen, &columns, &rows);
}
