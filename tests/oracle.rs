//! What `tapir analyze` finds in the shared captures equals what an independent decoder found there.
//!
//! Shows: no panic over all captures; as many packets as the truth has; of what an office is read by, 99 % of
//! the distinct (file, value) pairs found and at most 1 % more than the truth has, per map; of the rest 97 % and
//! 3 %; the same of the number of TCP handshakes, of UDP 5-tuples and TCP 5-tuples, file by file; every VLAN id, VNI,
//! label and PPPoE session of the truth, and exactly as many GRE headers and fragments. `maps` says which maps
//! are compared, and of every other key of the truth where it is compared or why it is not.
//! Left out: files of other link types, and those with AYIYA, OpenVPN or CAPWAP, whose inside we do not open; ids of
//! captures that were cut, where a datagram stays one for us unless its inside checks out; names and
//! fingerprints of DTLS; versions of QUIC that nobody has defined; the target `*` of SSDP; empty hosts and agents;
//! `.` and `..` among the names of files; arguments of SMTP other than names and addresses; what follows the first
//! secret in a target of HTTP; what is no word among FTP's commands; questions of DNS known from their answers
//! alone; sign-ins of SMB 1 without NTLMSSP.
//! Where the truth errs or cannot be compared: `tests/oracle-exceptions.toml`, an entry a capture with what
//! the bytes say. An entry that no longer applies fails the test.
//! Of a value the first 300 characters count: the truth has no more. Where it has 150 values and a digest
//! of all, the digest is compared; if it differs, those 150.
//! How: the built program runs over each file, two at a time; its logs are compared with `truth` in the
//! corpus's `manifest.json`, which tshark 4.0.17 made. Prints one table (`--nocapture` shows it; with
//! `ORACLE_ALL` every difference, else the first of each map).
//! Needs: `TAPIR_CORPUS`, default `../shared/corpus`; skips by name if it is absent.

mod corpus;
mod derived;
mod dns;
mod encapsulations;
mod exceptions;
mod found;
mod maps;
mod rows;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use corpus::{Capture, captures, corpus};
use exceptions::Exceptions;
use found::{Found, analyze};
use maps::MAPS;
use rows::{FLOWS, Row};

/// Misses and extras listed per map.
const EXAMPLES_MAX: usize = 12;

/// Runs the program over all captures, two at a time.
fn analyze_all(corpus: &Path, captures: &[Capture]) -> Vec<Found> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(capture) = captures.get(index) else {
                        break;
                    };
                    let found = analyze(corpus, capture);
                    results.lock().unwrap().insert(index, found);
                }
            });
        }
    });
    results.into_inner().unwrap().into_values().collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what the test is run for")]
fn finds_what_an_independent_decoder_finds() {
    let Some(corpus) = corpus() else {
        println!("SKIPPED oracle: no corpus; set TAPIR_CORPUS to its folder");
        return;
    };
    let captures = captures(&corpus);
    let excuses = Exceptions::read();
    let found = analyze_all(&corpus, &captures);
    let mut complaints = unknown_keys(&captures);
    let mut rows: Vec<Row> = MAPS
        .iter()
        .map(|map| Row::new(map.truth, map.tier))
        .collect();
    let mut flows = FLOWS.map(|(name, tier)| Row::new(name, tier));
    for (capture, found) in captures.iter().zip(&found) {
        if let Some(why) = &found.failure {
            complaints.push(format!("{}: {why}", capture.file));
            continue;
        }
        let (packets, ours) = (
            capture.truth["packets"].as_u64().unwrap_or(0),
            found.packets,
        );
        if ours != packets {
            complaints.push(format!(
                "{}: {ours} packets instead of {packets}",
                capture.file
            ));
        }
        if !capture.is_compared() {
            continue;
        }
        complaints.extend(encapsulations::differences(capture, found, &excuses));
        for (map, row) in MAPS.iter().zip(&mut rows) {
            row.add(map, capture, found, &excuses);
        }
        for row in &mut flows {
            row.add_flows(capture, found, &excuses);
        }
    }
    rows.extend(flows);
    complaints.extend(rows.iter().filter_map(Row::complaint));
    complaints.extend(excuses.stale(&captures.iter().map(Capture::name).collect()));
    println!("{}", table(&captures, &rows));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Keys of the truth of which nobody has said what becomes of them.
fn unknown_keys(captures: &[Capture]) -> Vec<String> {
    let keys = captures
        .iter()
        .filter_map(|capture| capture.truth.as_object());
    let keys: BTreeSet<&String> = keys.flat_map(|truth| truth.keys()).collect();
    let unknown = keys.into_iter().filter(|key| !maps::is_known(key));
    unknown
        .map(|key| format!("{key}: neither compared nor excused in `maps`"))
        .collect()
}

/// The table with examples below it; `ORACLE_ALL` lists every difference.
fn table(captures: &[Capture], rows: &[Row]) -> String {
    let is_all = std::env::var_os("ORACLE_ALL").is_some();
    let examples_max = if is_all { usize::MAX } else { EXAMPLES_MAX };
    let compared = captures
        .iter()
        .filter(|capture| capture.is_compared())
        .count();
    let mut out = format!("{} captures, {compared} compared\n", captures.len());
    out.push_str("map                        files  wanted   found   share   extra excused\n");
    for row in rows {
        let percent = row.share() * 100.0;
        let Row {
            name,
            files,
            wanted,
            found,
            extra,
            excused,
            ..
        } = row;
        let _infallible = writeln!(
            out,
            "{name:<26} {files:>5} {wanted:>7} {found:>7} {percent:>6.2}% {extra:>7} {excused:>7}"
        );
    }
    for row in rows {
        for example in row.examples.iter().take(examples_max) {
            let _infallible = writeln!(out, "{}: {example}", row.name);
        }
    }
    out
}
