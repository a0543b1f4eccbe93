//! Files that programs, archives and documents come in, and the hash that others know them by.
//!
//! Source: Zeek's `files.log`; SHA-256: FIPS 180-4.
//! Input:  a body's bytes in order, from a parser that knows where it begins and ends.
//! Output: a `files` record for each body of a watched type, when it ends or can not be followed any longer.
//! Bounds: a file of 8 MiB; a longer one is told without a hash, and the rest is passed over. A
//!         flow follows one file for each direction; what is remembered of it takes 300 bytes.
//! Cost:   pictures, films, fonts, pages and plain text are not watched: they are most of what crosses, and
//!         nobody asks for their hashes.
//! Not done: bodies that are compressed on the way, parts of files (status 206), files inside archives.

use compact_str::format_compact;
use sha2::{Digest, Sha256};

use super::tls::hex;
use super::{Dir, Out};
use crate::record;
use crate::types::{FlowRef, Heap, Interval, Text, Timestamp};

/// Longest file that is hashed.
pub(super) const HASHED_LEN_MAX: u64 = 8 << 20;

record! {
    /// One file (Zeek's `files.log`).
    pub struct FileRecord = "files" {
        /// Identifier of the file, `F` and 17 characters.
        pub fuid: Text = "fuid",
        /// Protocol that it came in, in capitals as Zeek has it.
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
        /// Bytes lost within what was looked at.
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
            })
        })
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
        self.hash.update(bytes);
        true
    }

    /// Tells the file; `whole` if nothing of it is missing.
    pub(super) fn end(self, whole: bool, missing: u64, out: &mut Out<'_>) {
        let mut record = self.record;
        record.duration = Interval(self.last.nanos().saturating_sub(self.first.nanos()));
        record.missing_bytes = missing;
        let complete = record
            .total_bytes
            .is_none_or(|total| total == record.seen_bytes);
        if whole && complete && record.seen_bytes <= HASHED_LEN_MAX {
            record.sha256 = Some(hex(&self.hash.finalize(), false));
        }
        out.record(self.first, record);
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
fn fuid(flow: &FlowRef, dir: Dir, depth: u64) -> Text {
    let side = if dir == Dir::Orig { "orig" } else { "resp" };
    let uid = flow.uid(&format!("file {side} {depth}"));
    format_compact!("F{}", uid.as_str().get(1..).unwrap_or_default())
}
