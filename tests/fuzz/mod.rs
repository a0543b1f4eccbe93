//! The seeds of the fuzz targets, replayed and changed.
//!
//! What it shows: no seed panics, nor what comes of changing it, and each target has some.
//! How: the same functions that the fuzzer calls, over the files in `seeds/` and over about ten thousand
//! changes of each target's: bits, cuts, lengths, repetitions, splices of two; numbers with a fixed seed.

mod drive;
mod formats;
mod parsers;
mod talks;
mod targets;

use std::path::Path;

use tapir_engine::proto::Kind;

use crate::mutations::Numbers;
use crate::support::files;
use drive::Script;
use targets::TARGETS;

/// Changes of a target's seeds; fewer where each makes files or an analysis.
fn changes(target: &str) -> usize {
    match target {
        "journal" | "decisions" | "state" => 2_000,
        _ => 10_000,
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    let files = files(&seeds.join(target));
    assert!(!files.is_empty(), "{target} has no seeds");
    files.into_values().collect()
}

#[test]
fn seeds_replay() {
    for (target, run) in TARGETS {
        for seed in seeds(target) {
            run(&seed);
        }
    }
}

#[test]
fn seeds_changed() {
    for (target, run) in TARGETS {
        let seeds = seeds(target);
        let mut numbers = Numbers::new(11);
        for _ in 0..changes(target) {
            run(&change(&seeds, &mut numbers));
        }
    }
}

/// Seeds of a name that is no target would never be replayed, nor fuzzed.
#[test]
fn every_folder_of_seeds_is_a_target() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    for (name, _) in files(&seeds) {
        let (folder, _file) = name.split_once('/').expect("a folder for each target");
        let is_known = folder == "parsers" || targets::find(folder).is_some();
        assert!(is_known, "seeds of {folder}, which is no target");
    }
}

/// Where a fuzzer's first inputs are asked for, `TAPIR_SEEDS` names the folder: one below it for each target.
#[test]
fn seeds_are_written_where_asked() {
    let asked = std::env::var_os("TAPIR_SEEDS");
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seeds");
    let root = asked.map_or(own, std::path::PathBuf::from);
    let write = |target: &str, seeds: Vec<Vec<u8>>| {
        let folder = root.join(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("{number}.bin")), seed).expect("room");
        }
    };
    for (target, _) in TARGETS {
        write(target, seeds(target));
    }
    for kind in Kind::ALL {
        let name = format!("parser_{}", kind.name());
        assert!(targets::is_parser(&name), "{name} is not fuzzed");
        let talks = talks::of(*kind).iter().map(Script::write);
        let talks: Vec<_> = talks.collect();
        for (number, talk) in talks.iter().enumerate() {
            assert_eq!(Script::read(talk).write(), *talk, "{name} {number}");
        }
        write(&name, talks);
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
