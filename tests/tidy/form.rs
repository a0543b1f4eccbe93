//! The form of a file: its header, its length, its notes, its words.

use super::code::words;
use super::{Complaint, Source, Text};

/// Longest file; beyond it a file is split by topic.
const LINES_MAX: usize = 500;

/// Where `unsafe` may stand.
const UNSAFE_FILES: [&str; 6] = [
    "src/capture/ring.rs",
    "src/capture/inject.rs",
    "src/capture/armed.rs",
    "src/allocator.rs",
    "tests/alloc.rs",
    "bench/generate.rs",
];

/// Comment lines above an `unsafe` block that are searched for its notes.
const NOTE_LINES: usize = 12;

/// What the repository must not say, in two halves each, so that this file does not say it either.
/// The second word of a pair tells why.
const BANNED: [(&str, &str, &str); 35] = [
    ("TO", "DO", "unfinished"),
    ("FIX", "ME", "unfinished"),
    ("XX", "X", "unfinished"),
    ("HA", "CK:", "unfinished"),
    ("for ", "now", "unfinished"),
    ("in a later ", "step", "unfinished"),
    ("dum", "my", "unfinished"),
    ("place", "holder", "unfinished"),
    ("simpli", "fied", "unfinished"),
    ("not yet ", "implemented", "unfinished"),
    ("unimple", "mented!", "unfinished"),
    ("work", "tree", "of the making"),
    ("sub", "agent", "of the making"),
    ("sub-", "agent", "of the making"),
    ("cod", "ing agent", "of the making"),
    ("language ", "model", "of the making"),
    ("AI ", "assistant", "of the making"),
    ("this ", "session", "of the making"),
    ("previous ", "session", "of the making"),
    ("the ", "brief says", "of the making"),
    ("other ", "engineer", "of the making"),
    ("another ", "engineer", "of the making"),
    ("/wo", "rk/", "a path of one machine"),
    ("/ro", "ot/", "a path of one machine"),
    ("/ho", "me/", "a path of one machine"),
    ("/shared/", "corpus/pcaps/", "a path of one machine"),
    ("crates", ".io", "a registry"),
    ("docs", ".rs/", "a registry"),
    ("deb.debian", ".org", "a registry"),
    ("security.debian", ".org", "a registry"),
    ("snapshot.debian", ".org", "a registry"),
    ("static.rust-", "lang.org", "a registry"),
    ("sh.rust", "up.rs", "a registry"),
    ("py", "pi.org", "a registry"),
    ("registry.npm", "js.org", "a registry"),
];

/// Every module begins by saying what it is.
pub(super) fn header(source: &Source, out: &mut Vec<Complaint>) {
    if !source.text.starts_with("//! ") {
        out.push(source.complain(1, "the file does not begin with a `//!` header".to_owned()));
    }
}

/// No file outgrows what one reads in one go.
pub(super) fn length(source: &Source, out: &mut Vec<Complaint>) {
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        out.push(source.complain(
            lines,
            format!("{lines} lines, at most {LINES_MAX}: split by topic"),
        ));
    }
}

/// `unsafe` stands in few files, announced at their top, each use with its two notes.
pub(super) fn unsafe_code(source: &Source, out: &mut Vec<Complaint>) {
    let lines: Vec<&str> = source.text.lines().collect();
    let code: Vec<&str> = source.code.lines().collect();
    let mut any = false;
    for (line, word) in words(&source.code) {
        if word != "unsafe" {
            continue;
        }
        any = true;
        if !UNSAFE_FILES.contains(&source.path.as_str()) {
            out.push(source.complain(line, "`unsafe` may not stand in this file".to_owned()));
        }
        // A function of an unsafe trait inherits its contract; its body's blocks carry notes.
        if code
            .get(line - 1)
            .is_some_and(|text| text.contains("unsafe fn"))
        {
            continue;
        }
        let above: Vec<&str> = lines[..line - 1]
            .iter()
            .rev()
            .take_while(|text| is_note(text))
            .take(NOTE_LINES)
            .copied()
            .collect();
        for note in ["// SAFETY:", "// JUSTIFICATION:"] {
            if !above.iter().any(|text| text.trim_start().starts_with(note)) {
                out.push(source.complain(line, format!("`unsafe` without `{note}` above it")));
            }
        }
    }
    if any && !source.code.contains("#![expect(unsafe_code, reason") {
        let remedy = "the file does not open with `#![expect(unsafe_code, reason = …)]`";
        out.push(source.complain(1, remedy.to_owned()));
    }
}

fn is_note(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//") || line.starts_with("#[")
}

/// A lint is silenced with a reason or not at all.
pub(super) fn allowances(source: &Source, out: &mut Vec<Complaint>) {
    for (at, _) in source.code.match_indices("allow(") {
        let (before, rest) = source.code.split_at(at);
        let line = before.matches('\n').count() + 1;
        let before = before.trim_end();
        let attribute = ["#[", "#![", ","]
            .iter()
            .any(|opening| before.ends_with(opening));
        let inside = rest.split(']').next().unwrap_or_default();
        if attribute && !inside.contains("reason") {
            out.push(source.complain(line, "a lint is silenced without a reason".to_owned()));
        }
    }
}

/// Words that have no place in what is shipped, in any text of the repository.
pub(super) fn banned(text: &Text, out: &mut Vec<Complaint>) {
    for (first, second, why) in BANNED {
        let word = format!("{first}{second}");
        for (index, line) in text.text.lines().enumerate() {
            if says(line, &word) {
                out.push(text.complain(index + 1, format!("`{word}` ({why})")));
            }
        }
    }
}

/// Whether a line holds a word: shouted ones as written and whole, others in any case.
fn says(line: &str, word: &str) -> bool {
    let shouted = word.chars().all(|c| c.is_ascii_uppercase());
    if !shouted {
        return line.to_lowercase().contains(&word.to_lowercase());
    }
    let parts = line.split(|c: char| !c.is_alphanumeric());
    parts.into_iter().any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::super::check_one;
    use super::*;

    const TOP: &str = "#![expect(unsafe_code, reason = \"x\")]\n";
    const NOTES: &str = "// SAFETY: a\n// JUSTIFICATION: b\n";

    #[test]
    fn headers_and_lengths_are_complained_of() {
        let count = |rule, text: &str| check_one(rule, "src/x.rs", text).len();
        assert_eq!(count(header, "use a;"), 1);
        assert_eq!(count(header, "//! A.\nuse a;"), 0);
        assert_eq!(count(length, &"x\n".repeat(LINES_MAX)), 0);
        assert_eq!(count(length, &"x\n".repeat(LINES_MAX + 1)), 1);
    }

    #[test]
    fn unsafe_code_is_complained_of() {
        let count = |path, text: &str| check_one(unsafe_code, path, text).len();
        let good = format!("{TOP}{NOTES}unsafe {{ f() }}");
        assert_eq!(count("tests/alloc.rs", &good), 0);
        assert_eq!(count("src/store/disk.rs", &good), 1);
        assert_eq!(
            count(
                "tests/alloc.rs",
                &format!("{TOP}// SAFETY: a\nunsafe {{ f() }}")
            ),
            1
        );
        assert_eq!(
            count(
                "tests/alloc.rs",
                &format!("{TOP}{NOTES}let a;\nunsafe {{ f() }}")
            ),
            2
        );
        assert_eq!(
            count("tests/alloc.rs", &format!("{NOTES}unsafe {{ f() }}")),
            1
        );
        assert_eq!(
            count("src/x.rs", "#![forbid(unsafe_code)] // unsafe\n\"unsafe\""),
            0
        );
    }

    #[test]
    fn silent_allowances_are_complained_of() {
        let count = |text: &str| check_one(allowances, "src/x.rs", text).len();
        assert_eq!(count("#[allow(dead_code)]"), 1);
        assert_eq!(count("#![allow(dead_code)]"), 1);
        assert_eq!(count("#[cfg_attr(test, allow(dead_code))]"), 1);
        assert_eq!(count("#[allow(dead_code, reason = \"x\")]"), 0);
        assert_eq!(count("self.allow(x)"), 0);
    }

    #[test]
    fn banned_words_are_complained_of() {
        let count = |line: &str| {
            let mut out = Vec::new();
            banned(
                &Text {
                    path: "README.md".to_owned(),
                    text: line.to_owned(),
                },
                &mut out,
            );
            out.len()
        };
        for (first, second, _) in BANNED {
            assert!(
                count(&format!("a {first}{second} b")) >= 1,
                "{first}{second}"
            );
        }
        assert_eq!(count("Todoist, hexXXXdigits, before nowhere"), 0);
    }
}
