//! Forwarding against a receiver on the loopback that goes away, comes back, stands still or talks.
//!
//! What it shows: every notice arrives once or with the repeat mark, in order, over outages and
//! restarts; health says what is wrong. A test waits by reading from a socket or by asking for health a
//! bounded number of times.

use std::collections::BTreeSet;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use tapir_message::Notice;

use super::*;

/// Notices in memory; numbers are sequence numbers.
#[derive(Debug, Default)]
struct Memory {
    notices: Mutex<(u64, Vec<Numbered>)>,
    more: Condvar,
}

impl Memory {
    fn with(count: u64) -> Arc<Self> {
        let memory = Arc::new(Self::default());
        memory.add(count);
        memory
    }

    fn add(&self, count: u64) {
        let mut notices = lock(&self.notices);
        for _ in 0..count {
            let number = notices.0 + notices.1.len() as u64 + 1;
            notices.1.push(notice(number));
        }
        drop(notices);
        self.more.notify_all();
    }

    /// The oldest are gone.
    fn forget(&self, count: usize) {
        let mut notices = lock(&self.notices);
        notices.1.drain(..count);
        notices.0 += count as u64;
    }
}

impl Feed for Memory {
    fn last(&self) -> u64 {
        let notices = lock(&self.notices);
        notices.0 + notices.1.len() as u64
    }

    fn after(&self, seq: u64, max: usize) -> Result<Vec<(u64, Numbered)>, String> {
        let notices = lock(&self.notices);
        let all = notices.1.iter().filter(|n| n.number > seq);
        Ok(all.take(max).map(|n| (n.number, n.clone())).collect())
    }

    fn wait(&self, seq: u64, timeout: Duration) {
        let notices = lock(&self.notices);
        let none = |held: &mut (u64, Vec<Numbered>)| held.0 + held.1.len() as u64 <= seq;
        drop(self.more.wait_timeout_while(notices, timeout, none));
    }
}

fn notice(number: u64) -> Numbered {
    let json = format!(
        r#"{{"Incident":{{"id":"i{number}","first_ts":"2026-11-22T03:02:11Z",
        "last_ts":"2026-11-22T03:14:09Z","title":"T","devices":[],"device_names":[],"attack":[],
        "timeline":[]}}}}"#
    );
    Numbered {
        number,
        notice: serde_json::from_str::<Notice>(&json).unwrap(),
    }
}

fn settings(address: String) -> OutputSettings {
    OutputSettings {
        name: "siem".to_owned(),
        sensor: Sensor {
            id: "s".to_owned(),
            host: "lon1".to_owned(),
            interface: "mirror0".to_owned(),
            version: "1".to_owned(),
        },
        target: Target::SyslogTcp { address },
        timing: Timing {
            retry_first: Duration::from_millis(5),
            retry_max: Duration::from_millis(20),
            ..Timing::default()
        },
    }
}

fn start(address: String, feed: &Arc<Memory>, folder: &Path) -> Forwarder {
    let feed: Arc<dyn Feed> = Arc::<Memory>::clone(feed);
    Forwarder::start(vec![settings(address)], &feed, folder).unwrap()
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// The receiver's end of a connection.
struct Receiver(BufReader<TcpStream>);

impl Receiver {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next line: its sequence number and repeat mark; `None` at the end.
    fn next(&mut self) -> Option<(u64, bool)> {
        let mut len = String::new();
        loop {
            let mut byte = [0];
            if self.0.read(&mut byte).ok()? == 0 {
                return None;
            }
            if byte == *b" " {
                break;
            }
            len.push(char::from(byte[0]));
        }
        let mut line = vec![0; len.parse().unwrap()];
        self.0.read_exact(&mut line).ok()?;
        let line = String::from_utf8(line).unwrap();
        assert!(line.starts_with("<134>1 2026-11-22T03:14:09.000Z lon1 tapir - - - CEF:0|"));
        let (_, tail) = line.split_once(" flexNumber1=").unwrap();
        let (seq, tail) = tail.split_once(' ').unwrap();
        let repeat = tail.contains("flexNumber2=1");
        Some((seq.parse().unwrap(), repeat))
    }

    fn take(&mut self, count: usize) -> Vec<(u64, bool)> {
        (0..count).map(|_| self.next().unwrap()).collect()
    }
}

fn run(from: u64, to: u64, repeat: bool) -> Vec<(u64, bool)> {
    (from..=to).map(|seq| (seq, repeat)).collect()
}

/// Asks until health is as wanted.
fn until(forwarder: &Forwarder, wanted: impl Fn(&OutputHealth) -> bool) -> OutputHealth {
    let feed = Memory::default();
    for _ in 0..2_000 {
        let health = forwarder.health().remove(0);
        if wanted(&health) {
            return health;
        }
        feed.wait(0, Duration::from_millis(10));
    }
    panic!("still {:?}", forwarder.health());
}

#[test]
fn lines_arrive_in_order_and_once() {
    let (listener, address) = listener();
    let folder = tempfile::tempdir().unwrap();
    let feed = Memory::with(200);
    let forwarder = start(address, &feed, folder.path());
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(200), run(1, 200, false));
    feed.add(3);
    assert_eq!(receiver.take(3), run(201, 203, false));
    let health = until(&forwarder, |health| health.sent == 203);
    assert_eq!((health.repeated, health.lost), (0, 0));
    assert_eq!(highest_sent(folder.path()), 203);
    forwarder.stop();
    assert_eq!(receiver.next(), None);
}

#[test]
fn two_outages_in_a_row_lose_nothing_and_repeat_with_a_mark() {
    let (listener, address) = listener();
    let folder = tempfile::tempdir().unwrap();
    let feed = Memory::with(10);
    let forwarder = start(address, &feed, folder.path());
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(10), run(1, 10, false));
    until(&forwarder, |health| health.sent == 10);
    // The receiver is gone, without having read what comes next, twice.
    drop(receiver);
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(10), run(1, 10, true));
    feed.add(5);
    drop(receiver);
    let mut receiver = Receiver::accept(&listener);
    let all = receiver.take(15);
    let seqs: Vec<u64> = all.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=15).collect::<Vec<_>>());
    assert_eq!(all[..10], run(1, 10, true));
    let health = until(&forwarder, |health| health.state == OutputState::Up);
    assert!(health.connections >= 3 && health.lost == 0, "{health:?}");
    forwarder.stop();
}

#[test]
fn a_restart_marks_what_may_have_been_sent() {
    let (listener, address) = listener();
    let folder = tempfile::tempdir().unwrap();
    let feed = Memory::with(4);
    let forwarder = start(address.clone(), &feed, folder.path());
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(4), run(1, 4, false));
    forwarder.stop();
    feed.add(2);
    let forwarder = start(address, &feed, folder.path());
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(4), run(1, 4, true));
    assert_eq!(receiver.take(2), run(5, 6, false));
    forwarder.stop();
}

#[test]
fn what_a_killed_sender_may_have_sent_is_marked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("siem.cursor");
    // The cursor as a sender leaves it that dies between its flush and its write.
    let cursor = cursor::Cursor {
        done: 2,
        high: 5,
        lost: 0,
    };
    CursorFile::open(&path).unwrap().store(cursor).unwrap();
    let (listener, address) = listener();
    let feed = Memory::with(6);
    let forwarder = start(address, &feed, folder.path());
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(3), run(3, 5, true));
    assert_eq!(receiver.take(1), run(6, 6, false));
    forwarder.stop();
}

#[test]
fn a_damaged_cursor_repeats_all_with_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("siem.cursor"), "x").unwrap();
    let (listener, address) = listener();
    let feed = Memory::with(3);
    let forwarder = start(address, &feed, folder.path());
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(3), run(1, 3, true));
    feed.add(1);
    assert_eq!(receiver.take(1), run(4, 4, false));
    forwarder.stop();
}

#[test]
fn lines_old_enough_are_not_sent_again() {
    let (listener, address) = listener();
    let folder = tempfile::tempdir().unwrap();
    let feed: Arc<dyn Feed> = Memory::with(3);
    let mut hurried = settings(address);
    hurried.timing.resend = Duration::from_millis(1);
    let forwarder = Forwarder::start(vec![hurried], &feed, folder.path()).unwrap();
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(3), run(1, 3, false));
    until(&forwarder, |health| health.done == 3);
    assert_eq!(forwarder.passed(), 3);
    forwarder.stop();
    let cursor = CursorFile::open(&folder.path().join("siem.cursor")).unwrap();
    assert_eq!((cursor.position().done, cursor.position().high), (3, 3));
}

#[test]
fn an_unreachable_receiver_is_told_and_then_served() {
    let (gone, address) = listener();
    drop(gone);
    let folder = tempfile::tempdir().unwrap();
    let feed = Memory::with(7);
    let forwarder = start(address.clone(), &feed, folder.path());
    let health = until(&forwarder, |health| health.depth == 7);
    assert_eq!(health.state, OutputState::Degraded);
    assert!(health.reason.contains(&address) && health.reason.contains("refused"));
    assert!(!health.reason.contains('\n'));
    assert_eq!(
        health.oldest_unsent.unwrap().to_string(),
        "2026-11-22T03:14:09.000000000Z"
    );
    let listener = TcpListener::bind(&address).unwrap();
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(7), run(1, 7, false));
    let health = until(&forwarder, |health| health.state == OutputState::Up);
    assert_eq!((health.depth, health.oldest_unsent), (0, None));
    forwarder.stop();
}

#[test]
fn what_the_feed_no_longer_holds_is_counted_as_lost() {
    let (gone, address) = listener();
    drop(gone);
    let folder = tempfile::tempdir().unwrap();
    let feed = Memory::with(10);
    let forwarder = start(address.clone(), &feed, folder.path());
    until(&forwarder, |health| health.depth == 10);
    feed.forget(4);
    let listener = TcpListener::bind(&address).unwrap();
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(6), run(5, 10, false));
    until(&forwarder, |health| health.lost == 4);
    forwarder.stop();
    let forwarder = start(address, &feed, folder.path());
    until(&forwarder, |health| health.lost == 4);
    forwarder.stop();
}

#[test]
fn a_receiver_that_stands_still_is_told_and_given_up() {
    let (listener, address) = listener();
    let folder = tempfile::tempdir().unwrap();
    let feed = Memory::with(60_000);
    let mut hurried = settings(address);
    hurried.timing.stall = Duration::from_millis(300);
    let shared: Arc<dyn Feed> = Arc::<Memory>::clone(&feed);
    let forwarder = Forwarder::start(vec![hurried], &shared, folder.path()).unwrap();
    let mut still = Receiver::accept(&listener);
    until(&forwarder, |health| health.reason.contains("takes nothing"));
    let health = until(&forwarder, |health| health.connections >= 2);
    assert!(health.depth > 0, "{health:?}");
    // The first connection took whole lines in order, and perhaps the beginning of one.
    let mut seen = BTreeSet::new();
    while let Some((seq, repeat)) = still.next() {
        assert!(!repeat && seen.insert(seq));
    }
    let mut receiver = Receiver::accept(&listener);
    let high = highest_sent(folder.path());
    let mut expected = 1;
    while expected <= 60_000 {
        let Some((seq, repeat)) = receiver.next() else {
            // It was given up once more while this test read the first one.
            receiver = Receiver::accept(&listener);
            expected = 1;
            continue;
        };
        assert_eq!(seq, expected);
        assert!(repeat || seq > high.min(seen.len() as u64));
        expected += 1;
    }
    forwarder.stop();
}

#[test]
fn a_receiver_that_talks_is_not_listened_to() {
    let (listener, address) = listener();
    let folder = tempfile::tempdir().unwrap();
    let feed = Memory::with(2);
    let forwarder = start(address, &feed, folder.path());
    let mut receiver = Receiver::accept(&listener);
    assert_eq!(receiver.take(2), run(1, 2, false));
    let garbage = vec![0x1b; 300_000];
    receiver.0.get_mut().write_all(&garbage).unwrap();
    feed.add(1);
    assert_eq!(receiver.take(1), run(3, 3, false));
    forwarder.stop();
}

/// A cursor on a device that is always full: nothing may be sent that could not be marked later.
#[test]
fn a_full_disk_under_the_cursor_is_told_and_nothing_is_sent() {
    let (listener, address) = listener();
    let folder = tempfile::tempdir().unwrap();
    let cursor = folder.path().join("siem.cursor");
    std::os::unix::fs::symlink("/dev/full", &cursor).unwrap();
    let feed = Memory::with(3);
    let forwarder = start(address.clone(), &feed, folder.path());
    let health = until(&forwarder, |health| health.state == OutputState::Degraded);
    assert!(health.reason.contains("siem.cursor") && health.reason.contains("No space"));
    assert_eq!((health.sent, health.connections), (0, 0));
    forwarder.stop();
    std::fs::remove_file(cursor).unwrap();
    let forwarder = start(address, &feed, folder.path());
    assert_eq!(Receiver::accept(&listener).take(3), run(1, 3, false));
    forwarder.stop();
}

#[test]
fn names_of_outputs_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let feed: Arc<dyn Feed> = Memory::with(0);
    for name in ["", "../x", "a b"] {
        let mut bad = settings("127.0.0.1:1".to_owned());
        bad.name = name.to_owned();
        let error = Forwarder::start(vec![bad], &feed, folder.path()).unwrap_err();
        assert!(error.to_string().contains("letters, digits"), "{error}");
    }
    let twice = vec![settings("127.0.0.1:1".to_owned()); 2];
    let error = Forwarder::start(twice, &feed, folder.path()).unwrap_err();
    assert!(error.to_string().contains("same name"), "{error}");
}
