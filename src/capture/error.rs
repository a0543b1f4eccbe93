//! What can keep a source from giving frames, in words an operator can act on.
//!
//! Output:   one line each: what, where, remedy.
//! Bounds:   text from files and file names is escaped and shortened before it is shown.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::live_error::LiveError;

/// Why a source cannot be opened, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No path was given at all.
    #[error("no capture was named; give one or more .pcap or .pcapng files, or a folder of them")]
    NoInput,
    /// The path does not exist.
    #[error("{}: no such file or folder; check the spelling and the working folder", Shown(.path))]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// The path exists and may not be read.
    #[error("{}: permission denied; make it readable for this user", Shown(.path))]
    Denied {
        /// The path as given.
        path: PathBuf,
    },
    /// Neither a regular file nor a folder.
    #[error("{}: not a regular file (a pipe, socket or device); save it to a file first", Shown(.path))]
    NotAFile {
        /// The path as given.
        path: PathBuf,
    },
    /// The file has no byte in it.
    #[error("{}: the file is empty (0 bytes); capture again or leave it out", Shown(.path))]
    Empty {
        /// The path as given.
        path: PathBuf,
    },
    /// The file's first bytes are those of no capture format read here.
    #[error("{}: not a capture ({found}); {remedy}", Shown(.path))]
    NotACapture {
        /// The path as given.
        path: PathBuf,
        /// What it begins with, escaped.
        found: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A folder without a single capture in it.
    #[error("{}: no capture in this folder ({skipped} other files); give a folder of .pcap or .pcapng files", Shown(.path))]
    NoCaptures {
        /// The folder as given.
        path: PathBuf,
        /// How many files were looked at and were none.
        skipped: u64,
    },
    /// A file to be written exists already.
    #[error("{}: the file exists and is not written over; name another or move it away", Shown(.path))]
    Exists {
        /// The path as given.
        path: PathBuf,
    },
    /// The operating system refused for another reason.
    #[error("{}: cannot be read ({error}); check the disk and try again", Shown(.path))]
    Io {
        /// The path as given.
        path: PathBuf,
        /// The system's own words.
        error: io::Error,
    },
    /// The filter expression does not compile.
    #[error("filter `{}`: {}; see pcap-filter(7) for the language", escape(.expression), escape(.words))]
    Filter {
        /// The expression as given.
        expression: String,
        /// libpcap's words.
        words: String,
    },
    /// Too many files of a merge cover the same moment.
    #[error("more than {max} files overlap in time at {}; merge fewer at once, say one day at a time", Shown(.path))]
    TooManyAtOnce {
        /// The file that was one too many.
        path: PathBuf,
        /// The bound.
        max: usize,
    },
    /// A port cannot be captured from.
    #[error(transparent)]
    Live(#[from] LiveError),
}

impl SourceError {
    /// The variant for what the operating system said about `path`.
    pub(crate) fn from_io(path: &Path, error: io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            _ => Self::Io { path, error },
        }
    }

    /// The variant for a file that begins with `start` (up to 16 bytes), compressed or not.
    pub(crate) fn not_a_capture(path: &Path, start: &[u8], packed: Option<&str>) -> Self {
        const EXPECTED: &str =
            "expected pcap or pcapng, plain or packed with gzip or zstd: give such a file";
        let (what, remedy) = match start {
            [b'P', b'K', 3 | 5, ..] => ("a zip archive".into(), "unpack it first"),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => ("xz data".into(), "unpack it with xz -d first"),
            [b'B', b'Z', b'h', ..] => ("bzip2 data".into(), "unpack it with bzip2 -d first"),
            [b's', b'n', b'o', b'o', b'p', 0, ..] => (
                "a snoop capture".into(),
                "convert it with editcap -F pcapng first",
            ),
            [b'G' | b'R', b'M' | b'T', b'B' | b'S', b'U' | b'S', ..] => (
                "a Network Monitor capture".into(),
                "convert it with editcap -F pcapng first",
            ),
            _ => (format!("starts with {}", Start(start)), EXPECTED),
        };
        let found = match packed {
            Some(packed) => format!("inside the {packed}: {what}"),
            None => what,
        };
        Self::NotACapture {
            path: path.to_path_buf(),
            found,
            remedy,
        }
    }
}

/// A path fit for a terminal or a log line.
pub(crate) struct Shown<'a>(pub(crate) &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0.to_string_lossy()))
    }
}

/// The first bytes of a file: as text when they are printable ASCII, else in hex.
struct Start<'a>(&'a [u8]);

impl fmt::Display for Start<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.0.get(..8).unwrap_or(self.0);
        let line = start
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .next()
            .unwrap_or(start);
        if !line.is_empty() && line.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return write!(f, "\"{}\"…", String::from_utf8_lossy(line));
        }
        f.write_str("the bytes")?;
        start.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
    }
}

/// `text` with control characters, direction marks and other unprintables escaped, at most 200
/// characters of it.
pub(crate) fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (index, character) in text.chars().enumerate() {
        match character {
            _ if index == 200 => {
                shown.push('…');
                break;
            }
            '\'' | '"' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every message is one line, and nothing a hostile file or file name holds gets out raw.
    #[test]
    fn messages_are_one_escaped_line() {
        let path = Path::new("evil\n\u{1b}[31m\u{202e}gnp.pcap");
        for start in [
            &b"hello\nworld"[..],
            b"\x1b]0;x\x07zz",
            b"PK\x03\x04",
            b"\n\n",
            b"",
        ] {
            let text = SourceError::not_a_capture(path, start, None).to_string();
            assert!(
                !text.chars().any(|c| c.is_control() || c == '\u{202e}'),
                "{text}"
            );
        }
        let text = SourceError::not_a_capture(Path::new("demo.txt"), b"hello\nworld", None);
        assert_eq!(
            text.to_string(),
            "demo.txt: not a capture (starts with \"hello\"…); expected pcap or pcapng, plain or \
             packed with gzip or zstd: give such a file"
        );
        let text = SourceError::not_a_capture(Path::new("a.gz"), &[0, 1], Some("gzip data"));
        assert!(
            text.to_string()
                .contains("(inside the gzip data: starts with the bytes 00 01)")
        );
    }
}
