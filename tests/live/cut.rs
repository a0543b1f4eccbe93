//! A hostile download is cut inside what a named person signed, and everybody can tell what happened.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::daemon::{Daemon, configure};
use super::siem::{ADDRESS, Siem};
use super::{traffic, until};
use crate::support::{self, office::Office};

/// The model of this test: any request for a canary.
pub(crate) const CANARY: &str = r#"
id = "TST-01"
title = "A canary was asked for"
class = "threat"
attack = ["T1005"]
on = "http"
device = "orig"
when = 'uri contains "canary"'
rate_prior = 0.001
impact = 5
response = "reset"
rarity_text = "Nobody has a reason to ask for {uri}."
owner = "{device} asked {peer} for {uri}, which is bait: nobody has a reason to fetch it."
engineer = "{orig_h}:{orig_p} asked {resp_h}:{resp_p} for {uri}."
description = "A file that only a thief would fetch was asked for."

[[test]]
expect = "breach"
band = [95, 100]
note = "the bait"
row = { uri = "/canary.bin", device = "pc1", peer = "fs", orig_h = "10.77.0.101", orig_p = 40000, resp_h = "10.77.0.10", resp_p = 80 }

[[test]]
expect = "no_breach"
note = "any other file"
row = { uri = "/small" }

[[test]]
expect = "near_miss"
note = "a bird of another kind"
row = { uri = "/canarium.bin" }
"#;

/// What the rule of engagement of this test allows, wide enough for it; the defaults are narrower.
pub(crate) const RULE: &str = r#"
id = "R-0001"
authorised_by = "Jane Smith, head of IT"
reason = "canary files are bait: nobody has a reason to fetch one"
from = FROM
until = UNTIL
hold_after_start = 0
allow_provisional = true
actions = ["reset_flow"]

[shadow_override]
name = "Jane Smith"
reason = "bait files have no innocent readers"

[scope]
models = ["TST-01"]
classes = ["threat"]
devices = ["10.77.0.0/24"]
hours = "always"

[caps]
per_minute = 60
per_hour = 600
devices_per_hour = 100
others_max = 100
"#;

/// A day near this one, as a rule writes it: the daemon goes by the packets' time, which is today's.
pub(crate) fn day(which: &str) -> String {
    let date = std::process::Command::new("date")
        .args(["-ud", which, "+%FT00:00:00Z"])
        .output();
    let text = date.expect("date").stdout;
    String::from_utf8(text).expect("UTF-8").trim().to_owned()
}

/// Writes the canary's model, key, signed rule and configuration.
pub(crate) fn prepare(folder: &Path, mode: &str, more: &str) {
    prepare_with(folder, mode, RULE, &[CANARY.to_owned()], more);
}

/// The same with another rule and other models; `more` begins inside `[response]`.
pub(crate) fn prepare_with(folder: &Path, mode: &str, rule: &str, models: &[String], more: &str) {
    let at = |name: &str| folder.join(name).display().to_string();
    fs::create_dir_all(at("models/test")).expect("a folder");
    for (number, model) in models.iter().enumerate() {
        fs::write(at(&format!("models/test/{number}.toml")), model).expect("a model");
    }
    let rule = rule
        .replace("FROM", &day("30 days ago"))
        .replace("UNTIL", &day("30 days"));
    fs::write(at("rule.toml"), rule).expect("a rule");
    let keygen = support::tapir(&[
        "rule",
        "keygen",
        "--name",
        "Jane Smith, head of IT",
        "--out",
        &at("jane.key"),
        "--json",
    ]);
    assert_eq!(keygen.code, Some(0), "{}", keygen.stderr);
    let made: Value = serde_json::from_str(&keygen.stdout).expect("JSON");
    let signer = made["signer"].as_str().expect("a signer").to_owned();
    let signed = support::tapir(&["rule", "sign", &at("rule.toml"), "--key", &at("jane.key")]);
    assert_eq!(signed.code, Some(0), "{}", signed.stderr);
    let more = format!(
        "[models]\nfolder = \"{}\"\n[response]\nmode = \"{mode}\"\ninject = \"inj0\"\n\
         rules = [\"{}\"]\nsigners = [{signer:?}]\n{more}",
        at("models"),
        at("rule.toml"),
    );
    configure(folder, &more);
}

#[test]
fn a_real_download_is_cut_and_the_story_is_told() {
    let test = "a real download is cut";
    let Some(mut office) = Office::open(test) else {
        return;
    };
    let Some(_traffic) = traffic::Servers::start(&mut office, test) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut siem) = Siem::new(folder.path(), test) else {
        return;
    };
    siem.start(&office);
    let syslog = format!("[[forward.syslog]]\naddress = \"{ADDRESS}\"\n");
    prepare(folder.path(), "autonomous", &syslog);
    let daemon = Daemon::start(&office, folder.path(), &["--inject", "inj0"]);

    // Another connection of the same two hosts, slow enough to outlive the test.
    let other = office
        .command(
            "pc1",
            "curl",
            &[
                "-sS",
                "--limit-rate",
                "8M",
                "-o",
                "/dev/null",
                "-w",
                "%{size_download}",
                "http://10.77.0.10/large.bin",
            ],
        )
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("curl");
    let page = office.inside("pc1", "curl", &["-sS", "http://10.77.0.10/small"]);
    assert!(page.starts_with("small"), "{page}");
    let table = office.hosts_in_switch_table();
    assert_eq!(table.len(), 2, "{table:?}");

    cut_at_both_ends(&office);

    // The switch still knows both hosts where they are, and the victim is still reached.
    assert_eq!(office.hosts_in_switch_table(), table);
    let page = office.inside("pc1", "curl", &["-sS", "http://10.77.0.10/small"]);
    assert!(page.starts_with("small"), "{page}");
    let other = other.wait_with_output().expect("curl ends");
    assert!(
        other.status.success(),
        "another connection of the same hosts was cut"
    );
    assert_eq!(
        String::from_utf8_lossy(&other.stdout),
        (64 << 20).to_string()
    );

    told_at_the_prompt(&daemon);
    told_to_the_siem(&siem);
    told_in_the_decision_log(folder.path());
    latency_is_told(&daemon, &siem, folder.path());
    daemon.stop();
}

/// The decision stands in the log before what was done.
fn told_in_the_decision_log(folder: &Path) {
    let log = fs::read_to_string(folder.join("store/decisions.log")).expect("a log");
    let place = |what: &str| log.find(what).unwrap_or_else(|| panic!("no {what}: {log}"));
    assert!(place("\"verdict\":\"act\"") < place("\"state\":\"reset\""));
}

/// How soon the first reset left, and the latest of all, by the log, at the prompt and in CEF alike.
fn latency_is_told(daemon: &Daemon, siem: &Siem, folder: &Path) {
    let log = fs::read_to_string(folder.join("store/decisions.log")).expect("a log");
    let logged = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|line| line["entry"].clone())
        .find(|entry| entry["kind"] == "response" && entry["state"] == "reset")
        .expect("a reset");
    let first = logged["latency_ns"].as_u64().expect("a latency");
    let longest = logged["latency_max_ns"].as_u64().expect("a latency");
    assert!(
        0 < first && first <= longest && longest < 1_000_000_000,
        "{logged}"
    );
    let shown = daemon.json(&["show", "responses"]);
    let shown = &shown["responses"][0]["response"];
    for key in ["latency_ns", "latency_max_ns"] {
        assert_eq!(shown[key], logged[key], "{shown}");
    }
    let shown = daemon.ask(&["show", "responses"]).stdout;
    assert!(shown.contains("after its packet"), "{shown}");
    let decision = logged["decision"].as_str().expect("an id");
    until("the response arrives as CEF", || {
        let lines = siem.lines();
        let line = lines.iter().find(|line| {
            let is = |key: &str, value: &str| line.keys.get(key).is_some_and(|it| it == value);
            is("externalId", decision) && is("outcome", "reset")
        })?;
        let key = |key: &str| line.key(key).to_owned();
        assert_eq!(key("cn3"), (first / 1_000).to_string());
        assert_eq!(key("cn3Label"), "resetLatencyUs");
        assert_eq!(key("cn2"), (longest / 1_000).to_string());
        assert_eq!(key("cn2Label"), "resetLatencyMaxUs");
        Some(())
    });
}

/// A download of the bait ends with a reset, for its client and for its server.
fn cut_at_both_ends(office: &Office) {
    let resets = office.inside("fs", "nstat", &["-asz", "TcpEstabResets"]);
    let cut = office.run(
        "pc1",
        "curl",
        &[
            "-sS",
            "--limit-rate",
            "4M",
            "-o",
            "/dev/null",
            "http://10.77.0.10/canary.bin",
        ],
    );
    let said = String::from_utf8_lossy(&cut.stderr).into_owned();
    assert_eq!(cut.status.code(), Some(56), "curl: {said}");
    assert!(said.to_lowercase().contains("reset by peer"), "{said}");
    let server = until("the server's end is reset", || {
        let now = office.inside("fs", "nstat", &["-asz", "TcpEstabResets"]);
        (now != resets).then_some(now)
    });
    assert!(server.contains("TcpEstabResets"));
}

/// `show breaches`, `show responses` and `explain` tell the story.
fn told_at_the_prompt(daemon: &Daemon) {
    let response = until("the response is verified", || {
        let responses = daemon.json(&["show", "responses"]);
        let text = responses.to_string();
        text.contains("\"state\":\"reset\"").then_some(text)
    });
    assert!(
        response.contains("R-0001") && response.contains("Jane Smith"),
        "{response}"
    );
    let breaches = daemon.json(&["show", "breaches"]);
    let breach = &breaches["breaches"][0];
    assert_eq!(breach["model"], "TST-01", "{breaches}");
    assert_eq!(breach["score"], 100, "{breaches}");
    let id = breach["id"].as_str().expect("an id");
    let explained = daemon.ask(&["explain", id]);
    assert_eq!(explained.code, Some(0), "{}", explained.stderr);
    for what in ["canary", "100", "R-0001", "Jane Smith"] {
        assert!(
            explained.stdout.contains(what),
            "{what}: {}",
            explained.stdout
        );
    }
}

/// The breach and what was done about it have arrived as CEF.
fn told_to_the_siem(siem: &Siem) {
    let lines = until("the breach and its response arrive", || {
        let lines = siem.lines();
        let has = |kind: &str| {
            lines
                .iter()
                .any(|line| line.keys.get("type").is_some_and(|t| t == kind))
        };
        (has("0") && has("3")).then_some(lines)
    });
    let breach = lines
        .iter()
        .find(|line| line.key("type") == "0")
        .expect("a breach");
    assert_eq!(
        breach.header[1..4],
        ["Tapir", "Sensor", env!("CARGO_PKG_VERSION")]
    );
    assert_eq!(
        breach.header[4..],
        ["TST-01", "A canary was asked for", "10"]
    );
    assert!(breach.syslog.contains(" tapir "), "{}", breach.syslog);
    for (key, value) in [
        ("src", "10.77.0.101"),
        ("dst", "10.77.0.10"),
        ("dpt", "80"),
        ("proto", "TCP"),
        ("cn1", "100"),
        ("cn1Label", "score"),
        ("cs1", "T1005"),
        ("deviceExternalId", "lon1"),
        ("flexNumber1Label", "seq"),
        ("flexNumber2", "0"),
        ("flexNumber2Label", "repeat"),
    ] {
        assert_eq!(breach.key(key), value, "{key}: {breach:?}");
    }
    assert_eq!(breach.key("externalId").len(), 26);
}
