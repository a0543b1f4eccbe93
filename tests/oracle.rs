//! What `tapir analyze` finds in the shared captures equals what an independent decoder found there.
//!
//! Shows: no panic over all captures; as many packets as the truth has; names, fingerprints and files
//! found to at least 95 % of the distinct (file, value) pairs per map; as many 5-tuples as the truth has
//! streams, within 5 %, on at least 95 % of the files; every VLAN id, VNI, label and PPPoE session of the truth,
//! and exactly as many GRE headers and fragments.
//! Left out: files of other link types, and those with AYIYA, OpenVPN or CAPWAP, whose inside we do not open; ids of
//! captures that were cut, where a datagram stays one for us unless its inside checks out; the files listed
//! with their reasons in `encapsulations`; names and fingerprints of DTLS; versions of QUIC that nobody has defined; the target `*` of SSDP; `.` and `..` among the names of files; arguments of SMTP other than
//! names and addresses; what is no word among FTP's commands;
//! our records of mDNS, LLMNR and NetBIOS, which the truth lists apart.
//! Not left out: a call written to a pipe in pieces, which the truth does not have (MS08-067).
//! Of a value the first 300 characters count: the truth has no more.
//! Not left out though the truth errs: six JA4 into which it mixed the signature algorithms of other
//! extensions, one of an ALPN that is no text, hellos repeated at the server's wish, text of packets that
//! contradict themselves, streams quoted by ICMP, and several conversations on the same 5-tuple.
//! How: the built program runs over each file, two at a time; its logs are compared with `truth` in the
//! corpus's `manifest.json`, which tshark 4.0.17 made. Prints one table (`--nocapture` shows it).
//! Needs: `TAPIR_CORPUS`, default `../shared/corpus`; skips by name if it is absent.

mod corpus;
mod derived;
mod encapsulations;
mod found;
mod rows;
mod text;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use corpus::{Capture, captures, corpus};
use found::{Found, MAPS, analyze};
use rows::{FlowRow, Row};

/// Least share found, of pairs per map and of files per flow count.
const FOUND_MIN: f64 = 0.95;
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
    let found = analyze_all(&corpus, &captures);
    let mut complaints = Vec::new();
    let mut rows: Vec<Row> = MAPS.iter().map(|_| Row::default()).collect();
    let mut flows = [("tcp", FlowRow::default()), ("udp", FlowRow::default())];
    for (capture, found) in captures.iter().zip(&found) {
        if let Some(why) = &found.failure {
            complaints.push(format!("{}: {why}", capture.file));
            continue;
        }
        let packets = capture.truth["packets"].as_u64().unwrap_or(0);
        if found.packets != packets {
            let ours = found.packets;
            complaints.push(format!(
                "{}: {ours} packets instead of {packets}",
                capture.file
            ));
        }
        if !capture.is_compared() {
            continue;
        }
        complaints.extend(encapsulations::differences(capture, found));
        for (map, row) in MAPS.iter().zip(&mut rows) {
            row.add(map, capture, found);
        }
        for (proto, row) in &mut flows {
            row.add(proto, capture, found);
        }
    }
    for (map, row) in MAPS
        .iter()
        .zip(&rows)
        .filter(|(_, row)| row.share() < FOUND_MIN)
    {
        complaints.push(format!(
            "{}: {} of {} found",
            map.truth, row.found, row.wanted
        ));
    }
    for (proto, row) in flows.iter().filter(|(_, row)| row.share() < FOUND_MIN) {
        complaints.push(format!(
            "{proto} flows: {} of {} files",
            row.equal, row.files
        ));
    }
    println!("{}", table(&captures, &rows, &flows));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The table with examples below it; `ORACLE_ALL` lists every difference.
fn table(captures: &[Capture], rows: &[Row], flows: &[(&str, FlowRow)]) -> String {
    let examples_max = if std::env::var_os("ORACLE_ALL").is_some() {
        usize::MAX
    } else {
        EXAMPLES_MAX
    };
    let compared = captures
        .iter()
        .filter(|capture| capture.is_compared())
        .count();
    let mut out = format!("{} captures, {compared} compared\n", captures.len());
    out.push_str("map              files   pairs   found   share   extra\n");
    for (map, row) in MAPS.iter().zip(rows) {
        let (name, percent) = (map.truth, row.share() * 100.0);
        let Row {
            files,
            wanted,
            found,
            extra,
            ..
        } = row;
        let _infallible = writeln!(
            out,
            "{name:<16} {files:>5} {wanted:>7} {found:>7} {percent:>6.2}% {extra:>7}"
        );
    }
    for (proto, row) in flows {
        let percent = row.share() * 100.0;
        let FlowRow { files, equal, .. } = row;
        let _infallible = writeln!(
            out,
            "{proto} flows        {files:>5} {:>7} {equal:>7} {percent:>6.2}%",
            ""
        );
    }
    for (map, row) in MAPS.iter().zip(rows) {
        for example in row.examples.iter().take(examples_max) {
            let _infallible = writeln!(out, "{}: {example}", map.truth);
        }
    }
    for example in flows
        .iter()
        .flat_map(|(_, row)| row.examples.iter().take(examples_max))
    {
        let _infallible = writeln!(out, "{example}");
    }
    out
}
