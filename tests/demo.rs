//! The shipped demo: ten days of a small office, a stranger, and one bad Wednesday.
//!
//! What it shows: the answer names what `demo/truth.json` says was done, by whom and when, with scores in
//! the bands that the models promise and a sentence each, tied into incidents; and it raises nothing
//! else that would make anybody get up.
//! How: one run of the program over `demo/office.pcap.zst`; its files are compared with the truth, which
//! was written by the program that composed the capture and knows nothing of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tapir_message::{Breach, Device, Incident, Timestamp};

use crate::support::{demo, run, tapir_command};

/// What the truth calls an incident's kind, and the model that is to find it.
const MODELS: [(&str, &str); 5] = [
    ("new-device", "DEV-01"),
    ("sweep", "REC-01"),
    ("credential-file", "EXP-01"),
    ("beacon", "CMD-01"),
    ("upload", "EXF-01"),
];

/// From here on somebody is told during the day.
const NOTIFY: u8 = 60;

/// A breach is of an incident if it begins and ends within this of it.
const NEAR_NS: i64 = 3_600 * 1_000_000_000;

/// The answer, read back.
struct Answer {
    stdout: String,
    breaches: Vec<Breach>,
    incidents: Vec<Incident>,
    devices: Vec<Device>,
}

/// One thing that was done, from the truth.
struct Deed {
    model: &'static str,
    device: String,
    addresses: Vec<String>,
    begin: Timestamp,
    end: Timestamp,
}

static ANSWER: LazyLock<Answer> = LazyLock::new(|| {
    let room = tempfile::tempdir().expect("a folder");
    let out = room.path().join("out");
    let ran = run(tapir_command()
        .arg("analyze")
        .arg(demo())
        .arg("--out")
        .arg(&out));
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(0), ""),
        "the demo reads without a word"
    );
    let report = fs::read_to_string(out.join("report.html")).expect("a report");
    assert!(
        report.contains("passwords.xls"),
        "the report does not name the file"
    );
    Answer {
        stdout: ran.stdout,
        breaches: rows(&out.join("breaches.jsonl")),
        incidents: rows(&out.join("incidents.jsonl")),
        devices: rows(&out.join("devices.jsonl")),
    }
});

static TRUTH: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/truth.json");
    serde_json::from_slice(&fs::read(path).expect("the truth")).expect("JSON")
});

fn rows<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = fs::read_to_string(path).expect("a file of the answer");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a row"))
        .collect()
}

fn deeds() -> Vec<Deed> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let time = |value: &Value| Timestamp::from_nanos(value.as_i64().expect("a time") * 1_000);
    let incidents = TRUTH["incidents"].as_array().expect("incidents");
    incidents
        .iter()
        .map(|incident| {
            let kind = incident["kind"].as_str().expect("a kind");
            let (_, model) = MODELS
                .iter()
                .find(|(of, _)| *of == kind)
                .expect("a known kind");
            Deed {
                model,
                device: text(&incident["devices"][0]),
                addresses: incident["addresses"]
                    .as_array()
                    .expect("list")
                    .iter()
                    .map(text)
                    .collect(),
                begin: time(&incident["t0_us"]),
                end: time(&incident["t1_us"]),
            }
        })
        .collect()
}

impl Deed {
    /// Whether a breach is of this: model, device, and time.
    fn is_told_by(&self, breach: &Breach) -> bool {
        let near = breach.first_ts.since(self.begin).abs() <= NEAR_NS
            && breach.last_ts.since(self.end) <= NEAR_NS;
        breach.model == self.model && near && breach.device_name.eq_ignore_ascii_case(&self.device)
    }
}

/// Every deed has one breach: right device and address, within the hour, a score in its model's band,
/// terms that add up, and a sentence for the owner and one for the engineer.
#[test]
fn every_deed_is_told_once() {
    let bands = bands();
    for deed in deeds() {
        let what = format!("{} by {}", deed.model, deed.device);
        let told: Vec<_> = ANSWER
            .breaches
            .iter()
            .filter(|b| deed.is_told_by(b))
            .collect();
        let [breach] = told.as_slice() else {
            panic!("{what}: told {} times\n{}", told.len(), summary());
        };
        let score = breach.score.expect("a score");
        let (low, high) = bands[deed.model];
        assert!(
            (low..=high).contains(&score),
            "{what}: score {score} is not in {low}–{high}"
        );
        let points: i32 = breach.terms.iter().map(|term| term.points).sum();
        assert_eq!(points, i32::from(score), "{what}: the terms do not add up");
        assert!(
            breach.score_sure.is_some_and(|sure| sure <= score),
            "{what}: surer than sure"
        );
        if let Some(orig) = breach.orig_h {
            assert!(deed.addresses.contains(&orig.to_string()), "{what}: {orig}");
        }
        for sentence in [&breach.text, &breach.detail] {
            assert!(
                sentence.ends_with('.') && !sentence.contains('{'),
                "{what}: {sentence}"
            );
        }
        // The device's name, or one of its names.
        let text = breach.text.to_lowercase();
        assert!(
            text.contains(&deed.device),
            "{what} is not named in: {}",
            breach.text
        );
    }
}

/// Who read which file, where.
#[test]
fn the_credential_file_is_named() {
    let breach = ANSWER
        .breaches
        .iter()
        .find(|b| b.model == "EXP-01")
        .expect("a breach");
    for word in ["passwords.xls", "pc-mertens"] {
        assert!(
            breach.text.to_lowercase().contains(word),
            "no {word} in: {}",
            breach.text
        );
    }
    for word in ["passwords.xls", "buero", "10.77.0.101", "10.77.0.10"] {
        assert!(
            breach.detail.contains(word),
            "no {word} in: {}",
            breach.detail
        );
    }
}

/// Cameras, phones, updates, backups and curious people get nobody up.
#[test]
fn nothing_else_is_loud() {
    let deeds = deeds();
    let loud = ANSWER
        .breaches
        .iter()
        .filter(|breach| breach.score >= Some(NOTIFY));
    let false_alarms = loud
        .filter(|breach| !deeds.iter().any(|deed| deed.is_told_by(breach)))
        .count();
    assert_eq!(
        false_alarms,
        0,
        "false alarms at {NOTIFY} or more:\n{}",
        summary()
    );
}

/// What one device did is one incident; what another did is another.
#[test]
fn incidents_group_by_who_did_it() {
    let mut incidents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for deed in deeds() {
        let told = ANSWER
            .breaches
            .iter()
            .find(|breach| deed.is_told_by(breach));
        let breach =
            told.unwrap_or_else(|| panic!("{} by {} is not told", deed.model, deed.device));
        incidents
            .entry(deed.device.clone())
            .or_default()
            .insert(breach.incident.clone());
        let incident = ANSWER
            .incidents
            .iter()
            .find(|incident| incident.id == breach.incident);
        let incident = incident.expect("the breach's incident");
        assert!(
            incident
                .timeline
                .iter()
                .any(|moment| moment.breach == breach.id),
            "{}",
            breach.id
        );
        assert!(
            incident.score >= breach.score,
            "{} is below its breach",
            incident.id
        );
    }
    assert!(
        incidents.values().all(|ids| ids.len() == 1),
        "{incidents:?}"
    );
    let distinct: BTreeSet<_> = incidents.values().flatten().collect();
    assert_eq!(distinct.len(), incidents.len(), "{incidents:?}");
}

/// The screen itself: each deed's score, device and title, the file's name, the report's place.
#[test]
fn the_screen_says_it() {
    let screen = ANSWER.stdout.to_lowercase();
    for deed in deeds() {
        let told = ANSWER
            .breaches
            .iter()
            .find(|breach| deed.is_told_by(breach))
            .expect("a breach");
        let guess = if told.provisional { '~' } else { ' ' };
        let score = format!("{:3}{guess} ", told.score.expect("a score"));
        let title: String = told.title.to_lowercase().chars().take(20).collect();
        let said = screen.lines().any(|line| {
            line.contains(&score) && line.contains(&deed.device) && line.contains(&title)
        });
        assert!(
            said,
            "{} by {} is not on the screen:\n{}",
            deed.model, deed.device, ANSWER.stdout
        );
    }
    assert!(
        screen.contains("passwords.xls") && screen.contains("report.html"),
        "{screen}"
    );
    assert!(
        ANSWER.stdout.lines().count() <= 40,
        "more than a screen:\n{}",
        ANSWER.stdout
    );
}

/// Every device of the office is in the inventory by its hardware address, with its own address, and
/// nothing is in it that is not of the office.
#[test]
fn the_inventory_is_the_office() {
    let office = TRUTH["devices"].as_array().expect("devices");
    let pair = |mac: &str, ip: &str| (mac.to_lowercase(), ip.to_owned());
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let truth: BTreeSet<_> = office
        .iter()
        .map(|d| pair(&text(&d["mac"]), &text(&d["ip"])))
        .collect();
    let ours: BTreeMap<String, &Device> = ANSWER
        .devices
        .iter()
        .filter_map(|device| Some((device.mac?.to_string().to_lowercase(), device)))
        .collect();
    let known: BTreeSet<&String> = truth.iter().map(|(mac, _)| mac).collect();
    assert_eq!(ours.keys().collect::<BTreeSet<_>>(), known);
    for (mac, ip) in &truth {
        let addresses = &ours[mac].addresses;
        assert!(
            addresses.iter().any(|a| a.addr.to_string() == *ip),
            "{mac}: no {ip}"
        );
    }
    let stranger = ours.values().find(|device| device.name == "raspberrypi");
    assert!(
        stranger.is_some(),
        "the stranger has no name: {:?}",
        ours.keys()
    );
}

/// The band each model promises for this capture.
fn bands() -> BTreeMap<String, (u8, u8)> {
    let mut bands = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for (path, bytes) in crate::support::files(&folder) {
        if !path.ends_with(".toml") {
            continue;
        }
        let model: toml::Value = toml::from_slice(&bytes).expect("TOML");
        let id = model["id"].as_str().expect("an id").to_owned();
        let tests = model["test"].as_array().expect("tests");
        let ours = tests.iter().find(|test| test.get("capture").is_some());
        if let Some(band) = ours
            .and_then(|test| test.get("band"))
            .and_then(toml::Value::as_array)
        {
            let end = |index: usize| {
                let end = band.get(index).and_then(toml::Value::as_integer);
                u8::try_from(end.expect("a number")).expect("at most 100")
            };
            bands.insert(id, (end(0), end(1)));
        }
    }
    bands
}

/// All breaches, one a line, for a failure's message.
fn summary() -> String {
    let line = |breach: &Breach| {
        let score = breach.score.or(breach.priority).unwrap_or(0);
        format!(
            "{score:3} {} {} {} {}",
            breach.first_ts, breach.model, breach.device_name, breach.text
        )
    };
    ANSWER
        .breaches
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}
