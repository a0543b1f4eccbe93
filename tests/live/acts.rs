//! What a person says yes to, and a pair that is held until a person takes it back.

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::cut::{CANARY, RULE, prepare_with};
use super::daemon::Daemon;
use super::traffic::Servers;
use super::until;
use crate::support;
use crate::support::office::{Office, can};

/// An office with servers and a daemon that may act.
#[derive(Debug)]
pub(crate) struct Scene {
    // Ended in this order.
    pub(crate) daemon: Daemon,
    pub(crate) servers: Servers,
    pub(crate) office: Office,
    folder: tempfile::TempDir,
}

impl Scene {
    /// Opens it with one rule and the canary's model; `None`, having said why, where that cannot be.
    pub(crate) fn open(test: &str, mode: &str, rule: &str) -> Option<Self> {
        let models = [CANARY.to_owned()];
        Self::open_with(test, (mode, rule, &models, ""), |_, _| {})
    }

    /// The same with mode, rule, models and more of the configuration; `wire` prepares the network.
    pub(crate) fn open_with(
        test: &str,
        (mode, rule, models, more): (&str, &str, &[String], &str),
        wire: impl FnOnce(&mut Office, &Servers),
    ) -> Option<Self> {
        let mut office = Office::open(test)?;
        let servers = Servers::start(&mut office, test)?;
        wire(&mut office, &servers);
        let folder = tempfile::tempdir().expect("a folder");
        prepare_with(folder.path(), mode, rule, models, more);
        let daemon = Daemon::start(&office, folder.path(), &["--inject", "inj0"]);
        Some(Self {
            daemon,
            servers,
            office,
            folder,
        })
    }

    /// Begins a slow download on `host`.
    pub(crate) fn download(&self, host: &str, url: &str) -> Running {
        Running::download(&self.office, host, url)
    }

    /// Decisions with what became of them, the newest first.
    pub(crate) fn responses(&self) -> Vec<Value> {
        responses(&self.daemon)
    }

    /// The first entry that `found` likes, once there is one.
    pub(crate) fn entry(&self, what: &str, found: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.responses().into_iter().find(|e| found(e)))
    }

    /// The decision log as text.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("store/decisions.log")).expect("a log")
    }

    /// How many established connections of `host` have been reset so far.
    pub(crate) fn resets(&self, host: &str) -> u64 {
        let text = self
            .office
            .inside(host, "nstat", &["-asz", "TcpEstabResets"]);
        let line = text.lines().find(|line| line.contains("TcpEstabResets"));
        let count = line.and_then(|line| line.split_whitespace().nth(1));
        count.expect("a count").parse().expect("a number")
    }
}

/// Decisions with what became of them, the newest first.
pub(crate) fn responses(daemon: &Daemon) -> Vec<Value> {
    let all = daemon.json(&["show", "responses"]);
    all["responses"].as_array().cloned().unwrap_or_default()
}

/// Whether an entry's decision said `verdict`.
pub(crate) fn said(entry: &Value, verdict: &str) -> bool {
    entry["decision"]["verdict"] == verdict
}

/// A program that is ended with the test.
#[derive(Debug)]
pub(crate) struct Running(Option<Child>);

impl Running {
    /// A download that takes far longer than a test waits, and then gives up.
    pub(crate) fn download(office: &Office, host: &str, url: &str) -> Self {
        let args = [
            "-sS",
            "--limit-rate",
            "1M",
            "--max-time",
            "40",
            "-o",
            "/dev/null",
            url,
        ];
        Self::start(office.command(host, "curl", &args))
    }

    /// Starts a command whose complaints are kept.
    pub(crate) fn start(mut command: Command) -> Self {
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program");
        Self(Some(child))
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        let child = self.0.as_mut().expect("a child");
        child.try_wait().expect("a child").is_none()
    }

    /// Waits for its end; gives exit code and complaints.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let child = self.0.take().expect("a child");
        let output = child.wait_with_output().expect("a child");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    }

    /// Waits for the end of a curl whose connection was reset.
    pub(crate) fn ends_reset(self) {
        let (code, said) = self.end();
        assert_eq!(code, Some(56), "curl: {said}");
        assert!(said.to_lowercase().contains("reset by peer"), "{said}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _gone_already = child.kill();
            let _reaped = child.wait();
        }
    }
}

pub(crate) const BAIT: &str = "http://10.77.0.10/canary.bin";
const LARGE: &str = "http://10.77.0.10/large.bin";

#[test]
fn a_person_approves_with_the_code_and_only_then_it_is_cut() {
    let test = "a person approves with the code";
    let Some(scene) = Scene::open(test, "confirm", RULE) else {
        return;
    };
    let before = scene.office.injected();
    let resets = scene.resets("fs");
    let mut download = scene.download("pc1", BAIT);
    let asked = scene.entry("the question", |entry| said(entry, "ask"));
    let id = asked["decision"]["id"].as_str().expect("an id").to_owned();
    let code = asked["code"].as_str().expect("a code for root").to_owned();
    assert_eq!(code.len(), 6, "{asked}");
    nobody_sees(&scene, &code);

    let wrong = if code == "000000" { "000001" } else { "000000" };
    let refused = scene.daemon.ask(&["approve", &id, wrong]);
    assert_ne!(refused.code, Some(0), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("not the code"),
        "{}",
        refused.stderr
    );
    assert!(download.runs(), "cut without approval");
    assert_eq!(scene.office.injected(), before);

    let approved = scene.daemon.ask(&["approve", &id, &code]);
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    download.ends_reset();
    until("the server's end is reset", || {
        (scene.resets("fs") > resets).then_some(())
    });
    assert!(scene.office.injected() > before);
    let again = scene.daemon.ask(&["approve", &id, &code]);
    assert_ne!(again.code, Some(0), "approved twice: {}", again.stdout);

    until("the effect is verified", || {
        scene.log().contains("\"state\":\"reset\"").then_some(())
    });
    let log = scene.log();
    let place = |what: &str| log.find(what).unwrap_or_else(|| panic!("no {what}: {log}"));
    let order = [
        place("\"verdict\":\"ask\""),
        place(&format!("\"command\":\"approve {id}\"")),
        place("\"verdict\":\"act\""),
        place("\"state\":\"reset\""),
    ];
    assert!(order.is_sorted(), "{order:?}: {log}");
    scene.daemon.stop();
}

/// Somebody who is neither root nor in the group gets no answer, and so no code.
fn nobody_sees(scene: &Scene, code: &str) {
    if !can("the code is for root only", &["setpriv"]) {
        return;
    }
    let socket = scene.daemon.folder.join("control.sock");
    let ran = support::run(
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(env!("CARGO_BIN_EXE_tapir"))
            .args(["show", "responses", "--socket"])
            .arg(socket),
    );
    assert_ne!(ran.code, Some(0), "{}", ran.stdout);
    assert!(!ran.stdout.contains(code), "{}", ran.stdout);
}

/// Held until it is taken back; everybody and everything else goes on.
#[test]
fn a_held_pair_is_refused_until_it_is_taken_back() {
    let test = "a held pair is refused";
    let rule = RULE.replace("\"reset_flow\"", "\"hold_pair\"");
    let Some(scene) = Scene::open(test, "autonomous", &rule) else {
        return;
    };
    // Longer than any race between a page and a reset.
    let page = |host: &str| {
        let args = [
            "-sS",
            "--max-time",
            "5",
            "--limit-rate",
            "64M",
            "-o",
            "/dev/null",
            LARGE,
        ];
        let ran = scene.office.run(host, "curl", &args);
        (
            ran.status.code(),
            String::from_utf8_lossy(&ran.stderr).into_owned(),
        )
    };
    scene.download("pc1", BAIT).ends_reset();
    let held = scene.entry("the pair is held", |entry| {
        entry["decision"]["action"] == "hold_pair" && entry["response"].is_object()
    });
    let id = held["decision"]["id"].as_str().expect("an id").to_owned();
    for _ in 0..4 {
        let (code, said) = page("pc1");
        // Refused at once, or reset while it asked or was answered: as soon as the reset is there.
        let refused = matches!(code, Some(7 | 55 | 56));
        assert!(refused, "not refused: {code:?} {said}");
        assert_eq!(page("pc2").0, Some(0), "another client is cut off");
        let other_port = "import socket\n\
            assert socket.create_connection(('10.77.0.10', 22), 5).recv(4) == b'SSH-'\n\
            socket.create_connection(('10.77.0.10', 445), 5)\n";
        scene.office.inside("pc1", "python3", &["-c", other_port]);
    }
    scene.entry("the calls are counted", |entry| {
        entry["response"]["redials"].as_u64() >= Some(4)
    });
    let reverted = scene.daemon.ask(&["revert", &id]);
    assert_eq!(reverted.code, Some(0), "{}", reverted.stderr);
    scene.entry("it is taken back", |entry| {
        entry["response"]["state"] == "reverted"
    });
    let sent = scene.office.injected();
    assert_eq!(page("pc1").0, Some(0), "still refused");
    assert_eq!(scene.office.injected(), sent);
    scene.daemon.stop();
}
