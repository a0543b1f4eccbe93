//! Nothing that was journalled is lost, whoever is killed, and what was lost is counted.
//!
//! The same frames go by three times and more: once undisturbed, then with `sense`, `serve` or both killed
//! in the middle of a SIEM's outage. Every breach that `serve` had journalled arrives, once or marked as
//! repeated; numbers that were given out and never arrived are counted as a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::Value;

use super::cut::prepare;
use super::daemon::{Daemon, signal};
use super::siem::{ADDRESS, Siem};
use super::until;
use crate::support::office::Office;

/// Clients, each of which asks for the canary once: as many breaches.
const CLIENTS: usize = 60;

/// Sends one HTTP request for a canary from each of `first..last` clients, straight to the mirror port.
pub(crate) fn ask_for_canaries(office: &Office, first: usize, last: usize) {
    const SCRIPT: &str = r"
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('span', 0))
def csum(b):
    if len(b) % 2: b += b'\0'
    t = sum(struct.unpack('>%dH' % (len(b) // 2), b))
    while t >> 16: t = (t & 0xffff) + (t >> 16)
    return 0xffff - t
def frame(n, up, flags, seq, ack, data=b''):
    mac = b'\x02\x77\0\0' + struct.pack('>H', n + 256); fs = b'\x02\x77\0\0\0\x03'
    pc = bytes([10, 77, 1, n + 1]); srv = bytes([10, 77, 0, 10])
    a, b = (pc, srv) if up else (srv, pc)
    sp, dp = (40000, 80) if up else (80, 40000)
    t = struct.pack('>HHIIBBHHH', sp, dp, seq, ack, 0x50, flags, 8192, 0, 0)
    c = csum(a + b + b'\0\x06' + struct.pack('>H', 20 + len(data)) + t + data)
    t = t[:16] + struct.pack('>H', c) + t[18:]
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 40 + len(data), 1, 0x4000, 64, 6, 0, a, b)
    ip = ip[:10] + struct.pack('>H', csum(ip)) + ip[12:]
    eth = (fs + mac if up else mac + fs) + b'\x08\0'
    return eth + ip + t + data
get = b'GET /canary.bin HTTP/1.1\r\nHost: fs\r\n\r\n'
answer = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
for n in range(int(sys.argv[1]), int(sys.argv[2])):
    s.send(frame(n, True, 2, 99, 0)); s.send(frame(n, False, 18, 499, 100))
    s.send(frame(n, True, 16, 100, 500)); s.send(frame(n, True, 24, 100, 500, get))
    s.send(frame(n, False, 24, 500, 100 + len(get), answer))
    time.sleep(0.005)
";
    let (first, last) = (first.to_string(), last.to_string());
    office.inside("sw", "python3", &["-c", SCRIPT, &first, &last]);
}

/// Who is killed in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victims {
    Nobody,
    Sense,
    Serve,
    Both,
}

/// What a run came to.
#[derive(Debug)]
struct Story {
    /// Originator addresses of all journalled breaches.
    journalled: Vec<String>,
    /// How often each breach arrived unmarked, and marked as repeated, by originator address.
    arrived: BTreeMap<String, (usize, usize)>,
    /// Notices that were given a number and never arrived.
    gaps: u64,
}

fn story(victims: Victims) -> Option<Story> {
    let test = format!("killed: {victims:?}");
    let office = Office::open(&test)?;
    let folder = tempfile::tempdir().expect("a folder");
    let mut siem = Siem::new(folder.path(), &test)?;
    siem.start(&office);
    let more = format!("[[forward.syslog]]\naddress = \"{ADDRESS}\"\n");
    prepare(folder.path(), "off", &more);
    let daemon = Daemon::start(&office, folder.path(), &[]);
    ask_for_canaries(&office, 0, 20);
    until("the first breaches arrive", || {
        (siem.lines().len() >= 20).then_some(())
    });
    siem.kill();
    ask_for_canaries(&office, 20, 30);
    let (sense, serve) = daemon.parts();
    match victims {
        Victims::Nobody => {}
        Victims::Sense => signal(sense, "KILL"),
        Victims::Serve => signal(serve, "KILL"),
        Victims::Both => {
            signal(sense, "KILL");
            signal(serve, "KILL");
        }
    }
    if victims != Victims::Nobody {
        until("the dead are replaced", || {
            let status = daemon.status()?;
            let restarts = |name: &str| status[name]["restarts"].as_u64().unwrap_or(0);
            let back = status["health"]["ts"].is_string()
                && (!matches!(victims, Victims::Sense | Victims::Both) || restarts("sense") > 0)
                && (!matches!(victims, Victims::Serve | Victims::Both) || restarts("serve") > 0);
            back.then_some(())
        });
    }
    ask_for_canaries(&office, 30, CLIENTS);
    let last = format!("10.77.1.{CLIENTS}");
    until("the last breach is journalled", || {
        journalled(&daemon).contains(&last).then_some(())
    });
    siem.start(&office);
    let journalled = journalled(&daemon);
    until("everything journalled arrives", || {
        let arrived = arrived(&siem);
        journalled
            .iter()
            .all(|who| arrived.contains_key(who))
            .then_some(())
    });
    let status = daemon.status().expect("a status");
    let gaps = status["journal"]["gaps"].as_u64().expect("a count of gaps");
    daemon.stop();
    Some(Story {
        journalled,
        arrived: arrived(&siem),
        gaps,
    })
}

/// Originators of all breaches the daemon knows.
pub(crate) fn journalled(daemon: &Daemon) -> Vec<String> {
    let breaches = daemon.json(&["show", "breaches", "--limit", "1000"]);
    let originator = |breach: &Value| breach["orig_h"].as_str().map(str::to_owned);
    let mut all: Vec<String> = breaches["breaches"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(originator)
        .collect();
    all.sort();
    all
}

/// Breach lines that have arrived, by originator.
pub(crate) fn arrived(siem: &Siem) -> BTreeMap<String, (usize, usize)> {
    let mut all: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for line in siem.lines() {
        if line.key("type") != "0" {
            continue;
        }
        let counts = all.entry(line.key("src").to_owned()).or_default();
        match line.key("flexNumber2") {
            "0" => counts.0 += 1,
            _ => counts.1 += 1,
        }
    }
    all
}

fn every_journalled_breach_arrives(victims: Victims) {
    let Some(story) = story(victims) else {
        return;
    };
    for who in &story.journalled {
        let (first, _) = story.arrived.get(who).copied().unwrap_or_default();
        assert!(
            first <= 1,
            "{who} arrived {first} times without a mark: {story:?}"
        );
    }
    let Some(undisturbed) = undisturbed() else {
        return;
    };
    // Nothing is there that the same frames do not raise, and each that is there is there once.
    let of = |story: &Story| story.journalled.iter().cloned().collect::<BTreeSet<_>>();
    let (here, all) = (of(&story), of(undisturbed));
    assert_eq!(here.len(), story.journalled.len(), "{story:?}");
    assert!(here.is_subset(&all), "{story:?}");
    let missing: Vec<&String> = all.difference(&here).collect();
    match victims {
        Victims::Nobody | Victims::Serve => {
            assert_eq!((missing.len(), story.gaps), (0, 0), "{story:?}");
        }
        Victims::Sense | Victims::Both => {
            // Only what was being read when it was killed may be missing: the frames just before.
            let last = |who: &String| who.rsplit('.').next()?.parse::<usize>().ok();
            let in_flight = |who: &&String| last(who).is_some_and(|n| (21..=30).contains(&n));
            assert!(missing.iter().all(in_flight), "{missing:?} {story:?}");
            // A gap is a number that was given out: a breach's, or its incident's.
            let most = u64::try_from(2 * missing.len()).expect("a few");
            assert!(story.gaps <= most, "{missing:?} {story:?}");
        }
    }
}

/// The same frames with nobody killed, gone by once for all tests here.
fn undisturbed() -> Option<&'static Story> {
    static STORY: OnceLock<Option<Story>> = OnceLock::new();
    let story = STORY.get_or_init(|| story(Victims::Nobody)).as_ref()?;
    assert_eq!(
        (story.journalled.len(), story.gaps),
        (CLIENTS, 0),
        "{story:?}"
    );
    Some(story)
}

#[test]
fn nobody_killed() {
    every_journalled_breach_arrives(Victims::Nobody);
}

#[test]
fn sense_killed() {
    every_journalled_breach_arrives(Victims::Sense);
}

#[test]
fn serve_killed() {
    every_journalled_breach_arrives(Victims::Serve);
}

#[test]
fn both_killed() {
    every_journalled_breach_arrives(Victims::Both);
}
