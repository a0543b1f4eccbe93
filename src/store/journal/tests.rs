//! The journal under torn writes, damage, a full disk, and the death of its writer.
//!
//! What it shows: nothing acknowledged is lost and nothing half-written is read, whatever byte a write
//! stops at; what is lost is counted.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use tapir_message::Timestamp;

use super::open::starts;
use super::*;

/// Set for a copy of this program that plays the writer.
const CHILD: &str = "TAPIR_TEST_JOURNAL";

fn notice(number: u64) -> Numbered {
    let json = format!(
        r#"{{"ts":"2026-11-22T03:14:09.512Z","id":"breach-{number}","model":"CMD-01","title":"T",
        "class":"threat","score":94,"score_sure":90,"rate":0.02,"rate_low":0.01,"rate_high":0.1,
        "provisional":false,"impact":4,"device":"d-1","device_name":"FIN-LT-031","attack":[],
        "terms":[],"incident":"i","first_ts":"2026-11-22T03:14:09Z","last_ts":"2026-11-22T03:14:09Z",
        "count":1,"loss":0.0,"text":"T.","detail":"D."}}"#
    );
    Numbered {
        number,
        notice: Notice::Breach(serde_json::from_str(&json).unwrap()),
    }
}

/// A folder in memory if there is one: thousands of flushes on a busy disk would take minutes.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn small() -> JournalSettings {
    JournalSettings {
        bytes_max: 40_000,
        segment_bytes: 4_000,
        seq_floor: 0,
    }
}

fn open(folder: &Path) -> Journal {
    Journal::open(folder, small()).unwrap()
}

/// What a journal holds, as (sequence number, notice number).
fn held(journal: &Journal) -> Vec<(u64, u64)> {
    let mut held = Vec::new();
    loop {
        let after = held.last().map_or(0, |(seq, _)| *seq);
        let more = journal.read_after(after, 3).unwrap();
        if more.is_empty() {
            return held;
        }
        held.extend(more.iter().map(|(seq, n)| (*seq, n.number)));
    }
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let starts = starts(folder).unwrap();
    starts.iter().map(|s| segment::path(folder, *s)).collect()
}

#[test]
fn notices_come_back_in_order_over_segments_and_restarts() {
    let folder = folder();
    for round in 0..4_u64 {
        let mut journal = open(folder.path());
        for number in round * 10 + 1..=round * 10 + 10 {
            let appended = journal.append(&notice(number)).unwrap();
            assert_eq!(appended, Appended::Stored { seq: number });
            assert_eq!(journal.append(&notice(number)).unwrap(), Appended::Known);
        }
    }
    let mut journal = open(folder.path());
    assert!(journal.status().segments > 3);
    assert_eq!(held(&journal), (1..=40).map(|n| (n, n)).collect::<Vec<_>>());
    assert_eq!(journal.append(&notice(17)).unwrap(), Appended::Known);
    assert_eq!(journal.read_after(39, 9).unwrap(), [(40, notice(40))]);
    assert!(journal.read_after(40, 9).unwrap().is_empty());
    assert_eq!(journal.gaps(), Gaps::default());
}

#[test]
fn a_batch_is_stored_once_and_whole() {
    let folder = folder();
    let mut journal = open(folder.path());
    let batch = [notice(1), notice(2), notice(1), notice(4)];
    let appended = journal.append_all(&batch).unwrap();
    let stored = |seq| Appended::Stored { seq };
    assert_eq!(appended, [stored(1), stored(2), Appended::Known, stored(3)]);
    assert_eq!(held(&open(folder.path())), [(1, 1), (2, 2), (3, 4)]);
    assert_eq!(journal.gaps().ranges, [(3, 3)]);
}

#[test]
fn a_write_torn_at_any_byte_costs_only_what_was_not_acknowledged() {
    let folder = folder();
    let mut journal = open(folder.path());
    let mut ends = vec![0];
    for number in 1..=3 {
        journal.append(&notice(number)).unwrap();
        ends.push(usize::try_from(journal.bytes()).unwrap());
    }
    drop(journal);
    let path = segments(folder.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        let mut bytes = whole[..cut].to_vec();
        // What a crash leaves is cut short, or filled up with zeroes.
        if cut % 2 == 1 {
            bytes.resize(whole.len(), 0);
        }
        fs::write(&path, bytes).unwrap();
        let mut journal = open(folder.path());
        let want = ends[1..].iter().filter(|end| **end <= cut).count() as u64;
        assert_eq!(
            held(&journal),
            (1..=want).map(|n| (n, n)).collect::<Vec<_>>(),
            "cut {cut}"
        );
        journal.append(&notice(want + 1)).unwrap();
        assert_eq!(
            held(&open(folder.path())).len() as u64,
            want + 1,
            "cut {cut}"
        );
        for path in segments(folder.path()) {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn damage_in_the_middle_is_stepped_over_and_counted() {
    let folder = folder();
    let mut journal = open(folder.path());
    for number in 1..=30 {
        journal.append(&notice(number)).unwrap();
    }
    drop(journal);
    let files = segments(folder.path());
    let mut bytes = fs::read(&files[1]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[1], bytes).unwrap();
    fs::write(&files[2], b"TAPIRSEG").unwrap();
    let mut journal = open(folder.path());
    let status = journal.status();
    let have = held(&journal).len() as u64;
    assert_eq!(status.damaged, 30 - have);
    assert!(status.damaged > 2 && have > 15, "{status:?}");
    assert_eq!(status.notes.len(), 3, "{status:?}");
    assert_eq!(status.gaps, Gaps::default());
    assert!(files[2].with_extension("seg.damaged").exists());
    assert_eq!(
        journal.append(&notice(31)).unwrap(),
        Appended::Stored { seq: 31 }
    );
    assert_eq!(held(&journal).last(), Some(&(31, 31)));
}

#[test]
fn a_later_version_is_refused() {
    let folder = folder();
    let path = segment::path(folder.path(), 0);
    fs::write(&path, b"TAPIRSEG\x02\0\0\0\0\0\0\0").unwrap();
    let error = Journal::open(folder.path(), small())
        .unwrap_err()
        .to_string();
    assert!(error.contains("version 2 of the journal"), "{error}");
}

#[test]
fn the_oldest_go_first_and_what_was_not_sent_is_counted() {
    let folder = folder();
    let mut journal = open(folder.path());
    journal.passed(50);
    for number in 1..=300 {
        journal.append(&notice(number)).unwrap();
        assert!(journal.bytes() <= small().bytes_max, "at {number}");
    }
    let status = journal.status();
    assert!(status.first_seq > 51, "{status:?}");
    assert_eq!(status.lost_unsent, status.first_seq - 51);
    drop(journal);
    let journal = open(folder.path());
    assert_eq!(journal.status(), status);
    assert_eq!(
        held(&journal).first(),
        Some(&(status.first_seq, status.first_seq))
    );
}

#[test]
fn what_everybody_has_read_goes_without_a_loss() {
    let folder = folder();
    let mut journal = open(folder.path());
    for number in 1..=300 {
        journal.append(&notice(number)).unwrap();
        journal.passed(number);
    }
    assert_eq!(journal.status().lost_unsent, 0);
    assert_eq!(journal.append(&notice(3)).unwrap(), Appended::Known);
    assert_eq!(
        open(folder.path()).append(&notice(3)).unwrap(),
        Appended::Known
    );
}

#[test]
fn numbers_used_and_never_received_are_gaps_over_restarts() {
    let folder = folder();
    let mut journal = open(folder.path());
    journal.leased(1).unwrap();
    journal.append(&notice(1)).unwrap();
    journal.used(4).unwrap();
    journal.leased(1_001).unwrap();
    journal.append(&notice(1_001)).unwrap();
    drop(journal);
    let mut journal = open(folder.path());
    assert_eq!(journal.gaps().total, 3);
    assert_eq!(journal.gaps().ranges, [(2, 4)]);
    assert_eq!(journal.highest_number(), 1_001);
    // One that arrives after all fills its gap.
    journal.append(&notice(3)).unwrap();
    assert_eq!(open(folder.path()).gaps().ranges, [(2, 2), (4, 4)]);
}

#[test]
fn sequence_numbers_stay_above_what_was_sent() {
    let folder = folder();
    let settings = JournalSettings {
        seq_floor: 70,
        ..small()
    };
    let mut journal = Journal::open(folder.path(), settings).unwrap();
    assert_eq!(
        journal.append(&notice(1)).unwrap(),
        Appended::Stored { seq: 71 }
    );
    assert_eq!(held(&open(folder.path())), [(71, 1)]);
}

#[test]
fn a_replay_gives_the_latest_state_once() {
    let folder = folder();
    let mut journal = open(folder.path());
    for number in 1..=20 {
        let mut newer = notice(number);
        if let Notice::Breach(breach) = &mut newer.notice {
            breach.id = format!("breach-{}", number % 3);
            breach.count = number;
        }
        journal.append(&newer).unwrap();
    }
    let mut found = Vec::new();
    let mut visit = |seq, _: Numbered| found.push(seq);
    journal.replay(Timestamp::from_secs(0), &mut visit).unwrap();
    assert_eq!(found, [18, 19, 20]);
    found.clear();
    let mut visit = |seq, _: Numbered| found.push(seq);
    journal.replay(Timestamp::MAX, &mut visit).unwrap();
    assert!(found.is_empty());
}

/// A copy of this program that runs `test` with its part set to `part`.
fn copy(test: &str, part: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(CHILD, part);
    command
}

/// The writer is killed in the middle of its work, eight times over; everything that it had
/// acknowledged is there.
#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    const NAME: &str = "store::journal::tests::a_killed_writer_loses_nothing_it_acknowledged";
    if let Some(folder) = std::env::var_os(CHILD) {
        write_forever(Path::new(&folder));
    }
    let folder = folder();
    let mut acknowledged = 0;
    for round in 1..=8 {
        let mut child = copy(NAME, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acks = lines.map_while(Result::ok).filter_map(|line| {
            let (_, number) = line.split_once("ack ")?;
            number.parse::<u64>().ok()
        });
        for number in acks.take(7 * round) {
            acknowledged = number;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let journal = open(folder.path());
        let held = held(&journal);
        assert!(held.len() as u64 >= acknowledged && acknowledged > 0);
        assert!(held.iter().zip(1..).all(|(one, n)| *one == (n, n)));
        assert_eq!(journal.status().damaged, 0);
    }
}

#[expect(clippy::print_stdout, reason = "how the writer acknowledges")]
fn write_forever(folder: &Path) {
    let settings = JournalSettings {
        bytes_max: 400_000_000,
        ..small()
    };
    let mut journal = Journal::open(folder, settings).unwrap();
    loop {
        let number = journal.last_seq() + 1;
        journal.append(&notice(number)).unwrap();
        println!("ack {number}");
    }
}

/// A disk of 64 KiB fills up: the append that does not fit fails and leaves nothing behind; after room
/// was made the same notice is stored.
#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn a_full_disk_is_told_and_survived() {
    const NAME: &str = "store::journal::tests::a_full_disk_is_told_and_survived";
    if let Some(folder) = std::env::var_os(CHILD) {
        fill_the_disk(Path::new(&folder));
        println!("full disk survived");
        return;
    }
    let folder = folder();
    let inner = copy(NAME, folder.path());
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o size=64k tmpfs \"$0\" || exit 77; exec \"$@\"")
        .arg(folder.path())
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(CHILD, folder.path());
    let output = match command.output() {
        Ok(output) if output.status.code() != Some(77) && output.status.code() != Some(1) => output,
        other => {
            println!("SKIPPED {NAME}: no mount namespace of its own: {other:?}");
            return;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("full disk survived"), "{output:?}");
}

fn fill_the_disk(folder: &Path) {
    let settings = JournalSettings {
        bytes_max: 10_000_000,
        segment_bytes: 20_000,
        seq_floor: 0,
    };
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![1; 20_000]).unwrap();
    let journal_folder = folder.join("journal");
    let mut journal = Journal::open(&journal_folder, settings).unwrap();
    let (number, error) = (1..10_000)
        .find_map(|number| journal.append(&notice(number)).err().map(|e| (number, e)))
        .unwrap();
    assert!(error.is_full(), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert!(journal.append(&notice(number)).is_err());
    assert_eq!(held(&journal).len() as u64, number - 1);
    assert_eq!(
        held(&Journal::open(&journal_folder, settings).unwrap()).len() as u64,
        number - 1
    );
    fs::remove_file(ballast).unwrap();
    assert_eq!(
        journal.append(&notice(number)).unwrap(),
        Appended::Stored { seq: number }
    );
    let again = Journal::open(&journal_folder, settings).unwrap();
    assert_eq!(held(&again).len() as u64, number);
    assert!(again.status().notes.is_empty(), "{:?}", again.status());
}
