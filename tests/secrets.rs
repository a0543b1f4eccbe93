//! No secret that crosses the wire is anywhere in what is written.
//!
//! What it shows: of passwords, tokens, cookies, communities, tickets and challenge responses in every
//! protocol that carries some, nothing is in any record, report, state, run file or log line, neither as it
//! was sent nor in base64, hexadecimal, UTF-16 or percent-encoding.
//! How: talks whose secrets are known (`talks`), the golden cases, whose secrets say so of themselves, and
//! the shared captures, whose secrets are looked for here (`found`); the program runs over each with state
//! and with all of its log lines, and every file is searched.
//! Not a secret: a user's name; what somebody writes in the text of a syslog line, which is kept as sent.

mod found;
mod talks;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::frames::pcap;
use crate::support::{files, run, tapir_command};

/// What one run over a capture left anywhere: files by name, standard output and error.
fn left_by(capture: &Path) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = tapir_command();
    command.arg("analyze").arg(capture).arg("--json");
    command.arg("--out").arg(folder.path().join("out"));
    command.arg("--state").arg(folder.path().join("state"));
    let ran = run(command.env("TAPIR_LOG", "trace"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut left = files(folder.path());
    assert!(left.len() >= 5, "{:?}", left.keys());
    left.insert("standard output".into(), ran.stdout.into_bytes());
    left.insert("standard error".into(), ran.stderr.into_bytes());
    left
}

/// The ways in which a secret may be written, with their names; whether case matters.
fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>, bool)> {
    let hex = |between: &str| {
        let bytes: Vec<String> = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        bytes.join(between).into_bytes()
    };
    let wide = |order: fn(u16) -> [u8; 2]| secret.iter().flat_map(|b| order((*b).into())).collect();
    let percent = |all: bool| {
        let one = |byte: &u8| match byte {
            b if b.is_ascii_alphanumeric() && !all => char::from(*b).to_string(),
            b => format!("%{b:02x}"),
        };
        secret.iter().map(one).collect::<String>().into_bytes()
    };
    let json = serde_json::to_string(&String::from_utf8_lossy(secret)).expect("a text");
    let mut forms = vec![
        ("as sent", secret.to_vec(), false),
        ("in JSON", json.trim_matches('"').as_bytes().to_vec(), false),
        ("hexadecimal", hex(""), false),
        ("hexadecimal with colons", hex(":"), false),
        ("UTF-16, little end first", wide(u16::to_le_bytes), false),
        ("UTF-16, big end first", wide(u16::to_be_bytes), false),
        ("percent-encoded", percent(false), false),
        ("percent-encoded throughout", percent(true), false),
    ];
    // Behind none, one or two other bytes of what was encoded; letters that depend on those are left out.
    for (before, first) in [(0, 0), (1, 2), (2, 3)] {
        let text = STANDARD.encode([&vec![0; before], secret].concat());
        let whole = (before + secret.len()) * 4 / 3;
        forms.push(("base64", text.as_bytes()[first..whole].to_vec(), true));
    }
    forms
}

/// Every place where a secret stands, in words.
fn leaks(left: &BTreeMap<String, Vec<u8>>, secrets: &[Vec<u8>]) -> Vec<String> {
    let mut leaks = Vec::new();
    for (name, bytes) in left {
        let lower = bytes.to_ascii_lowercase();
        for secret in secrets {
            for (form, needle, exact) in forms(secret) {
                let found = if exact {
                    place(bytes, &needle)
                } else {
                    place(&lower, &needle.to_ascii_lowercase())
                };
                if let Some(at) = found {
                    let around = &bytes[at.saturating_sub(120)..(at + 80).min(bytes.len())];
                    let secret = secret.escape_ascii();
                    let around = String::from_utf8_lossy(around);
                    leaks.push(format!("{secret} {form} in {name}: …{around}…"));
                }
            }
        }
    }
    leaks
}

fn place(text: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, needle)
}

/// The search itself: without this the tests below could not fail.
#[test]
fn every_form_is_found() {
    let secret = b"gEh/eim-77".to_vec();
    for (form, text, _) in forms(&secret) {
        let text = [b"...", &text[..], b"..."].concat();
        let left = BTreeMap::from([("a.log".to_owned(), text)]);
        let found = leaks(&left, std::slice::from_ref(&secret));
        assert!(
            found.iter().any(|leak| leak.contains(form)),
            "{form}: {found:?}"
        );
    }
    for before in ["", "a", "ab", "anna:"] {
        let text = STANDARD.encode([before.as_bytes(), &secret[..], b"!"].concat());
        let left = BTreeMap::from([("a.log".to_owned(), text.into_bytes())]);
        assert_eq!(
            leaks(&left, std::slice::from_ref(&secret)).len(),
            1,
            "{before}"
        );
    }
}

/// Each talk is in a capture of its own, so that one that is not read does not hide behind the others.
#[test]
fn no_secret_of_a_protocol_is_kept() {
    let mut wrong = Vec::new();
    for talk in talks::all() {
        let folder = tempfile::tempdir().expect("a folder");
        let capture = folder.path().join("in.pcap");
        fs::write(&capture, pcap(1, &talk.frames())).expect("room");
        let left = left_by(&capture);
        let named = left.get("out/conn.log").expect("flows");
        let service = format!("\"service\":\"{}\"", talk.service);
        assert!(
            place(named, service.as_bytes()).is_some(),
            "{} is not read: {}",
            talk.name,
            String::from_utf8_lossy(named)
        );
        let found = leaks(&left, &talk.secrets);
        wrong.extend(found.iter().map(|leak| format!("{}: {leak}", talk.name)));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The golden cases name their secrets so.
#[test]
fn no_secret_of_a_golden_case_is_kept() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (name, capture) in files(&root) {
        // The one secret in the text of a line of syslog is content.
        let marks: Vec<Vec<u8>> = ["SECRET-", "geheim"]
            .map(|mark| mark.as_bytes().to_vec())
            .into_iter()
            .filter(|mark| place(&capture, mark).is_some() && !name.starts_with("syslog"))
            .collect();
        if name.ends_with("/in.pcap") && !marks.is_empty() {
            seen += 1;
            let found = leaks(&left_by(&root.join(&name)), &marks);
            wrong.extend(found.iter().map(|leak| format!("{name}: {leak}")));
        }
    }
    assert!(seen >= 5, "secrets in {seen} cases only");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
