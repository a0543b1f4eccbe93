//! The seeds of the fuzz targets, replayed.
//!
//! What it shows: no seed panics, and each target has some.
//! How: the same functions that the fuzzer calls, over the files in `seeds/`.

mod drive;

use std::path::Path;

use crate::support::files;

#[test]
fn seeds_replay() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    for (target, run) in [
        ("frames", drive::frames as fn(&[u8])),
        ("streams", drive::streams),
        ("dns", drive::dns),
        ("models", drive::models),
    ] {
        let files = files(&seeds.join(target));
        assert!(!files.is_empty(), "{target} has no seeds");
        for seed in files.values() {
            run(seed);
        }
    }
}
