//! A SIEM that is away, or takes nothing: it is told, the rest goes on, and all of it arrives later.

use super::cut::prepare;
use super::daemon::Daemon;
use super::killed::{arrived, ask_for_canaries, journalled};
use super::siem::{ADDRESS, Siem};
use super::until;
use super::wrong::says;
use crate::support::office::{Office, can};

/// Waits until all breaches are known while the SIEM takes none of the last `waiting`.
fn goes_on(daemon: &Daemon, clients: usize, waiting: u64) {
    until("every breach is shown", || {
        (journalled(daemon).len() == clients).then_some(())
    });
    until("what waits is counted", || {
        let status = daemon.status()?;
        (status["outputs"][0]["depth"].as_u64()? >= waiting).then_some(())
    });
    says(daemon, "DEGRADED", ADDRESS);
}

/// Waits until every breach has arrived, unmarked at most once, and the state says so.
fn arrives(daemon: &Daemon, siem: &Siem, clients: usize) {
    let lines = until("every breach arrives", || {
        let lines = arrived(siem);
        (lines.len() == clients).then_some(lines)
    });
    assert!(lines.values().all(|(first, _)| *first <= 1), "{lines:?}");
    until("all is well", || {
        let status = daemon.status()?;
        let output = &status["outputs"][0];
        let well = status["state"] == "OK" && output["depth"] == 0 && output["lost"] == 0;
        well.then_some(())
    });
}

#[test]
fn a_siem_that_was_never_there_gets_everything_later() {
    let test = "a SIEM that was never there";
    let Some(office) = Office::open(test) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut siem) = Siem::new(folder.path(), test) else {
        return;
    };
    let more = format!("[[forward.syslog]]\naddress = \"{ADDRESS}\"\n");
    prepare(folder.path(), "off", &more);
    let daemon = Daemon::start(&office, folder.path(), &[]);
    says(&daemon, "DEGRADED", ADDRESS);
    ask_for_canaries(&office, 0, 10);
    goes_on(&daemon, 10, 10);
    siem.start(&office);
    arrives(&daemon, &siem, 10);
    daemon.stop();
}

/// Takes connections, and nothing from them.
const NEVER_READS: &str = "import socket, time\n\
    s = socket.socket()\n\
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)\n\
    s.bind(('192.168.77.1', 6514)); s.listen()\n\
    kept = []\n\
    while True: kept.append(s.accept())\n";

#[test]
fn a_siem_that_takes_nothing_gets_everything_later() {
    let test = "a SIEM that takes nothing";
    let Some(office) = Office::open(test) else {
        return;
    };
    if !can(test, &["python3"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut siem) = Siem::new(folder.path(), test) else {
        return;
    };
    // What the kernel would hold for the receiver is kept small, so that few lines fill it.
    let small = "net.ipv4.tcp_wmem=4096 4096 4096";
    office.inside("sensor", "sysctl", &["-qw", small]);
    let mut listener = office
        .command("siem", "python3", &["-c", NEVER_READS])
        .spawn()
        .expect("python3");
    until("somebody listens", || {
        let listening = office.inside("siem", "ss", &["-Htln", "sport = :6514"]);
        (!listening.trim().is_empty()).then_some(())
    });
    let more = format!("[[forward.syslog]]\naddress = \"{ADDRESS}\"\n");
    prepare(folder.path(), "off", &more);
    let daemon = Daemon::start(&office, folder.path(), &[]);
    ask_for_canaries(&office, 0, 60);
    goes_on(&daemon, 60, 1);
    listener.kill().expect("a child");
    listener.wait().expect("a child");
    siem.start(&office);
    arrives(&daemon, &siem, 60);
    daemon.stop();
}
