//! A person's word on which devices are one machine, on a real port: it holds whoever is killed.

use std::path::Path;

use serde_json::Value;

use super::daemon::{Daemon, configure, signal};
use super::until;
use crate::support::office::Office;

/// Hosts whose computers are taken for one machine.
const HOSTS: [(&str, &str); 2] = [("pc1", "10.77.0.101"), ("pc2", "10.77.0.102")];

/// Has both hosts send the server something, so that their devices are seen.
fn speak(office: &Office) {
    const SCRIPT: &str = "import socket\n\
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
        s.sendto(b'hello', ('10.77.0.10', 9))";
    for (host, _) in HOSTS {
        office.inside(host, "python3", &["-c", SCRIPT]);
    }
}

/// The device of an address.
fn device(daemon: &Daemon, addr: &str) -> Option<Value> {
    let ran = daemon.ask(&["show", "device", addr, "--json"]);
    let answer: Value = serde_json::from_str(&ran.stdout).ok()?;
    Some(answer["device"].clone())
}

/// The id of the device of an address, once it is known.
fn id(daemon: &Daemon, addr: &str) -> String {
    let known = || device(daemon, addr)?["id"].as_str().map(str::to_owned);
    until("a device is known", known)
}

/// Waits until both addresses are one device, or two.
fn are_one(daemon: &Daemon, one: bool) {
    until("devices are as a person said", || {
        let [a, b] = HOSTS.map(|(_, addr)| device(daemon, addr));
        ((a?["id"] == b?["id"]) == one).then_some(())
    });
}

/// Kills a part of the daemon, or both, and waits until the dead are replaced.
fn kill(daemon: &Daemon, parts: &[&str]) {
    let restarts = |part: &str| daemon.status()?[part]["restarts"].as_u64();
    let before: Vec<u64> = parts
        .iter()
        .map(|part| restarts(part).unwrap_or(0))
        .collect();
    let (sense, serve) = daemon.parts();
    for part in parts {
        signal(if *part == "sense" { sense } else { serve }, "KILL");
    }
    until("the dead are replaced", || {
        let status = daemon.status()?;
        let again =
            |(part, before): (&&str, &u64)| status[*part]["restarts"].as_u64() > Some(*before);
        let back = parts.iter().zip(&before).all(again);
        (back && status["health"]["ts"].is_string()).then_some(())
    });
}

fn said(daemon: &Daemon, words: &[&str]) -> String {
    let ran = daemon.ask(words);
    assert_eq!(ran.code, Some(0), "{words:?}: {ran:?}");
    ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_a_person_says_of_devices_holds_whoever_is_killed() {
    let Some(office) = Office::open("what a person says of devices") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    // No state is saved in time: what was said has to be kept by itself.
    configure(folder.path(), "");
    let daemon = Daemon::start(&office, folder.path(), &[]);
    speak(&office);
    let [a, b] = HOSTS.map(|(_, addr)| id(&daemon, addr));
    assert_ne!(a, b);
    let text = said(&daemon, &["device", "merge", HOSTS[0].1, &b]);
    assert!(text.contains("are one device from now on"), "{text}");
    // It was carried out before the answer came.
    let whole = device(&daemon, HOSTS[1].1).expect("a device");
    assert_eq!(
        (whole["id"].as_str(), whole["merged"][0].as_str()),
        (Some(&*a), Some(&*b))
    );
    let merges = daemon.json(&["device", "merges"]);
    assert_eq!(merges["merges"][0]["other"], b.as_str());
    let who = merges["merges"][0]["who"].as_str().expect("a person");
    assert!(who.contains("(uid "), "{who}");
    for parts in [&["sense"][..], &["serve"], &["sense", "serve"]] {
        kill(&daemon, parts);
        // After its death `sense` knows neither of the two before they speak.
        speak(&office);
        are_one(&daemon, true);
    }
    let text = said(&daemon, &["device", "split", &b]);
    assert!(
        text.starts_with(&format!("{b} is a device of its own from now on")),
        "{text}"
    );
    are_one(&daemon, false);
    kill(&daemon, &["sense", "serve"]);
    speak(&office);
    are_one(&daemon, false);
    let ran = daemon.ask(&["device", "split", &b]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr.contains("is merged with no other device"),
        "{ran:?}"
    );
    // Said while `sense` stands still, and `serve` is killed before it goes on.
    let (sense, serve) = daemon.parts();
    signal(sense, "STOP");
    let text = said(&daemon, &["device", "merge", &a, &b]);
    assert!(text.contains("as soon as `sense` answers again"), "{text}");
    signal(serve, "KILL");
    signal(sense, "CONT");
    are_one(&daemon, true);
    let memory = until("memory is told", || {
        let memory = daemon.status()?["health"]["memory"].clone();
        (!memory["rooms"].as_array()?.is_empty()).then_some(memory)
    });
    assert_is_an_account(&memory);
    let shown = said(&daemon, &["device", "merges"]);
    assert!(shown.contains(&b), "{shown}");
    ends_with_all_said(daemon, folder.path(), &b);
    let daemon = Daemon::start(&office, folder.path(), &[]);
    are_one(&daemon, true);
    daemon.stop();
}

/// Ends the daemon: the log has every word, the results have the merge, and nothing is left to be said again.
fn ends_with_all_said(daemon: Daemon, folder: &Path, merged: &str) {
    let log = std::fs::read_to_string(folder.join("store/decisions.log")).expect("a log");
    let words: Vec<&str> = log
        .lines()
        .filter_map(|line| {
            line.split("\"command\":\"device ")
                .nth(1)?
                .split(' ')
                .next()
        })
        .collect();
    assert_eq!(words, ["merge", "split", "merge"]);
    let run = daemon.stop();
    let devices = std::fs::read_to_string(run.join("devices.jsonl")).expect("devices");
    assert!(
        devices.contains(&format!("\"merged\":[\"{merged}\"]")),
        "{devices}"
    );
    let kept = std::fs::read_to_string(folder.join("store/devices.rulings"));
    assert!(kept.expect("rulings").contains("\"waiting\":[]"));
}

/// Every room once, none above its bound, all of it no more than half as much again as the kernel says.
fn assert_is_an_account(memory: &Value) {
    let number = |value: &Value| value.as_u64().expect("a number");
    let rooms = memory["rooms"].as_array().expect("rooms");
    for what in [
        "program and rings",
        "devices",
        "flow slots",
        "records for serve",
    ] {
        let named = rooms.iter().filter(|room| room["what"] == what);
        assert_eq!(named.count(), 1, "{what}: {memory:#}");
    }
    for room in rooms {
        let bound = room["bound_bytes"].as_u64();
        assert!(
            bound.is_none_or(|bound| number(&room["bytes"]) <= bound),
            "{room}"
        );
    }
    let (counted, rss) = (
        number(&memory["counted_bytes"]),
        number(&memory["rss_bytes"]),
    );
    assert!(rss > 1 << 20 && counted <= rss + rss / 2, "{memory:#}");
}
