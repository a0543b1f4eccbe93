//! `show breaches`: what was not usual, the newest first.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;
use tapir_message::Breach;

use super::table::{Cell, Column, table};
use super::{footer, short_id};
use crate::control::Site;
use crate::report::band::Band;
use crate::report::findings::sure;
use crate::report::screen::{Screen, ink, short_title};
use crate::report::words::{plural, short};

pub(super) fn show(
    screen: &mut Screen,
    site: &Site,
    zone: &TimeZone,
    breaches: &[Breach],
    total: usize,
    filtered: bool,
) {
    if breaches.is_empty() {
        let watched = plural(site.devices, "device is", "devices are");
        let text = if filtered {
            "No breach matches; leave --score, --since and --device out to see all.".to_owned()
        } else {
            format!(
                "No breaches yet: nothing out of the ordinary was seen; {watched} known. `tapir show status` says whether packets arrive."
            )
        };
        return screen.paragraph("", 0, &text, 3);
    }
    let columns = [
        Column::number("SCORE"),
        Column::whole("ASKS"),
        Column::text("DEVICE", 10),
        Column::text("WHAT", 16),
        Column::whole("LAST"),
        Column::whole("ID"),
    ];
    let rows: Vec<Vec<Cell>> = breaches.iter().map(|breach| row(breach, zone)).collect();
    table(screen, &columns, &rows);
    if breaches
        .iter()
        .any(|breach| breach.provisional && breach.score.is_some())
    {
        screen.line(&[("2", "~ marks scores that rest on assumed rates")]);
    }
    footer(screen, breaches.len(), total);
}

fn row(breach: &Breach, zone: &TimeZone) -> Vec<Cell> {
    let (score, asks, color) = mark(breach);
    vec![
        Cell::inked(color, score),
        Cell::inked(color, asks),
        Cell::inked("1", escaped(&breach.device_name)),
        Cell::plain(escaped(short_title(&breach.title))),
        Cell::inked("2", short(breach.last_ts, zone)),
        Cell::plain(short_id(&breach.id)),
    ]
}

/// Score with its sign, what it asks for, and its colour; the sensor's own breaches have none of them.
pub(super) fn mark(breach: &Breach) -> (String, &'static str, &'static str) {
    let Some(score) = breach.score else {
        return ("–".to_owned(), "sensor", "36");
    };
    let band = Band::of(sure(breach));
    let guess = if breach.provisional { "~" } else { "" };
    (format!("{score}{guess}"), band.word(), ink(band))
}
