//! From the paths an operator names to the captures behind them.
//!
//! Input:    paths of files and folders.
//! Output:   [`Found`]: a report for each capture, not yet counted, with the time and link type of
//!           its first packet; what was left out of folders, and why.
//! Bounds:   [`InputReport::SKIPPED_SHOWN`] left-out files are remembered by name, all are
//!           counted; at most [`PEEK_RECORDS`] records of each file are read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::file::CaptureFile;
use crate::report::{FileReport, InputReport, Skipped};
use crate::{LinkType, SourceError};

/// Records read in search of the first time: pcapng simple packets have none.
const PEEK_RECORDS: usize = 64;

/// Read buffer for the first look at a file: it wants one packet, not a megabyte.
const PEEK_BYTES: usize = 64 << 10;

/// The captures behind the paths named.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) captures: Vec<Capture>,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) skipped_count: u64,
}

/// A capture that has been looked at.
#[derive(Debug)]
pub(crate) struct Capture {
    /// With `first_ns`, and nothing counted.
    pub(crate) report: FileReport,
    /// Link type of the first packet.
    pub(crate) link: Option<LinkType>,
    /// Its comment, if it is a live run's record.
    pub(crate) record_comment: Option<String>,
}

/// Finds the captures at `paths`.
///
/// # Errors
///
/// The first named file that is no capture, or folder that holds none.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Found, SourceError> {
    if paths.is_empty() {
        return Err(SourceError::NoInput);
    }
    let mut found = Found::default();
    let mut seen = BTreeSet::new();
    let mut buffer = vec![0; PEEK_BYTES];
    for path in paths {
        let refused = |error| SourceError::from_io(path, error);
        if !fs::metadata(path).map_err(refused)?.is_dir() {
            let capture = peek(path, &mut buffer)?;
            if seen.insert(fs::canonicalize(path).map_err(refused)?) {
                found.captures.push(capture);
            }
            continue;
        }
        let entries = fs::read_dir(path).map_err(refused)?;
        let entries: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut entries = entries.map_err(refused)?;
        entries.sort();
        let (before, skipped_before) = (found.captures.len(), found.skipped_count);
        let mut again = 0;
        for entry in entries.iter().filter(|entry| !entry.is_dir()) {
            match peek(entry, &mut buffer) {
                Ok(capture) => {
                    if fs::canonicalize(entry).is_ok_and(|real| !seen.insert(real)) {
                        again += 1;
                    } else {
                        found.captures.push(capture);
                    }
                }
                Err(error) => found.skip(entry, &error),
            }
        }
        if found.captures.len() == before && again == 0 {
            let skipped = found.skipped_count - skipped_before;
            return Err(SourceError::NoCaptures {
                path: path.clone(),
                skipped,
            });
        }
    }
    Ok(found)
}

impl Found {
    fn skip(&mut self, path: &Path, error: &SourceError) {
        self.skipped_count += 1;
        if self.skipped.len() < InputReport::SKIPPED_SHOWN {
            let why = error.to_string();
            self.skipped.push(Skipped {
                path: path.to_path_buf(),
                why,
            });
        }
    }
}

/// Looks at a file as far as its first packet.
fn peek(path: &Path, buffer: &mut Vec<u8>) -> Result<Capture, SourceError> {
    if buffer.is_empty() {
        buffer.resize(PEEK_BYTES, 0);
    }
    let (mut file, fresh) = CaptureFile::open(path, std::mem::take(buffer))?;
    let mut scratch = fresh.clone();
    let mut link = None;
    for _ in 0..PEEK_RECORDS {
        let Some(record) = file.next(&mut scratch) else {
            break;
        };
        link.get_or_insert(record.link);
        if record.ts_ns.is_some() {
            break;
        }
    }
    let record_comment = file.record_comment().map(str::to_owned);
    *buffer = file.into_buffer();
    let report = FileReport {
        first_ns: scratch.first_ns,
        ..fresh
    };
    Ok(Capture {
        report,
        link,
        record_comment,
    })
}
