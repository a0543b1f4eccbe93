//! Conclusions from evidence as devices send it.

use tapir_message::{Claim, Device, DeviceName};

use super::super::duty::{Duty, note};
use super::super::{Entry, Home, Inventory};
use super::judge;
use crate::types::{MacAddr, Seed, Sighting, Timestamp};

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn device(mac: MacAddr) -> Device {
    let mut inventory = Inventory::new("tapir", Home::new(vec![]), Seed(1), vec![]);
    let sighting = Sighting {
        mac,
        ip: "10.0.0.5".parse().ok(),
        evidence: "arp",
        vlan: 0,
    };
    inventory.sighted(at(1), &sighting);
    let entries: Vec<Entry> = inventory.entries();
    entries[0].device.clone()
}

/// A device of no known maker of which is claimed, as (evidence, claim).
fn claimed(claims: &[(&str, &str)]) -> Device {
    let mut device = device(MacAddr([0xac, 0xde, 0x48, 0, 0, 1]));
    for (at_s, (evidence, claim)) in (1..).zip(claims) {
        device.claims.push(Claim {
            claim: (*claim).to_owned(),
            evidence: (*evidence).to_owned(),
            first_ts: at(at_s),
            last_ts: at(at_s),
        });
    }
    device
}

fn judged(claims: &[(&str, &str)]) -> Device {
    let mut device = claimed(claims);
    judge(&mut device, &[]);
    device
}

fn kind(device: &Device) -> &str {
    device.kind.as_ref().map_or("", |kind| &kind.value)
}

fn os(device: &Device) -> &str {
    device.os.as_ref().map_or("", |os| &os.value)
}

#[test]
fn the_particular_is_told_where_it_is_sure_and_else_the_general() {
    let builds = [
        ("ntlm version", "Windows 10.0.19045"),
        ("dhcp vendor class", "MSFT 5.0"),
    ];
    let device = judged(&builds);
    assert_eq!((kind(&device), os(&device)), ("pc", "Windows 10 22H2"));
    let os_told = device.os.unwrap();
    let reasons: Vec<_> = os_told
        .reasons
        .iter()
        .map(|r| (&*r.what, r.last_ts))
        .collect();
    let expected = [
        ("ntlm version Windows 10.0.19045", at(1)),
        ("dhcp vendor class MSFT 5.0", at(2)),
    ];
    assert_eq!(reasons, expected);
    assert!(os_told.confidence >= 95, "{os_told:?}");
    // Two releases are claimed by different witnesses: what both are is left.
    let device = judged(&[
        ("ntlm version", "Windows 10.0.19045"),
        ("smb native os", "Windows Server 2022 Standard 20348"),
    ]);
    assert_eq!(os(&device), "Windows 10 or later");
    // A browser tells the version before an update and the one after: the later counts.
    let device = judged(&[
        (
            "http user-agent",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 9_2 like Mac OS X)",
        ),
        (
            "http user-agent",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 9_3_1 like Mac OS X)",
        ),
    ]);
    assert_eq!((kind(&device), os(&device)), ("phone", "iOS 9.3.1"));
}

#[test]
fn contradicting_witnesses_leave_it_open() {
    let device = judged(&[
        ("http user-agent", "Mozilla/5.0 (Windows NT 5.1)"),
        ("http user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        (
            "http user-agent",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_4)",
        ),
    ]);
    assert_eq!(os(&device), "");
    assert_eq!(judged(&[]).kind, None);
}

#[test]
fn one_kind_of_evidence_counts_once() {
    let once = judged(&[("http user-agent", "Mozilla/5.0 (Windows NT 6.1)")]);
    let often = judged(&[
        ("http user-agent", "Mozilla/5.0 (Windows NT 6.1)"),
        ("http user-agent", "Opera (Windows NT 6.1)"),
        ("http user-agent", "Wget (Windows NT 6.1)"),
    ]);
    let sure = |device: &Device| device.os.as_ref().unwrap().confidence;
    assert_eq!(sure(&once), sure(&often));
}

#[test]
fn who_answers_for_a_domain_is_its_controller() {
    let mut device = claimed(&[
        ("kerberos reply", "serves kerberos"),
        ("ldap result", "serves ldap"),
        ("ntlm version", "Windows 10.0.17763"),
    ]);
    let mut done = Vec::new();
    for client in [1, 2, 2] {
        note(&mut done, at(7), Duty::Dns, client);
    }
    judge(&mut device, &done);
    assert_eq!(kind(&device), "domain controller");
    let roles: Vec<_> = device.roles.iter().map(|r| &*r.value).collect();
    assert_eq!(roles, ["dns server", "domain controller"]);
    let dns = &device.roles[0].reasons;
    assert_eq!(dns[0].what, "answers dns for several devices");
}

/// Who receives the records of three devices, or the events of two, is more than a neighbour's log.
#[test]
fn what_all_report_to_is_a_siem() {
    let roles = |duty, clients: &[u128]| {
        let (mut device, mut done) = (claimed(&[]), Vec::new());
        for client in clients {
            note(&mut done, at(7), duty, *client);
        }
        judge(&mut device, &done);
        let roles = device.roles.into_iter();
        let told = |role: tapir_message::Judgement| (role.value, role.reasons[0].what.clone());
        roles.map(told).collect::<Vec<_>>()
    };
    let told = |value: &str, what: &str| (value.to_owned(), format!("answers {what}"));
    let two = "syslog for several devices";
    assert_eq!(
        roles(Duty::Syslog, &[1, 2, 2]),
        [told("syslog receiver", two)]
    );
    let three = "syslog for several devices, three at least";
    assert_eq!(
        roles(Duty::Syslog, &[1, 2, 3, 4]),
        [told("syslog receiver", three), told("siem", three)]
    );
    assert_eq!(roles(Duty::Events, &[1, 1]), []);
    let events = "security events for several devices";
    assert_eq!(roles(Duty::Events, &[1, 2]), [told("siem", events)]);
}

#[test]
fn a_sensor_is_known_by_its_address_and_by_its_events() {
    let role = |device: &Device| device.roles.first().map(|role| role.value.clone());
    let device = judged(&[("cef device", "Tapir Sensor 1.0.0")]);
    assert_eq!(role(&device).as_deref(), Some("sensor"));
    let sighting = |last| Sighting {
        mac: MacAddr([0xac, 0xde, 0x48, 0, 0, last]),
        ip: Some([10, 0, 0, last].into()),
        evidence: "arp",
        vlan: 0,
    };
    let inventory = Inventory::new("tapir", Home::new(vec![]), Seed(1), vec![]);
    let mut inventory = inventory.with_own(vec![[10, 0, 0, 9].into()]);
    for last in [8, 9] {
        inventory.sighted(at(3), &sighting(last));
    }
    let devices = inventory.devices();
    let own = devices[1].roles.first().unwrap();
    assert_eq!(
        (role(&devices[0]), &*own.value, &*own.reasons[0].what),
        (None, "sensor", "own address 10.0.0.9 of this sensor")
    );
}

#[test]
fn a_resolver_asks_for_others_and_not_for_itself() {
    let asks = [
        ("dns query", "asks for time-ios.apple.com"),
        ("dns query", "asks for nest.com"),
    ];
    let device = judged(&asks);
    assert_eq!(os(&device), "iOS");
    let mut device = claimed(&asks);
    let mut done = Vec::new();
    note(&mut done, at(7), Duty::Dns, 1);
    judge(&mut device, &done);
    assert_eq!(os(&device), "");
}

#[test]
fn makers_and_names_say_what_a_thing_is() {
    let mut printer = device(MacAddr([0x00, 0x80, 0x77, 1, 2, 3]));
    assert!(
        printer
            .vendor
            .as_ref()
            .is_some_and(|v| v.starts_with("BROTHER") || v.starts_with("Brother"))
    );
    printer.names.push(DeviceName {
        name: "BRN008077010203".to_owned(),
        evidence: "nbns".to_owned(),
        first_ts: at(1),
        last_ts: at(1),
    });
    judge(&mut printer, &[]);
    assert_eq!(kind(&printer), "printer");
    let mut guest = device(MacAddr([0x52, 0x54, 0x00, 1, 2, 3]));
    judge(&mut guest, &[]);
    assert_eq!(kind(&guest), "virtual machine");
}
