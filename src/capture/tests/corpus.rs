//! Real captures: what is read of them is what an independent reader read.
//!
//! Needs `TAPIR_CORPUS`, a folder with `manifest.json` and the files it names.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tapir_capture::{FileSource, Format, InputOptions, InputReport, Source, dealt_to};

/// Every file of the corpus gives the packets, wire bytes, snapped packets, first time and format
/// of its entry; differences print as a table.
#[test]
fn files_are_as_the_truth_says() {
    let Some(corpus) = corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    let mut differences = Vec::new();
    let files = manifest["files"].as_array().expect("files");
    assert!(!files.is_empty(), "the corpus is empty");
    for entry in files {
        let name = entry["file"].as_str().expect("a name");
        match read(&corpus.join(name)) {
            Ok(read) => differences.extend(differing(name, entry, &read)),
            Err(error) => differences.push(format!("{name}: {error}")),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

struct Read {
    frames: u64,
    wire_bytes: u64,
    report: InputReport,
}

fn differing(name: &str, entry: &Value, read: &Read) -> Vec<String> {
    let truth = &entry["truth"];
    let mut differences = Vec::new();
    let Some(report) = read.report.files.first() else {
        return vec![format!("{name}: no report")];
    };
    let counts = [
        ("packets", report.packets),
        ("packets", read.frames),
        ("wire_bytes", read.wire_bytes),
        ("truncated_packets", report.snapped),
    ];
    for (field, ours) in counts {
        let theirs = truth[field].as_u64();
        if theirs.is_some_and(|theirs| theirs != ours) {
            differences.push(format!("{name}: {field} {theirs:?}, read {ours}"));
        }
    }
    // The truth holds the earliest time, which is the first where times are in order.
    let in_order = truth["timestamps_going_back"] == 0;
    let ours = report.first_ns.map_or(0.0, seconds);
    let theirs = truth["first_epoch"].as_f64().unwrap_or(0.0);
    if in_order && (ours - theirs).abs() > 0.000_002 {
        differences.push(format!("{name}: first_epoch {theirs}, read {ours}"));
    }
    let moved = read.report.clamped + read.report.weird_time + read.report.epochs;
    if in_order && moved > 0 {
        differences.push(format!("{name}: times are in order, {moved} were moved"));
    }
    let format = match report.format {
        Format::Pcap {
            nanoseconds: false, ..
        } => "pcap",
        Format::Pcap {
            nanoseconds: true, ..
        } => "nsecpcap",
        Format::Pcapng => "pcapng",
    };
    if entry["format"]
        .as_str()
        .is_some_and(|theirs| theirs != format)
    {
        differences.push(format!("{name}: format {}, read {format}", entry["format"]));
    }
    differences
}

#[expect(
    clippy::cast_precision_loss,
    reason = "compared to the microsecond only"
)]
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

fn read(path: &Path) -> Result<Read, String> {
    let mut source = FileSource::open(&[path.to_path_buf()], &InputOptions::default())
        .map_err(|error| error.to_string())?;
    let (mut frames, mut wire_bytes) = (0, 0);
    while let Some(frame) = source.next().map_err(|error| error.to_string())? {
        assert!(frame.wire_len as usize >= frame.bytes.len());
        assert!(dealt_to(&frame, 4) < 4);
        frames += 1;
        wire_bytes += u64::from(frame.wire_len);
    }
    Ok(Read {
        frames,
        wire_bytes,
        report: source.report(),
    })
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("TAPIR_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        eprintln!("SKIPPED: TAPIR_CORPUS is not set, no real capture was read");
    }
    corpus
}
