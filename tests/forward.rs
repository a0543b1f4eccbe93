//! Forwarding to a real syslog daemon, from a real journal.
//!
//! What it shows: an rsyslogd with octet counting takes what is sent, over its own death and restart and
//! over ours; every notice is in its file, once or with the repeat mark, each line whole.
//! How: rsyslogd runs on a port of the loopback with its files in a folder of the test. The test waits by
//! reading the file a bounded number of times, each after a bounded wait on a condition.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tapir::forward::{Feed, Forwarder, OutputSettings, Sensor, Target, Timing, highest_sent};
use tapir::store::journal::{Journal, JournalSettings};
use tapir_message::{Notice, Numbered};

const RSYSLOGD: &str = "/usr/sbin/rsyslogd";

/// A journal that is read from and written to, as in `serve`.
#[derive(Debug)]
struct Shared {
    journal: Mutex<Journal>,
    more: Condvar,
}

impl Shared {
    fn open(folder: &Path) -> Arc<Self> {
        let settings = JournalSettings {
            seq_floor: highest_sent(&folder.join("forward")),
            ..JournalSettings::default()
        };
        let journal = Journal::open(&folder.join("journal"), settings).expect("a journal");
        Arc::new(Self {
            journal: Mutex::new(journal),
            more: Condvar::new(),
        })
    }

    fn add(&self, numbers: std::ops::RangeInclusive<u64>) {
        let notices: Vec<Numbered> = numbers.map(breach).collect();
        let mut journal = self.journal.lock().expect("a journal");
        journal.append_all(&notices).expect("room");
        drop(journal);
        self.more.notify_all();
    }
}

impl Feed for Shared {
    fn last(&self) -> u64 {
        self.journal.lock().expect("a journal").last_seq()
    }

    fn after(&self, seq: u64, max: usize) -> Result<Vec<(u64, Numbered)>, String> {
        let journal = self.journal.lock().expect("a journal");
        journal.read_after(seq, max).map_err(|e| e.to_string())
    }

    fn wait(&self, seq: u64, timeout: Duration) {
        let journal = self.journal.lock().expect("a journal");
        let none = |journal: &mut Journal| journal.last_seq() <= seq;
        drop(self.more.wait_timeout_while(journal, timeout, none));
    }
}

/// A breach with text that a parser may trip over.
fn breach(number: u64) -> Numbered {
    let json = serde_json::json!({"Breach": {
        "ts": "2026-11-22T03:14:09.512Z", "id": format!("{number:026}"), "model": "CMD-01",
        "title": "Rhythmic beacon | to \\ rare endpoint", "class": "threat", "score": 94,
        "score_sure": 88, "rate": 0.02, "rate_low": 0.01, "rate_high": 0.1, "provisional": false,
        "impact": 4, "device": "d-1", "device_name": "büro=\u{202e}pc", "orig_h": "10.20.4.31",
        "orig_p": 51544, "resp_h": "2001:db8::9", "resp_p": 443, "proto": "tcp",
        "attack": ["T1071.001"], "terms": [{"name": "rarity", "points": 94, "text": "t"}],
        "incident": "INC-1", "first_ts": "2026-11-22T03:02:11Z",
        "last_ts": "2026-11-22T03:13:58Z", "count": 42, "loss": 0.0,
        "text": "a=b \\ c\nd \u{1b}[2J %24 #033", "detail": "d"
    }});
    let notice: Notice = serde_json::from_value(json).expect("a breach");
    Numbered { number, notice }
}

fn start(port: u16, feed: &Arc<Shared>, folder: &Path) -> Forwarder {
    let settings = OutputSettings {
        name: "siem".to_owned(),
        sensor: Sensor {
            id: "lon1-7f3a9c".to_owned(),
            host: "lon1".to_owned(),
            interface: "mirror0".to_owned(),
            version: "1.0.0".to_owned(),
        },
        target: Target::SyslogTcp {
            address: format!("127.0.0.1:{port}"),
        },
        timing: Timing {
            retry_first: Duration::from_millis(20),
            retry_max: Duration::from_millis(100),
            ..Timing::default()
        },
    };
    let feed: Arc<dyn Feed> = Arc::<Shared>::clone(feed);
    Forwarder::start(vec![settings], &feed, &folder.join("forward")).expect("a forwarder")
}

/// An rsyslogd of the test's own; it ends with the test.
#[derive(Debug)]
struct Rsyslogd(Child);

impl Rsyslogd {
    fn start(folder: &Path, port: u16) -> Self {
        let at = folder.display();
        let conf = format!(
            "global(workDirectory=\"{at}\" maxMessageSize=\"16k\" \
             parser.escapeControlCharactersOnReceive=\"off\")\n\
             module(load=\"imtcp\" maxSessions=\"10\")\n\
             template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n\
             input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\" \
             supportOctetCountedFraming=\"on\")\n\
             *.* action(type=\"omfile\" file=\"{at}/received.log\" template=\"raw\")\n"
        );
        fs::write(folder.join("rsyslog.conf"), conf).expect("a written file");
        let child = Command::new(RSYSLOGD)
            .args(["-n", "-i"])
            .arg(folder.join("rsyslog.pid"))
            .arg("-f")
            .arg(folder.join("rsyslog.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("rsyslogd starts");
        let started = until(|| TcpStream::connect(("127.0.0.1", port)).ok());
        assert!(started.is_some(), "rsyslogd does not listen");
        Self(child)
    }

    fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Rsyslogd {
    fn drop(&mut self) {
        self.end();
    }
}

/// Asks again and again, with a bounded wait each time, until there is an answer.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let never = (Mutex::new(()), Condvar::new());
    for _ in 0..1_000 {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        let guard = never.0.lock().expect("a lock");
        drop(never.1.wait_timeout(guard, Duration::from_millis(20)));
    }
    None
}

/// The breaches of the file, by number: how often without and with the repeat mark.
fn received(folder: &Path) -> BTreeMap<u64, (u32, u32)> {
    let text = fs::read_to_string(folder.join("received.log")).unwrap_or_default();
    let mut found = BTreeMap::new();
    for line in whole_lines(&text) {
        let values = check_line(line);
        let number: u64 = values["externalId"].parse().expect("a number");
        let (once, repeated) = found.entry(number).or_insert((0, 0));
        match values["flexNumber2"].as_str() {
            "0" => *once += 1,
            "1" => *repeated += 1,
            other => panic!("repeat mark {other}"),
        }
        assert_eq!(values["flexNumber1"], number.to_string());
    }
    found
}

/// The lines that are written to their end. One is being written while it is read; one that the killed
/// receiver had begun stands before the next, which begins with its own priority.
fn whole_lines(text: &str) -> impl Iterator<Item = &str> {
    let written = text.rsplit_once('\n').map_or("", |(written, _)| written);
    written.lines().filter_map(|line| {
        let begins = line.rfind("<132>1 ")?;
        let line = line.get(begins..)?;
        line.ends_with("flexNumber2Label=repeat").then_some(line)
    })
}

/// One line as it must be, and its values.
fn check_line(line: &str) -> BTreeMap<String, String> {
    let (envelope, cef) = line.split_once(" - - - ").expect("an envelope");
    assert_eq!(envelope, "<132>1 2026-11-22T03:14:09.512Z lon1 tapir");
    let header = "CEF:0|Tapir|Sensor|1.0.0|CMD-01|Rhythmic beacon \\| to \\\\ rare endpoint|9|";
    let extension = cef.strip_prefix(header).expect("the header");
    let mut values = BTreeMap::new();
    let mut key = String::new();
    let mut value = String::new();
    let mut escaped = false;
    for c in extension.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            '=' if !escaped => {
                let (before, next) = match value.rsplit_once(' ') {
                    Some((before, next)) => (before.to_owned(), next.to_owned()),
                    None => (String::new(), value.clone()),
                };
                values.insert(std::mem::replace(&mut key, next), before);
                value.clear();
            }
            c => {
                value.push(if escaped && c == 'n' { '\n' } else { c });
                escaped = false;
            }
        }
    }
    values.insert(key, value);
    assert_eq!(values["msg"], "a=b \\ c\nd \\u001b[2J %24 #033");
    assert_eq!(values["shost"], "büro=\\u202epc");
    assert_eq!(values["c6a3"], "2001:db8::9");
    assert_eq!(values["flexNumber2Label"], "repeat");
    values
}

/// Waits for all numbers up to `last`, and gives what is there then.
fn wait_for(folder: &Path, last: u64) -> BTreeMap<u64, (u32, u32)> {
    let all = until(|| {
        let found = received(folder);
        (1..=last)
            .all(|number| found.contains_key(&number))
            .then_some(found)
    });
    all.unwrap_or_else(|| panic!("only {:?} arrived", received(folder).keys()))
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn a_real_rsyslog_takes_every_line_over_outages_and_restarts() {
    if !Path::new(RSYSLOGD).is_file() {
        println!(
            "SKIPPED a_real_rsyslog_takes_every_line_over_outages_and_restarts: no {RSYSLOGD}"
        );
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let feed = Shared::open(folder);
    let forwarder = start(port, &feed, folder);
    feed.add(1..=100);
    // Nobody listens so far; then somebody does.
    let rsyslogd = Rsyslogd::start(folder, port);
    wait_for(folder, 100);
    rsyslogd.kill();
    feed.add(101..=150);
    // We go away in the middle of the outage, and come back with what is on disk.
    forwarder.stop();
    drop(feed);
    let feed = Shared::open(folder);
    let forwarder = start(port, &feed, folder);
    feed.add(151..=200);
    let rsyslogd = Rsyslogd::start(folder, port);
    wait_for(folder, 200);
    // A second outage.
    rsyslogd.kill();
    feed.add(201..=210);
    let rsyslogd = Rsyslogd::start(folder, port);
    let found = wait_for(folder, 210);
    for (number, (once, repeated)) in &found {
        assert!(*once <= 1, "{number} arrived {once} times without the mark");
        assert!(once + repeated >= 1);
    }
    assert_eq!(found.len(), 210);
    let health = forwarder.health().remove(0);
    assert_eq!(health.lost, 0, "{health:?}");
    assert_eq!(feed.journal.lock().expect("a journal").gaps().total, 0);
    forwarder.stop();
    rsyslogd.kill();
}
