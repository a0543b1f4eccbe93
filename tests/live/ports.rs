//! Ports that go and come back, and processes that are killed: frames are read again, and it is told.

use std::fs;

use super::cut::prepare;
use super::daemon::{Daemon, signal};
use super::killed::{ask_for_canaries, journalled};
use super::until;
use super::wrong::says;
use crate::support::office::Office;

/// Sends the request of one client to the mirror port, and waits until it is a breach.
fn is_watched(office: &Office, daemon: &Daemon, client: usize) {
    ask_for_canaries(office, client, client + 1);
    let addr = format!("10.77.1.{}", client + 1);
    until(&format!("the breach of {addr}"), || {
        journalled(daemon).contains(&addr).then_some(())
    });
}

fn is_well(daemon: &Daemon) {
    until("all is well", || {
        (daemon.status()?["state"] == "OK").then_some(())
    });
}

fn survives_its_port(queues: usize) {
    let Some(office) = Office::open(&format!("a port that goes, {queues} queues")) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let more = format!("[capture]\nqueues = {queues}\n");
    prepare(folder.path(), "off", &more);
    let daemon = Daemon::start(&office, folder.path(), &[]);
    let parts = daemon.parts();
    is_watched(&office, &daemon, 0);

    office.inside("sw", "ip", &["link", "set", "span", "down"]);
    says(&daemon, "DEGRADED", "span0 has no link");
    office.inside("sw", "ip", &["link", "set", "span", "up"]);
    is_well(&daemon);
    is_watched(&office, &daemon, 1);

    office.inside("sensor", "ip", &["link", "set", "span0", "down"]);
    says(&daemon, "DEGRADED", "span0 has no link");
    office.inside("sensor", "ip", &["link", "set", "span0", "up"]);
    is_well(&daemon);
    is_watched(&office, &daemon, 2);

    for client in [3, 4] {
        office.inside("sw", "ip", &["link", "del", "span"]);
        says(&daemon, "FAILED", "span0 is gone");
        assert_eq!(daemon.ask(&["show", "status"]).code, Some(1));
        office.cable("span", "span0");
        is_well(&daemon);
        is_watched(&office, &daemon, client);
    }

    assert_eq!(daemon.parts(), parts);
    let run = daemon.stop();
    let http = fs::read_to_string(run.join("http.log")).expect("a log");
    for client in 1..=5 {
        let addr = format!("\"10.77.1.{client}\"");
        assert!(http.contains(&addr), "{addr}: {http}");
    }
}

#[test]
fn one_queue_survives_its_port() {
    survives_its_port(1);
}

#[test]
fn two_queues_survive_their_port() {
    survives_its_port(2);
}

/// Nothing can tell its children to end; they end all the same, and the next start finds its way.
#[test]
fn a_killed_supervisor_takes_its_children_along() {
    let Some(office) = Office::open("a killed supervisor") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path(), "autonomous", "");
    let daemon = Daemon::start(&office, folder.path(), &["--inject", "inj0"]);
    is_watched(&office, &daemon, 0);
    let (sense, serve) = daemon.parts();
    signal(daemon.pid(), "KILL");
    until("both halves have gone", || {
        let alive = |pid: u64| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // A process nobody has reaped yet runs no more.
            !stat.is_empty() && !stat.contains(") Z ")
        };
        (!alive(sense) && !alive(serve)).then_some(())
    });
    // Whoever writes to the injection port now finds the filter still there.
    let rules = office.inside("sensor", "nft", &["list", "ruleset"]);
    assert!(rules.contains("tapir_inj0"), "{rules}");
    drop(daemon);
    let daemon = Daemon::start(&office, folder.path(), &["--inject", "inj0"]);
    is_watched(&office, &daemon, 1);
    assert!(journalled(&daemon).contains(&"10.77.1.1".to_owned()));
    daemon.stop();
    assert_eq!(office.inside("sensor", "nft", &["list", "ruleset"]), "");
}

#[test]
fn sense_killed_three_times_is_soon_back_and_counted() {
    let Some(office) = Office::open("sense killed three times") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path(), "off", "");
    let daemon = Daemon::start(&office, folder.path(), &[]);
    let (_, serve) = daemon.parts();
    for times in 1..=3_u64 {
        let (sense, _) = daemon.parts();
        signal(sense, "KILL");
        until("sense is back", || {
            let status = daemon.status()?;
            let back = status["sense"]["restarts"] == times && status["health"]["ts"].is_string();
            back.then_some(())
        });
    }
    is_watched(&office, &daemon, 0);
    assert_eq!(daemon.parts().1, serve);
    let log = daemon.log();
    let wait = |line: &str| {
        line.split_once("wait_ms=")?
            .1
            .split(' ')
            .next()?
            .parse()
            .ok()
    };
    let waits: Vec<u64> = log.lines().filter_map(wait).collect();
    assert_eq!(waits.len(), 3, "{log}");
    assert!(waits.iter().all(|ms| *ms <= 2_000), "{log}");
    daemon.stop();
}
