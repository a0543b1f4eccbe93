//! What an analysis knew. See `formats`.
#![no_main]

#[path = "../formats.rs"]
mod formats;

libfuzzer_sys::fuzz_target!(|data: &[u8]| formats::state(data));
