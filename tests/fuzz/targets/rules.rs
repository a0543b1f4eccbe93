//! A rule of engagement and its signature. See `formats`.
#![no_main]

#[path = "../formats.rs"]
mod formats;

libfuzzer_sys::fuzz_target!(|data: &[u8]| formats::rules(data));
