//! JA4: a fingerprint of what a TLS client offers, whatever order it offers it in.
//!
//! Source: FoxIO's published JA4 definition (`technical_details/JA4.md`, BSD 3-clause).
//! Output: `a_b_c`, 36 characters: a in clear, b over the ciphers, c over extensions and signature
//!         algorithms; b and c are the first 12 hex digits of a SHA-256.
//! Not done: JA4S and the other JA4+ methods, whose licence does not go with this project's.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::hello::{ClientHelloView, extension};

/// Hex digits kept of each hash.
const HASH_LEN: usize = 12;
/// What stands for the hash of nothing.
const EMPTY: &str = "000000000000";

/// The JA4 of a hello; `transport` is `t` for TCP, `q` for QUIC, `d` for DTLS.
#[must_use]
pub fn ja4(hello: &ClientHelloView<'_>, transport: char) -> String {
    let mut ciphers: Vec<u16> = hello.ciphers().collect();
    ciphers.sort_unstable();
    let mut numbers: Vec<u16> = hello.extensions().map(|(number, _)| number).collect();
    let extension_count = numbers.len();
    let named = numbers.contains(&extension::SERVER_NAME);
    numbers.retain(|n| !matches!(*n, extension::SERVER_NAME | extension::ALPN));
    numbers.sort_unstable();

    let mut out = String::with_capacity(36);
    out.push(transport);
    out.push_str(version(hello.version()));
    out.push(if named { 'd' } else { 'i' });
    let counts = [ciphers.len(), extension_count].map(|count| count.min(99));
    for count in counts {
        let _infallible = write!(out, "{count:02}");
    }
    for character in alpn(hello.alpn().next()) {
        out.push(character);
    }
    out.push('_');
    if ciphers.is_empty() {
        out.push_str(EMPTY);
    } else {
        let mut hash = Sha256::new();
        list(&mut hash, ciphers.iter().copied());
        finish(hash, &mut out);
    }
    out.push('_');
    if numbers.is_empty() {
        out.push_str(EMPTY);
    } else {
        let mut hash = Sha256::new();
        list(&mut hash, numbers.iter().copied());
        let mut algorithms = hello.signature_algorithms().peekable();
        if algorithms.peek().is_some() {
            hash.update(b"_");
            list(&mut hash, algorithms);
        }
        finish(hash, &mut out);
    }
    out
}

/// Two characters for a version; `00` if it has none.
fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character of the first protocol offered; the outer hex digits of its outer bytes if
/// one of them is no letter or digit.
fn alpn(name: Option<&[u8]>) -> [char; 2] {
    let Some((first, last)) = name.and_then(|n| Some((*n.first()?, *n.last()?))) else {
        return ['0', '0'];
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(first), char::from(last)];
    }
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0x0f)]
}

/// Feeds four hex digits a number, with commas between.
fn list(hash: &mut Sha256, numbers: impl Iterator<Item = u16>) {
    let mut text = String::with_capacity(5);
    for (index, number) in numbers.enumerate() {
        text.clear();
        let comma = if index == 0 { "" } else { "," };
        let _infallible = write!(text, "{comma}{number:04x}");
        hash.update(text.as_bytes());
    }
}

/// Writes the beginning of the hash in hex.
fn finish(hash: Sha256, out: &mut String) {
    for byte in hash.finalize().iter().take(HASH_LEN / 2) {
        let _infallible = write!(out, "{byte:02x}");
    }
}
