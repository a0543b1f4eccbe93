//! What the sensor says of a mirror that is wrong.
//!
//! What it shows: each fault of a mirror is named and graded, with a fix; a mirror that shows everything
//! twice gives the same flows as one that is right; what is sent equals what is processed and what is
//! left out as a copy. How: hours of the demo are rewritten as a switch that is set up wrongly would
//! show them, and analysed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use crate::support::frames::pcap;
use crate::support::{demo, run, tapir_command};

/// Frames with their times in microseconds.
type Frames = Vec<(u64, Vec<u8>)>;

const HOUR_US: u64 = 3_600_000_000;

/// All of the demo, its times counted from the first frame.
static DEMO: LazyLock<Frames> = LazyLock::new(|| {
    let packed = fs::read(demo()).expect("the demo capture");
    let file = zstd::decode_all(packed.as_slice()).expect("zstd");
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
    let unit = match word(0) {
        0xa1b2_c3d4 => 1,
        0xa1b2_3c4d => 1_000,
        magic => panic!("magic {magic:x}"),
    };
    let mut frames = Frames::new();
    let (mut at, mut begin) = (24, None);
    while at + 16 <= file.len() {
        let len = usize::try_from(word(at + 8)).expect("a length");
        let us = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4) / unit);
        let since = us - *begin.get_or_insert(us);
        frames.push((since, file[at + 16..at + 16 + len].to_vec()));
        at += 16 + len;
    }
    frames
});

/// When the demo's times begin, for the captures made of it: a Monday at six.
const BEGIN_US: u64 = 1_794_204_000_000_000;

/// Six hours of the demo's second day.
static OFFICE: LazyLock<Frames> = LazyLock::new(|| {
    let hours = 32 * HOUR_US..38 * HOUR_US;
    let slice = DEMO.iter().filter(|(since, _)| hours.contains(since));
    let frames: Frames = slice
        .map(|(since, f)| (BEGIN_US + since, f.clone()))
        .collect();
    assert!(frames.len() > 5_000, "{} frames", frames.len());
    frames
});

/// The same six hours of all days on one day, for a busier office.
fn busy() -> Frames {
    let day_us = 24 * HOUR_US;
    let hours = 2 * HOUR_US..8 * HOUR_US;
    let of_day = DEMO.iter().map(|(since, frame)| (since % day_us, frame));
    let slice = of_day.filter(|(since, _)| hours.contains(since));
    let mut frames: Frames = slice
        .map(|(since, f)| (BEGIN_US + since, f.clone()))
        .collect();
    frames.sort_by_key(|(us, _)| *us);
    frames
}

/// What was found in a capture.
struct Found {
    stats: Value,
    breaches: String,
    conns: BTreeMap<String, Value>,
    shown: String,
}

fn analyse(mut frames: Frames) -> Found {
    frames.sort_by_key(|(us, _)| *us);
    let room = tempfile::tempdir().expect("a folder");
    let (file, out) = (room.path().join("in.pcap"), room.path().join("out"));
    fs::write(&file, pcap(1, &frames)).expect("room");
    let ran = run(tapir_command()
        .arg("analyze")
        .arg(&file)
        .arg("--out")
        .arg(&out));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_default();
    let stats: Value = serde_json::from_str(&text("stats.json")).expect("JSON");
    let grade = stats["mirror"]["grade"].as_str().unwrap_or("-");
    let line = format!("Mirror   {grade}  ");
    assert!(ran.stdout.contains(&line), "{}", ran.stdout);
    let conns = text("conn.log");
    let rows = conns.lines().map(|line| {
        let row: Value = serde_json::from_str(line).expect("a row");
        (row["uid"].as_str().expect("a uid").to_owned(), row)
    });
    Found {
        breaches: text("breaches.jsonl"),
        conns: rows.collect(),
        shown: shown(&out),
        stats,
    }
}

fn shown(out: &Path) -> String {
    let ran = run(tapir_command().args(["show", "mirror", "--from"]).arg(out));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

impl Found {
    /// The grade and the names of its causes.
    fn grade(&self) -> (&str, Vec<&str>) {
        let mirror = &self.stats["mirror"];
        let causes = mirror["causes"].as_array().expect("causes");
        let names = causes
            .iter()
            .map(|cause| cause["cause"].as_str().expect("a name"));
        (mirror["grade"].as_str().unwrap_or("-"), names.collect())
    }

    /// The worst cause comes first, is on the screen, and so is its fix.
    fn says(&self, grade: &str, cause: &str) {
        let (found, causes) = self.grade();
        assert_eq!(
            (found, causes.first()),
            (grade, Some(&cause)),
            "{}",
            self.shown
        );
        let fix = self.stats["mirror"]["causes"][0]["fix"]
            .as_str()
            .expect("a fix");
        let begin: String = fix.chars().take(20).collect();
        assert!(
            self.shown.starts_with(grade) && self.shown.contains(&begin),
            "{}",
            self.shown
        );
    }

    fn count(&self, name: &str) -> u64 {
        self.stats[name].as_u64().expect("a count")
    }
}

fn is_ip(frame: &[u8]) -> bool {
    frame[12..14] == [8, 0]
}

fn is_group(frame: &[u8]) -> bool {
    frame[0] & 1 == 1
}

/// The same frames again `us` later, as behind a router: TTL one less, hardware addresses and checksum new.
fn again(frames: &Frames, us: u64) -> Frames {
    let copy = |(ts, frame): &(u64, Vec<u8>)| {
        let mut frame = frame.clone();
        if is_ip(&frame) && !is_group(&frame) {
            frame[6..12].copy_from_slice(&[2, 9, 9, 9, 9, 9]);
            frame[22] = frame[22].wrapping_sub(1);
            (frame[24], frame[25]) = (0xab, 0xcd);
        }
        (ts + us, frame)
    };
    frames.iter().map(copy).collect()
}

fn tagged(frame: &[u8], vlan: u8) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.splice(12..12, [0x81, 0, 0, vlan]);
    frame
}

#[test]
fn the_demo_itself_is_mirrored_well() {
    let found = analyse(OFFICE.clone());
    assert!(["A", "B"].contains(&found.grade().0), "{}", found.shown);
    assert!(!found.breaches.contains("SEN-02"));
    assert_eq!(found.count("duplicate"), 0);
}

/// At most one packet in a thousand counts twice, whatever lies between a packet and its copy.
#[test]
fn a_doubled_capture_gives_the_flows_of_the_one_it_was_made_of() {
    let once = analyse(OFFICE.clone());
    let packets = once.count("packets");
    for us in [1, 100, 1_500] {
        let mut frames = OFFICE.clone();
        frames.extend(again(&OFFICE, us));
        let twice = analyse(frames);
        let copies = twice.count("duplicate");
        let missed = packets.saturating_sub(copies);
        assert!(
            missed <= packets / 1_000,
            "{us} µs: {missed} of {packets} count twice"
        );
        assert!(
            copies <= packets + packets / 1_000,
            "{us} µs: {copies} copies"
        );
        let names = [
            "orig_pkts",
            "resp_pkts",
            "orig_bytes",
            "resp_bytes",
            "orig_ip_bytes",
            "conn_state",
        ];
        let differ = |(uid, row): &(&String, &Value)| {
            let other = twice.conns.get(*uid);
            !other.is_some_and(|other| names.iter().all(|name| other[*name] == row[*name]))
        };
        let differing: Vec<_> = once.conns.iter().filter(differ).collect();
        assert!(
            differing.len() * 1_000 <= once.conns.len(),
            "{us} µs: {} of {} flows differ, as {:?}",
            differing.len(),
            once.conns.len(),
            differing
                .first()
                .map(|(uid, row)| (row, twice.conns.get(*uid)))
        );
        twice.says("D", "copies");
        assert!(twice.breaches.contains("SEN-02"));
    }
}

#[test]
fn a_mirror_loop_is_named() {
    let mut frames = OFFICE.clone();
    frames.extend(again(&OFFICE, 2));
    frames.extend(again(&OFFICE, 4));
    let found = analyse(frames);
    let causes = found.grade().1;
    assert!(causes.contains(&"loop"), "{}", found.shown);
}

#[test]
fn a_mirror_of_one_direction_is_named() {
    let mut frames = OFFICE.clone();
    // What servers answer is not copied.
    frames.retain(|(_, f)| {
        let tcp = is_ip(f) && f.len() > 37 && f[23] == 6;
        !tcp || u16::from_be_bytes([f[34], f[35]]) > u16::from_be_bytes([f[36], f[37]])
    });
    let found = analyse(frames);
    found.says("F", "one_way");
    assert!(found.breaches.contains("SEN-02"));
}

#[test]
fn an_ordinary_port_is_named() {
    // Of a day there is too little to judge.
    let group = DEMO.iter().filter(|(_, frame)| is_group(frame));
    let frames = group
        .map(|(since, f)| (BEGIN_US + since, f.clone()))
        .collect();
    analyse(frames).says("F", "only_broadcast");
}

/// Every other host is moved to a VLAN that is taken off the mirror after four hours.
#[test]
fn a_vlan_that_vanishes_is_named() {
    let office = busy();
    let begin = office.first().expect("frames").0;
    let mut frames = Frames::new();
    for (us, frame) in &office {
        let moved = frame[11] % 2 == 0 || (frame[5] % 2 == 0 && !is_group(frame));
        match moved {
            true if *us < begin + 4 * HOUR_US => frames.push((*us, tagged(frame, 20))),
            true => {}
            false => frames.push((*us, frame.clone())),
        }
    }
    let found = analyse(frames);
    assert!(found.grade().1.contains(&"vlan_gone"), "{}", found.shown);
    assert!(found.shown.contains("gone"), "{}", found.shown);
}

/// Of every third host only ARP is heard.
#[test]
fn hosts_that_only_speak_arp_are_named() {
    let mut frames = OFFICE.clone();
    let hidden = |mac: &[u8]| mac[0] & 1 == 0 && mac[5].is_multiple_of(3);
    frames.retain(|(_, f)| !is_ip(f) || !(hidden(&f[0..6]) || hidden(&f[6..12])));
    let found = analyse(frames);
    assert!(found.grade().1.contains(&"silent_hosts"), "{}", found.shown);
}

/// The copies carry another tag: two flows, as a tag is part of what makes a flow, but it is told.
#[test]
fn the_same_packets_in_two_vlans_are_named() {
    let mut frames = OFFICE.clone();
    frames.extend(
        again(&OFFICE, 30)
            .into_iter()
            .map(|(us, f)| (us, tagged(&f, 30))),
    );
    analyse(frames).says("C", "other_vlan");
}
