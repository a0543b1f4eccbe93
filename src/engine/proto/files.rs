//! Files that programs, archives and documents come in, and the hash that others know them by.
//!
//! Source: Zeek's `files.log`; SHA-256: FIPS 180-4.
//! Input:  a body's bytes in order, from a parser that knows where it begins and ends.
//! Output: a `files` record for each body of a watched type, when it ends or can not be followed any longer.
//! Bounds: a file of 8 MiB; a longer one is told without a hash, and the rest is passed over. What is
//!         remembered of a file takes 400 bytes; how many a flow follows at a time is its parser's bound.
//! Cost:   pictures, films, fonts, pages and plain text are not watched: they are most of what crosses, and
//!         nobody asks for their hashes.
//! Not done: bodies that are compressed on the way, parts of files (status 206), files inside archives.

mod magic;

use compact_str::format_compact;
use sha2::{Digest, Sha256};

use super::tls::hex;
use super::{Dir, Out};
use crate::record;
use crate::types::{FlowRef, Heap, Interval, Text, Timestamp};
pub(super) use magic::{BEGINNING_LEN, begins_file, mime_type};

/// Longest file that is hashed.
pub(super) const HASHED_LEN_MAX: u64 = 8 << 20;

record! {
    /// One file (Zeek's `files.log`).
    pub struct FileRecord = "files" {
        /// Identifier of the file, `F` and 17 characters.
        pub fuid: Text = "fuid",
        /// Protocol that it came in, in capitals as Zeek has it; `TCP` where a stream is the file and nothing
        /// else.
        pub source: &'static str = "source",
        /// Which file of its flow and direction this is, from 1.
        pub depth: u64 = "depth",
        /// What it is by its first bytes.
        pub mime_type: Option<&'static str> = "mime_type",
        /// What it is called, as its sender says.
        pub filename: Option<Text> = "filename",
        /// From its first to its last byte.
        pub duration: Interval = "duration",
        /// Whether the flow's originator sent it.
        pub is_orig: bool = "is_orig",
        /// Bytes looked at.
        pub seen_bytes: u64 = "seen_bytes",
        /// Bytes it should have, where that is announced.
        pub total_bytes: Option<u64> = "total_bytes",
        /// Bytes lost within what was looked at, or that did not come in their turn.
        pub missing_bytes: u64 = "missing_bytes",
        /// Hash of a file seen whole.
        pub sha256: Option<Text> = "sha256",
    }
}

/// A file under way.
#[derive(Debug)]
pub(super) struct File {
    first: Timestamp,
    last: Timestamp,
    record: FileRecord,
    hash: Sha256,
    /// Whether something of it is missing: it has no hash then.
    torn: bool,
}

impl Heap for File {
    fn heap(&self) -> usize {
        self.record.heap()
    }
}

/// What is known of a file when it begins.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) source: &'static str,
    pub(super) dir: Dir,
    /// Which of its flow and direction.
    pub(super) depth: u64,
    pub(super) mime_type: &'static str,
    pub(super) filename: Option<Text>,
    pub(super) total: Option<u64>,
}

impl File {
    /// Follows a file of a watched type.
    pub(super) fn begin(beginning: Beginning, out: &Out<'_>) -> Option<Box<Self>> {
        let Beginning {
            source,
            dir,
            depth,
            mime_type,
            filename,
            total,
        } = beginning;
        (out.files && is_watched(mime_type)).then(|| {
            Box::new(Self {
                first: out.ts,
                last: out.ts,
                record: FileRecord {
                    fuid: fuid(out.flow, dir, depth),
                    source,
                    depth,
                    mime_type: Some(mime_type),
                    filename,
                    is_orig: dir == Dir::Orig,
                    total_bytes: total,
                    ..FileRecord::default()
                },
                hash: Sha256::new(),
                torn: false,
            })
        })
    }

    /// How long it should be, where that is told only later.
    pub(super) fn set_total(&mut self, total: Option<u64>) {
        self.record.total_bytes = total;
    }

    /// Its identifier.
    pub(super) fn fuid(&self) -> &str {
        &self.record.fuid
    }

    /// Takes the next bytes; false if the file is too long to be followed.
    #[must_use]
    pub(super) fn more(&mut self, ts: Timestamp, bytes: &[u8]) -> bool {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.record.seen_bytes = self.record.seen_bytes.saturating_add(len);
        self.last = ts;
        let announced = self.record.total_bytes.unwrap_or(0);
        if self.record.seen_bytes.max(announced) > HASHED_LEN_MAX {
            return false;
        }
        if !self.torn {
            self.hash.update(bytes);
        }
        true
    }

    /// So many bytes are missing here; or, with none, it is not what it was any more.
    pub(super) fn lose(&mut self, bytes: u64) {
        self.torn = true;
        self.record.missing_bytes = self.record.missing_bytes.saturating_add(bytes);
    }

    /// Tells the file; `whole` if nothing of it is missing.
    pub(super) fn end(self, whole: bool, missing: u64, out: &mut Out<'_>) {
        let mut record = self.record;
        record.duration = Interval(self.last.nanos().saturating_sub(self.first.nanos()));
        record.missing_bytes = record.missing_bytes.saturating_add(missing);
        let complete = record
            .total_bytes
            .is_none_or(|total| total == record.seen_bytes);
        if whole && complete && !self.torn && record.seen_bytes <= HASHED_LEN_MAX {
            record.sha256 = Some(hex(&self.hash.finalize(), false));
        }
        out.record(self.first, record);
    }
}

/// What crosses of one file, from its first byte on: watched once that is known to be worth it.
#[derive(Debug)]
pub(super) enum Contents {
    /// First bytes that do not tell yet, fewer than [`BEGINNING_LEN`].
    Beginning(Vec<u8>),
    Followed(Box<File>),
    /// Of no interest, or told already.
    Passed,
}

impl Default for Contents {
    fn default() -> Self {
        Self::Beginning(Vec::new())
    }
}

impl Heap for Contents {
    fn heap(&self) -> usize {
        match self {
            Self::Beginning(kept) => kept.heap(),
            Self::Followed(file) => file.heap(),
            Self::Passed => 0,
        }
    }
}

impl Contents {
    /// Takes the next bytes; `about` says more of a file that is to be followed. Returns the type where these bytes
    /// tell it.
    pub(super) fn more(
        &mut self,
        bytes: &[u8],
        about: impl FnOnce(&'static str) -> Beginning,
        out: &mut Out<'_>,
    ) -> Option<&'static str> {
        match self {
            Self::Passed => {}
            Self::Followed(file) => {
                if !file.more(out.ts, bytes) {
                    self.end(false, out);
                }
            }
            Self::Beginning(_) if !out.files => *self = Self::Passed,
            Self::Beginning(kept) => {
                let before = kept.len();
                let room = BEGINNING_LEN.saturating_sub(before);
                let joined = if before == 0 {
                    bytes
                } else {
                    kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                    kept.as_slice()
                };
                match mime_type(joined) {
                    None if joined.len() >= BEGINNING_LEN => *self = Self::Passed,
                    None if before == 0 => *kept = bytes.to_vec(),
                    None => {}
                    Some(kind) => {
                        kept.truncate(before);
                        let kept = std::mem::take(kept);
                        self.begin(kind, [&kept, bytes], about, out);
                        return Some(kind);
                    }
                }
            }
        }
        None
    }

    /// Its type is known: follows it if that is watched.
    fn begin(
        &mut self,
        kind: &'static str,
        pieces: [&[u8]; 2],
        about: impl FnOnce(&'static str) -> Beginning,
        out: &mut Out<'_>,
    ) {
        *self = Self::Passed;
        if !is_watched(kind) {
            return;
        }
        let Some(mut file) = File::begin(about(kind), out) else {
            return;
        };
        if pieces.into_iter().all(|piece| file.more(out.ts, piece)) {
            *self = Self::Followed(file);
        } else {
            file.end(false, 0, out);
        }
    }

    /// So many bytes are missing here; or, with none, it is not what it was any more.
    pub(super) fn lose(&mut self, bytes: u64) {
        match self {
            Self::Beginning(_) => *self = Self::Passed,
            Self::Followed(file) => file.lose(bytes),
            Self::Passed => {}
        }
    }

    /// There is no more of it: tells what was followed; `whole` if that is all of it.
    pub(super) fn end(&mut self, whole: bool, out: &mut Out<'_>) {
        if let Self::Followed(file) = std::mem::replace(self, Self::Passed) {
            file.end(whole, 0, out);
        }
    }

    /// The file that is followed.
    pub(super) fn file(&mut self) -> Option<&mut File> {
        match self {
            Self::Followed(file) => Some(file),
            Self::Beginning(_) | Self::Passed => None,
        }
    }

    /// Whether more of it is of no interest.
    pub(super) fn is_passed(&self) -> bool {
        matches!(self, Self::Passed)
    }
}

/// Whether a hash of such a file is worth its time: what runs, what holds other files, what carries macros.
fn is_watched(mime_type: &str) -> bool {
    match mime_type.split_once('/') {
        Some(("application", kind)) => !matches!(kind, "xml" | "ogg" | "font-woff"),
        Some(("text", kind)) => matches!(kind, "rtf" | "x-shellscript" | "x-php"),
        _ => false,
    }
}

/// An identifier made from the flow as its own is, but for the first letter.
pub(super) fn fuid(flow: &FlowRef, dir: Dir, depth: u64) -> Text {
    let side = if dir == Dir::Orig { "orig" } else { "resp" };
    let uid = flow.uid(&format!("file {side} {depth}"));
    format_compact!("F{}", uid.as_str().get(1..).unwrap_or_default())
}
