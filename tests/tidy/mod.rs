//! Rules on the source text that neither the compiler nor clippy can hold.
//!
//! What it shows: the whole tree keeps each rule; each rule's own tests show that it can complain.
//! How: every text file below the repository is read; Rust files are stripped of comments and texts.

mod arrows;
mod code;
mod form;
mod purity;

use std::path::Path;

/// A rule on one Rust file.
type Rule = fn(&Source, &mut Vec<Complaint>);

const RULES: [Rule; 9] = [
    arrows::rooms,
    arrows::crates,
    arrows::siblings,
    purity::engine,
    purity::tests,
    form::header,
    form::length,
    form::unsafe_code,
    form::allowances,
];

/// Folders that hold nothing of ours, or data.
const NOT_OURS: [&str; 5] = ["target", "out", ".git", "data", "node_modules"];

/// What is read as text, by the end of its name; files without an ending are too.
const TEXTS: [&str; 13] = [
    "rs", "toml", "md", "sh", "py", "html", "jinja", "css", "js", "yaml", "yml", "txt", "service",
];

/// `path:line: what is wrong`.
type Complaint = String;

/// A text file.
struct Text {
    path: String,
    text: String,
}

impl Text {
    fn complain(&self, line: usize, what: String) -> Complaint {
        format!("{}:{line}: {what}", self.path)
    }
}

/// A Rust file.
struct Source {
    path: String,
    text: String,
    /// Without comments and texts.
    code: String,
    /// That, without test items.
    shipped: String,
    /// Whether the whole file is test code.
    is_test: bool,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = code::code_of(text);
        let shipped = code::without_tests(&code);
        let mut parts = path.split('/');
        let is_test = parts.any(|part| part == "tests" || part == "tests.rs");
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            shipped,
            is_test,
        }
    }

    fn complain(&self, line: usize, what: String) -> Complaint {
        format!("{}:{line}: {what}", self.path)
    }
}

/// Every file keeps every rule.
#[test]
fn the_tree_keeps_the_rules() {
    let mut texts = Vec::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut texts);
    assert!(texts.len() > 50, "only {} files found", texts.len());
    let mut complaints = Vec::new();
    for text in &texts {
        form::banned(text, &mut complaints);
        if text.path.ends_with(".rs") {
            let source = Source::new(&text.path, &text.text);
            for rule in RULES {
                rule(&source, &mut complaints);
            }
        }
    }
    let count = complaints.len();
    assert!(
        complaints.is_empty(),
        "{count} complaints:\n{}",
        complaints.join("\n")
    );
}

/// Reads the text files below `folder`, in order of their names.
fn collect(folder: &Path, prefix: &str, texts: &mut Vec<Text>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable entry"))
        .collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().expect("a file type");
        if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
            collect(&entry.path(), &format!("{path}/"), texts);
        } else if kind.is_file() && is_text(&name) {
            let bytes = std::fs::read(entry.path()).expect("a readable file");
            let text = String::from_utf8(bytes).unwrap_or_else(|_| panic!("{path}: not UTF-8"));
            texts.push(Text { path, text });
        }
    }
}

fn is_text(name: &str) -> bool {
    let ending = name.rsplit_once('.');
    match ending {
        None => true,
        Some(("", _)) => false,
        Some((_, ending)) => TEXTS.contains(&ending),
    }
}

/// What one rule has to say about a snippet.
#[cfg(test)]
fn check_one(rule: Rule, path: &str, text: &str) -> Vec<Complaint> {
    let mut out = Vec::new();
    rule(&Source::new(path, text), &mut out);
    out
}
