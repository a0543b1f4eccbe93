//! Who holds which address, and what is claimed of whom.

use super::*;

const PC: MacAddr = MacAddr([0x00, 0x11, 0x22, 0, 0, 1]);
const ROUTER: MacAddr = MacAddr([0x00, 0x11, 0x22, 0, 0, 2]);

fn inventory() -> Inventory {
    Inventory::new("tapir", Home::new(vec![]), Seed(1), vec![])
}

fn seen(inventory: &mut Inventory, s: i64, mac: MacAddr, ip: &str, evidence: &'static str) {
    let sighting = Sighting {
        mac,
        ip: ip.parse().ok(),
        evidence,
        vlan: 0,
    };
    inventory.sighted(Timestamp::from_secs(s), &sighting);
}

fn names(inventory: &Inventory) -> Vec<String> {
    inventory
        .entries()
        .iter()
        .map(|e| e.device.name.clone())
        .collect()
}

#[test]
fn a_frame_makes_a_device_and_arp_proves_its_address() {
    let mut inventory = inventory();
    seen(&mut inventory, 1, PC, "10.0.0.5", "frame");
    seen(&mut inventory, 2, PC, "10.0.0.5", "arp");
    let entries = inventory.entries();
    let [entry] = entries.as_slice() else {
        panic!("one device")
    };
    assert_eq!(entry.device.name, "10.0.0.5");
    assert_eq!(entry.device.addresses[0].evidence, "arp");
    assert_eq!(inventory.take_born(), [DeviceIx(0)]);
}

#[test]
fn addresses_behind_a_router_are_devices_of_their_own() {
    let mut inventory = inventory();
    seen(&mut inventory, 1, ROUTER, "10.9.0.1", "frame");
    seen(&mut inventory, 2, ROUTER, "10.9.0.2", "frame");
    seen(&mut inventory, 3, ROUTER, "10.0.0.1", "arp");
    // The router proved 10.0.0.1; what it was guessed to hold is now behind it.
    assert_eq!(names(&inventory), ["10.0.0.1", "10.9.0.2", "10.9.0.1"]);
    let behind: Vec<_> = inventory
        .entries()
        .iter()
        .map(|e| e.device.behind)
        .collect();
    assert_eq!(behind, [None, Some(ROUTER), Some(ROUTER)]);
}

#[test]
fn a_device_keeps_its_identity_over_a_change_of_address() {
    let mut inventory = inventory();
    let lease = |ip: &str| Clue {
        mac: Some(PC),
        ip: ip.parse().ok(),
        kind: ClueKind::Lease,
        evidence: "dhcp",
        value: "".into(),
    };
    inventory.clue(Timestamp::from_secs(1), &lease("10.0.0.5"));
    inventory.clue(Timestamp::from_secs(9), &lease("10.0.0.6"));
    let name = Clue {
        kind: ClueKind::HostName,
        value: "pc-1".into(),
        ..lease("10.0.0.6")
    };
    inventory.clue(Timestamp::from_secs(9), &name);
    let entries = inventory.entries();
    let [entry] = entries.as_slice() else {
        panic!("one device")
    };
    assert_eq!(entry.device.addresses.len(), 2);
    assert_eq!(entry.main_address(), "10.0.0.6".parse().ok());
    assert_eq!(entry.device.name, "pc-1");
}

#[test]
fn foreign_addresses_are_no_devices() {
    let mut inventory = inventory();
    seen(&mut inventory, 1, ROUTER, "198.51.100.7", "frame");
    assert_eq!(names(&inventory), [ROUTER.to_string()]);
    assert_eq!(inventory.by_ip("198.51.100.7".parse().unwrap()), None);
    assert_eq!(
        inventory.entries()[0].device.claims[0].claim,
        "forwards for other networks"
    );
}

/// A client's DUID outlives the card it was made from (RFC 8415 §11): nobody is made of it.
#[test]
fn a_duid_makes_no_device_and_names_one_that_is_known() {
    let mut inventory = inventory();
    let lease = |mac, ip: &str| Clue {
        mac: Some(mac),
        ip: ip.parse().ok(),
        kind: ClueKind::Lease,
        evidence: GUESSED,
        value: "".into(),
    };
    inventory.clue(Timestamp::from_secs(1), &lease(PC, "fd00::5"));
    assert_eq!(inventory.entries().len(), 0);
    seen(&mut inventory, 2, PC, "10.0.0.5", "arp");
    inventory.clue(Timestamp::from_secs(3), &lease(PC, "fd00::5"));
    let entries = inventory.entries();
    let held = entries[0].device.addresses.iter();
    let held: Vec<_> = held.map(|a| (a.addr.to_string(), &*a.evidence)).collect();
    assert_eq!(
        held,
        [("10.0.0.5".into(), "arp"), ("fd00::5".into(), "dhcp")]
    );
}

#[test]
fn what_a_port_announces_names_the_box() {
    let mut inventory = inventory();
    let named = Clue {
        mac: Some(ROUTER),
        ip: None,
        kind: ClueKind::HostName,
        evidence: "lldp system name",
        value: "sw-keller".into(),
    };
    inventory.clue(Timestamp::from_secs(1), &named);
    assert_eq!(names(&inventory), ["sw-keller"]);
    assert_eq!(inventory.entries()[0].first_evidence, "lldp");
}
