//! The operator's hand through the program itself: configuration, rules, and a daemon on a socket.
//!
//! What it shows: exit codes, one-line errors, JSON that programs can rely on.
//! How: the daemon is the library's server in this process, its knowledge made by hand.

mod devices;
mod files;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tapir::control::{
    Desk, Event, Refusal, ResponseEntry, Ruled, Server, Serving, Site, Status, Watch, Watchers, Why,
};
use tapir_message::{Breach, Device, Incident, Merge, ServiceUse};
use tempfile::TempDir;

use crate::support::{Ran, run, tapir, tapir_command};

const BREACH: &str = "04b7x2c9q4m8t1v6k3z5j0hwdr";

/// A daemon that knows one breach and two devices.
struct Fake {
    watchers: Watchers,
    subscribed: Mutex<Sender<()>>,
    merges: Mutex<Vec<Merge>>,
}

fn breach() -> Breach {
    serde_json::from_value(json!({
        "ts": "2025-11-12T22:57:00Z", "id": BREACH, "model": "CMD-01",
        "title": "Command / Rhythmic beacon", "class": "threat", "score": 84, "score_sure": 80,
        "rate": 3.36, "rate_low": 2.11, "rate_high": 5.01, "provisional": false, "impact": 4,
        "device": "d-1", "device_name": "pc-\u{1b}[2Jalbers", "attack": ["T1071.001"],
        "terms": [{"name": "rhythm", "points": 90, "text": "Every 90 s."},
                  {"name": "small answers", "points": -6, "text": "412 bytes."}],
        "incident": "", "first_ts": "2025-11-11T09:41:00Z", "last_ts": "2025-11-12T22:57:00Z",
        "count": 37, "loss": 0.0, "text": "It calls every 90 seconds.", "detail": "TLS 1.3."
    }))
    .expect("a breach")
}

impl Desk for Fake {
    fn site(&self) -> Site {
        Site {
            sensor_id: "kontor".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            devices: 14,
        }
    }

    fn devices(&self) -> Vec<Device> {
        let mut all = devices::two();
        for merge in self.merges() {
            all.retain(|device| device.id != merge.other);
            all[0].merged.push(merge.other);
        }
        all
    }

    fn merges(&self) -> Vec<Merge> {
        self.merges.lock().expect("a lock").clone()
    }

    fn services(&self) -> Vec<ServiceUse> {
        Vec::new()
    }

    fn breaches(&self) -> Vec<Breach> {
        vec![breach()]
    }

    fn incidents(&self) -> Vec<Incident> {
        Vec::new()
    }

    fn responses(&self) -> Vec<ResponseEntry> {
        Vec::new()
    }

    fn status(&self) -> Status {
        Status::default().judged()
    }

    fn subscribe(&self) -> Watch {
        let watch = self.watchers.subscribe();
        let subscribed = self.subscribed.lock().expect("a lock");
        subscribed.send(()).expect("a test that listens");
        watch
    }

    fn approve(&self, _: &str, _: &str, _: &str) -> Result<String, Refusal> {
        Err(Refusal::new(Why::Refused, "it does not ask"))
    }

    fn revert(&self, who: &str, decision: Option<&str>) -> Result<String, Refusal> {
        Ok(format!("{} reverted by {who}", decision.unwrap_or("all")))
    }

    fn merge_devices(&self, who: &str, into: &str, other: &str) -> Result<Ruled, Refusal> {
        assert_eq!((into, other), ("d-1", "d-2"));
        let merge = devices::merge(who);
        self.merges.lock().expect("a lock").push(merge);
        Ok(Ruled::Done)
    }

    fn split_device(&self, _: &str, id: &str) -> Result<Ruled, Refusal> {
        let mut merges = self.merges.lock().expect("a lock");
        merges.retain(|merge| merge.other != id);
        Ok(Ruled::Done)
    }

    fn stop_responses(&self, who: &str) -> Result<String, Refusal> {
        Ok(format!("stopped by {who}"))
    }

    fn resume_responses(&self, _: &str) -> Result<String, Refusal> {
        Err(Refusal::new(Why::Refused, "sense does not run"))
    }
}

/// A folder, and perhaps a daemon in it.
struct Bench {
    folder: TempDir,
    desk: Option<Arc<Fake>>,
    serving: Option<Serving>,
    subscribed: Receiver<()>,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            desk: None,
            serving: None,
            subscribed: channel().1,
        }
    }

    fn with_daemon() -> Self {
        let mut bench = Self::new();
        let (told, subscribed) = channel();
        let desk = Arc::new(Fake {
            watchers: Watchers::new(),
            subscribed: Mutex::new(told),
            merges: Mutex::default(),
        });
        let server = Server::bind(&bench.socket()).expect("a socket");
        let serving = server.serve(Arc::clone(&desk) as Arc<dyn Desk>);
        bench.serving = Some(serving.expect("a thread"));
        bench.desk = Some(desk);
        bench.subscribed = subscribed;
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn socket(&self) -> PathBuf {
        self.path("control.sock")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("room");
        path
    }

    /// `tapir WORDS…` with this daemon's socket.
    fn ask(&self, words: &[&str]) -> Ran {
        run(tapir_command()
            .args(words)
            .arg("--socket")
            .arg(self.socket()))
    }

    /// `tapir WORDS…` in the folder.
    fn here(&self, words: &[&str]) -> Ran {
        run(tapir_command().current_dir(self.folder.path()).args(words))
    }

    /// A watch that has begun.
    fn watch(&self, words: &[&str]) -> Child {
        let child = tapir_command()
            .arg("watch")
            .args(words)
            .arg("--socket")
            .arg(self.socket())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        self.subscribed.recv().expect("a subscription");
        child
    }

    fn publish(&self, event: Event) {
        let desk = self.desk.as_ref().expect("a daemon");
        desk.watchers.publish(event);
    }
}

/// One line on the terminal that says all of these, and nothing else.
fn assert_one_line(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "no `{word}` in {ran:?}");
    }
}

fn breach_event() -> Event {
    Event::Breach {
        breach: Box::new(breach()),
    }
}

#[test]
fn without_a_daemon_one_line_says_what_to_do() {
    let bench = Bench::new();
    let words = ["control.sock", "no daemon answers", "tapir run --interface"];
    for command in [
        &["show", "breaches"][..],
        &["explain", "04"],
        &["watch"],
        &["stop-responses"],
    ] {
        assert_one_line(&bench.ask(command), 1, &words);
    }
    // A socket that a killed daemon left behind is the same.
    drop(UnixListener::bind(bench.socket()).expect("a socket"));
    assert_one_line(&bench.ask(&["show", "status"]), 1, &words);
}

#[test]
fn the_daemon_is_shown_to_people_and_to_programs() {
    let bench = Bench::with_daemon();
    let ran = bench.ask(&["show", "breaches"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains("pc-\\u001b[2Jalbers  Rhythmic beacon"),
        "{ran:?}"
    );
    assert!(!ran.stdout.contains('\u{1b}'));
    let ran = bench.ask(&["show", "breaches", "--json", "--score", "80"]);
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(value["schema"], "tapir.breaches/1");
    assert_eq!(value["breaches"][0]["id"], BREACH);
    assert_eq!(value["breaches"][0]["device_name"], "pc-\u{1b}[2Jalbers");
    assert!(!ran.stdout.contains('\u{1b}'));
    let ran = bench.ask(&["show", "breaches", "--score", "85"]);
    assert!(ran.stdout.starts_with("No breach matches"), "{ran:?}");
    let ran = bench.ask(&["explain", "04b"]);
    assert!(
        ran.stdout.contains("Why 84") && ran.stdout.contains("    84\n"),
        "{ran:?}"
    );
    // A sensor that does not watch fails the command.
    let ran = bench.ask(&["show", "status"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.starts_with("FAILED"), "{ran:?}");
    // The socket may also come from a configuration.
    let config = format!("[control]\nsocket = \"{}\"\n", bench.socket().display());
    bench.write("t.toml", &config);
    assert_eq!(
        bench.here(&["show", "devices", "--config", "t.toml"]).code,
        Some(0)
    );
}

#[test]
fn commands_end_with_what_became_of_them() {
    let bench = Bench::with_daemon();
    let ran = bench.ask(&["stop-responses"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("stopped by "), "{ran:?}");
    let ran = bench.ask(&["revert", "all", "--json"]);
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(value["schema"], "tapir.done/1");
    assert_one_line(
        &bench.ask(&["resume-responses"]),
        1,
        &["sense does not run"],
    );
    assert_one_line(
        &bench.ask(&["approve", "1q", "1"]),
        1,
        &["no decision \"1q\""],
    );
    assert_one_line(
        &bench.ask(&["explain", "zz"]),
        1,
        &["no breach \"zz\"", "show breaches"],
    );
    for usage in [
        &["show", "breaches", "--score", "101"][..],
        &["show", "breaches", "--since", "soon"],
        &["show", "all"],
        &["approve", "1q"],
    ] {
        assert_eq!(tapir(usage).code, Some(2), "{usage:?}");
    }
}

#[test]
fn a_watch_flushes_each_line_and_ends_with_either_side() {
    let mut bench = Bench::with_daemon();
    let mut child = bench.watch(&[]);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    bench.publish(breach_event());
    let line = lines.next().expect("a line").expect("text");
    assert!(
        line.starts_with("23:57:00  breach    84 wake  It calls"),
        "{line}"
    );
    // The reader has seen enough: the next line ends the command, and well. A child that another test is just
    // starting may hold the reader's end for a moment, and a line written then is lost without an error.
    drop(lines);
    let ended = crate::live::until("the watch ends", || {
        bench.publish(breach_event());
        child.try_wait().expect("a child")
    });
    assert_eq!(ended.code(), Some(0));

    let mut child = bench.watch(&["--json"]);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    bench.publish(Event::Missed { lines: 3 });
    let mut value = || -> Value {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    assert_eq!(value()["schema"], "tapir.watch/1");
    assert_eq!(
        value(),
        json!({"schema": "tapir.event/1", "event": "missed", "lines": 3})
    );
    bench.serving.take();
    assert_eq!(child.wait().expect("an end").code(), Some(1));
}

/// A daemon of another version, or something else on the socket.
#[test]
fn an_answer_of_another_shape_is_named() {
    for (bytes, words) in [
        (
            &b"{\"schema\":\"tapir.status/9\"}\n"[..],
            &["control.sock", "another shape"][..],
        ),
        (
            b"220 mail.example ESMTP\r\n",
            &["another shape", "daemon's version"],
        ),
        (b"{\"schema\":", &["cut off"]),
        (b"", &["without an answer"]),
    ] {
        let bench = Bench::new();
        let listener = UnixListener::bind(bench.socket()).expect("a socket");
        let answering = std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let mut stream = BufReader::new(stream);
            let mut request = String::new();
            stream.read_line(&mut request).expect("a request");
            stream.get_mut().write_all(bytes).expect("a reader");
        });
        assert_one_line(&bench.ask(&["show", "status"]), 1, words);
        answering.join().expect("an end");
    }
}

/// Who may ask is decided by the daemon, even where the file system would let everybody in.
#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn a_stranger_is_refused_by_the_kernels_word() {
    const NOBODY: u32 = 65_534;
    if !nix::unistd::Uid::effective().is_root() {
        println!("SKIPPED stranger: only root can become somebody else");
        return;
    }
    let bench = Bench::with_daemon();
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
    };
    let program = bench.path("tapir");
    fs::copy(env!("CARGO_BIN_EXE_tapir"), &program).expect("room");
    open(bench.folder.path(), 0o755);
    open(&program, 0o755);
    let as_nobody = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.uid(NOBODY).gid(NOBODY).current_dir("/").args(words);
        run(command.arg("--socket").arg(bench.socket()))
    };
    // The socket's own mode keeps them out first.
    assert_one_line(
        &as_nobody(&["show", "status"]),
        3,
        &["may not use", "group tapir"],
    );
    open(&bench.socket(), 0o666);
    for words in [
        &["show", "status"][..],
        &["stop-responses"],
        &["watch"],
        &["device", "merge", "d-1", "d-2"],
    ] {
        let ran = as_nobody(words);
        assert_one_line(
            &ran,
            3,
            &["(uid 65534) may not ask this daemon", "group tapir"],
        );
    }
}
