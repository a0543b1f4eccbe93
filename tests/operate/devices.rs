//! Devices as a person sees them and rules on them, by a daemon and by the results of `tapir analyze`.

use serde_json::{Value, json};
use tapir_message::{Device, Merge, Timestamp};

use super::{Bench, assert_one_line};
use crate::support::{demo, tapir};

/// A computer with a name no terminal should see, and its second card.
pub(super) fn two() -> Vec<Device> {
    let device = |id: &str, name: &str, mac: &str, addr: &str| {
        json!({
            "id": id, "name": name, "mac": mac, "vendor": "Lenovo",
            "kind": {"value": "pc", "confidence": 92, "reasons": [
                {"what": "dhcp vendor class MSFT 5.0", "last_ts": "2025-11-12T22:50:00Z"}]},
            "users": [{"user": "KONTOR\\albers", "evidence": "kerberos",
                "first_ts": "2025-11-11T09:00:00Z", "last_ts": "2025-11-12T22:45:00Z"}],
            "addresses": [{"addr": addr, "evidence": "dhcp",
                "first_ts": "2025-11-11T09:00:00Z", "last_ts": "2025-11-12T22:57:00Z"}],
            "names": [], "claims": [], "vlans": [8],
            "first_ts": "2025-11-11T09:00:00Z", "last_ts": "2025-11-12T22:57:00Z",
            "flows_orig": 12, "flows_resp": 3, "bytes_sent": 4000, "bytes_received": 9000
        })
    };
    let both = [
        device(
            "d-1",
            "pc-\u{1b}[2Jalbers",
            "b8:27:eb:00:00:01",
            "10.77.8.32",
        ),
        device("d-2", "dock-albers", "b8:27:eb:00:00:02", "10.77.8.33"),
    ];
    let read = |device| serde_json::from_value(device).expect("a device");
    both.map(read).into()
}

/// The merge of the two.
pub(super) fn merge(who: &str) -> Merge {
    Merge {
        ts: Timestamp::from_secs(1_762_988_220),
        into: "d-1".to_owned(),
        other: "d-2".to_owned(),
        who: Some(who.to_owned()),
        why: "a person said so".to_owned(),
    }
}

#[test]
fn a_device_is_shown_to_people_and_to_programs() {
    let bench = Bench::with_daemon();
    let ran = bench.ask(&["show", "device", "10.77.8.32"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains('\u{1b}'));
    for words in [
        "pc-\\u001b[2Jalbers  pc",
        "Type      pc, 92 % sure",
        "- dhcp vendor class MSFT 5.0, 7 min ago",
        "Users     KONTOR\\albers (kerberos, 12 min ago)",
        "Rhythmic beacon (CMD-01), now",
    ] {
        assert!(ran.stdout.contains(words), "no `{words}` in {}", ran.stdout);
    }
    assert!(ran.stdout.lines().count() <= 40);
    let ran = bench.ask(&["show", "device", "b8-27-eb-00-00-01", "--json"]);
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(value["schema"], "tapir.device/1");
    assert_eq!(value["device"]["id"], "d-1");
    assert_eq!(value["breaches"][0]["device"], "d-1");
    let ran = bench.ask(&[
        "show", "devices", "--type", "pc", "--user", "albers", "--json",
    ]);
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(value["total"], 2);
    let ran = bench.ask(&["show", "devices", "--role", "gateway"]);
    assert!(ran.stdout.starts_with("No device matches"), "{ran:?}");

    assert_one_line(
        &bench.ask(&["show", "device", "albers"]),
        1,
        &[
            "may be 2 devices",
            "(d-1)",
            "dock-albers (d-2) at 10.77.8.33",
            "give the id",
        ],
    );
    assert_one_line(
        &bench.ask(&["show", "device", "dock-ablers"]),
        1,
        &["no device \"dock-ablers\"", "did you mean \"dock-albers\"?"],
    );
    assert_eq!(tapir(&["show", "device"]).code, Some(2));
    assert_eq!(tapir(&["device", "merge", "d-1"]).code, Some(2));
}

#[test]
fn devices_are_merged_listed_and_split() {
    let bench = Bench::with_daemon();
    let ran = bench.ask(&["device", "merges"]);
    assert!(ran.stdout.starts_with("No device was merged"), "{ran:?}");
    assert_one_line(
        &bench.ask(&["device", "split", "d-2"]),
        1,
        &["dock-albers (d-2) is merged with no other device"],
    );
    let ran = bench.ask(&["device", "merge", "10.77.8.32", "dock-albers"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("(d-1) and dock-albers (d-2) are one device from now on;"));
    assert!(
        text.contains("`tapir device split d-2` takes it back."),
        "{text}"
    );
    let ran = bench.ask(&["device", "merges", "--json"]);
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(value["schema"], "tapir.merges/1");
    assert_eq!(value["merges"][0]["other"], "d-2");
    let who = value["merges"][0]["who"].as_str().expect("a person");
    assert!(who.contains("(uid "), "{who}");
    // The id that is gone still leads to the machine, which says how to take it back.
    let ran = bench.ask(&["show", "device", "d-2"]);
    assert!(ran.stdout.contains("Merged    d-2, "), "{}", ran.stdout);
    assert_one_line(
        &bench.ask(&["device", "merge", "d-1", "d-2"]),
        1,
        &["both are", "(d-1) already"],
    );
    let ran = bench.ask(&["device", "split", "d-1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout
            .starts_with("d-2 is a device of its own from now on"),
        "{ran:?}"
    );
    assert_eq!(bench.ask(&["show", "device", "d-2"]).code, Some(0));
}

#[test]
fn results_in_a_folder_are_shown_without_a_daemon() {
    let room = tempfile::tempdir().expect("a folder");
    let out = room.path().join("out");
    let capture = demo();
    let words = [capture.as_os_str(), "--out".as_ref(), out.as_os_str()];
    let ran = tapir(&[&["analyze".as_ref()], &words[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let from = |words: &[&str], folder: &std::path::Path| {
        let folder = folder.to_str().expect("UTF-8");
        tapir(&[words, &["--from", folder]].concat())
    };
    let ran = from(&["show", "device", "pc-albers"], &out);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("pc-albers"), "{}", ran.stdout);
    assert!(ran.stdout.contains("CMD-01"), "{}", ran.stdout);
    assert!(ran.stdout.lines().count() <= 40, "{}", ran.stdout);
    let ran = from(&["show", "device", "pc-albers", "--json"], &out);
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let lines = std::fs::read_to_string(out.join("devices.jsonl")).expect("devices");
    let devices = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let devices: Vec<Value> = devices.collect();
    assert!(devices.contains(&value["device"]));
    assert!(
        value["breaches"]
            .as_array()
            .is_some_and(|all| all.len() >= 2)
    );
    let ran = from(&["show", "devices", "--json"], &out);
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(value["total"], devices.len());
    assert_one_line(
        &from(&["show", "device", "pc-ablers"], &out),
        1,
        &["did you mean \"pc-albers"],
    );
    assert_one_line(
        &from(&["show", "device", "pc-albers"], room.path()),
        1,
        &[
            "stats.json",
            "give a folder that `tapir analyze --out` wrote",
        ],
    );
}
