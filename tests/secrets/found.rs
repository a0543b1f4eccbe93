//! Secrets of the shared captures, found by those words that only stand before one.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use tapir_capture::{FileSource, InputOptions, Source as _};

use super::{leaks, left_by};
use crate::support::{corpus, shared_captures};

/// Shorter ones stand anywhere by chance.
const SECRET_LEN_MIN: usize = 7;
/// Secrets looked for in one capture.
const SECRETS_MAX: usize = 16;

#[test]
#[expect(clippy::print_stdout, reason = "the figures are worth seeing")]
fn no_secret_of_a_shared_capture_is_kept() {
    let Some(corpus) = corpus("secrets of the shared captures") else {
        return;
    };
    let (mut wrong, mut sum, mut with) = (Vec::new(), 0, 0);
    for capture in shared_captures(&corpus) {
        let secrets = secrets(&capture);
        if secrets.is_empty() {
            continue;
        }
        (sum, with) = (sum + secrets.len(), with + 1);
        let found = leaks(&left_by(&capture), &secrets);
        wrong.extend(
            found
                .iter()
                .map(|leak| format!("{}: {leak}", capture.display())),
        );
    }
    println!("{sum} secrets in {with} captures");
    assert!(sum > 100, "only {sum} secrets in {with} captures");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// What stands behind a word that says so, and nowhere else in the capture.
fn secrets(capture: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let Ok(mut source) = FileSource::open(&[capture.to_owned()], &InputOptions::default()) else {
        return Vec::new();
    };
    while let Ok(Some(frame)) = source.next() {
        all.extend_from_slice(frame.bytes);
        all.push(0);
    }
    let (mut found, mut open) = (BTreeSet::new(), BTreeSet::new());
    for line in all.split(|byte| matches!(byte, b'\n' | 0)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let secrets = of(line);
        if secrets.is_empty() {
            let words = line.split(|byte| !byte.is_ascii_graphic() || b"/@:;=,\"&".contains(byte));
            open.extend(words.filter(|word| word.len() >= SECRET_LEN_MIN));
        }
        found.extend(secrets);
    }
    let is_secret = |secret: &Vec<u8>| {
        // A word or a number stands anywhere as well, times above all.
        secret.len() >= SECRET_LEN_MIN
            && secret.iter().all(u8::is_ascii_graphic)
            && secret.iter().any(u8::is_ascii_digit)
            && secret.iter().any(u8::is_ascii_alphabetic)
            && !open.contains(&secret[..])
            // An address is what one gives for a password where none is asked for.
            && !secret.contains(&b'@')
    };
    found
        .into_iter()
        .filter(is_secret)
        .take(SECRETS_MAX)
        .collect()
}

/// The secrets of one line.
fn of(line: &[u8]) -> Vec<Vec<u8>> {
    let behind = |word: &str| {
        let (head, rest) = line.split_at_checked(word.len())?;
        head.eq_ignore_ascii_case(word.as_bytes())
            .then_some(rest.trim_ascii())
    };
    for word in ["Authorization: Basic ", "Proxy-Authorization: Basic "] {
        if let Some(code) = behind(word) {
            let password = STANDARD.decode(code).ok().and_then(|pair| {
                let at = pair.iter().position(|byte| *byte == b':')?;
                Some(pair[at + 1..].to_vec())
            });
            return [Some(code.to_vec()), password]
                .into_iter()
                .flatten()
                .collect();
        }
    }
    for word in ["Cookie: ", "Set-Cookie: "] {
        if let Some(cookies) = behind(word) {
            // That of RDP is a user's name; counters of visits and lists are sent on as a part of addresses.
            let value = |cookie: &[u8]| {
                let (name, value) = cookie.split_at(cookie.iter().position(|byte| *byte == b'=')?);
                let name = name.trim_ascii();
                let open =
                    name == b"mstshash" || name.starts_with(b"__utm") || value.contains(&b'&');
                (!open).then(|| value[1..].trim_ascii().to_vec())
            };
            let count = if word.starts_with("Set") { 1 } else { 8 };
            return cookies
                .split(|byte| *byte == b';')
                .take(count)
                .filter_map(value)
                .collect();
        }
    }
    for word in ["PASS ", "AUTH PLAIN ", "Authorization: Bearer "] {
        if let Some(secret) = behind(word) {
            return vec![secret.to_vec()];
        }
    }
    Vec::new()
}
