//! What people said of devices, until a saved state knows of it.
//!
//! Format: `devices.rulings`, one JSON line with a CRC-32; replaced whole.
//! Bounds: 1,000 wait; a later one is refused. Usually they go with the next saved state.
//! Crashes: a ruling is on disk before `add` returns.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tapir_message::{Ruling, Says, Timestamp};

use super::replace;

const FILE: &str = "devices.rulings";
/// Rulings that may wait.
const WAITING_MAX: usize = 1_000;

/// Why a ruling cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum RulingsError {
    /// Reading or writing failed.
    #[error("{}: cannot keep what was said of devices: {error}; check room and owner of the folder", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not what it was when written.
    #[error("{}: damaged; move it away, then say again which devices were merged or split since the last saved state", .0.display())]
    Damaged(PathBuf),
    /// The bound is reached.
    #[error(
        "{WAITING_MAX} rulings on devices wait for a saved state; see `tapir show status` why none is saved"
    )]
    Full,
}

/// See the module.
#[derive(Debug)]
pub struct Rulings {
    folder: PathBuf,
    kept: Kept,
}

/// What is on disk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Number of the latest ruling, waiting or not.
    last: u64,
    waiting: Vec<Ruling>,
}

/// The file as written.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    crc: u32,
    #[serde(flatten)]
    kept: Kept,
}

impl Kept {
    fn checksum(&self) -> io::Result<u32> {
        Ok(crc32fast::hash(&serde_json::to_vec(self)?))
    }
}

impl Rulings {
    /// Opens what is kept in `folder`.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn open(folder: &Path) -> Result<Self, RulingsError> {
        let path = folder.join(FILE);
        let kept = match fs::read(&path) {
            Ok(text) => {
                let line = serde_json::from_slice::<Line>(&text).ok();
                let whole = |line: &Line| line.kept.checksum().is_ok_and(|crc| crc == line.crc);
                let line = line.filter(whole);
                line.ok_or(RulingsError::Damaged(path))?.kept
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(RulingsError::Io { path, error }),
        };
        Ok(Self {
            folder: folder.to_owned(),
            kept,
        })
    }

    /// Those that wait, in the order in which they were said.
    #[must_use]
    pub fn waiting(&self) -> &[Ruling] {
        &self.kept.waiting
    }

    /// Numbers and keeps a ruling; it is on disk when this returns.
    ///
    /// # Errors
    /// It is not, and must not be carried out.
    pub fn add(&mut self, at: Timestamp, who: &str, says: Says) -> Result<Ruling, RulingsError> {
        if self.kept.waiting.len() >= WAITING_MAX {
            return Err(RulingsError::Full);
        }
        let ruling = Ruling {
            number: self.kept.last + 1,
            at,
            who: who.to_owned(),
            says,
        };
        let mut kept = self.kept.clone();
        kept.last = ruling.number;
        kept.waiting.push(ruling.clone());
        self.keep(kept)?;
        Ok(ruling)
    }

    /// A state that was saved knows of all rulings up to `number`.
    ///
    /// # Errors
    /// The file cannot be written; they wait on, which does no harm.
    pub fn saved(&mut self, number: u64) -> Result<(), RulingsError> {
        self.forget(|ruling| ruling.number <= number)
    }

    /// The ruling could not be carried out.
    ///
    /// # Errors
    /// The file cannot be written; it waits on and is refused again after a restart.
    pub fn refused(&mut self, number: u64) -> Result<(), RulingsError> {
        self.forget(|ruling| ruling.number == number)
    }

    fn forget(&mut self, gone: impl Fn(&Ruling) -> bool) -> Result<(), RulingsError> {
        if !self.kept.waiting.iter().any(&gone) {
            return Ok(());
        }
        let mut kept = self.kept.clone();
        kept.waiting.retain(|ruling| !gone(ruling));
        self.keep(kept)
    }

    fn keep(&mut self, kept: Kept) -> Result<(), RulingsError> {
        let write = || -> io::Result<()> {
            let line = Line {
                crc: kept.checksum()?,
                kept: kept.clone(),
            };
            replace(&self.folder, FILE, &serde_json::to_vec(&line)?)
        };
        write().map_err(|error| RulingsError::Io {
            path: self.folder.join(FILE),
            error,
        })?;
        self.kept = kept;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(id: &str) -> Says {
        Says::Split { id: id.to_owned() }
    }

    fn numbers(rulings: &Rulings) -> Vec<u64> {
        rulings.waiting().iter().map(|one| one.number).collect()
    }

    #[test]
    fn they_wait_over_a_restart_until_a_state_knows_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Rulings::open(folder.path()).unwrap();
        let at = Timestamp::from_secs(1_763_456_789);
        let mut rulings = open();
        for id in ["d-a", "d-b", "d-c"] {
            rulings.add(at, "anna", split(id)).unwrap();
        }
        let mut rulings = open();
        assert_eq!(numbers(&rulings), [1, 2, 3]);
        assert_eq!(rulings.waiting()[1].says, split("d-b"));
        rulings.refused(2).unwrap();
        rulings.saved(2).unwrap();
        assert_eq!(numbers(&open()), [3]);
        rulings.saved(9).unwrap();
        let mut rulings = open();
        assert!(rulings.waiting().is_empty());
        // A number is never given twice: `sense` passes over what it has heard.
        assert_eq!(rulings.add(at, "anna", split("d-d")).unwrap().number, 4);
    }

    #[test]
    fn damage_is_told_and_a_full_disk_keeps_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut rulings = Rulings::open(folder.path()).unwrap();
        let at = Timestamp::from_secs(1);
        rulings.add(at, "anna", split("d-a")).unwrap();
        let path = folder.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [
            &text.replace("\"waiting\"", ""),
            "",
            &text.replace("d-a", "d-b"),
        ] {
            fs::write(&path, damaged).unwrap();
            let error = Rulings::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains("damaged"), "{error}");
        }
        fs::remove_file(&path).unwrap();
        // A folder where the file should be cannot be replaced by it.
        fs::create_dir(&path).unwrap();
        assert!(rulings.add(at, "anna", split("d-b")).is_err());
        assert_eq!(numbers(&rulings), [1]);
    }

    #[test]
    fn they_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut rulings = Rulings::open(folder.path()).unwrap();
        let at = Timestamp::from_secs(1);
        let one = rulings.add(at, "anna", split("d-a")).unwrap();
        rulings.kept.waiting = vec![one; WAITING_MAX];
        let refused = rulings.add(at, "anna", split("d-b")).unwrap_err();
        assert!(matches!(refused, RulingsError::Full));
    }
}
