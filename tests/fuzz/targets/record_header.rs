//! What a record says of its run. See `formats`.
#![no_main]

#[path = "../formats.rs"]
mod formats;

libfuzzer_sys::fuzz_target!(|data: &[u8]| formats::record_header(data));
