//! `show protocols`: what is spoken on the network, how much of it is understood, and how the parsers fare.

use tapir_engine::types::escaped;

use super::table::{Cell, Column, table};
use crate::control::{ProtocolEntry, Site};
use crate::report::screen::Screen;
use crate::report::words::{bytes, count, share};

pub(super) fn show(screen: &mut Screen, site: &Site, protocols: &[ProtocolEntry]) {
    let all: u64 = protocols.iter().map(|entry| entry.stats.bytes).sum();
    let unknown = protocols.iter().find(|entry| entry.name == "-");
    let unknown = unknown.map_or(0, |entry| entry.stats.bytes);
    if protocols.is_empty() {
        let text = "No flow is over yet. `tapir show status` says whether packets arrive.";
        return screen.paragraph("", 0, text, 2);
    }
    let known = share(all.saturating_sub(unknown), all);
    let text = format!(
        "{}: {} of payload in flows that are over, {known} of it understood.",
        escaped(&site.sensor_id),
        bytes(all),
    );
    screen.paragraph("", 0, &text, 2);
    screen.blank();
    let columns = [
        Column::text("Protocol", 8),
        Column::number("Flows"),
        Column::number("Bytes"),
        Column::number("Share"),
        Column::number("Parsed"),
        Column::number("Waited"),
        Column::number("Skipped"),
        Column::number("Broken"),
        Column::number("Faults"),
    ];
    let mut order: Vec<&ProtocolEntry> = protocols.iter().collect();
    order.sort_by(|a, b| (b.stats.bytes, &a.name).cmp(&(a.stats.bytes, &b.name)));
    let rows: Vec<Vec<Cell>> = order.iter().map(|entry| row(entry, all)).collect();
    table(screen, &columns, &rows);
    if protocols.iter().any(|entry| entry.stats.panicked > 0) {
        screen.blank();
        let text = "A fault is a bug of a parser: it lost the flow and nothing else. Please report it with the \
                    packets of the flow, which `weird.log` names.";
        screen.paragraph("", 0, text, 3);
    }
}

fn row(entry: &ProtocolEntry, all: u64) -> Vec<Cell> {
    let stats = &entry.stats;
    let unknown = entry.name == "-";
    let name = if unknown {
        Cell::inked("2", "unknown")
    } else {
        Cell::plain(escaped(&entry.name))
    };
    let number = |n: u64, bad: bool| match (n, bad) {
        (0, _) => Cell::inked("2", "-"),
        (n, true) => Cell::inked("1;31", count(n)),
        (n, false) => Cell::plain(count(n)),
    };
    vec![
        name,
        number(entry.flows, false),
        Cell::plain(bytes(stats.bytes)),
        Cell::plain(share(stats.bytes, all)),
        number(stats.parsed, false),
        number(stats.need_more, false),
        number(stats.skipped, false),
        number(stats.broken, false),
        number(stats.panicked, true),
    ]
}
