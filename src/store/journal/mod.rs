//! The journal: every notice is here, on disk, before it is shown, logged or sent.
//!
//! Input:   notices with their numbers, from `sense`; a number that is already here is not stored twice.
//! Output:  sequence numbers, dense and never used twice, by which forwarding reads; gaps in the
//!          numbers; the latest state of everything, for `tapir show`.
//! Format:  `FOLDER/<first sequence number>.seg`, see `segment` and `entry`. Each segment begins with
//!          an account of all numbers before it, so that an older one can go.
//! Units:   sizes in bytes.
//! Bounds:  `bytes_max` over all segments; then the oldest goes, and what was in it and no consumer had
//!          read is counted. An entry of 4 MiB. 4,096 holes in the numbers.
//! Order:   at its start `serve` opens this, receives what is still in the socket of a dead `sense`, then
//!          says `used` with the number that one noted last, and `leased` with the first of the new lease.
//! Crashes: a torn tail is cut at opening. An entry in the middle that fails its checksum is stepped
//!          over and counted; a file that cannot be read is renamed to `*.damaged`.

mod entry;
mod ledger;
mod open;
mod replay;
mod segment;
mod write;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tapir_message::{Notice, Numbered};

use entry::{Entry, Kind};
use ledger::Ledger;
use segment::Segment;

pub use ledger::Gaps;

/// How large a journal may grow.
#[derive(Clone, Copy, Debug)]
pub struct JournalSettings {
    /// All segments together; default 512 MB.
    pub bytes_max: u64,
    /// One segment; default 16 MiB, at most a quarter of `bytes_max`.
    pub segment_bytes: u64,
    /// Sequence numbers begin above this one: what any output says it has sent.
    pub seq_floor: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            bytes_max: 512_000_000,
            segment_bytes: 16 << 20,
            seq_floor: 0,
        }
    }
}

/// Why the journal did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading or writing failed; nothing of the notice was kept.
    #[error("{}: the journal cannot {doing}: {error}; {}", path.display(), remedy(error))]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why.
        error: io::Error,
    },
    /// A segment of a later version.
    #[error("{}: version {version} of the journal, this program reads 1; install the program that wrote it or move the file away", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: u32,
    },
    /// A notice beyond the bound.
    #[error("notice {number}: {bytes} bytes of JSON, the journal takes 4194304")]
    TooLong {
        /// Its number.
        number: u64,
        /// Its length.
        bytes: usize,
    },
}

impl JournalError {
    /// Whether the disk is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { error, .. } if is_full(error))
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn remedy(error: &io::Error) -> &'static str {
    if is_full(error) {
        "make room on that disk, it goes on by itself"
    } else {
        "check the disk and the owner of the folder"
    }
}

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is on disk.
    Stored {
        /// Its sequence number.
        seq: u64,
    },
    /// Its number was already there.
    Known,
}

/// What `tapir show status` says of the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// Sequence number of the oldest notice kept; above `last_seq` if there is none.
    pub first_seq: u64,
    /// Sequence number of the latest.
    pub last_seq: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bound of `bytes`.
    pub bytes_max: u64,
    /// Files.
    pub segments: usize,
    /// Numbers that were used and never arrived.
    pub gaps: Gaps,
    /// Notices that had to go before every output had sent them.
    pub lost_unsent: u64,
    /// Notices that can no longer be read.
    pub damaged: u64,
    /// What was found wrong at opening, one sentence each.
    pub notes: Vec<String>,
}

/// What the first entry of each segment says of all before it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Account {
    ledger: Ledger,
    lost_unsent: u64,
    /// Notices up to this one were given up; their segments may go.
    dropped: u64,
}

/// The journal of one sensor. One process writes it; its owner shares it behind a lock.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    settings: JournalSettings,
    segments: VecDeque<Segment>,
    /// The last segment, open.
    file: Option<File>,
    /// Whether the last segment must be cut to its end before the next write.
    torn: bool,
    last_seq: u64,
    passed: u64,
    account: Account,
    damaged: u64,
    notes: Vec<String>,
}

impl Journal {
    /// Writes one notice; it is on disk when this returns.
    ///
    /// # Errors
    /// It could not be written; nothing of it is kept and it may be given again.
    pub fn append(&mut self, notice: &Numbered) -> Result<Appended, JournalError> {
        let all = self.append_all(std::slice::from_ref(notice))?;
        Ok(all.first().copied().unwrap_or(Appended::Known))
    }

    /// Writes several notices with one flush; either all are on disk or none is.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_all(&mut self, notices: &[Numbered]) -> Result<Vec<Appended>, JournalError> {
        let mut results = Vec::with_capacity(notices.len());
        let mut payloads: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut seen = BTreeSet::new();
        for notice in notices {
            let number = notice.number;
            if self.account.ledger.knows(number) || !seen.insert(number) {
                results.push(Appended::Known);
                continue;
            }
            let seq = self.last_seq + 1 + payloads.len() as u64;
            results.push(Appended::Stored { seq });
            payloads.push((number, self.payload(number, &notice.notice)?));
        }
        let entries: Vec<Entry<'_>> = payloads
            .iter()
            .zip(self.last_seq + 1..)
            .map(|((number, payload), seq)| Entry {
                seq,
                number: *number,
                kind: Kind::Notice,
                payload,
            })
            .collect();
        self.write(&entries)?;
        for entry in &entries {
            self.account.ledger.journalled(entry.number);
        }
        Ok(results)
    }

    /// All numbers up to `number` were used by a `sense` that is gone, and everything it had sent was
    /// received: what is missing is lost.
    ///
    /// # Errors
    /// It could not be written down.
    pub fn used(&mut self, number: u64) -> Result<(), JournalError> {
        if self.account.ledger.used(number) {
            self.write_account()?;
        }
        Ok(())
    }

    /// A new `sense` begins at number `next`. Numbers above the highest known one and below `next` may
    /// never have been used and are not called lost.
    ///
    /// # Errors
    /// It could not be written down.
    pub fn leased(&mut self, next: u64) -> Result<(), JournalError> {
        if self.account.ledger.leased(next) {
            self.write_account()?;
        }
        Ok(())
    }

    /// Every consumer is done with all notices up to `seq`. Until this is said nobody is waited for.
    pub const fn passed(&mut self, seq: u64) {
        self.passed = seq;
    }

    /// Whether a notice of this number was journalled.
    #[must_use]
    pub fn knows(&self, number: u64) -> bool {
        self.account.ledger.knows(number)
    }

    /// Sequence number of the latest notice.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Highest notice number known.
    #[must_use]
    pub const fn highest_number(&self) -> u64 {
        self.account.ledger.high()
    }

    /// Numbers that were used and never arrived.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        self.account.ledger.gaps()
    }

    /// Figures for the operator.
    #[must_use]
    pub fn status(&self) -> JournalStatus {
        JournalStatus {
            first_seq: self.segments.front().map_or(self.last_seq, |s| s.before) + 1,
            last_seq: self.last_seq,
            bytes: self.bytes(),
            bytes_max: self.settings.bytes_max,
            segments: self.segments.len(),
            gaps: self.gaps(),
            lost_unsent: self.account.lost_unsent,
            damaged: self.damaged,
            notes: self.notes.clone(),
        }
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end).sum()
    }

    fn payload(&self, number: u64, notice: &Notice) -> Result<Vec<u8>, JournalError> {
        let json = serde_json::to_vec(notice).map_err(|error| JournalError::Io {
            path: self.folder.clone(),
            doing: "write a notice as JSON",
            error: error.into(),
        })?;
        if json.len() > entry::PAYLOAD_MAX {
            return Err(JournalError::TooLong {
                number,
                bytes: json.len(),
            });
        }
        Ok(json)
    }
}

fn failed<'a>(path: &'a Path, doing: &'static str) -> impl FnOnce(io::Error) -> JournalError + 'a {
    move |error| JournalError::Io {
        path: path.to_owned(),
        doing,
        error,
    }
}
