//! The output folder: written aside, then moved into place whole.
//!
//! Everything goes to `.tapir-partial` inside the folder and is renamed at the end, `stats.json` last:
//! where it stands, the rest is complete. A run that fails takes its partial folder with it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tapir_engine::types::{Held, Record};

use super::record_line::RecordLine;

/// Bytes of a log written in one go: whole pages, so that none is touched twice.
const LOG_BYTES: usize = 128 * 1024;
/// Room for the line that goes beyond them, if it is no longer than most.
const LINE_BYTES: usize = 4 * 1024;
/// Room for lines of one kind.
const WAITING_BYTES: usize = LOG_BYTES + LINE_BYTES;
/// Kinds of records there are room for.
const LOGS_MAX: usize = 96;
/// Where files grow until they are whole.
const PARTIAL: &str = ".tapir-partial";
/// Written last: its presence says that the folder is complete.
const LAST: &str = "stats.json";

/// Why the output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot write: {error}; give a folder with room that you may write to with --out", path.display())]
pub struct OutputError {
    path: PathBuf,
    error: io::Error,
}

/// Writes records and files of one run.
#[derive(Debug)]
pub(crate) struct Output {
    folder: Option<PathBuf>,
    line: RecordLine,
    logs: Vec<Log>,
    done: bool,
}

/// The records of one kind: their file, if they are kept, and how many there were.
#[derive(Debug)]
struct Log {
    kind: &'static str,
    file: Option<File>,
    /// Lines not yet in the file.
    waiting: Vec<u8>,
    count: u64,
}

impl Log {
    /// Twice the room if the next line may have none, up to what is written at once and a line: most kinds never need
    /// all of it.
    #[inline]
    fn make_room(&mut self) {
        let (room, len) = (self.waiting.capacity(), self.waiting.len());
        if room < WAITING_BYTES && room - len < LINE_BYTES {
            let more = room.saturating_mul(2).min(WAITING_BYTES);
            self.waiting.reserve_exact(more.saturating_sub(len));
        }
    }

    /// Writes what waits as far as it is whole pages.
    fn write_pages(&mut self) -> io::Result<()> {
        let pages = self.waiting.len() / LOG_BYTES * LOG_BYTES;
        if let (Some(file), Some((full, rest))) =
            (&mut self.file, self.waiting.split_at_checked(pages))
        {
            file.write_all(full)?;
            let left = rest.len();
            self.waiting.copy_within(pages.., 0);
            self.waiting.truncate(left);
        }
        Ok(())
    }

    /// Writes all that waits and sees it to the disk.
    fn close(&mut self) -> io::Result<()> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        file.write_all(&self.waiting)?;
        self.waiting.clear();
        file.sync_data()
    }
}

impl Output {
    /// Opens the output folder; without one, records are only counted.
    pub(crate) fn open(folder: Option<&Path>, sensor_id: &str) -> Result<Self, OutputError> {
        let output = Self {
            folder: folder.map(Path::to_owned),
            line: RecordLine::new(sensor_id),
            logs: Vec::new(),
            done: false,
        };
        if let Some(partial) = output.partial() {
            // What an earlier run left when it was killed is not worth keeping.
            let _absent_is_fine = fs::remove_dir_all(&partial);
            fs::create_dir_all(&partial).map_err(|error| failed(&partial, error))?;
        }
        Ok(output)
    }

    /// Records written so far, by kind.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let counts = self.logs.iter();
        counts.map(|log| (log.kind.to_owned(), log.count)).collect()
    }

    /// Bytes of lines that may wait to be written.
    pub(crate) fn held(&self) -> Held {
        let waiting = self.logs.iter().map(|log| log.waiting.capacity()).sum();
        Held::new("lines to be written", waiting, WAITING_BYTES * LOGS_MAX)
    }

    /// Writes one record to its log.
    pub(crate) fn record(&mut self, record: &Record) -> Result<(), OutputError> {
        let kind = record.body.kind();
        // A few dozen kinds: looking along their lengths and first letters is quicker than any map.
        let start = |text: &str| (text.len(), text.as_bytes().first().copied());
        let is = |log: &Log| start(log.kind) == start(kind) && log.kind == kind;
        let at = match self.logs.iter().position(is) {
            Some(at) => at,
            None => self.open_log(kind)?,
        };
        let Some(log) = self.logs.get_mut(at) else {
            return Ok(());
        };
        log.count += 1;
        if log.file.is_none() {
            return Ok(());
        }
        self.line.write(record, &mut log.waiting);
        log.waiting.push(b'\n');
        if log.waiting.len() < LOG_BYTES {
            log.make_room();
            return Ok(());
        }
        let written = log.write_pages();
        written.map_err(|error| failed(&log_path(&self.partial().unwrap_or_default(), kind), error))
    }

    /// Opens the log of a kind not seen before.
    fn open_log(&mut self, kind: &'static str) -> Result<usize, OutputError> {
        let file = match self.partial() {
            Some(partial) => {
                let path = log_path(&partial, kind);
                Some(File::create(&path).map_err(|error| failed(&path, error))?)
            }
            None => None,
        };
        let room = file.as_ref().map_or(0, |_| 2 * LINE_BYTES);
        self.logs.push(Log {
            kind,
            file,
            waiting: Vec::with_capacity(room),
            count: 0,
        });
        Ok(self.logs.len() - 1)
    }

    /// No more records come: sees their logs to the disk. This may take longer than all the rest.
    pub(crate) fn close_logs(&mut self) -> Result<(), OutputError> {
        let partial = self.partial().unwrap_or_default();
        for log in &mut self.logs {
            let closed = log.close();
            closed.map_err(|error| failed(&log_path(&partial, log.kind), error))?;
        }
        Ok(())
    }

    /// Writes a file of JSON lines.
    pub(crate) fn lines<T: Serialize>(&self, name: &str, rows: &[T]) -> Result<(), OutputError> {
        let mut text = String::new();
        for row in rows {
            text.push_str(&json(row));
            text.push('\n');
        }
        self.file(name, &text)
    }

    /// Writes a file with one JSON value, indented.
    pub(crate) fn json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), OutputError> {
        self.file(name, &pretty(value))
    }

    /// Writes a text file and sees it to the disk.
    pub(crate) fn file(&self, name: &str, text: &str) -> Result<(), OutputError> {
        let Some(partial) = self.partial() else {
            return Ok(());
        };
        let path = partial.join(name);
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()
        };
        write().map_err(|error| failed(&path, error))
    }

    /// Moves everything into place, `stats.json` last, and forgets older logs of kinds not seen now.
    pub(crate) fn commit(mut self) -> Result<(), OutputError> {
        let (Some(folder), Some(partial)) = (self.folder.clone(), self.partial()) else {
            return Ok(());
        };
        self.close_logs()?;
        let last = folder.join(LAST);
        let stale = fs::read_dir(&folder).map_err(|error| failed(&folder, error))?;
        let _absent_is_fine = fs::remove_file(&last);
        for path in stale.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|ext| ext == "log") && path.is_file() {
                fs::remove_file(&path).map_err(|error| failed(&path, error))?;
            }
        }
        let mut names: Vec<_> = fs::read_dir(&partial)
            .map_err(|error| failed(&partial, error))?
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        names.sort_by_key(|name| (name == LAST, name.clone()));
        for name in names {
            let to = folder.join(&name);
            fs::rename(partial.join(&name), &to).map_err(|error| failed(&to, error))?;
        }
        fs::remove_dir(&partial).map_err(|error| failed(&partial, error))?;
        self.done = true;
        // The names as well, where the file system can: some that are shared cannot, and the files are there.
        let _the_files_are_there = File::open(&folder).and_then(|names| names.sync_all());
        Ok(())
    }

    fn partial(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(PARTIAL))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(partial) = self.partial().filter(|_| !self.done) {
            let _nothing_more_to_do = fs::remove_dir_all(partial);
        }
    }
}

/// Where the log of `kind` grows.
fn log_path(partial: &Path, kind: &str) -> PathBuf {
    partial.join(format!("{kind}.log"))
}

fn failed(path: &Path, error: io::Error) -> OutputError {
    // The partial folder is our business; the user gave the folder above it.
    let shown = path
        .components()
        .filter(|part| part.as_os_str() != PARTIAL)
        .collect();
    OutputError { path: shown, error }
}

/// One JSON value over several lines, in which nothing can move a cursor.
pub(crate) fn pretty<T: Serialize>(value: &T) -> String {
    let mut text = terminal_safe(serde_json::to_string_pretty(value).unwrap_or_default());
    text.push('\n');
    text
}

/// One JSON line in which nothing can move a cursor.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    terminal_safe(serde_json::to_string(value).unwrap_or_default())
}

/// Escapes what JSON allows raw but a terminal acts on: DEL, C1 controls, direction changes.
fn terminal_safe(json: String) -> String {
    use std::fmt::Write as _;
    let plain = |byte: u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n');
    // Not `all`: without an early end many bytes are looked at in one instruction.
    if json.bytes().fold(true, |all, byte| all & plain(byte)) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if character != '\n' && tapir_engine::types::is_hostile(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _infallible = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out
}
