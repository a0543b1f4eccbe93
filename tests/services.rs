//! Services on the internet, from the packets to the prompt.
//!
//! What it shows: the demo's upload goes to the service its name is catalogued as, with the bytes and the device of the
//! demo's truth; `conn.log`, `services.jsonl` and `tapir show services` agree; of shared captures the services are
//! those of the names that an independent decoder read; nothing depends on workers or hash keys.
//! How: the program runs over the captures with the shipped catalogue or one of the test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tapir_engine::service::Catalogue;
use tempfile::TempDir;

use crate::support::{corpus, demo, files, tapir};

const SHIPPED: &str = include_str!("../catalogue/services.toml");

/// The outside of the demo.
const OWN: &str = r#"
[storage]
ablage = { name = "Ablage", owner = "Fernweh", domains = ["ablage.fernweh.example"] }

[cdn]
kiesel = { name = "Kiesel", owner = "Kiesel", domains = ["kiesel-cdn.example"] }

[telemetry]
wolke = { name = "Wolke", owner = "Wolke", domains = ["wolke.example"], exact = ["klang.example"] }
"#;

/// A run's results.
struct Results {
    room: TempDir,
    out: PathBuf,
}

impl Results {
    fn of(capture: &Path, args: &[&str]) -> Self {
        let room = tempfile::tempdir().expect("a folder");
        let out = room.path().join("out");
        fs::write(room.path().join("own.toml"), OWN).expect("a catalogue");
        let own = room.path().join("own.toml").display().to_string();
        let mut all = vec!["analyze".to_owned(), capture.display().to_string()];
        all.extend(["--out".to_owned(), out.display().to_string()]);
        all.extend(args.iter().map(|arg| arg.replace("OWN", &own)));
        let ran = tapir(&all);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        Self { room, out }
    }

    fn rows(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.out.join(name)).expect(name);
        let row = |line| serde_json::from_str(line).expect("JSON");
        text.lines().map(row).collect()
    }

    /// What `tapir show services` says of them.
    fn shown(&self, args: &[&str]) -> String {
        let folder = self.out.display().to_string();
        let mut all = vec!["show", "services", "--from", &folder];
        all.extend(args);
        let ran = tapir(&all);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{}",
            ran.stdout
        );
        ran.stdout
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Flows and bytes of each service by the records of flows, and by the ledger.
fn sums(results: &Results) -> [BTreeMap<String, (u64, u64, u64)>; 2] {
    let mut sums = [BTreeMap::new(), BTreeMap::new()];
    let [flows, uses] = &mut sums;
    for conn in results.rows("conn.log") {
        if let Some(id) = conn["cloud_service"].as_str() {
            let sum: &mut (u64, u64, u64) = flows.entry(id.to_owned()).or_default();
            sum.0 += 1;
            sum.1 += number(&conn["orig_bytes"]);
            sum.2 += number(&conn["resp_bytes"]);
        }
    }
    for one in results.rows("services.jsonl") {
        let id = one["service"].as_str().expect("an id").to_owned();
        let sum: &mut (u64, u64, u64) = uses.entry(id).or_default();
        sum.0 += number(&one["flows"]);
        sum.1 += number(&one["bytes_up"]);
        sum.2 += number(&one["bytes_down"]);
    }
    sums
}

#[test]
fn the_demos_upload_went_to_a_service_that_is_not_sanctioned() {
    let args = [
        "--services",
        "OWN",
        "--unsanctioned",
        "storage",
        "--sanctioned",
        "wolke",
    ];
    let results = Results::of(&demo(), &args);
    let [flows, uses] = sums(&results);
    assert_eq!(flows, uses);
    assert_eq!(
        flows.keys().collect::<Vec<_>>(),
        ["ablage", "kiesel", "wolke"]
    );
    let uses = results.rows("services.jsonl");
    let ablage: Vec<&Value> = uses
        .iter()
        .filter(|one| one["service"] == "ablage")
        .collect();
    let [ablage] = ablage[..] else {
        panic!("one device: {ablage:?}")
    };
    assert_eq!(ablage["device_name"], "pc-albers");
    assert_eq!(
        (&ablage["sanctioned"], &ablage["category"]),
        (&false.into(), &"storage".into())
    );
    // The upload of the truth is 26 MB and what carries it.
    let up = number(&ablage["bytes_up"]);
    assert!((26_000_000..27_500_000).contains(&up), "{up}");
    assert_eq!(ablage["evidence"][0], "http host");
    let conns = results.rows("conn.log");
    let mut said = BTreeSet::new();
    for conn in conns
        .iter()
        .filter(|conn| conn["cloud_service"].is_string())
    {
        assert_eq!(conn["local_resp"], false, "{conn}");
        said.insert((
            conn["cloud_service"].to_string(),
            conn["cloud_category"].to_string(),
            conn.get("cloud_sanctioned").map(Value::to_string),
        ));
    }
    let row = |service: &str, category: &str, sanctioned: Option<&str>| {
        let quoted = |text| format!("\"{text}\"");
        (
            quoted(service),
            quoted(category),
            sanctioned.map(str::to_owned),
        )
    };
    assert_eq!(
        said.into_iter().collect::<Vec<_>>(),
        [
            row("ablage", "storage", Some("false")),
            row("kiesel", "cdn", None),
            row("wolke", "telemetry", Some("true")),
        ]
    );
}

#[test]
fn the_prompt_tells_the_same_from_the_results() {
    let results = Results::of(&demo(), &["--services", "OWN", "--unsanctioned", "storage"]);
    let all = results.shown(&[]);
    let first = all.lines().nth(1).expect("a row");
    assert!(
        first.starts_with("Ablage") && first.contains(" no "),
        "{all}"
    );
    assert_eq!(all.lines().count(), 4, "{all}");
    let one = results.shown(&["ablage"]);
    assert!(
        one.contains("pc-albers") && one.contains("http host"),
        "{one}"
    );
    let none = results.shown(&["--device", "nobody"]);
    assert!(none.starts_with("No service matches"), "{none}");
    let new = results.shown(&["--new", "1d"]);
    assert!(new.contains("Ablage") && !new.contains("Wolke"), "{new}");
    let answer: Value =
        serde_json::from_str(&results.shown(&["--category", "cdn", "--json"])).expect("JSON");
    assert_eq!(answer["schema"], "tapir.services/1");
    assert_eq!(
        (&answer["total"], &answer["services"][0]["service"]),
        (&1.into(), &"kiesel".into())
    );
    let report = fs::read_to_string(results.out.join("report.html")).expect("a report");
    assert!(report.contains("Services on the internet") && report.contains("Ablage"));
    let wrong = tapir(&["show", "services", "--category", "storag"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("did you mean \"storage\"?"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn mistakes_on_the_command_line_are_told() {
    let room = tempfile::tempdir().expect("a folder");
    let file = room.path().join("c.toml");
    fs::write(
        &file,
        "[storage]\na = { name = \"A\", owner = \"A\", domains = [\"*.a.com\"] }\n",
    )
    .expect("a file");
    let capture = demo().display().to_string();
    let wrong = |args: &[&str]| {
        let mut all = vec!["analyze", &capture];
        all.extend(args);
        let ran = tapir(&all);
        assert_eq!(ran.code, Some(1), "{}", ran.stdout);
        ran.stderr
    };
    let file = file.display().to_string();
    let told = wrong(&["--services", &file]);
    assert!(
        told.contains("c.toml:2:") && told.contains("has a star"),
        "{told}"
    );
    let told = wrong(&["--sanctioned", "onedrve"]);
    assert!(
        told.contains("--sanctioned: found \"onedrve\"") && told.contains("onedrive"),
        "{told}"
    );
    let told = wrong(&["--services", "/nowhere/c.toml"]);
    assert!(told.contains("cannot read the catalogue"), "{told}");
}

/// Nothing depends on the number of workers, on the hash key, or on whether a state is carried.
#[test]
fn the_ledger_is_the_same_however_it_is_made() {
    let once = Results::of(&demo(), &["--services", "OWN", "--hash-key", "1"]);
    let state = once.room.path().join("state").display().to_string();
    let again = [
        "--services",
        "OWN",
        "--hash-key",
        "2",
        "--workers",
        "2",
        "--state",
        &state,
    ];
    let again = Results::of(&demo(), &again);
    for name in ["services.jsonl", "conn.log"] {
        let read = |results: &Results| files(&results.out)[name].clone();
        assert!(read(&once) == read(&again), "{name} differs");
    }
    // What was learned is carried: the same capture once more gives twice the flows, first seen as before.
    let twice = Results::of(&demo(), &["--services", "OWN", "--state", &state]);
    let (before, after) = (once.rows("services.jsonl"), twice.rows("services.jsonl"));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            2 * number(&before["flows"]),
            number(&after["flows"]),
            "{after}"
        );
        assert_eq!(before["first_ts"], after["first_ts"]);
    }
}

/// Of each shared capture, the services of the server names in it are those that are told, by name.
#[test]
fn the_services_of_shared_captures_are_those_of_their_server_names() {
    let Some(corpus) = corpus("services") else {
        return;
    };
    let catalogue = Catalogue::load("services.toml", SHIPPED).expect("the catalogue");
    let manifest = fs::read(corpus.join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let listed = manifest["files"].as_array().expect("files");
    for (begin, least) in [
        ("1c869a87ae75", 10),
        ("2f62ee3630aa", 5),
        ("364132a052cd", 1),
    ] {
        let is_it = |file: &&Value| {
            file["sha256"]
                .as_str()
                .is_some_and(|sha| sha.starts_with(begin))
        };
        let file = listed.iter().find(is_it).expect("a file of the corpus");
        let names = file["truth"]["sni"].as_object().expect("names").keys();
        let services = names.filter_map(|name| catalogue.get(catalogue.find(name)?));
        let wanted: BTreeSet<String> = services.map(|service| service.id.to_string()).collect();
        assert!(wanted.len() >= least, "{wanted:?}");
        let path = corpus.join(file["file"].as_str().expect("a path"));
        // Whose the addresses are is not what this is about.
        let results = Results::of(&path, &["--home", "0.0.0.0/0,::/0"]);
        let by_name = |one: &Value| one["evidence"][0] == "sni";
        let uses = results.rows("services.jsonl").into_iter().filter(by_name);
        let found: BTreeSet<String> = uses
            .map(|one| one["service"].as_str().expect("an id").to_owned())
            .collect();
        assert_eq!(found, wanted, "{}", path.display());
        let [flows, uses] = sums(&results);
        assert_eq!(flows, uses, "{}", path.display());
    }
}
