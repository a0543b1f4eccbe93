//! What stands against an action is said, and nothing leaves.

use std::path::Path;

use super::acts::{BAIT, Running, Scene, responses, said};
use super::cut::{CANARY, RULE, day, prepare_with};
use super::daemon::Daemon;
use super::traffic::Servers;
use super::until;
use crate::support::office::Office;

/// A rule or configuration that does not allow it, and the words that say so.
struct Limit {
    name: &'static str,
    rule: String,
    more: &'static str,
    reason: &'static str,
    /// What has to be known of the devices before.
    known: &'static str,
}

/// Limits that need nothing but another rule or configuration.
fn limits() -> Vec<Limit> {
    let limit = |name, rule, reason| Limit {
        name,
        rule,
        more: "",
        reason,
        known: "",
    };
    let without = |line: &str| {
        assert!(RULE.contains(line), "{line}");
        RULE.replace(line, "")
    };
    let waived = "[shadow_override]\nname = \"Jane Smith\"\n\
                  reason = \"bait files have no innocent readers\"\n";
    vec![
        Limit {
            name: "never, by configuration",
            rule: RULE.to_owned(),
            more: "never = [\"10.77.0.10/32\"]\n",
            reason: "never-list of the configuration",
            known: "",
        },
        limit(
            "never, by rule",
            format!("{RULE}\n[never]\nnetworks = [\"10.77.0.101/32\"]\n"),
            "never-list of rule R-0001",
        ),
        limit(
            "after a start",
            without("hold_after_start = 0\n"),
            "600 seconds after a start",
        ),
        limit(
            "provisional",
            without("allow_provisional = true\n"),
            "provisional",
        ),
        limit("days of shadow", without(waived), "after 14 days of shadow"),
        limit(
            "another device",
            RULE.replace("10.77.0.0/24", "10.78.0.0/24"),
            "does not cover device",
        ),
    ]
}

/// Downloads the bait and gives the reason why that is let be; nothing leaves and it goes on.
fn reason(office: &Office, folder: &Path, limit: &Limit) -> String {
    prepare_with(
        folder,
        "autonomous",
        &limit.rule,
        &[CANARY.to_owned()],
        limit.more,
    );
    let daemon = Daemon::start(office, folder, &["--inject", "inj0"]);
    until("the devices are known", || {
        let devices = daemon.json(&["show", "devices"]).to_string();
        devices.contains(limit.known).then_some(())
    });
    let before = office.injected();
    let mut download = Running::download(office, "pc1", BAIT);
    let entry = until(limit.name, || responses(&daemon).into_iter().next());
    assert!(said(&entry, "withheld"), "{}: {entry}", limit.name);
    assert!(entry["response"].is_null(), "{}: {entry}", limit.name);
    assert!(download.runs(), "{}: cut all the same", limit.name);
    daemon.stop();
    assert_eq!(office.injected(), before, "{}", limit.name);
    entry["decision"]["reason"]
        .as_str()
        .expect("a reason")
        .to_owned()
}

#[test]
fn each_limit_withholds_with_its_reason() {
    let test = "each limit withholds";
    let Some(mut office) = Office::open(test) else {
        return;
    };
    let Some(_servers) = Servers::start(&mut office, test) else {
        return;
    };
    for limit in limits() {
        let folder = tempfile::tempdir().expect("a folder");
        let reason = reason(&office, folder.path(), &limit);
        assert!(reason.contains(limit.reason), "{}: {reason}", limit.name);
    }
    // What passes frames of other networks on is a gateway, and gateways are never touched.
    let far = ["addr", "add", "203.0.113.5/32", "dev", "lo"];
    office.inside("fs", "ip", &far);
    let way = ["route", "add", "203.0.113.0/24", "via", "10.77.0.10"];
    office.inside("pc2", "ip", &way);
    let call = "import socket, time\n\
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
        s.connect(('203.0.113.5', 9))\n\
        def call():\n\
        \x20 try: s.send(b'hello')\n\
        \x20 except OSError: pass\n\
        while True: call(); time.sleep(0.2)\n";
    office.start("pc2", "python3", &["-c", call]);
    let limit = Limit {
        name: "a gateway",
        rule: RULE.to_owned(),
        more: "",
        reason: "forwards for other networks",
        known: "forwards for other networks",
    };
    let folder = tempfile::tempdir().expect("a folder");
    let reason = reason(&office, folder.path(), &limit);
    assert!(reason.contains(limit.reason), "{reason}");
}

/// A rule whose time is over allows nothing; the daemon says so or does not start.
#[test]
fn an_expired_rule_allows_nothing() {
    let test = "an expired rule";
    let rule = RULE
        .replace("FROM", &day("60 days ago"))
        .replace("UNTIL", &day("2 days ago"));
    let Some(scene) = Scene::open(test, "autonomous", &rule) else {
        return;
    };
    let before = scene.office.injected();
    let mut download = scene.download("pc1", BAIT);
    let entry = scene.entry("it is withheld", |entry| said(entry, "withheld"));
    let reason = entry["decision"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("rule R-0001 expired"), "{reason}");
    assert!(download.runs());
    assert_eq!(scene.office.injected(), before);
    scene.daemon.stop();
}

/// The cap counts what was done, whoever it was done to.
#[test]
fn the_second_action_in_a_minute_is_withheld_by_the_cap() {
    let test = "the cap of a minute";
    let rule = RULE.replace("per_minute = 60", "per_minute = 1");
    let Some(scene) = Scene::open(test, "autonomous", &rule) else {
        return;
    };
    scene.download("pc1", BAIT).ends_reset();
    scene.entry("the first is dead", |entry| {
        entry["response"]["state"] == "reset"
    });
    let before = scene.office.injected();
    let mut second = scene.download("pc2", BAIT);
    let entry = scene.entry("the second is withheld", |entry| said(entry, "withheld"));
    let reason = entry["decision"]["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("1 actions were taken in the last minute"),
        "{reason}"
    );
    assert!(second.runs(), "cut beyond the cap");
    assert_eq!(scene.office.injected(), before);
    scene.daemon.stop();
}
