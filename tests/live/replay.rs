//! Replay equals live: what a live run wrote is what `tapir analyze` makes of its record.

use std::path::Path;

use super::daemon::{Daemon, configure};
use super::{traffic, until};
use crate::support::{self, office::Office};

fn live_run_and_its_record_agree(queues: u8) {
    let test = format!("a live run with {queues} queues and its record agree");
    let Some(mut office) = Office::open(&test) else {
        return;
    };
    let Some(traffic) = traffic::Servers::start(&mut office, &test) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("record.pcapng");
    // What the site says goes into the record, as its names do.
    let said = "[services]\nunsanctioned = [\"storage\"]\n";
    configure(
        folder.path(),
        &format!("[capture]\nqueues = {queues}\n{said}"),
    );
    let record_arg = record.to_str().expect("UTF-8");
    let daemon = Daemon::start(&office, folder.path(), &["--record", record_arg]);
    traffic.visit(&office);
    use_a_service(&office, &daemon);
    let log = daemon.log();
    let run = daemon.stop();
    let live = support::files(&run);
    let read = |name: &str| {
        let bytes = live.get(name).unwrap_or_else(|| panic!("no {name}: {log}"));
        String::from_utf8_lossy(bytes).into_owned()
    };
    for (log, what) in [
        ("http.log", "/small"),
        ("ssh.log", "OpenSSH"),
        ("smb_files.log", "plan.txt"),
        ("conn.log", "\"service\":\"smb\""),
        ("conn.log", "\"cloud_service\":\"transfer-sh\""),
        ("services.jsonl", "\"sanctioned\":false"),
    ] {
        assert!(read(log).contains(what), "{log} lacks {what}");
    }
    for workers in ["1", "2", "4"] {
        let out = folder.path().join(format!("analyzed-{workers}"));
        analyze(&record, &out, workers);
        let replayed = support::files(&out);
        for (name, bytes) in &live {
            if name == "run.json" {
                continue;
            }
            let same = replayed.get(name).is_some_and(|other| other == bytes);
            assert!(
                same,
                "{workers} workers: {name} differs: live\n{}\nreplayed\n{}",
                read(name),
                replayed
                    .get(name)
                    .map_or_else(|| "absent".into(), |b| String::from_utf8_lossy(b))
            );
        }
        let names = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
            files
                .keys()
                .filter(|n| *n != "run.json")
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&live), names(&replayed));
    }
}

/// A request that names a service of the catalogue, as through a proxy, is told at the prompt while the daemon runs.
fn use_a_service(office: &Office, daemon: &Daemon) {
    let args = ["-sS", "-H", "Host: transfer.sh", "http://10.77.0.10/small"];
    let page = office.inside("pc2", "curl", &args);
    assert!(page.starts_with("small"), "{page}");
    let one = until("the service is told", || {
        let answer = daemon.json(&["show", "services", "transfer"]);
        let one = answer["services"][0].clone();
        one.is_object().then_some(one)
    });
    assert_eq!(one["service"], "transfer-sh");
    assert_eq!(
        (&one["sanctioned"], &one["flows"]),
        (&false.into(), &1.into())
    );
    assert_eq!(one["uses"][0]["evidence"][0], "http host");
}

fn analyze(record: &Path, out: &Path, workers: &str) {
    let (record, out) = (
        record.to_str().expect("UTF-8"),
        out.to_str().expect("UTF-8"),
    );
    let ran = support::tapir(&["analyze", record, "--out", out, "--workers", workers]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn one_queue() {
    live_run_and_its_record_agree(1);
}

#[test]
fn two_queues() {
    live_run_and_its_record_agree(2);
}
