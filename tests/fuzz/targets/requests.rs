//! One line to the daemon. See `formats`.
#![no_main]

#[path = "../formats.rs"]
mod formats;

libfuzzer_sys::fuzz_target!(|data: &[u8]| formats::requests(data));
