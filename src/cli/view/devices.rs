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

/// Evidence of claims that tell a program more than a person.
const FINGERPRINTS: [&str; 2] = ["ja4", "dhcp parameter list"];

/// What it is: its type, else what it does for others, else what was claimed of it last.
fn is(device: &Device) -> &str {
    let judged = device.kind.as_ref().or_else(|| device.roles.first());
    let claims = device.claims.iter();
    let claims = claims.filter(|claim| !FINGERPRINTS.contains(&claim.evidence.as_str()));
    let claim = || claims.max_by_key(|claim| claim.last_ts);
    judged
        .map(|judged| judged.value.as_str())
        .or_else(|| Some(claim()?.claim.as_str()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::view::fixture::devices::judged;
    use crate::report::fixture::Office;

    #[test]
    fn what_it_is_goes_from_sure_to_claimed_and_leaves_fingerprints_out() {
        let mut device = judged(&Office::new()).swap_remove(1);
        assert_eq!(is(&device), "domain controller");
        device.kind = None;
        assert_eq!(is(&device), "dns server");
        device.roles.clear();
        let mut print = device.claims[0].clone();
        print.claim = "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6".to_owned();
        print.evidence = "ja4".to_owned();
        print.last_ts = print.last_ts.plus(1);
        device.claims.push(print);
        assert_eq!(is(&device), "serves kerberos, ldap, dns");
        device.claims.remove(0);
        assert_eq!(is(&device), "");
    }
}
