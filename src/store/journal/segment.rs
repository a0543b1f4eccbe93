//! One file of the journal: a header and entries, appended to at a known end.
//!
//! Format: `TAPIRSEG`, version 1 as four little-endian bytes, four zero bytes, entries. The file's
//!         name is the sequence number of its first notice.
//! Bounds: an index entry every 64 entries; a read takes a piece between two of them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::entry::{Entry, Kind, Walk};

/// Bytes before the first entry.
pub(super) const HEADER: usize = 16;
const MAGIC: &[u8; 8] = b"TAPIRSEG";
const VERSION: u32 = 1;
/// Entries between two marks.
const MARK_EVERY: u64 = 64;

/// A segment as it is on disk.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// Sequence number before its first notice.
    pub(super) before: u64,
    /// Its last sequence number.
    pub(super) last: u64,
    /// Its notices.
    pub(super) notices: u64,
    /// Where the next entry goes.
    pub(super) end: u64,
    /// Bytes that are no entry, between entries.
    pub(super) damaged: usize,
    entries: u64,
    marks: Vec<(u64, u64)>,
}

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum Loaded {
    Whole(Segment),
    /// Of a later version of the format.
    Version(u32),
}

/// The header of a new segment.
pub(super) fn header() -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend([0; 4]);
    out
}

/// Path of the segment that begins with the notice after `before`.
pub(super) fn path(folder: &Path, before: u64) -> PathBuf {
    folder.join(format!("{:020}.seg", before.saturating_add(1)))
}

/// Sequence number before the first notice of a segment, by its name.
pub(super) fn before(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    let first: u64 = name.parse().ok()?;
    (name.len() == 20).then(|| first.checked_sub(1)).flatten()
}

impl Segment {
    /// A segment without entries.
    pub(super) const fn new(path: PathBuf, before: u64) -> Self {
        Self {
            path,
            before,
            last: before,
            notices: 0,
            end: HEADER as u64,
            damaged: 0,
            entries: 0,
            marks: Vec::new(),
        }
    }

    /// Reads a segment whose entries lie after `before` and not above `most`.
    pub(super) fn load(
        path: &Path,
        before: u64,
        most: u64,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> io::Result<Loaded> {
        let bytes = std::fs::read(path)?;
        let mut segment = Self::new(path.to_owned(), before);
        let version = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.first_chunk::<4>())
            .map(|version| u32::from_le_bytes(*version));
        if let Some(version) = version.filter(|version| *version > VERSION && *version < 256) {
            return Ok(Loaded::Version(version));
        }
        let body = bytes.get(HEADER..).unwrap_or_default();
        let mut walk = Walk::new(body, before, most);
        while let Some((at, entry)) = walk.next() {
            segment.took(&entry, at as u64 + HEADER as u64, walk.end() as u64);
            visit(&entry);
        }
        segment.damaged = walk.damaged;
        Ok(Loaded::Whole(segment))
    }

    /// Notes an entry that lies at `at`; entries now end `end` bytes behind the header.
    pub(super) fn took(&mut self, entry: &Entry<'_>, at: u64, end: u64) {
        if self.entries.is_multiple_of(MARK_EVERY) {
            self.marks.push((self.last, at));
        }
        self.entries += 1;
        self.notices += u64::from(entry.kind == Kind::Notice);
        self.last = entry.seq;
        self.end = end + HEADER as u64;
    }

    /// Gives `visit` the notices after `after`, until it wants no more; at most one piece, which holds
    /// `max` of them if the segment does.
    pub(super) fn read(
        &self,
        after: u64,
        max: usize,
        visit: &mut dyn FnMut(&Entry<'_>) -> bool,
    ) -> io::Result<()> {
        let from = self.marks.partition_point(|(seq, _)| *seq <= after);
        let (last, at) = match from.checked_sub(1).and_then(|ix| self.marks.get(ix)) {
            Some(mark) => *mark,
            None => (self.before, HEADER as u64),
        };
        // A piece ends at a mark, so that no entry is cut.
        let target = after.saturating_add(max as u64);
        let to = self.marks.iter().find(|(seq, _)| *seq >= target);
        let end = to.map_or(self.end, |(_, offset)| *offset).max(at);
        let mut bytes = vec![0; usize::try_from(end - at).unwrap_or(0)];
        File::open(&self.path)?.read_exact_at(&mut bytes, at)?;
        for (_, entry) in Walk::new(&bytes, last, self.last) {
            if entry.kind == Kind::Notice && entry.seq > after && !visit(&entry) {
                break;
            }
        }
        Ok(())
    }

    /// Writes bytes at the end and makes them last. A failure says whether the file is as before.
    pub(super) fn write(&self, file: &File, bytes: &[u8]) -> Result<(), Failure> {
        let written = file
            .write_all_at(bytes, self.end)
            .and_then(|()| file.sync_data());
        written.map_err(|error| Failure {
            error,
            undone: self.cut(file).is_ok(),
        })
    }

    /// Removes what lies behind the end.
    pub(super) fn cut(&self, file: &File) -> io::Result<()> {
        file.set_len(self.end)?;
        file.sync_data()
    }

    /// Opens the file to append to it.
    pub(super) fn open(&self) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(&self.path)
    }
}

/// A write that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: io::Error,
    /// Whether nothing of it is left.
    pub(super) undone: bool,
}

/// Writes a new file whole, with its folder entry; leaves nothing if that fails.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let write = || -> io::Result<()> {
        (&file).write_all(bytes)?;
        file.sync_all()?;
        sync_folder(path)
    };
    if let Err(error) = write() {
        // The error of the write is the one worth telling.
        drop(std::fs::remove_file(path));
        return Err(error);
    }
    Ok(file)
}

/// Makes the folder entry of a file last.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
