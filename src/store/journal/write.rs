//! Writing to a journal: behind the last entry, or in a new segment when that is full.

use std::fs;

use super::entry::{self, Entry, Kind};
use super::segment::{self, Segment};
use super::{Journal, JournalError, failed};

impl Journal {
    pub(super) fn write_account(&mut self) -> Result<(), JournalError> {
        let payload = self.account_json()?;
        let entry = account_entry(self.last_seq, &payload);
        self.write(&[entry])
    }

    fn account_json(&self) -> Result<Vec<u8>, JournalError> {
        serde_json::to_vec(&self.account).map_err(|error| JournalError::Io {
            path: self.folder.clone(),
            doing: "write its account as JSON",
            error: error.into(),
        })
    }

    /// Writes entries behind each other with one flush, in a new segment if the last one is full.
    pub(super) fn write(&mut self, entries: &[Entry<'_>]) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for entry in entries {
            entry.write(&mut bytes);
        }
        let room = self.segments.back().is_some_and(|last| {
            last.notices == 0 || last.end + bytes.len() as u64 <= self.settings.segment_bytes
        });
        if !room || self.file.is_none() {
            return self.write_new(entries);
        }
        let (Some(last), Some(file)) = (self.segments.back_mut(), &self.file) else {
            return self.write_new(entries);
        };
        if self.torn {
            last.cut(file).map_err(failed(&last.path, "be cut"))?;
            self.torn = false;
        }
        if let Err(failure) = last.write(file, &bytes) {
            self.torn = !failure.undone;
            return Err(failed(&last.path, "be written")(failure.error));
        }
        take(last, entries);
        self.last_seq = last.last;
        Ok(())
    }

    /// Begins a segment with the account and these entries, then lets the oldest go if there are too
    /// many bytes. The account is written first, so that what goes was counted before.
    fn write_new(&mut self, entries: &[Entry<'_>]) -> Result<(), JournalError> {
        let path = segment::path(&self.folder, self.last_seq);
        let (dropped, unsent) = self.plan_drop();
        let lost_before = self.account.lost_unsent;
        let dropped_before = self.account.dropped;
        self.account.lost_unsent += unsent;
        self.account.dropped = dropped.max(dropped_before);
        let written = self.account_json().and_then(|payload| {
            let mut all = vec![account_entry(self.last_seq, &payload)];
            all.extend_from_slice(entries);
            let mut bytes = segment::header();
            for entry in &all {
                entry.write(&mut bytes);
            }
            let file = segment::create(&path, &bytes).map_err(failed(&path, "begin a file"))?;
            let mut segment = Segment::new(path, self.last_seq);
            take(&mut segment, &all);
            Ok((file, segment))
        });
        match written {
            Ok((file, segment)) => {
                self.last_seq = segment.last;
                self.file = Some(file);
                self.torn = false;
                self.segments.push_back(segment);
                self.drop_given_up();
                Ok(())
            }
            Err(error) => {
                self.account.lost_unsent = lost_before;
                self.account.dropped = dropped_before;
                Err(error)
            }
        }
    }

    /// Up to which sequence number segments must go to make room for a new one, and how many notices
    /// in them some consumer has not read.
    fn plan_drop(&self) -> (u64, u64) {
        let mut bytes = self.bytes() + self.settings.segment_bytes;
        let (mut dropped, mut unsent) = (0, 0);
        for segment in &self.segments {
            if bytes <= self.settings.bytes_max {
                break;
            }
            bytes -= segment.end;
            dropped = segment.last;
            let unread = segment.last - self.passed.clamp(segment.before, segment.last);
            unsent += unread.min(segment.notices);
        }
        (dropped, unsent)
    }

    /// Removes the segments that the account gave up.
    pub(super) fn drop_given_up(&mut self) {
        while self.segments.len() > 1 {
            let Some(first) = self.segments.front() else {
                return;
            };
            if first.last > self.account.dropped {
                return;
            }
            if let Err(error) = fs::remove_file(&first.path) {
                tracing::warn!(%error, path = %first.path.display(), "Could not remove an old journal file.");
                return;
            }
            self.segments.pop_front();
        }
    }
}

/// Notes entries that were written at the end of a segment.
fn take(segment: &mut Segment, entries: &[Entry<'_>]) {
    for entry in entries {
        let at = segment.end;
        let end = at + (entry::HEAD + entry.payload.len()) as u64;
        segment.took(entry, at, end - segment::HEADER as u64);
    }
}

const fn account_entry(last_seq: u64, payload: &[u8]) -> Entry<'_> {
    Entry {
        seq: last_seq,
        number: 0,
        kind: Kind::Account,
        payload,
    }
}
