//! A catalogue of services. See `formats`.
#![no_main]

#[path = "../formats.rs"]
mod formats;

libfuzzer_sys::fuzz_target!(|data: &[u8]| formats::services(data));
