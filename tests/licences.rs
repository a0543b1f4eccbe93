//! What we are built of: its licences, what it must not be, and how much of it there is.
//!
//! What it shows: every package that a build for this machine can reach carries a licence that fits
//! Apache-2.0; none of the banned ones is among them; `Cargo.lock` stays short. Every table that is shipped as data
//! stands in `packaging/DATA-LICENCES` with source, licence, date and the hash it has.
//! How: `cargo metadata`, without the network; licence expressions as SPDX writes them; the source tree is searched for
//! data, and for what is compiled in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Licences that ask for no more than their text and a notice. Of files under MPL-2.0 changed ones
/// would have to be published; we change none.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Packages that are not to come in by any way, and why.
const BANNED: [(&str, &str); 5] = [
    ("evalexpr", "AGPL-3.0-only in its newer releases"),
    ("ssh-parser", "LGPL-2.1-or-later"),
    ("openssl", "C library with a history; TLS comes from rustls"),
    (
        "openssl-sys",
        "C library with a history; TLS comes from rustls",
    ),
    ("native-tls", "brings openssl"),
];

/// More packages than this nobody reads; 180 are there now, most of them small.
const PACKAGES_MAX: usize = 250;

#[test]
#[expect(clippy::print_stdout, reason = "the number is worth seeing")]
fn what_we_are_built_of_is_fit_to_ship() {
    let packages = packages();
    assert!(packages.len() > 20, "only {} packages", packages.len());
    let mut complaints = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let licence = package["license"].as_str().unwrap_or("");
        if !is_allowed(licence) {
            complaints.push(format!("{name}: licence `{licence}` is not on the list"));
        }
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            complaints.push(format!("{name}: banned ({why})"));
        }
    }
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = std::fs::read_to_string(lock).expect("Cargo.lock");
    let locked = lock.lines().filter(|line| *line == "[[package]]").count();
    if locked >= PACKAGES_MAX {
        complaints.push(format!(
            "{locked} packages in Cargo.lock, at most {PACKAGES_MAX}"
        ));
    }
    println!(
        "{locked} packages in Cargo.lock, {} reached on this machine",
        packages.len()
    );
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The packages a build for this machine can reach.
fn packages() -> Vec<Value> {
    let compiler = Command::new("rustc").arg("-vV").output().expect("rustc");
    let compiler = String::from_utf8(compiler.stdout).expect("UTF-8");
    let machine = compiler
        .lines()
        .find_map(|line| line.strip_prefix("host: "));
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--offline",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
        ])
        .arg(machine.expect("a host"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    let complaint = String::from_utf8_lossy(&metadata.stderr);
    assert!(metadata.status.success(), "{complaint}");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// Whether a licence expression leaves us a way that is on the list: of `OR` one side, of `AND` both.
fn is_allowed(expression: &str) -> bool {
    // Before SPDX expressions, a slash stood for OR.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest) == Some(true) && rest.is_empty()
}

/// `None` if the words make no expression.
fn either(rest: &mut &[&str]) -> Option<bool> {
    let mut allowed = both(rest)?;
    while next_is(rest, "OR") {
        allowed |= both(rest)?;
    }
    Some(allowed)
}

fn both(rest: &mut &[&str]) -> Option<bool> {
    let mut allowed = one(rest)?;
    while next_is(rest, "AND") {
        allowed &= one(rest)?;
    }
    Some(allowed)
}

fn one(rest: &mut &[&str]) -> Option<bool> {
    if next_is(rest, "(") {
        let allowed = either(rest)?;
        return next_is(rest, ")").then_some(allowed);
    }
    let mut name = take(rest)?.to_owned();
    if next_is(rest, "WITH") {
        name = format!("{name} WITH {}", take(rest)?);
    }
    Some(ALLOWED.contains(&name.as_str()))
}

fn take<'a>(rest: &mut &[&'a str]) -> Option<&'a str> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(first)
}

/// Takes the next word if it is this one.
fn next_is(rest: &mut &[&str], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}

/// Each kind of expression, allowed and not.
#[test]
fn licence_expressions_are_understood() {
    let allowed = [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0-only OR MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        "BSD-3-Clause AND BSD-2-Clause",
    ];
    for expression in allowed {
        assert!(is_allowed(expression), "{expression}");
    }
    let refused = [
        "",
        "GPL-3.0-only",
        "AGPL-3.0-or-later",
        "MIT AND GPL-2.0",
        "(MIT OR Apache-2.0) AND LGPL-2.1",
        "Apache-2.0 WITH Some-exception",
        "MIT OR",
        "(MIT",
        "MIT Apache-2.0",
    ];
    for expression in refused {
        assert!(!is_allowed(expression), "{expression}");
    }
}

/// Where data may lie, what it looks like, and what is none: texts that the project's tests compare with.
const DATA_FOLDERS: [&str; 3] = ["catalogue", "demo", "src"];
const DATA_ENDS: [&str; 9] = [
    "csv", "dat", "db", "fp", "mmdb", "toml", "tsv", "txt", "zst",
];
const NOT_DATA: [&str; 4] = [
    "Cargo.toml",
    "clippy.toml",
    "proptest-regressions",
    "testdata",
];
/// What is compiled in and is no data: the form of the report. Models have folders of their own.
const FORMS: [&str; 2] = ["css", "jinja"];
/// Whose licence does not fit.
const BANNED_DATA: [&str; 3] = ["geolite", "trackerdb", "p0f"];
const REMEDY: &str =
    "name it in packaging/data.py and run `make data`, or packaging/data.py --record";

/// The tables in `DATA-LICENCES`: what is said of each.
fn tables(root: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = std::fs::read_to_string(root.join("packaging/DATA-LICENCES")).expect("the licences");
    let mut tables = BTreeMap::new();
    for stanza in text
        .split("\n\n")
        .filter(|stanza| stanza.starts_with("File: "))
    {
        let fields = stanza.lines().filter_map(|line| line.split_once(": "));
        let mut fields: BTreeMap<String, String> = fields
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let path = fields.remove("File").expect("a path");
        assert!(tables.insert(path, fields).is_none(), "named twice");
    }
    tables
}

/// All files below a folder that have not to do with tests.
fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path
            .file_name()
            .is_some_and(|name| NOT_DATA.iter().any(|no| name == *no))
        {
            continue;
        }
        if path.is_dir() {
            below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Files that a source file compiles in, by the path from its own folder.
fn compiled_in(source: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(source).expect("a source file");
    let calls = ["include_str!(\"", "include_bytes!(\""];
    let named = calls.iter().flat_map(|call| text.split(call).skip(1));
    let named = named.filter_map(|rest| rest.split('"').next());
    named
        .filter_map(|name| source.parent()?.join(name).canonicalize().ok())
        .collect()
}

#[test]
fn every_table_that_is_shipped_stands_in_data_licences() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .canonicalize()
        .expect("a root");
    let tables = tables(&root);
    let ends = |path: &Path, ends: &[&str]| {
        path.extension()
            .is_some_and(|e| ends.iter().any(|end| e == *end))
    };
    let mut files = Vec::new();
    for folder in DATA_FOLDERS {
        below(&root.join(folder), &mut files);
    }
    let is_test = |path: &Path| {
        path.file_stem()
            .is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
    };
    let sources = files
        .iter()
        .filter(|path| ends(path, &["rs"]) && !is_test(path));
    let mut data: Vec<PathBuf> = sources.flat_map(|source| compiled_in(source)).collect();
    data.retain(|path| !ends(path, &FORMS) && !path.starts_with(root.join("models")));
    data.extend(files.into_iter().filter(|path| ends(path, &DATA_ENDS)));
    data.sort();
    data.dedup();
    let mut complaints = Vec::new();
    for path in data {
        let path = path
            .strip_prefix(&root)
            .expect("inside")
            .display()
            .to_string();
        if !tables.contains_key(&path) {
            complaints.push(format!("{path}: not in packaging/DATA-LICENCES; {REMEDY}"));
        }
    }
    for (path, fields) in &tables {
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let date = field("Date")
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'-');
        if field("Source").is_empty()
            || field("Licence").is_empty()
            || field("Date").len() != 10
            || !date
        {
            complaints.push(format!("{path}: say source, licence and date"));
        }
        let text = std::fs::read(root.join(path)).unwrap_or_default();
        let hash: String = Sha256::digest(&text)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if field("SHA-256") != hash {
            complaints.push(format!("{path}: it is not what was recorded; {REMEDY}"));
        }
        let all = format!("{path} {}", field("Source")).to_lowercase();
        if BANNED_DATA.iter().any(|banned| all.contains(banned)) {
            complaints.push(format!("{path}: its licence does not fit"));
        }
    }
    assert!(tables.len() >= 3, "{tables:?}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
