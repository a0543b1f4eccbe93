//! Numbers of notices: leased in blocks that are on disk before they are used, so that a number that
//! never arrives is known to be lost.
//!
//! Format: `numbers.lease`, one JSON line with a CRC-32; replaced whole. `numbers.used`, eight
//!         little-endian bytes: the number that `sense` was about to use last.
//! Bounds: blocks of 1,000.
//! Crashes: the used number survives the death of the process, not of the machine: after a new boot, or
//!          if it is missing, numbers go on behind the block.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Numbers in a block.
pub const BLOCK: u64 = 1_000;
const LEASE_FILE: &str = "numbers.lease";
const USED_FILE: &str = "numbers.used";

/// Why numbers cannot be leased.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot keep the numbers of notices: {error}; check room and owner of the folder", path.display())]
pub struct NumbersError {
    /// File.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// Numbers from `next` on, below `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// First number.
    pub next: u64,
    /// First number that is not leased.
    pub until: u64,
}

/// Who uses the numbers that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// A `sense` that has just started; the one before is gone and wrote down what it had used.
    NewSense,
    /// The `sense` that holds the latest block and needs more.
    SameSense,
}

/// The leases of one sensor.
#[derive(Debug)]
pub struct Numbers {
    folder: PathBuf,
    from: u64,
    until: u64,
    /// Whether the latest block was leased since the machine started.
    same_boot: bool,
}

/// `numbers.lease` as written.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    from: u64,
    until: u64,
    boot: String,
    crc: u32,
}

impl Line {
    fn checksum(&self) -> u32 {
        crc32fast::hash(format!("{} {} {}", self.from, self.until, self.boot).as_bytes())
    }
}

impl Numbers {
    /// Opens the leases in `folder`. Numbers up to `taken`, the highest one known from elsewhere, are
    /// never leased.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path, taken: u64) -> Result<Self, NumbersError> {
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let path = folder.join(LEASE_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(&path)(error)),
        };
        let line = serde_json::from_slice::<Line>(&text)
            .ok()
            .filter(|line| line.crc == line.checksum() && line.from <= line.until);
        let read = NumberFile::read(folder).unwrap_or_default();
        // Without a lease that can be believed, one block beyond anything known is safe.
        let (from, until, same_boot) = match &line {
            Some(line) => (line.from, line.until, line.boot == boot()),
            None if text.is_empty() && read.is_none() => (1, 1, false),
            None => (0, read.unwrap_or(0).saturating_add(BLOCK + 1), false),
        };
        Ok(Self {
            folder: folder.to_owned(),
            from,
            until: until.max(taken.saturating_add(1)),
            same_boot,
        })
    }

    /// The number that was last about to be used, if the file that says so can be believed.
    #[must_use]
    pub fn used(&self) -> Option<u64> {
        let used = NumberFile::read(&self.folder).ok().flatten()?;
        (used > 0 && used < self.until).then_some(used)
    }

    /// First number that is not leased.
    #[must_use]
    pub const fn until(&self) -> u64 {
        self.until
    }

    /// Leases a block; it is on disk when this returns.
    ///
    /// # Errors
    /// The lease could not be written; the numbers must not be used.
    pub fn lease(&mut self, who: For) -> Result<Lease, NumbersError> {
        let next = match (who, self.used()) {
            // A number below the block says that none of the block was used.
            (For::NewSense, Some(used)) if self.same_boot => (used + 1).max(self.from),
            _ => self.until,
        };
        let mut line = Line {
            from: next,
            until: next.saturating_add(BLOCK).max(self.until),
            boot: boot(),
            crc: 0,
        };
        line.crc = line.checksum();
        let path = self.folder.join(LEASE_FILE);
        let write = || -> io::Result<()> {
            super::replace(&self.folder, LEASE_FILE, &serde_json::to_vec(&line)?)
        };
        write().map_err(failed(&path))?;
        self.from = line.from;
        self.until = line.until;
        self.same_boot = true;
        Ok(Lease {
            next,
            until: line.until,
        })
    }
}

/// Where `sense` notes each number before it uses it. Opened before privileges are dropped.
#[derive(Debug)]
pub struct NumberFile(File);

impl NumberFile {
    /// Opens the file in `folder`, or makes it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(folder: &Path) -> Result<Self, NumbersError> {
        let path = folder.join(USED_FILE);
        let open = || {
            fs::create_dir_all(folder)?;
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.open(&path)
        };
        open().map(Self).map_err(failed(&path))
    }

    /// Notes that `number` is about to be used. Not flushed: it is for the death of this process.
    ///
    /// # Errors
    /// It cannot be written; the number may be used all the same, its loss would then go uncounted.
    pub fn note(&self, number: u64) -> io::Result<()> {
        self.0.write_all_at(&number.to_le_bytes(), 0)
    }

    /// The number noted last in `folder`; `None` if there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(folder: &Path) -> io::Result<Option<u64>> {
        match fs::read(folder.join(USED_FILE)) {
            Ok(bytes) => Ok(bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What tells one start of the machine from another; empty where the kernel does not say.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> NumbersError + '_ {
    move |error| NumbersError {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(next: u64, until: u64) -> Lease {
        Lease { next, until }
    }

    #[test]
    fn a_new_sense_goes_on_behind_what_was_used() {
        let folder = tempfile::tempdir().unwrap();
        let mut numbers = Numbers::open(folder.path(), 0).unwrap();
        assert_eq!(numbers.lease(For::NewSense).unwrap(), lease(1, 1_001));
        let file = NumberFile::open(folder.path()).unwrap();
        file.note(37).unwrap();
        for opened in 0..2_u64 {
            let mut numbers = Numbers::open(folder.path(), 0).unwrap();
            assert_eq!(numbers.used(), Some(37));
            let next = numbers.lease(For::NewSense).unwrap().next;
            assert_eq!(next, 38, "time {opened}: none of the block was used");
        }
    }

    #[test]
    fn the_same_sense_goes_on_behind_its_block() {
        let folder = tempfile::tempdir().unwrap();
        let mut numbers = Numbers::open(folder.path(), 0).unwrap();
        numbers.lease(For::NewSense).unwrap();
        NumberFile::open(folder.path()).unwrap().note(900).unwrap();
        assert_eq!(numbers.lease(For::SameSense).unwrap(), lease(1_001, 2_001));
        let mut numbers = Numbers::open(folder.path(), 0).unwrap();
        NumberFile::open(folder.path()).unwrap().note(950).unwrap();
        let next = numbers.lease(For::NewSense).unwrap().next;
        assert_eq!(next, 1_001, "numbers behind 950 may still have been used");
    }

    #[test]
    fn what_cannot_be_believed_is_stepped_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LEASE_FILE);
        Numbers::open(folder.path(), 0)
            .unwrap()
            .lease(For::NewSense)
            .unwrap();
        let good = fs::read_to_string(&path).unwrap();
        // Another boot: what was noted may be older than what was used.
        let mut line: Line = serde_json::from_str(&good).unwrap();
        line.boot = "another".to_owned();
        line.crc = line.checksum();
        fs::write(&path, serde_json::to_string(&line).unwrap()).unwrap();
        NumberFile::open(folder.path()).unwrap().note(5).unwrap();
        let mut numbers = Numbers::open(folder.path(), 0).unwrap();
        assert_eq!(numbers.lease(For::NewSense).unwrap().next, 1_001);
        for bad in ["", "{}", &good.replace("1001", "4001")] {
            fs::write(&path, bad).unwrap();
            let mut numbers = Numbers::open(folder.path(), 1_700).unwrap();
            assert_eq!(numbers.lease(For::NewSense).unwrap().next, 1_701, "{bad}");
        }
        let mut numbers = Numbers::open(folder.path(), 9_999).unwrap();
        assert_eq!(numbers.lease(For::SameSense).unwrap().next, 10_000);
    }
}
