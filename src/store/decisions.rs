//! The decision log: what was decided, done and commanded, each line chained to the one before.
//!
//! Format: JSON lines; `prev` is the `hash` of the line before (64 zeroes at the very beginning),
//!         `hash` the BLAKE3 of the line without `hash`. `decisions.log` is the newest file; full ones
//!         are `decisions-00000001.log` and on, and the chain runs through them.
//! Units:  times are RFC 3339 with nanoseconds.
//! Bounds: 16 MiB a file; files are never removed here.
//! Crashes: every line is on disk before `append`, or the `sync` after `write_all`, returns. A last line
//!          without its end is moved to `decisions.torn-<line>` and the log says so itself.

mod chain;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tapir_message::{Decision, Mode, Response, Timestamp};

use chain::check;
pub use chain::{Broken, Verified, verify};

const FILE: &str = "decisions.log";
const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Bytes after which a new file is begun.
const FILE_BYTES: u64 = 16 << 20;
/// Longest line that is read; a longer one is not of this log.
const LINE_MAX: usize = 1 << 20;

/// What is written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogEntry {
    /// The daemon started.
    Start {
        /// Version of the program.
        version: String,
        /// Response mode it started in.
        mode: Mode,
    },
    /// The daemon stopped in order.
    Stop {
        /// Why.
        reason: String,
    },
    /// `policy` decided; written before anything is done.
    Decision(Box<Decision>),
    /// What became of it.
    Response(Box<Response>),
    /// A person's command; written before it is carried out.
    Command {
        /// Who.
        who: String,
        /// What, as it was typed.
        command: String,
    },
    /// Something about the log itself.
    Note {
        /// One sentence.
        text: String,
    },
}

/// One line without its hash, in the order in which it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    n: u64,
    at: Timestamp,
    entry: LogEntry,
    prev: String,
}

/// Why the decision log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DecisionsError {
    /// Reading or writing failed; nothing of the line was kept.
    #[error("{}: the decision log cannot be written: {error}; check room and owner of the folder, nothing is done that is not logged", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line does not fit the chain.
    #[error("{0}; keep the files as evidence, move them away and a new chain begins")]
    Broken(Broken),
}

/// The log, open to append.
#[derive(Debug)]
pub struct DecisionLog {
    folder: PathBuf,
    file: File,
    len: u64,
    file_bytes: u64,
    next: u64,
    prev: String,
    /// Whether bytes of a failed write may lie behind `len`.
    torn: bool,
    /// Length, next number and hash of what is on disk for sure.
    safe: (u64, u64, String),
}

impl DecisionLog {
    /// Opens the log in `folder`, or begins one. `at` is the time of a note about a torn line.
    ///
    /// # Errors
    /// It cannot be read or written, or its last line does not fit the chain.
    pub fn open(folder: &Path, at: Timestamp) -> Result<Self, DecisionsError> {
        Self::open_with(folder, at, FILE_BYTES)
    }

    fn open_with(folder: &Path, at: Timestamp, file_bytes: u64) -> Result<Self, DecisionsError> {
        let path = folder.join(FILE);
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let file = open_file(&path).map_err(failed(&path))?;
        let (torn, end) = torn_tail(&file).map_err(failed(&path))?;
        let mut log = Self {
            folder: folder.to_owned(),
            file,
            len: end,
            file_bytes,
            next: 1,
            prev: FIRST.to_owned(),
            torn: false,
            safe: (end, 1, FIRST.to_owned()),
        };
        // The last whole line is in this file, or in the newest full one if this one is empty.
        let older = full_files(folder).map_err(failed(folder))?;
        let newest = std::iter::once(path).chain(older.into_iter().rev());
        for path in newest {
            if let Some((number, hash)) = last_line(&path)? {
                log.next = number + 1;
                log.prev = hash;
                break;
            }
        }
        // A predecessor may have been killed between writing and flushing.
        log.file.sync_data().map_err(failed(&log.path()))?;
        log.safe = (log.len, log.next, log.prev.clone());
        if !torn.is_empty() {
            log.set_aside(&torn, at)?;
        }
        Ok(log)
    }

    /// Writes a line; it is on disk when this returns.
    ///
    /// # Errors
    /// It is not on disk, and what it is about must not be done.
    pub fn append(&mut self, at: Timestamp, entry: &LogEntry) -> Result<(), DecisionsError> {
        self.write_all(at, std::slice::from_ref(entry))?;
        self.sync()
    }

    /// Writes a line for each entry, in one go; they are on disk once [`Self::sync`] has returned.
    ///
    /// # Errors
    /// None of them is in the log.
    pub fn write_all(&mut self, at: Timestamp, entries: &[LogEntry]) -> Result<(), DecisionsError> {
        if self.len >= self.file_bytes {
            self.sync()?;
            self.rotate()?;
        }
        let (mut text, mut next, mut prev) = (String::new(), self.next, self.prev.clone());
        for entry in entries {
            prev = self.line(at, entry, (next, prev), &mut text)?;
            next += 1;
        }
        let path = self.path();
        self.write(text.as_bytes()).map_err(failed(&path))?;
        self.len += text.len() as u64;
        (self.next, self.prev) = (next, prev);
        Ok(())
    }

    /// Waits until all lines are on disk.
    ///
    /// # Errors
    /// They may not be, and what they are about must not be done.
    pub fn sync(&mut self) -> Result<(), DecisionsError> {
        let end = (self.len, self.next, self.prev.clone());
        if self.safe.0 == end.0 {
            return Ok(());
        }
        let synced = self.file.sync_data();
        if synced.is_ok() {
            self.safe = end;
        } else {
            // What the kernel could not write it may not try again: the lines are taken back.
            (self.len, self.next, self.prev) = self.safe.clone();
            self.torn = self.file.set_len(self.len).is_err();
        }
        synced.map_err(failed(&self.path()))
    }

    /// Adds an entry's line to `text`; gives its hash.
    fn line(
        &self,
        at: Timestamp,
        entry: &LogEntry,
        (n, prev): (u64, String),
        text: &mut String,
    ) -> Result<String, DecisionsError> {
        let path = self.path();
        let line = Line {
            n,
            at,
            entry: entry.clone(),
            prev,
        };
        let body = serde_json::to_string(&line).map_err(|e| failed(&path)(e.into()))?;
        if body.len() > LINE_MAX / 2 {
            let why = format!("a line of {} bytes, at most {}", body.len(), LINE_MAX / 2);
            return Err(failed(&path)(io::Error::new(
                io::ErrorKind::InvalidInput,
                why,
            )));
        }
        let hash = blake3::hash(body.as_bytes()).to_hex().to_string();
        let open = body.strip_suffix('}').unwrap_or(&body);
        text.push_str(open);
        text.push_str(&format!(",\"hash\":\"{hash}\"}}\n"));
        Ok(hash)
    }

    /// Number and hash of the last line; zero and zeroes if there is none.
    #[must_use]
    pub fn last(&self) -> (u64, &str) {
        (self.next - 1, &self.prev)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.len)?;
            self.torn = false;
        }
        self.file.seek(SeekFrom::Start(self.len))?;
        let written = self.file.write_all(bytes);
        if written.is_err() {
            self.torn = self.file.set_len(self.len).is_err();
        }
        written
    }

    fn rotate(&mut self) -> Result<(), DecisionsError> {
        let path = self.path();
        let count = full_files(&self.folder)
            .map_err(failed(&self.folder))?
            .last()
            .and_then(|path| number_of(path))
            .unwrap_or(0);
        let full = self.folder.join(format!("decisions-{:08}.log", count + 1));
        let change = || -> io::Result<File> {
            fs::rename(&path, &full)?;
            let file = open_file(&path)?;
            File::open(&self.folder)?.sync_all()?;
            Ok(file)
        };
        match change() {
            Ok(file) => {
                self.file = file;
                self.len = 0;
                self.safe.0 = 0;
                Ok(())
            }
            Err(error) => {
                // The open file is still the chain's end: it goes back to its name if it was moved.
                if !path.exists() || fs::metadata(&path).is_ok_and(|meta| meta.len() == 0) {
                    drop(fs::rename(&full, &path));
                }
                Err(failed(&path)(error))
            }
        }
    }

    /// Moves a line without an end out of the log.
    fn set_aside(&mut self, torn: &[u8], at: Timestamp) -> Result<(), DecisionsError> {
        let name = format!("decisions.torn-{}", self.next);
        let aside = self.folder.join(&name);
        let keep = || -> io::Result<()> {
            fs::write(&aside, torn)?;
            File::open(&aside)?.sync_all()?;
            self.file.set_len(self.len)?;
            self.file.sync_all()
        };
        keep().map_err(failed(&aside))?;
        let text = format!(
            "The last line was not finished: its {} bytes are in {name}.",
            torn.len()
        );
        self.append(at, &LogEntry::Note { text })
    }
}

/// Number and hash of the last whole line of a file; `None` if it has none or is not there.
fn last_line(path: &Path) -> Result<Option<(u64, String)>, DecisionsError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path)(error)),
    };
    let bytes = tail(&mut file).map_err(failed(path))?;
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let whole = bytes.get(..=end).unwrap_or_default();
    let before = whole.get(..end).unwrap_or_default();
    let start = before.iter().rposition(|byte| *byte == b'\n');
    let line = whole
        .get(start.map_or(0, |at| at + 1)..)
        .unwrap_or_default();
    let (line, hash) = check(line).map_err(|why| {
        let text = fs::read(path).unwrap_or_default();
        DecisionsError::Broken(Broken {
            path: path.to_owned(),
            line: text.iter().filter(|byte| **byte == b'\n').count() as u64,
            why,
        })
    })?;
    Ok(Some((line.n, hash)))
}

/// What follows the last line end of a file, and where it begins.
fn torn_tail(mut file: &File) -> io::Result<(Vec<u8>, u64)> {
    let len = file.metadata()?.len();
    let mut bytes = tail(&mut file)?;
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    let torn = bytes.split_off(end.map_or(0, |at| at + 1));
    let start = len - torn.len() as u64;
    Ok((torn, start))
}

/// The last two lines of a file, whatever their length within bounds.
fn tail<F: io::Read + io::Seek>(file: &mut F) -> io::Result<Vec<u8>> {
    let len = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(len.saturating_sub(2 * LINE_MAX as u64)))?;
    let mut bytes = Vec::new();
    file.take(2 * LINE_MAX as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

/// The full files of a folder, oldest first.
fn full_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        files.extend(number_of(&path).map(|number| (number, path)));
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let number = name.strip_prefix("decisions-")?.strip_suffix(".log")?;
    number.parse().ok()
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DecisionsError + '_ {
    move |error| DecisionsError::Io {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests;
