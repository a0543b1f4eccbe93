//! Words of IMAP lines: strings, literals, lists.
//!
//! Standard: RFC 9051 §4.3 (strings), RFC 7888 (`{n+}`), RFC 3516 (`~{n}`), RFC 2971 §3 (ID).
//! Bounds:   8 file names of one line.

use super::super::lines::{TEXT_LEN_MAX, between};
use crate::types::{Text, text};

/// File names looked for in one line.
const NAMES_MAX: usize = 8;

/// The length of a literal that a line ends with.
pub(super) fn literal(line: &[u8]) -> Option<u64> {
    let inside = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', inside)?;
    let digits = inside.get(open.saturating_add(1)..)?;
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The first string of an argument list: quoted or an atom; `None` if it is a literal or not there.
pub(super) fn first_string(arg: &[u8]) -> Option<Text> {
    match arg {
        [] | [b'{', ..] => None,
        [b'"', inside @ ..] => {
            let (mut out, mut escaped) = (Vec::new(), false);
            for byte in inside.iter().take(TEXT_LEN_MAX) {
                match byte {
                    b'\\' if !escaped => escaped = true,
                    b'"' if !escaped => break,
                    byte => {
                        out.push(*byte);
                        escaped = false;
                    }
                }
            }
            Some(text(&out, TEXT_LEN_MAX))
        }
        atom => {
            let end = memchr::memchr(b' ', atom).unwrap_or(atom.len());
            atom.get(..end).map(|atom| text(atom, TEXT_LEN_MAX))
        }
    }
}

/// The last string of an argument list, as it stands; `None` if it is a literal.
pub(super) fn last_string(arg: &[u8]) -> Option<&[u8]> {
    if arg.ends_with(b"}") {
        return None;
    }
    match arg.strip_suffix(b"\"") {
        Some(inside) => inside.rsplit(|byte| *byte == b'"').next(),
        None => arg.rsplit(|byte| *byte == b' ').next(),
    }
}

/// Name and version in `("name" "Thunderbird" "version" "115.0")`.
pub(super) fn identity(arg: &[u8]) -> Text {
    let field = |key: &[u8]| {
        let mut strings = Strings { rest: arg };
        while let (Some(name), Some(value)) = (strings.next(), strings.next()) {
            if name.eq_ignore_ascii_case(key) {
                return Some(value);
            }
        }
        None
    };
    let name = field(b"name").unwrap_or_default();
    let version = field(b"version").unwrap_or_default();
    let both = [name, b" ", version].concat();
    text(both.trim_ascii(), TEXT_LEN_MAX)
}

/// The values behind `"NAME"` and `"FILENAME"`, the parameters of a part.
pub(super) fn file_names(line: &[u8]) -> Vec<Text> {
    let mut names = Vec::new();
    if memchr::memmem::find(line, b" FETCH ").is_none() {
        return names;
    }
    let mut strings = Strings { rest: line };
    let mut before: &[u8] = b"";
    while let Some(string) = strings.next()
        && names.len() < NAMES_MAX
    {
        let named = [&b"NAME"[..], b"FILENAME"]
            .iter()
            .any(|key| key.eq_ignore_ascii_case(before));
        if named && !string.is_empty() {
            names.push(text(string, TEXT_LEN_MAX));
        }
        before = string;
    }
    names
}

/// The quoted strings of a line.
struct Strings<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let found = between(self.rest, b'"', b'"')?;
        let start = memchr::memchr(b'"', self.rest)?;
        let used = start.saturating_add(found.len()).saturating_add(2);
        self.rest = self.rest.get(used..)?;
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_strings() {
        assert_eq!(
            literal(b"A003 APPEND saved-messages (\\Seen) {310}"),
            Some(310)
        );
        assert_eq!(literal(b"a LOGIN {5+}"), Some(5));
        assert_eq!(literal(b"a LOGIN {x}"), None);
        assert_eq!(literal(b"{99999999999999999999}"), None);
        assert_eq!(
            first_string(b"\"fred \\\"x\" secret"),
            Some("fred \"x".into())
        );
        assert_eq!(first_string(b"SMITH SESAME"), Some("SMITH".into()));
        assert_eq!(first_string(b"{5}"), None);
    }

    #[test]
    fn identities_and_names() {
        // RFC 2971 §3.1.
        let id = br#"("name" "sodr" "version" "19.34" "vendor" "Pink Floyd Music Limited")"#;
        assert_eq!(identity(id), "sodr 19.34");
        assert_eq!(identity(b"NIL"), "");
        let line = br#"* 1 FETCH (BODYSTRUCTURE ("TEXT" "PLAIN" ("NAME" "cc.diff") NIL ("ATTACHMENT" ("FILENAME" "d.pdf"))))"#;
        assert_eq!(file_names(line), ["cc.diff", "d.pdf"]);
        assert!(file_names(br#"* LIST () "NAME" "x""#).is_empty());
    }
}
