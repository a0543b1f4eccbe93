//! A full disk under the queue: nothing is called kept that is not, and it goes on once there is room.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::cut::prepare;
use super::daemon::{Daemon, configure, signal};
use super::killed::{arrived, ask_for_canaries, journalled};
use super::siem::{ADDRESS, Siem};
use super::until;
use super::wrong::says;
use crate::support;
use crate::support::office::{Office, can};

/// Starts a daemon whose store is a disk of 2 MB that only its namespace sees.
fn start_on_a_small_disk(office: &Office, folder: &Path) -> Daemon {
    let at = |name: &str| folder.join(name).display().to_string();
    fs::create_dir(at("store")).expect("a folder");
    let script = "mount -t tmpfs -o size=2m tapir \"$0\" && exec \"$@\"";
    let (store, config) = (at("store"), at("tapir.toml"));
    let program = env!("CARGO_BIN_EXE_tapir");
    let args = [
        "-c",
        script,
        &store,
        program,
        "run",
        "--interface",
        "span0",
        "--config",
        &config,
    ];
    Daemon::spawn(&mut office.command("sensor", "sh", &args), folder)
}

/// Writes to `path` until the disk has no room left.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).expect("a file");
    for block in [4096, 1] {
        while file.write_all(&vec![0; block]).is_ok() {}
    }
}

/// Lines of all logs of the one run below `store`, and how many of them are of HTTP.
fn lines(store: &Path) -> (u64, u64) {
    let count = |path: &Path| {
        let text = fs::read_to_string(path).expect("a log");
        assert!(text.is_empty() || text.ends_with('\n'), "half a line");
        text.lines().count() as u64
    };
    let run = fs::read_dir(store.join("runs")).expect("runs");
    let mut run = run.map(|entry| entry.expect("an entry").path());
    let run = run.find(|path: &PathBuf| path.is_dir()).expect("a run");
    let logs = fs::read_dir(&run)
        .expect("a run")
        .map(|entry| entry.expect("an entry").path());
    let logs = logs.filter(|path| path.extension().is_some_and(|kind| kind == "log"));
    let http = run.join("http.log");
    (logs.map(|path| count(&path)).sum(), count(&http))
}

#[test]
fn a_full_disk_holds_back_and_loses_nothing() {
    full("a full disk", false);
}

/// Who takes over from `serve` meets the same disk; `sense` still has what was not kept.
#[test]
fn serve_killed_while_the_disk_is_full_loses_nothing() {
    full("serve killed while the disk is full", true);
}

fn full(test: &str, kill_serve: bool) {
    const CLIENTS: usize = 60;
    let Some(office) = Office::open(test) else {
        return;
    };
    if !can(test, &["mount"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut siem) = Siem::new(folder.path(), test) else {
        return;
    };
    siem.start(&office);
    let more = format!("[[forward.syslog]]\naddress = \"{ADDRESS}\"\n");
    prepare(folder.path(), "off", &more);
    let daemon = start_on_a_small_disk(&office, folder.path());
    // The disk as the daemon sees it.
    let seen = format!("/proc/{}/root{}", daemon.pid(), folder.path().display());
    let store = Path::new(&seen).join("store");
    ask_for_canaries(&office, 0, 5);
    until("the first breaches arrive", || {
        (arrived(&siem).len() == 5).then_some(())
    });

    fill(&store.join("filler"));
    ask_for_canaries(&office, 5, CLIENTS);
    says(&daemon, "DEGRADED", "The journal cannot be written");
    says(&daemon, "DEGRADED", "make room on that disk");
    // What the disk did not take is not shown as if it had.
    assert!(journalled(&daemon).len() < CLIENTS);
    if kill_serve {
        signal(daemon.parts().1, "KILL");
        // What room its last page has left decides whether it begins and waits, or is refused.
        until("a new serve meets the full disk", || {
            let refused = daemon.log().matches("started again").count() >= 2;
            let waits = || {
                let status = daemon.status()?;
                let reasons = status["reasons"].to_string();
                let again = status["serve"]["restarts"] == 1;
                (again && reasons.contains("The journal cannot be written")).then_some(())
            };
            refused.then_some(()).or_else(waits)
        });
    }

    fs::remove_file(store.join("filler")).expect("the filler");
    until("every breach is journalled", || {
        daemon.status()?;
        (journalled(&daemon).len() == CLIENTS).then_some(())
    });
    let all = until("every breach arrives", || {
        let all = arrived(&siem);
        (all.len() == CLIENTS).then_some(all)
    });
    assert!(all.values().all(|(first, _)| *first <= 1), "{all:?}");
    // Records are not waited for: those that could not be written are counted.
    let status = until("every record is accounted for", || {
        let status = daemon.status()?;
        let (written, http) = lines(&store);
        let dropped = status["records_dropped"].as_u64()?;
        // A `serve` that was killed takes its counts along.
        let counted = status["records_written"] == written && http + dropped >= CLIENTS as u64;
        (counted || kill_serve).then_some(status)
    });
    assert_eq!(status["journal"]["gaps"], 0, "{status}");
    assert_eq!(status["health"]["notices_lost"], 0, "{status}");
    let restarts = status["serve"]["restarts"].as_u64().expect("a number");
    assert_eq!(restarts > 0, kill_serve, "{status}");
    assert_eq!(status["sense"]["restarts"], 0, "{status}");
}

#[test]
fn a_start_on_a_full_disk_is_refused_in_one_line() {
    let test = "a start on a full disk";
    let Some(office) = Office::open(test) else {
        return;
    };
    if !can(test, &["mount", "timeout"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(folder.path(), "");
    let store = folder.path().join("store");
    fs::create_dir(&store).expect("a folder");
    let script = "mount -t tmpfs -o size=64k tapir \"$0\"; \
                  head -c 1M /dev/zero >\"$0/filler\" 2>/dev/null; exec \"$@\"";
    let args = [
        "-c",
        script,
        store.to_str().expect("UTF-8"),
        "timeout",
        "-s",
        "KILL",
        "25",
        env!("CARGO_BIN_EXE_tapir"),
        "run",
        "--interface",
        "span0",
        "--config",
        config.to_str().expect("UTF-8"),
    ];
    let ran = support::run(
        office
            .command("sensor", "sh", &args)
            .env_remove("TAPIR_LOG"),
    );
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("No space left on device"),
        "{}",
        ran.stderr
    );
}
