//! How far an output has come, on disk.
//!
//! Format:  `done`, `high` and `lost` as eight little-endian bytes each, a CRC-32 of these, four zero
//!          bytes. Two such halves in one file are written in turn, so that a torn write leaves the other.
//! Crashes: of a torn write the half before it is left. Should neither be whole, everything the feed
//!          holds is sent again with the repeat mark.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const HALF: usize = 32;
/// Distance of the halves: they must not share a disk block.
const HALF_AT: u64 = 4_096;

/// Why a cursor cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot keep how far this output has come: {why}", path.display())]
pub struct CursorError {
    /// File.
    pub path: PathBuf,
    /// What is wrong and what helps.
    pub why: String,
}

impl CursorError {
    pub(super) fn io(path: &Path, error: impl Into<io::Error>) -> Self {
        let error: io::Error = error.into();
        Self {
            path: path.to_owned(),
            why: format!("{error}; check room and owner of the folder"),
        }
    }

    pub(super) fn name(path: &Path, why: &str) -> Self {
        Self {
            path: path.to_owned(),
            why: why.to_owned(),
        }
    }
}

/// How far an output has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Nothing up to this sequence number is sent again.
    pub(super) done: u64,
    /// Everything up to this one may have been sent.
    pub(super) high: u64,
    /// Notices that were gone before they could be sent.
    pub(super) lost: u64,
}

/// What was in a cursor's file when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: the output is new.
    Nothing,
    /// A cursor.
    Whole,
    /// Something that is none.
    Damaged,
}

/// A cursor with its file.
#[derive(Debug)]
pub(super) struct CursorFile {
    file: File,
    path: PathBuf,
    position: Cursor,
    found: Found,
    /// Counts writes; its lowest bit is the half to write next.
    writes: u64,
}

impl CursorFile {
    /// Opens a cursor, or begins one at zero.
    pub(super) fn open(path: &Path) -> Result<Self, CursorError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let open = || -> io::Result<(File, u64, Vec<Option<Cursor>>)> {
            let file = options.open(path)?;
            let len = file.metadata()?.len();
            let mut halves = Vec::new();
            for at in [0, HALF_AT] {
                let mut bytes = [0; HALF];
                let read = file.read_at(&mut bytes, at)?;
                halves.push(if read == HALF { decode(&bytes) } else { None });
            }
            Ok((file, len, halves))
        };
        let (file, len, halves) = open().map_err(|error| CursorError::io(path, error))?;
        // The newer half is the one that has come further; a rewritten equal one is the same.
        let newest = (0_u64..)
            .zip(&halves)
            .filter_map(|(half, cursor)| cursor.map(|c| ((c.high, c.done, c.lost), half, c)))
            .max_by_key(|(rank, ..)| *rank);
        let found = match newest {
            Some(_) => Found::Whole,
            None if len == 0 => Found::Nothing,
            None => Found::Damaged,
        };
        let (writes, position) = newest.map_or_else(Default::default, |(_, half, c)| (half + 1, c));
        Ok(Self {
            file,
            path: path.to_owned(),
            position,
            found,
            writes,
        })
    }

    /// How far it has come.
    pub(super) const fn position(&self) -> Cursor {
        self.position
    }

    /// What was there when it was opened.
    pub(super) const fn found(&self) -> Found {
        self.found
    }

    /// Moves the cursor; it is on disk when this returns.
    pub(super) fn store(&mut self, cursor: Cursor) -> Result<(), CursorError> {
        if cursor == self.position && self.found == Found::Whole {
            return Ok(());
        }
        let at = (self.writes % 2) * HALF_AT;
        self.file
            .write_all_at(&encode(cursor), at)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| CursorError::io(&self.path, error))?;
        self.writes += 1;
        self.position = cursor;
        self.found = Found::Whole;
        Ok(())
    }
}

fn encode(cursor: Cursor) -> [u8; HALF] {
    let mut out = [0; HALF];
    let (body, rest) = out.split_at_mut(24);
    let values = [cursor.done, cursor.high, cursor.lost];
    for (slot, value) in body.chunks_exact_mut(8).zip(values) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
    let sum = crc32fast::hash(body).to_le_bytes();
    for (slot, byte) in rest.iter_mut().zip(sum) {
        *slot = byte;
    }
    out
}

fn decode(bytes: &[u8; HALF]) -> Option<Cursor> {
    let (body, rest) = bytes.split_at_checked(24)?;
    let sum = u32::from_le_bytes(*rest.first_chunk()?);
    let mut values = body
        .as_chunks::<8>()
        .0
        .iter()
        .copied()
        .map(u64::from_le_bytes);
    let cursor = Cursor {
        done: values.next()?,
        high: values.next()?,
        lost: values.next()?,
    };
    (crc32fast::hash(body) == sum && cursor.done <= cursor.high).then_some(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(high: u64) -> Cursor {
        Cursor {
            done: high / 2,
            high,
            lost: 1,
        }
    }

    #[test]
    fn a_cursor_is_kept_and_a_torn_write_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("siem.cursor");
        let mut file = CursorFile::open(&path).unwrap();
        assert_eq!(file.position(), Cursor::default());
        for high in 1..=5 {
            file.store(cursor(high)).unwrap();
            assert_eq!(CursorFile::open(&path).unwrap().position(), cursor(high));
        }
        let good = std::fs::read(&path).unwrap();
        for at in 0..HALF {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            let left = CursorFile::open(&path).unwrap().position();
            assert!(
                left == cursor(4) || at >= 28 && left == cursor(5),
                "byte {at}"
            );
        }
    }

    #[test]
    fn a_cursor_goes_on_in_the_other_half_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("siem.cursor");
        for high in 1..=9 {
            CursorFile::open(&path)
                .unwrap()
                .store(cursor(high))
                .unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let first = decode(bytes.first_chunk().unwrap()).unwrap();
            let odd = high % 2 == 1;
            assert_eq!(first, cursor(if odd { high } else { high - 1 }));
        }
    }
}
