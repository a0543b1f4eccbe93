//! `show devices`: who is on the network.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;
use tapir_message::Device;

use super::footer;
use super::table::{Cell, Column, table};
use crate::report::screen::Screen;
use crate::report::words::{bytes, short};

/// From so many columns on there is room for vendors beside systems.
const WIDTH_FOR_ALL: usize = 120;

pub(super) fn show(
    screen: &mut Screen,
    zone: &TimeZone,
    devices: &[Device],
    total: usize,
    filtered: bool,
) {
    if devices.is_empty() {
        let text = if filtered {
            "No device matches; leave --device, --type, --role and --user out to see all."
        } else {
            "No devices yet: no frame with an address was read. `tapir show status` says whether packets arrive."
        };
        return screen.paragraph("", 0, text, 3);
    }
    // Where no system is known, or the terminal is narrow, the room is the other columns'.
    let systems = devices.iter().any(|device| device.os.is_some());
    let vendors = !systems || screen.width >= WIDTH_FOR_ALL;
    let mut columns = vec![
        Column::text("NAME", 10),
        Column::text("ADDRESS", 12),
        Column::text("IS", 8),
    ];
    columns.extend(systems.then(|| Column::text("SYSTEM", 8)));
    columns.extend(vendors.then(|| Column::text("VENDOR", 8)));
    columns.extend([
        Column::whole("LAST SEEN"),
        Column::number("SENT"),
        Column::number("RECEIVED"),
    ]);
    let row = |device: &Device| {
        let latest = device.addresses.iter().max_by_key(|held| held.last_ts);
        let address = latest.map(|held| held.addr.to_string());
        let mac = device.mac.map(|mac| mac.to_string());
        let mut row = vec![
            Cell::inked("1", escaped(&device.name)),
            Cell::plain(address.or(mac).unwrap_or_default()),
            Cell::plain(escaped(is(device))),
        ];
        let os = device.os.as_ref().map_or("", |os| os.value.as_str());
        row.extend(systems.then(|| Cell::plain(escaped(os))));
        let vendor = device.vendor.as_deref().unwrap_or_default();
        row.extend(vendors.then(|| Cell::plain(escaped(vendor))));
        row.extend([
            Cell::inked("2", short(device.last_ts, zone)),
            Cell::plain(bytes(device.bytes_sent)),
            Cell::plain(bytes(device.bytes_received)),
        ]);
        row
    };
    let rows: Vec<Vec<Cell>> = devices.iter().map(row).collect();
    table(screen, &columns, &rows);
    footer(screen, devices.len(), total);
}

/// What it is: its type, else what it does for others, else what was claimed of it last.
fn is(device: &Device) -> &str {
    let judged = device.kind.as_ref().or_else(|| device.roles.first());
    let claim = || device.claims.iter().max_by_key(|claim| claim.last_ts);
    judged
        .map(|judged| judged.value.as_str())
        .or_else(|| Some(claim()?.claim.as_str()))
        .unwrap_or_default()
}
