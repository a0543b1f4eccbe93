//! The seeds of the fuzz targets, replayed and changed.
//!
//! What it shows: no seed panics, nor what comes of changing it, and each target has some.
//! How: the same functions that the fuzzer calls, over the files in `seeds/` and over about ten thousand
//! changes of each target's: bits, cuts, lengths, repetitions, splices of two; numbers with a fixed seed.

mod drive;
mod formats;
mod parsers;
mod talks;

use std::path::Path;

use crate::mutations::Numbers;
use crate::support::files;

/// A target: its name, what it does, and how often its seeds are changed.
type Target = (&'static str, fn(&[u8]), usize);

/// Changes of a target's seeds; fewer where each makes files or an analysis.
const MANY: usize = 10_000;
const SOME: usize = 2_000;

const TARGETS: [Target; 11] = [
    ("frames", drive::frames, MANY),
    ("models", drive::models, MANY),
    ("captures", formats::captures, MANY),
    ("config", formats::config, MANY),
    ("services", formats::services, MANY),
    ("rules", formats::rules, MANY),
    ("journal", formats::journal, SOME),
    ("decisions", formats::decisions, SOME),
    ("state", formats::state, SOME),
    ("requests", formats::requests, MANY),
    ("record_header", formats::record_header, MANY),
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    let files = files(&seeds.join(target));
    assert!(!files.is_empty(), "{target} has no seeds");
    files.into_values().collect()
}

#[test]
fn seeds_replay() {
    for (target, run, _) in TARGETS {
        for seed in seeds(target) {
            run(&seed);
        }
    }
}

#[test]
fn seeds_changed() {
    for (target, run, count) in TARGETS {
        let seeds = seeds(target);
        let mut numbers = Numbers::new(11);
        for _ in 0..count {
            run(&change(&seeds, &mut numbers));
        }
    }
}

/// A target without a program of its own would never be fuzzed.
#[test]
fn every_target_is_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    for (target, ..) in TARGETS {
        let program = format!("targets/{target}.rs");
        assert!(manifest.contains(&program), "{target} is not in Cargo.toml");
        assert!(folder.join(&program).is_file(), "no {program}");
    }
}

/// One seed, changed up to four times.
fn change(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(7) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << numbers.below(8);
                }
            }
            2 => bytes.truncate(at),
            3 => {
                let extreme = [[0; 4], [0xff; 4], [0x7f, 0xff, 0xff, 0xff], [1, 0, 0, 0]];
                if let Some(word) = bytes.get_mut(at..at + 4) {
                    word.copy_from_slice(&extreme[numbers.below(4)]);
                }
            }
            4 => {
                let len = numbers.below(64).min(bytes.len() - at);
                let again = bytes[at..at + len].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let len = numbers.below(16).min(bytes.len() - at);
                bytes.drain(at..at + len);
            }
            _ => {
                let other = &seeds[numbers.below(seeds.len())];
                let from = numbers.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}
