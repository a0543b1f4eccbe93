//! Every fuzz target in one program, as each program is the whole of Tapir with a fuzzer around it:
//! `TAPIR_FUZZ` names the target.
#![no_main]

mod drive;
mod formats;
mod targets;

use std::sync::LazyLock;

/// The target asked for, and what it does.
static ASKED: LazyLock<(String, Option<targets::Run>)> = LazyLock::new(|| {
    let name = std::env::var("TAPIR_FUZZ").unwrap_or_default();
    let run = targets::find(&name);
    (name, run)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (name, run) = &*ASKED;
    match run {
        Some(run) => run(data),
        None if targets::is_parser(name) => drive::parser(name, data),
        None => {
            eprintln!(
                "TAPIR_FUZZ={name:?} names no target; they are the folders that `make check-deep` \
                leaves in target/fuzz-seeds"
            );
            std::process::exit(2);
        }
    }
});
