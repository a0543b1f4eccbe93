//! `show devices`: who is on the network.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;
use tapir_message::Device;

use super::footer;
use super::table::{Cell, Column, table};
use crate::report::screen::Screen;
use crate::report::words::{bytes, short};

pub(super) fn show(
    screen: &mut Screen,
    zone: &TimeZone,
    devices: &[Device],
    total: usize,
    filtered: bool,
) {
    if devices.is_empty() {
        let text = if filtered {
            "No device matches; leave --device out to see all."
        } else {
            "No devices yet: no frame with an address was read. `tapir show status` says whether packets arrive."
        };
        return screen.paragraph("", 0, text, 3);
    }
    let columns = [
        Column::text("NAME", 10),
        Column::text("ADDRESS", 12),
        Column::text("VENDOR", 8),
        Column::text("IS", 8),
        Column::whole("LAST SEEN"),
        Column::number("SENT"),
        Column::number("RECEIVED"),
    ];
    let rows: Vec<Vec<Cell>> = devices
        .iter()
        .map(|device| {
            let address = device
                .addresses
                .iter()
                .max_by_key(|address| address.last_ts);
            let address = address.map(|address| address.addr.to_string());
            let mac = device.mac.map(|mac| mac.to_string());
            let claim = device.claims.iter().max_by_key(|claim| claim.last_ts);
            vec![
                Cell::inked("1", escaped(&device.name)),
                Cell::plain(address.or(mac).unwrap_or_default()),
                Cell::plain(escaped(device.vendor.as_deref().unwrap_or_default())),
                Cell::plain(claim.map(|c| escaped(&c.claim)).unwrap_or_default()),
                Cell::inked("2", short(device.last_ts, zone)),
                Cell::plain(bytes(device.bytes_sent)),
                Cell::plain(bytes(device.bytes_received)),
            ]
        })
        .collect();
    table(screen, &columns, &rows);
    footer(screen, devices.len(), total);
}
