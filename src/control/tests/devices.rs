//! Which device a person means, and what they say of devices.

use super::super::desk;
use super::*;

fn portrait(desk: &FakeDesk, wanted: &str) -> Result<Portrait, Refusal> {
    let request = Request::Device {
        device: wanted.to_owned(),
    };
    match desk::answer(desk, &request, "anna (uid 1000)", Rights::Looks) {
        Answer::Device { portrait, .. } => Ok(*portrait),
        Answer::Refused { refusal } => Err(refusal),
        other => panic!("{other:?}"),
    }
}

fn say(desk: &FakeDesk, request: &Request) -> Result<String, Refusal> {
    match desk::answer(desk, request, "anna (uid 1000)", Rights::All) {
        Answer::Done { text } => Ok(text),
        Answer::Refused { refusal } => Err(refusal),
        other => panic!("{other:?}"),
    }
}

/// The office, judged, with one merge.
fn desk() -> FakeDesk {
    let mut desk = FakeDesk::new();
    desk.merges = crate::cli::view::fixture::devices::merges(&desk.office);
    desk.merges.truncate(1);
    desk.office.devices = crate::cli::view::fixture::devices::judged(&desk.office);
    desk
}

#[test]
fn a_device_is_found_by_all_it_is_known_by() {
    let desk = desk();
    for wanted in [
        "d-k3f9q232",
        "D-K3F9Q232",
        "d-7C0M4X1Z",
        "D-7c0m4x1z",
        "10.77.8.32",
        "b8:27:eb:10:20:20",
        "B8-27-EB-10-20-20",
        "b827.eb10.2020",
        "3a:11:22:33:44:55",
        "pc-albers",
        "PC-Albers.Kontor.example",
        " albers ",
        "q232",
    ] {
        let found = portrait(&desk, wanted).map(|all| all.device.name);
        assert_eq!(found.as_deref(), Ok("pc-albers"), "{wanted}");
    }
    // 10.77.8.3 is no beginning of 10.77.8.32.
    assert_eq!(portrait(&desk, "10.77.8.3").unwrap_err().why, Why::NotFound);
}

#[test]
fn a_portrait_has_what_concerns_its_device() {
    let mut desk = desk();
    desk.office.devices[5].behind = desk.office.devices[0].mac;
    let all = portrait(&desk, "pc-albers").unwrap();
    assert_eq!(all.breaches.len(), 2);
    assert!(all.breaches.iter().all(|b| b.device_name == "pc-albers"));
    assert!(all.breaches.is_sorted_by(|a, b| a.last_ts >= b.last_ts));
    assert_eq!(all.incidents.len(), 1);
    assert_eq!(all.merges.len(), 1);
    assert_eq!(all.router.unwrap().name, "gw-kontor");
    // A breach that was raised before the merge stays with the machine.
    desk.office.breaches[0].device = "d-7C0M4X1Z".to_owned();
    assert_eq!(portrait(&desk, "pc-albers").unwrap().breaches.len(), 3);
    // The lists count as the portrait does.
    let breaches = Request::Breaches {
        min_score: None,
        since: None,
        device: Some("d-k3f9q232".to_owned()),
        limit: None,
    };
    let Answer::Breaches { total, .. } = desk::answer(&desk, &breaches, "anna", Rights::Looks)
    else {
        panic!("no list");
    };
    assert_eq!(total, 3);
    desk.office.incidents[0].devices = vec!["d-7C0M4X1Z".to_owned()];
    let incidents = Request::Incidents {
        min_score: None,
        since: None,
        device: Some("d-k3f9q232".to_owned()),
        limit: None,
    };
    let Answer::Incidents { total, .. } = desk::answer(&desk, &incidents, "anna", Rights::Looks)
    else {
        panic!("no list");
    };
    assert_eq!(total, 2);
}

#[test]
fn several_are_named_and_of_none_the_nearest() {
    let mut desk = desk();
    let refusal = portrait(&desk, "pc-").unwrap_err();
    assert_eq!(refusal.why, Why::Ambiguous);
    for word in [
        "\"pc-\" may be 4 devices",
        "pc-osei (d-k3f9q234) at 10.77.8.34",
        "give the id",
    ] {
        assert!(refusal.text.contains(word), "{}", refusal.text);
    }
    let refusal = portrait(&desk, "d-").unwrap_err();
    assert!(refusal.text.contains("14 devices") && refusal.text.contains("8 others"));
    let refusal = portrait(&desk, "pc-alber").unwrap();
    assert_eq!(refusal.device.name, "pc-albers");
    for (wanted, words) in [
        ("pc-ablers", "did you mean \"pc-albers\"?"),
        ("tel-lagre", "did you mean \"tel-lager\"?"),
        ("zzz", "`tapir show devices` lists them"),
        ("", "`tapir show devices` lists them"),
    ] {
        let refusal = portrait(&desk, wanted).unwrap_err();
        assert_eq!(refusal.why, Why::NotFound);
        assert!(refusal.text.contains(words), "{wanted}: {}", refusal.text);
    }
    // An address that passed from one device to another means both, the present holder first.
    let held = desk.office.devices[5].addresses[0].clone();
    desk.office.devices[4].addresses.push(held);
    desk.office.devices[4].last_ts = desk.office.devices[5].last_ts.plus(1);
    let refusal = portrait(&desk, "10.77.8.32").unwrap_err();
    assert!(
        refusal.text.contains("seen first: pc-mertens"),
        "{}",
        refusal.text
    );
}

#[test]
fn devices_are_filtered_by_what_they_are() {
    let desk = desk();
    let total = |filter: DeviceFilter| {
        let request = Request::Devices(filter);
        match desk::answer(&desk, &request, "anna", Rights::Looks) {
            Answer::Devices { total, .. } => total,
            other => panic!("{other:?}"),
        }
    };
    let some = |text: &str| Some(text.to_owned());
    let all = DeviceFilter::default;
    assert_eq!(total(all()), 14);
    assert_eq!(
        total(DeviceFilter {
            kind: some("Phone"),
            ..all()
        }),
        2
    );
    assert_eq!(
        total(DeviceFilter {
            role: some("dns"),
            ..all()
        }),
        1
    );
    assert_eq!(
        total(DeviceFilter {
            user: some("kontor\\albers"),
            ..all()
        }),
        1
    );
    let both = DeviceFilter {
        kind: some("pc"),
        device: some("haupt"),
        ..all()
    };
    assert_eq!(total(both), 1);
    assert_eq!(
        total(DeviceFilter {
            kind: some("fridge"),
            ..all()
        }),
        0
    );
}

#[test]
fn merging_is_said_by_name_and_passed_on_by_id() {
    let desk = desk();
    let merge = |into: &str, other: &str| Request::MergeDevices {
        into: into.to_owned(),
        other: other.to_owned(),
    };
    let text = say(&desk, &merge("pc-albers", "10.77.8.77")).unwrap();
    assert_eq!(
        text,
        "pc-albers (d-k3f9q232) and raspberrypi (d-k3f9q277) are one device from now on; \
         `tapir device split d-k3f9q277` takes it back."
    );
    let told = desk.told.lock().unwrap().clone();
    assert_eq!(told, ["anna (uid 1000): merge d-k3f9q232 d-k3f9q277"]);
    // Twice the same machine, by whatever name.
    let refusal = say(&desk, &merge("pc-albers", "d-7C0M4X1Z")).unwrap_err();
    assert_eq!(refusal.why, Why::Refused);
    assert!(
        refusal.text.contains("both are pc-albers"),
        "{}",
        refusal.text
    );
    assert_eq!(
        say(&desk, &merge("pc-", "fs")).unwrap_err().why,
        Why::Ambiguous
    );
    assert_eq!(
        say(&desk, &merge("fs", "zzz")).unwrap_err().why,
        Why::NotFound
    );
    // Who may only look is refused before anything is looked up.
    let request = merge("zzz", "zz");
    let Answer::Refused { refusal } = desk::answer(&desk, &request, "bob", Rights::Looks) else {
        panic!("it was done");
    };
    assert_eq!(refusal.why, Why::NotAuthorised);
    assert_eq!(desk.told.lock().unwrap().len(), 1);
}

#[test]
fn splitting_takes_the_merged_id_or_the_device() {
    let mut desk = desk();
    let split = |device: &str| Request::SplitDevice {
        device: device.to_owned(),
    };
    for wanted in ["d-7C0M4X1Z", "pc-albers", "10.77.8.32"] {
        let text = say(&desk, &split(wanted)).unwrap();
        assert_eq!(
            text,
            "d-7C0M4X1Z is a device of its own as soon as `sense` answers again (see `tapir show \
             status`), apart from pc-albers (d-k3f9q232); `tapir device merge d-k3f9q232 \
             d-7C0M4X1Z` takes it back.",
            "{wanted}"
        );
    }
    assert!(
        desk.told
            .lock()
            .unwrap()
            .iter()
            .all(|told| told.ends_with("split d-7C0M4X1Z"))
    );
    let refusal = say(&desk, &split("fs")).unwrap_err();
    assert!(
        refusal
            .text
            .contains("fs (d-k3f9q211) is merged with no other"),
        "{}",
        refusal.text
    );
    assert_eq!(say(&desk, &split("zzz")).unwrap_err().why, Why::NotFound);
    // Of several it must be said which.
    desk.merges = crate::cli::view::fixture::devices::merges(&desk.office);
    desk.office.devices[5].merged.push("d-P2N6T0VK".to_owned());
    let refusal = say(&desk, &split("pc-albers")).unwrap_err();
    assert_eq!(refusal.why, Why::Ambiguous);
    assert!(
        refusal.text.contains("d-7C0M4X1Z, d-P2N6T0VK"),
        "{}",
        refusal.text
    );
    let request = split("pc-albers");
    let looks = desk::answer(&desk, &request, "bob", Rights::Looks);
    assert!(matches!(looks, Answer::Refused { refusal } if refusal.why == Why::NotAuthorised));
}
