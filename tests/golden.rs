//! Every folder under `golden/` is a test: a capture in, exact records out.
//!
//! What it shows: records, devices, breaches, incidents and counters of small captures, as written.
//! How: `tapir analyze` runs over `in.pcap`, or over the shared capture whose SHA-256 `case.toml`
//! names; the first [`LINES_MAX`] lines of each log and the whole of `stats.json`, which counts all
//! lines, are compared with the files beside it. The expected values were checked with tshark or by
//! hand before they were committed. `UPDATE=1 cargo test --test tapir golden` rewrites them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::support::{corpus, files, tapir};

/// Lines kept of one log.
const LINES_MAX: usize = 50;
/// Bytes of a capture of our own: what is larger belongs into the shared captures.
const CAPTURE_LEN_MAX: u64 = 64 << 10;

/// `case.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows, one sentence.
    purpose: String,
    /// Where the capture comes from and how it was made.
    origin: String,
    /// Who says that the expected values are right.
    checked: String,
    /// SHA-256 of a shared capture, instead of `in.pcap`.
    corpus: Option<String>,
    /// Further arguments of `tapir analyze`.
    #[serde(default)]
    args: Vec<String>,
}

#[test]
#[expect(clippy::print_stdout, reason = "what is skipped says so")]
fn golden() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    let (mut run, mut skipped) = (0, 0);
    for folder in cases(&root) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(folder.join("case.toml"))
            .unwrap_or_else(|error| panic!("{name}/case.toml: {error}"));
        let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for said in [&case.purpose, &case.origin, &case.checked] {
            assert!(!said.is_empty(), "{name}: say purpose, origin and checked");
        }
        let Some(capture) = capture(&folder, &case) else {
            println!("SKIPPED golden/{name}: its shared capture is not here");
            skipped += 1;
            continue;
        };
        let found = analyze(&name, &capture, &case.args);
        run += 1;
        if update {
            rewrite(&folder, &found);
        } else {
            wrong.extend(differences(&name, &expected(&folder), &found));
        }
    }
    println!("golden: {run} cases, {skipped} skipped");
    assert!(run > 0, "no case under {}", root.display());
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The folders, in order of name.
fn cases(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).expect("the folder of cases");
    let mut folders: Vec<_> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.join("case.toml").is_file())
        .collect();
    folders.sort();
    folders
}

/// The capture of a case; `None` if it is a shared one that is not here.
fn capture(folder: &Path, case: &Case) -> Option<PathBuf> {
    let own = folder.join("in.pcap");
    let Some(sha256) = &case.corpus else {
        let len = fs::metadata(&own).expect("in.pcap").len();
        assert!(len <= CAPTURE_LEN_MAX, "{}: {len} bytes", own.display());
        return Some(own);
    };
    let shared = corpus("golden")?;
    let manifest = fs::read(shared.join("manifest.json")).expect("a readable manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let files = manifest["files"].as_array().expect("a list of files");
    let entry = files
        .iter()
        .find(|file| file["sha256"] == sha256.as_str())?;
    Some(shared.join(entry["file"].as_str()?))
}

/// What a run writes, as far as it is compared.
fn analyze(name: &str, capture: &Path, args: &[String]) -> BTreeMap<String, String> {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("golden")
        .join(name);
    let _absent_is_fine = fs::remove_dir_all(&out);
    let mut all = vec!["analyze".into(), capture.as_os_str().to_owned()];
    all.extend(["--out".into(), out.as_os_str().to_owned()]);
    all.extend(args.iter().map(Into::into));
    let ran = tapir(&all);
    assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
    let kept = |name: &str| {
        let path = Path::new(name);
        name == "stats.json" || path.extension().is_some_and(|e| e == "log" || e == "jsonl")
    };
    let written = files(&out).into_iter().filter(|(file, _)| kept(file));
    written
        .map(|(file, bytes)| (file, excerpt(&String::from_utf8(bytes).expect("UTF-8"))))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// The first lines.
fn excerpt(text: &str) -> String {
    text.split_inclusive('\n').take(LINES_MAX).collect()
}

/// The files beside `case.toml`.
fn expected(folder: &Path) -> BTreeMap<String, String> {
    let found = files(folder).into_iter();
    found
        .filter(|(file, _)| !["case.toml", "in.pcap"].contains(&file.as_str()))
        .map(|(file, bytes)| (file, String::from_utf8(bytes).expect("UTF-8")))
        .collect()
}

/// Puts what was found in the place of what was expected.
fn rewrite(folder: &Path, found: &BTreeMap<String, String>) {
    for file in expected(folder).keys() {
        fs::remove_file(folder.join(file)).expect("an old file goes");
    }
    for (file, text) in found {
        fs::write(folder.join(file), text).expect("a new file");
    }
}

/// The first different line of every file that differs.
fn differences(
    name: &str,
    expected: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut all: Vec<&String> = expected.keys().chain(found.keys()).collect();
    all.sort();
    all.dedup();
    let none = String::new();
    let mut out = Vec::new();
    for file in all {
        let (want, have) = (
            expected.get(file).unwrap_or(&none),
            found.get(file).unwrap_or(&none),
        );
        if want == have {
            continue;
        }
        let same = want.lines().zip(have.lines()).take_while(|(a, b)| a == b);
        let line = same.count();
        let show = |text: &str| text.lines().nth(line).unwrap_or("(no line)").to_owned();
        out.push(format!(
            "{name}/{file}, line {}:\n  expected {}\n  found    {}",
            line + 1,
            show(want),
            show(have)
        ));
    }
    out
}
