//! Real captures: the packets read are those an independent reader counted.
//!
//! Needs `TAPIR_CORPUS`, a folder with `manifest.json` and the files it names.

use std::path::{Path, PathBuf};

use tapir_capture::{FileSource, InputOptions, Source, dealt_to};

/// Every file of the corpus gives as many packets as its entry says; differences print as a table.
#[test]
fn packets_are_those_of_the_truth() {
    let Some(corpus) = corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut differences = Vec::new();
    let mut packets = 0;
    for entry in manifest["files"].as_array().expect("files") {
        let name = entry["file"].as_str().expect("a name");
        let truth = entry["truth"]["packets"].as_u64().expect("a count");
        let read = count(&corpus.join(name));
        packets += truth;
        match read {
            Ok((read, _)) if read == truth => {}
            Ok((read, damage)) => {
                differences.push(format!("{name}: truth {truth}, read {read}, {damage}"));
            }
            Err(error) => differences.push(format!("{name}: truth {truth}, {error}")),
        }
    }
    assert!(packets > 0, "the corpus is empty");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Packets of a file, and its damage in words.
fn count(path: &Path) -> Result<(u64, String), String> {
    let mut source = FileSource::open(&[path.to_path_buf()], &InputOptions::default())
        .map_err(|error| error.to_string())?;
    let mut packets = 0;
    while let Some(frame) = source.next().map_err(|error| error.to_string())? {
        assert!(frame.wire_len as usize >= frame.bytes.len());
        assert!(dealt_to(&frame, 4) < 4);
        packets += 1;
    }
    let report = source.report();
    let damage = report.files.first().and_then(|file| file.damage);
    Ok((
        packets,
        damage.map_or_else(|| "no damage".into(), |damage| damage.to_string()),
    ))
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("TAPIR_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        eprintln!("SKIPPED: TAPIR_CORPUS is not set, no real capture was read");
    }
    corpus
}
