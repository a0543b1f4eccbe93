//! The parser that the program is named after. See `drive`.
#![no_main]

#[path = "../drive.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|data: &[u8]| drive::parser(env!("CARGO_BIN_NAME"), data));
