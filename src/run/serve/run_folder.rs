//! The files of one run: the same that `tapir analyze` writes, in `STORE/runs/<start>/`.
//!
//! `*.log` grow while the run lasts; the others are written, each aside and then renamed, when `sense`
//! says its last word, `stats.json` last: where it stands, the rest is complete.
//!
//! Bounds: a log of [`LOG_BYTES_MAX`] is closed and goes on under the next number; all runs together keep
//!         within the bytes allowed: the oldest files go first, and that is logged.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use tapir_message::RecordLines;

use crate::run::output::json;

/// Length at which a log is closed.
const LOG_BYTES_MAX: u64 = 512 << 20;
/// Bytes written between two looks at what all runs take together.
const LOOK_EVERY: u64 = 64 << 20;
/// Written last: its presence says that the folder is complete.
const LAST: &str = "stats.json";

/// See the module.
#[derive(Debug)]
pub(super) struct RunFolder {
    runs: PathBuf,
    folder: PathBuf,
    logs: BTreeMap<String, Log>,
    bytes_max: u64,
    since_look: u64,
}

#[derive(Debug)]
struct Log {
    file: File,
    bytes: u64,
}

impl RunFolder {
    /// Opens the folder of the run called `name`, which may have been begun by an earlier process.
    pub(super) fn open(runs: &Path, name: &str, bytes_max: u64) -> io::Result<Self> {
        let folder = runs.join(name);
        fs::create_dir_all(&folder)?;
        let mut opened = Self {
            runs: runs.to_owned(),
            folder,
            logs: BTreeMap::new(),
            bytes_max,
            since_look: 0,
        };
        opened.make_room()?;
        Ok(opened)
    }

    /// The journal's last number when the run began: `now` if it begins here, else what was noted then.
    pub(super) fn first_seq(&self, now: u64) -> io::Result<u64> {
        // Beside the folder, which holds results only.
        let name = self.folder.file_name().unwrap_or_default();
        let path = self.runs.join(format!(".{}.first", name.to_string_lossy()));
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().unwrap_or(now)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::write(&path, format!("{now}\n"))?;
                Ok(now)
            }
            Err(error) => Err(error),
        }
    }

    /// Where the files are.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Appends lines to their logs; gives how many could not be written, and why.
    pub(super) fn records(
        &mut self,
        all: &[RecordLines],
        text: &[u8],
    ) -> Result<(), (u64, io::Error)> {
        let mut failed: Option<(u64, io::Error)> = None;
        let mut rest = text;
        for lines in all {
            let appended = match rest.split_at_checked(lines.bytes) {
                Some((text, after)) => {
                    rest = after;
                    self.append(&lines.kind, text)
                }
                None => Err(io::ErrorKind::UnexpectedEof.into()),
            };
            if let Err(error) = appended {
                failed = Some((failed.map_or(0, |(lost, _)| lost) + lines.count, error));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn append(&mut self, kind: &str, text: &[u8]) -> io::Result<()> {
        if !self.logs.contains_key(kind) {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(self.log_path(kind))?;
            let bytes = file.metadata()?.len();
            self.logs.insert(kind.to_owned(), Log { file, bytes });
        }
        let Some(log) = self.logs.get_mut(kind) else {
            return Ok(());
        };
        if let Err(error) = log.file.write_all(text) {
            // Half a line would make the next one unreadable.
            log.file.set_len(log.bytes)?;
            return Err(error);
        }
        let added = u64::try_from(text.len()).unwrap_or(0);
        log.bytes += added;
        self.since_look += added;
        if log.bytes >= LOG_BYTES_MAX {
            self.logs.remove(kind);
            let number = (1..).find(|n| !self.folder.join(format!("{kind}.{n}.log")).exists());
            let old = format!("{kind}.{}.log", number.unwrap_or(0));
            fs::rename(self.log_path(kind), self.folder.join(old))?;
        }
        if self.since_look >= LOOK_EVERY {
            self.since_look = 0;
            self.make_room()?;
        }
        Ok(())
    }

    fn log_path(&self, kind: &str) -> PathBuf {
        // A record's kind is a name of ours, but it has crossed a socket.
        let safe = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let kind: String = kind.chars().filter(safe).collect();
        self.folder.join(format!("{kind}.log"))
    }

    /// Removes the oldest files until all runs fit into what is allowed; open logs stay.
    fn make_room(&mut self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        for run in fs::read_dir(&self.runs)?.flatten() {
            for file in fs::read_dir(run.path()).into_iter().flatten().flatten() {
                let Ok(meta) = file.metadata() else { continue };
                if meta.is_file() {
                    let changed = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    files.push((changed, file.path(), meta.len()));
                }
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, _, len)| len).sum();
        let open: Vec<PathBuf> = self.logs.keys().map(|kind| self.log_path(kind)).collect();
        for (_, path, len) in files {
            if bytes <= self.bytes_max {
                break;
            }
            if open.contains(&path) {
                continue;
            }
            fs::remove_file(&path)?;
            bytes -= len;
            tracing::info!(path = %path.display(), "An old file made room for new records.");
            if let Some(run) = path.parent().filter(|run| *run != self.folder) {
                // Goes only once it is empty.
                let _still_in_use = fs::remove_dir(run);
            }
        }
        Ok(())
    }

    /// Writes a file of JSON lines.
    pub(super) fn lines<T: Serialize>(&self, name: &str, rows: &[T]) -> io::Result<()> {
        let mut text = String::new();
        for row in rows {
            text.push_str(&json(row));
            text.push('\n');
        }
        self.file(name, &text)
    }

    /// Writes a text file whole or not at all.
    pub(super) fn file(&self, name: &str, text: &str) -> io::Result<()> {
        let aside = self.folder.join(format!(".{name}.partial"));
        let mut file = File::create(&aside)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(aside, self.folder.join(name))
    }

    /// Puts every log on disk; `stats.json` may be written after it.
    pub(super) fn close(&mut self) -> io::Result<()> {
        for log in std::mem::take(&mut self.logs).into_values() {
            log.file.sync_data()?;
        }
        Ok(())
    }

    /// Takes back the word that the folder is complete: more is about to be written.
    pub(super) fn reopen(&self) -> io::Result<()> {
        match fs::remove_file(self.folder.join(LAST)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &mut RunFolder, lines: &[(&str, &str)]) {
        let heads: Vec<_> = lines
            .iter()
            .map(|(kind, text)| RecordLines {
                kind: (*kind).into(),
                count: 1,
                bytes: text.len(),
            })
            .collect();
        let text: String = lines.iter().map(|(_, text)| *text).collect();
        folder.records(&heads, text.as_bytes()).unwrap();
    }

    #[test]
    fn logs_go_on_after_a_restart_and_names_cannot_leave_the_folder() {
        let runs = tempfile::tempdir().unwrap();
        for text in ["{1}\n", "{2}\n"] {
            let mut folder = RunFolder::open(runs.path(), "one", 1 << 20).unwrap();
            put(&mut folder, &[("conn", text), ("../dns", text)]);
            folder.close().unwrap();
        }
        let read = |name: &str| fs::read_to_string(runs.path().join("one").join(name)).unwrap();
        assert_eq!(read("conn.log"), "{1}\n{2}\n");
        assert_eq!(read("dns.log"), "{1}\n{2}\n");
    }

    /// A text that ends too soon is said, with the lines that lack.
    #[test]
    fn lines_that_did_not_come_are_counted() {
        let runs = tempfile::tempdir().unwrap();
        let mut folder = RunFolder::open(runs.path(), "one", 1 << 20).unwrap();
        let head = |count, bytes| RecordLines {
            kind: "conn".into(),
            count,
            bytes,
        };
        let (lost, _) = folder
            .records(&[head(1, 4), head(3, 12)], b"{1}\n{2}\n")
            .unwrap_err();
        assert_eq!(lost, 3);
        let log = fs::read_to_string(folder.path().join("conn.log")).unwrap();
        assert_eq!(log, "{1}\n");
    }

    #[test]
    fn the_oldest_files_make_room() {
        let runs = tempfile::tempdir().unwrap();
        let long = "x".repeat(1_000);
        for name in ["a", "b", "c"] {
            let mut folder = RunFolder::open(runs.path(), name, 2_500).unwrap();
            put(&mut folder, &[("conn", &long)]);
            folder.close().unwrap();
            let log = File::options()
                .append(true)
                .open(folder.path().join("conn.log"));
            let age = u64::from(name.as_bytes()[0]);
            let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(age);
            log.unwrap().set_modified(then).unwrap();
        }
        RunFolder::open(runs.path(), "d", 2_500).unwrap();
        assert!(!runs.path().join("a").exists() && runs.path().join("b").exists());
    }
}
