//! The chain holds over restarts, files, crashes and torn lines, and every changed byte is found.

use super::*;

const AT: Timestamp = Timestamp::from_secs(1_763_456_789);

/// A folder in memory if there is one: hundreds of flushes on a busy disk take long.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn command(text: &str) -> LogEntry {
    LogEntry::Command {
        who: "j.smith".to_owned(),
        command: text.to_owned(),
    }
}

fn filled(folder: &Path, lines: u64) -> DecisionLog {
    let mut log = DecisionLog::open(folder, AT).unwrap();
    for line in 0..lines {
        log.append(AT, &command(&format!("revert {line}"))).unwrap();
    }
    log
}

#[test]
fn a_chain_is_followed_over_restarts_and_files() {
    let folder = folder();
    for _ in 0..3 {
        let mut log = DecisionLog::open_with(folder.path(), AT, 700).unwrap();
        for line in 0..4 {
            log.append(AT, &command(&format!("{line}"))).unwrap();
        }
    }
    assert!(full_files(folder.path()).unwrap().len() >= 3);
    let verified = verify(folder.path()).unwrap();
    let log = DecisionLog::open(folder.path(), AT).unwrap();
    assert_eq!((verified.entries, verified.first), (12, 1));
    assert_eq!(log.last(), (12, verified.last_hash.as_str()));
    fs::remove_file(folder.path().join("decisions-00000001.log")).unwrap();
    assert!(verify(folder.path()).unwrap().first > 1);
}

#[test]
fn every_changed_byte_is_found() {
    let folder = folder();
    filled(folder.path(), 3);
    let path = folder.path().join(FILE);
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let broken = verify(folder.path()).unwrap_err();
        assert!(!broken.to_string().contains('\n'), "{broken}");
    }
    let lines: Vec<&str> = std::str::from_utf8(&good).unwrap().lines().collect();
    fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
    assert_eq!(verify(folder.path()).unwrap_err().line, 2);
}

#[test]
fn a_torn_line_is_moved_away_and_told() {
    let folder = folder();
    filled(folder.path(), 3);
    let path = folder.path().join(FILE);
    let good = fs::read(&path).unwrap();
    let second = good.iter().rposition(|b| *b == b'\n').unwrap();
    let second = good[..second].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in second + 1..good.len() {
        fs::write(&path, &good[..cut]).unwrap();
        drop(DecisionLog::open(folder.path(), AT).unwrap());
        let torn = fs::read(folder.path().join("decisions.torn-3")).unwrap();
        assert_eq!(torn, good[second..cut]);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().last().unwrap().contains("decisions.torn-3"));
        assert_eq!(verify(folder.path()).unwrap().entries, 3);
    }
}

#[test]
fn a_line_beyond_the_bound_is_refused_and_the_chain_goes_on() {
    let folder = folder();
    let mut log = filled(folder.path(), 1);
    let error = log.append(AT, &command(&"x".repeat(LINE_MAX))).unwrap_err();
    assert!(error.to_string().contains("at most 524288"), "{error}");
    log.append(AT, &command("revert all")).unwrap();
    assert_eq!(verify(folder.path()).unwrap().entries, 2);
}

/// Lines written together are chained like lines written one by one, and one that cannot be written
/// takes those before it along.
#[test]
fn lines_written_together_are_one_chain() {
    let folder = folder();
    let mut log = filled(folder.path(), 1);
    let two = [command("revert 7"), command("revert 8")];
    log.write_all(AT, &two).unwrap();
    log.sync().unwrap();
    assert_eq!(verify(folder.path()).unwrap().entries, 3);
    let three = [command("revert 9"), command(&"x".repeat(LINE_MAX))];
    log.write_all(AT, &three).unwrap_err();
    log.append(AT, &command("revert all")).unwrap();
    let verified = verify(folder.path()).unwrap();
    assert_eq!(
        (verified.entries, verified.last_hash.as_str()),
        (4, log.last().1)
    );
}

#[test]
fn a_crash_between_two_files_breaks_nothing() {
    let folder = folder();
    filled(folder.path(), 2);
    let path = folder.path().join(FILE);
    fs::rename(&path, folder.path().join("decisions-00000001.log")).unwrap();
    assert_eq!(verify(folder.path()).unwrap().entries, 2);
    let mut log = DecisionLog::open(folder.path(), AT).unwrap();
    log.append(AT, &command("revert all")).unwrap();
    assert_eq!(verify(folder.path()).unwrap().entries, 3);
}

#[test]
fn a_false_last_line_is_refused() {
    let folder = folder();
    filled(folder.path(), 2);
    let path = folder.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("revert 1", "revert 7")).unwrap();
    let error = DecisionLog::open(folder.path(), AT)
        .unwrap_err()
        .to_string();
    assert!(error.contains("decisions.log:2: its hash"), "{error}");
}
