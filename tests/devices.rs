//! Who is on a network, as the program says, is who is on it.
//!
//! What it shows: over shared captures of known machines, the number of devices, their types, systems, roles and users
//! are those of `devices/truth.txt`; a system that is true but less particular counts as found, and is told apart; and
//! all of it is the same with one worker and with two. The demo's devices are what its truth says. A machine that changes
//! its hardware address is one, two with the same name are two.
//! How: the built program runs over each capture; its `devices.jsonl` is compared line by line. Prints a table and every
//! miss by name (`--nocapture` shows them).
//! Needs: `TAPIR_CORPUS`, default `../shared/corpus`; skips by name if it is absent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;
use tapir_message::{Device, MacAddr};

use crate::support::frames::{End, end, pcap, udp};
use crate::support::{corpus, demo, run, tapir_command};

const TRUTH: &str = include_str!("devices/truth.txt");

/// Least share found, per cent, of each kind of statement: what was measured, rounded down.
const FOUND_MIN: [(&str, usize); 5] = [
    ("devices", 84),
    ("type", 92),
    ("system", 92),
    ("role", 96),
    ("user", 100),
];
/// Statements that are wrong at most, of types and systems.
const WRONG_MAX: usize = 1;

/// What became of the statements of one kind.
#[derive(Debug, Default)]
struct Tally {
    all: usize,
    found: usize,
    /// Found, but less particular than the truth.
    general: usize,
    wrong: usize,
}

/// All of them, and the misses by name.
#[derive(Debug, Default)]
struct Score {
    tallies: BTreeMap<&'static str, Tally>,
    misses: String,
}

impl Score {
    /// Notes what was found of a statement; `truth` leads from the general to the particular.
    fn of_value(&mut self, kind: &'static str, who: &str, truth: &str, found: Option<&str>) {
        if truth.is_empty() {
            return;
        }
        let tally = self.tallies.entry(kind).or_default();
        tally.all += 1;
        let mut path: Vec<&str> = truth.split(" > ").collect();
        let exact = path.pop();
        match found {
            found if found.is_some() && found == exact => tally.found += 1,
            Some(found) if path.contains(&found) => {
                tally.found += 1;
                tally.general += 1;
            }
            found => {
                tally.wrong += usize::from(found.is_some());
                let found = found.unwrap_or("nothing");
                writeln!(self.misses, "{kind} of {who}: {truth}, found {found}").expect("room");
            }
        }
    }

    /// Notes which of several statements were found.
    fn of_list(&mut self, kind: &'static str, who: &str, truth: &str, found: &[String]) {
        let each = truth.split(", ").filter(|one| !one.is_empty());
        for one in each {
            let tally = self.tallies.entry(kind).or_default();
            tally.all += 1;
            if found.iter().any(|found| found == one) {
                tally.found += 1;
            } else {
                writeln!(self.misses, "{kind} of {who}: {one}, found {found:?}").expect("room");
            }
        }
    }
}

/// The devices of a capture.
fn devices(capture: &Path, workers: &str) -> (Vec<Device>, Vec<u8>) {
    let room = tempfile::tempdir().expect("a folder");
    let out = room.path().join("out");
    let mut command = tapir_command();
    command
        .arg("analyze")
        .arg(capture)
        .args(["--workers", workers]);
    let ran = run(command.arg("--out").arg(&out));
    assert_eq!(ran.code, Some(0), "{}: {}", capture.display(), ran.stderr);
    let lines = fs::read(out.join("devices.jsonl")).expect("devices.jsonl");
    let text = String::from_utf8(lines.clone()).expect("UTF-8");
    let devices = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a device"));
    (devices.collect(), lines)
}

/// The account without its domain, however it was written.
fn account(user: &str) -> String {
    let user = user.rsplit('\\').next().unwrap_or(user);
    user.split('@').next().unwrap_or(user).to_owned()
}

/// Compares one machine with the device that holds its address.
fn compare(score: &mut Score, capture: &str, devices: &[Device], line: &[&str]) {
    let &[address, kind, os, roles, users] = line else {
        panic!("five cells: {line:?}")
    };
    let who = format!("{address} on {capture}");
    let addr: IpAddr = address.parse().expect("an address");
    let holds = |device: &&Device| device.addresses.iter().any(|held| held.addr == addr);
    let device = devices.iter().find(holds);
    let value = |judged: Option<&tapir_message::Judgement>| judged.map(|j| j.value.clone());
    let found = device.and_then(|device| value(device.kind.as_ref()));
    score.of_value("type", &who, kind, found.as_deref());
    let found = device.and_then(|device| value(device.os.as_ref()));
    score.of_value("system", &who, os, found.as_deref());
    let all = device.map(|device| device.roles.iter().map(|role| role.value.clone()));
    let all: Vec<String> = all.into_iter().flatten().collect();
    score.of_list("role", &who, roles, &all);
    let all = device.map(|device| device.users.iter().map(|user| account(&user.user)));
    let all: Vec<String> = all.into_iter().flatten().collect();
    score.of_list("user", &who, users, &all);
}

/// Runs the program over the captures of the truth.
fn compare_all(corpus: &Path) -> Score {
    let mut score = Score::default();
    let (mut name, mut found) = ("", Vec::new());
    let lines = TRUTH
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [capture, count] = cells.as_slice() {
            let path = corpus.join("pcaps").join(capture);
            let (devices, bytes) = devices(&path, "1");
            assert!(
                bytes == self::devices(&path, "2").1,
                "{capture} with two workers"
            );
            score.of_value("devices", capture, count, Some(&devices.len().to_string()));
            (name, found) = (capture, devices);
        } else {
            compare(&mut score, name, &found, &cells);
        }
    }
    score
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what the test is run for")]
fn devices_are_what_they_are() {
    let Some(corpus) = corpus("devices") else {
        return;
    };
    let score = compare_all(&corpus);
    println!("| what | known | found | of it less particular | wrong |");
    println!("|---|---|---|---|---|");
    for (kind, tally) in &score.tallies {
        let Tally {
            all,
            found,
            general,
            wrong,
        } = tally;
        println!("| {kind} | {all} | {found} | {general} | {wrong} |");
    }
    println!("\n{}", score.misses);
    let mut wrong = 0;
    for (kind, least) in FOUND_MIN {
        let tally = &score.tallies[kind];
        let share = tally.found * 100 / tally.all;
        assert!(share >= least, "{kind}: {share} % found\n{}", score.misses);
        if kind != "devices" {
            wrong += tally.wrong;
        }
    }
    assert!(wrong <= WRONG_MAX, "{wrong} wrong\n{}", score.misses);
}

/// What the demo's truth calls a role, and the type that it is; no type is told of the stranger.
const KINDS: [(&str, &str); 9] = [
    ("gateway", "network gear"),
    ("file-server", "server"),
    ("nas", "nas"),
    ("printer", "printer"),
    ("camera", "camera"),
    ("phone", "voip phone"),
    ("workstation", "pc"),
    ("laptop", "pc"),
    ("admin-pc", "pc"),
];

/// The office of the demo: each device's type, who works at it, and no two of them one.
#[test]
fn the_office_is_known_by_what_it_does() {
    let truth = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/truth.json");
    let truth: Value = serde_json::from_slice(&fs::read(truth).expect("the truth")).expect("JSON");
    let (devices, _) = devices(&demo(), "2");
    let known = truth["devices"].as_array().expect("devices");
    assert_eq!(devices.len(), known.len());
    for told in known {
        let text = |key: &str| told[key].as_str().unwrap_or_default();
        let mac = text("mac");
        let is = |device: &&Device| device.mac.is_some_and(|found| found.to_string() == mac);
        let device = devices.iter().find(is).unwrap_or_else(|| panic!("{mac}"));
        let kind = KINDS.iter().find(|(role, _)| *role == text("role"));
        if let Some((_, kind)) = kind {
            let found = device.kind.as_ref().map(|kind| kind.value.as_str());
            assert_eq!(found, Some(*kind), "{device:#?}");
        }
        let users: Vec<String> = device
            .users
            .iter()
            .map(|user| account(&user.user))
            .collect();
        let person = text("person");
        if person != "-" && kind.is_some_and(|(_, kind)| *kind == "pc") {
            assert_eq!(users, [person.to_lowercase()], "{device:#?}");
        }
    }
}

/// A DHCP request (RFC 2131 §2) of who has `mac` and calls itself `pc-albers`, with a DUID that ends in `duid`.
fn request(mac: [u8; 6], addr: &str, duid: u8) -> Vec<u8> {
    let mut data = vec![0; 236];
    data[..8].copy_from_slice(&[1, 1, 6, 0, 0, 0, 0, 9]);
    data[28..34].copy_from_slice(&mac);
    data.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 3, 12, 9]);
    data.extend(b"pc-albers");
    data.extend([60, 8]);
    data.extend(b"MSFT 5.0");
    // RFC 4361 §6.1: the IAID is the interface's, the DUID the machine's.
    data.extend([
        61, 15, 255, 0, 0, 0, mac[5], 0, 3, 0, 1, 0xac, 0x7f, 0x3e, 0, 0, duid, 255,
    ]);
    let from = End {
        mac,
        ..end(addr, 68)
    };
    let to = End {
        mac: [0xff; 6],
        ..end("255.255.255.255", 67)
    };
    udp(from, to, 0, &data)
}

/// A laptop on a cable, an hour later on Wi-Fi; and another machine by the same name.
#[test]
fn a_machine_is_one_through_changes_of_its_address() {
    const CABLE: [u8; 6] = [0x00, 0x11, 0x22, 0, 0, 1];
    const WIFI: [u8; 6] = [0x06, 0x11, 0x22, 0, 0, 2];
    const OTHER: [u8; 6] = [0x00, 0x11, 0x22, 0, 0, 3];
    let begin = 1_800_000_000_000_000_u64;
    let hour = 3_600_000_000;
    let frames = [
        (begin, request(CABLE, "10.77.0.31", 1)),
        (begin + hour, request(WIFI, "10.77.0.32", 1)),
        (begin + 2 * hour, request(OTHER, "10.77.0.33", 2)),
        (begin + 3 * hour, request(CABLE, "10.77.0.31", 1)),
    ];
    let room = tempfile::tempdir().expect("a folder");
    let capture = room.path().join("dock.pcap");
    fs::write(&capture, pcap(1, &frames)).expect("room for a capture");
    let (found, bytes) = devices(&capture, "1");
    assert!(bytes == devices(&capture, "2").1, "with two workers");
    let [laptop, other] = found.as_slice() else {
        panic!("two devices: {found:#?}")
    };
    assert_eq!(
        (laptop.mac, other.mac),
        (Some(MacAddr(CABLE)), Some(MacAddr(OTHER)))
    );
    assert_eq!(laptop.other_macs, [MacAddr(WIFI)]);
    assert_eq!((laptop.merged.len(), other.merged.len()), (1, 0));
    let held: Vec<String> = laptop
        .addresses
        .iter()
        .map(|a| a.addr.to_string())
        .collect();
    assert_eq!(held, ["10.77.0.31", "10.77.0.32"]);
}
