//! What is learned outlives the run.
//!
//! What it shows: the demo read in two runs that share `--state`, cut at the midnight before the bad
//! Wednesday, tells the same deeds as in one: the second run knows the devices and what is usual, and
//! calls only the stranger new. Without the state it could not. A damaged state is refused, not used.
//! It prints the tails of the learning days, which the shipped priors are held to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{demo, run, tapir_command};

/// 2026-11-18T00:00:00Z, in seconds.
const WEDNESDAY: u32 = 1_794_960_000;

/// The demo before and from Wednesday on, as two captures.
fn halves(room: &Path) -> [PathBuf; 2] {
    let file = fs::File::open(demo()).expect("the demo");
    let whole = zstd::decode_all(file).expect("zstd");
    let (head, mut rest) = whole.split_at(24);
    let mut parts = [head.to_vec(), head.to_vec()];
    while let Some((header, _)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let (packet, after) = rest.split_at(16 + word(8) as usize);
        parts[usize::from(word(0) >= WEDNESDAY)].extend_from_slice(packet);
        rest = after;
    }
    let [before, after] = parts;
    let paths = [room.join("before.pcap"), room.join("wednesday.pcap")];
    fs::write(&paths[0], before).expect("room for a capture");
    fs::write(&paths[1], after).expect("room for a capture");
    paths
}

/// Model and device of every breach of a run.
fn analyze(capture: &Path, state: Option<&Path>, out: &Path) -> BTreeSet<(String, String)> {
    let mut command = tapir_command();
    command.arg("analyze").arg(capture).arg("--out").arg(out);
    if let Some(state) = state {
        command.arg("--state").arg(state);
    }
    let ran = run(&mut command);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    fs::read_to_string(out.join("breaches.jsonl"))
        .expect("breaches")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .map(|row: Value| (text(&row, "model"), text(&row, "device_name")))
        .collect()
}

#[test]
fn the_second_run_knows_what_the_first_one_learned() {
    let room = tempfile::tempdir().expect("a folder");
    let [before, wednesday] = halves(room.path());
    let (state, out) = (room.path().join("state"), room.path().join("out"));
    let first = analyze(&before, Some(&state), &out);
    assert!(
        first.iter().all(|(model, _)| model == "CMD-01"),
        "{first:?}"
    );
    let second = analyze(&wednesday, Some(&state), &out);
    let expected = [
        ("CMD-01", "pc-albers"),
        ("DEV-01", "raspberrypi"),
        ("EXF-01", "pc-albers"),
        ("EXP-01", "pc-mertens"),
        ("REC-01", "raspberrypi"),
    ];
    let expected = expected.map(|(model, device)| (model.to_owned(), device.to_owned()));
    assert_eq!(second, BTreeSet::from(expected));
    // By then Tuesday has closed and Wednesday has not: these are the learning days.
    print_tails(&state.join("analysis.state"));
    // Nothing was learned: no upload can be far above a normal that nobody knows.
    let alone = analyze(&wednesday, None, &out);
    assert!(
        alone
            .iter()
            .all(|(model, _)| model != "EXF-01" && model != "DEV-01"),
        "{alone:?}"
    );
}

#[test]
fn a_damaged_state_is_refused_in_one_line() {
    let room = tempfile::tempdir().expect("a folder");
    let (state, out) = (room.path().join("state"), room.path().join("out"));
    fs::create_dir(&state).expect("a folder");
    fs::write(state.join("analysis.state"), "{\"format\":\"tapir\"}\nx").expect("a file");
    let ran = run(tapir_command()
        .arg("analyze")
        .arg(demo())
        .arg("--state")
        .arg(&state)
        .arg("--out")
        .arg(&out));
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("analysis.state") && ran.stderr.contains("damaged"));
    assert!(!out.join("stats.json").exists());
}

/// Prints the learning days' tails and holds the shipped priors to them: a prior may be wider than what
/// was seen, never narrower.
#[expect(
    clippy::print_stdout,
    reason = "the figures are what the test is read for"
)]
fn print_tails(path: &Path) {
    let text = fs::read_to_string(path).expect("a state");
    let (_, body) = text.split_once('\n').expect("a header line");
    let state: Value = serde_json::from_str(body).expect("JSON");
    // Bytes sent outside are the second feature; see `baseline/features.rs`.
    let surprise = &state["site"]["surprises"][1];
    let peaks = &state["site"]["peaks"];
    for (name, tail, from) in [("surprise", surprise, 0.99), ("peak", peaks, 0.90)] {
        let (threshold, excess) = measured(tail, from);
        let prior = |key: &str| tail["prior"][key].as_f64().expect("a number");
        println!(
            "{name}: 99 % quantile {threshold:.2} (prior {:.2}), mean excess {excess:.2} (prior {:.2})",
            prior("threshold"),
            prior("excess")
        );
        assert!(prior("threshold") > threshold - 0.5, "{name}: {threshold}");
        assert!(prior("excess") > excess * 0.8, "{name}: {excess}");
        // The bulk is what was measured; the peaks, of which there are few, may only be wider.
        if name == "surprise" {
            assert!(
                (excess / prior("excess") - 1.0).abs() < 0.25,
                "{name}: {excess}"
            );
        }
    }
}

/// 99 % quantile of a histogram with bins of 1/8, and the mean excess above its quantile `from`.
fn measured(tail: &Value, from: f64) -> (f64, f64) {
    let bins: Vec<f64> = tail["bins"]
        .as_array()
        .expect("bins")
        .iter()
        .filter_map(Value::as_f64)
        .collect();
    let total: f64 = bins.iter().sum();
    let quantile = |q: f64| {
        let mut sum = 0.0;
        bins.iter()
            .position(|bin| {
                sum += bin;
                sum >= total * q
            })
            .map_or(0.0, |at| at as f64 / 8.0)
    };
    let base = quantile(from);
    let above = |at: usize| (at as f64 + 0.5) / 8.0 - base;
    let (mut sum, mut weight) = (0.0, 0.0);
    for (at, bin) in bins.iter().enumerate().filter(|(at, _)| above(*at) > 0.0) {
        sum += above(at) * bin;
        weight += bin;
    }
    (quantile(0.99), sum / weight)
}
