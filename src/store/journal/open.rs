//! Opening a journal: what is there, what a crash or a bad disk left, and where to go on.

use std::collections::VecDeque;
use std::path::Path;
use std::{fs, io};

use super::entry::{Entry, Kind};
use super::segment::{self, Loaded, Segment};
use super::{Account, Journal, JournalError, JournalSettings, failed};

impl Journal {
    /// Opens the journal in `folder`, or makes one.
    ///
    /// # Errors
    /// The folder cannot be read or written, or holds segments of a later version.
    pub fn open(folder: &Path, settings: JournalSettings) -> Result<Self, JournalError> {
        fs::create_dir_all(folder).map_err(failed(folder, "make its folder"))?;
        segment::sync_folder(folder).map_err(failed(folder, "make its folder last"))?;
        let mut journal = Self {
            folder: folder.to_owned(),
            settings: JournalSettings {
                segment_bytes: settings.segment_bytes.min(settings.bytes_max / 4),
                ..settings
            },
            segments: VecDeque::new(),
            file: None,
            torn: false,
            last_seq: 0,
            passed: u64::MAX,
            account: Account::default(),
            damaged: 0,
            notes: Vec::new(),
        };
        let starts = starts(folder).map_err(failed(folder, "list its folder"))?;
        // The first file sets where counting begins; a hole after that was once a notice.
        journal.last_seq = starts.first().copied().unwrap_or(0);
        for (index, before) in starts.iter().enumerate() {
            journal.load(*before, starts.get(index + 1).copied())?;
        }
        journal.open_last()?;
        journal.drop_given_up();
        journal.last_seq = journal.last_seq.max(settings.seq_floor);
        Ok(journal)
    }

    /// Reads one file and adds it; `next` is what the file after it begins behind.
    fn load(&mut self, before: u64, next: Option<u64>) -> Result<(), JournalError> {
        let path = segment::path(&self.folder, before);
        let account = &mut self.account;
        let mut visit = |entry: &Entry<'_>| match entry.kind {
            Kind::Notice => account.ledger.journalled(entry.number),
            // An account that does not read as one is left out; the notices speak for themselves.
            Kind::Account => {
                if let Ok(read) = serde_json::from_slice(entry.payload) {
                    *account = read;
                }
            }
        };
        let most = next.unwrap_or(u64::MAX - 1);
        let segment = match Segment::load(&path, before, most, &mut visit) {
            Ok(Loaded::Whole(segment)) => segment,
            Ok(Loaded::Version(version)) => return Err(JournalError::Version { path, version }),
            Err(error) => {
                self.put_aside(&path, &error.to_string());
                return Ok(());
            }
        };
        if segment.end == segment::HEADER as u64 && next.is_some() {
            self.put_aside(&path, "no entry in it can be read");
            return Ok(());
        }
        let lost = (segment.last - self.last_seq.min(segment.last)).saturating_sub(segment.notices);
        if lost > 0 || segment.damaged > 0 {
            self.damaged += lost;
            self.notes.push(format!(
                "{}: {} bytes are damaged, {lost} notices up to sequence number {} cannot be read",
                path.display(),
                segment.damaged,
                segment.last,
            ));
        }
        self.last_seq = segment.last;
        self.segments.push_back(segment);
        Ok(())
    }

    fn put_aside(&mut self, path: &Path, why: &str) {
        let aside = path.with_extension("seg.damaged");
        let moved = fs::rename(path, &aside);
        let place = match moved {
            Ok(()) => format!("moved to {}", aside.display()),
            Err(error) => format!("left in its place ({error})"),
        };
        self.notes
            .push(format!("{}: {why}; {place}", path.display()));
    }

    /// Opens the last segment for appending, without what a crash left behind its last entry.
    fn open_last(&mut self) -> Result<(), JournalError> {
        let Some(last) = self.segments.back() else {
            return Ok(());
        };
        let path = last.path.clone();
        if last.end == segment::HEADER as u64 {
            // It was being made; nothing in it was ever acknowledged.
            fs::remove_file(&path).map_err(failed(&path, "remove a file without entries"))?;
            self.segments.pop_back();
            return self.open_last();
        }
        let file = last.open().map_err(failed(&path, "be written"))?;
        let long = file.metadata().map_err(failed(&path, "be read"))?.len();
        if long > last.end {
            last.cut(&file)
                .map_err(failed(&path, "cut its torn tail"))?;
            self.notes.push(format!(
                "{}: {} bytes of a write that was never finished were cut",
                path.display(),
                long - last.end
            ));
        }
        self.file = Some(file);
        Ok(())
    }
}

/// What each segment of a folder begins behind, in ascending order.
pub(super) fn starts(folder: &Path) -> io::Result<Vec<u64>> {
    let mut starts = Vec::new();
    for entry in fs::read_dir(folder)? {
        starts.extend(segment::before(&entry?.path()));
    }
    starts.sort_unstable();
    Ok(starts)
}
