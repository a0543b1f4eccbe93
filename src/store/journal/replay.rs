//! Reading the journal: what comes after a sequence number, and the latest state of everything.
//!
//! Bounds: one read gives at most the notices asked for and 4 MiB of them, but always one.

use std::collections::HashMap;

use tapir_message::{Notice, Numbered, Timestamp};

use super::entry::Entry;
use super::{Journal, JournalError, failed};

/// Payload bytes of one read.
const READ_BYTES: usize = 4 << 20;

impl Journal {
    /// At most `max` notices after sequence number `seq`, in order.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn read_after(&self, seq: u64, max: usize) -> Result<Vec<(u64, Numbered)>, JournalError> {
        let mut found = Vec::new();
        let mut bytes = 0;
        let first = self.segments.partition_point(|segment| segment.last <= seq);
        for segment in self.segments.range(first..) {
            let mut after = seq.max(segment.before);
            while after < segment.last && found.len() < max && bytes < READ_BYTES {
                let start = after;
                let mut visit = |entry: &Entry<'_>| {
                    after = entry.seq;
                    found.extend(parse(entry).map(|notice| (entry.seq, notice)));
                    bytes += entry.payload.len();
                    found.len() < max && bytes < READ_BYTES
                };
                segment
                    .read(start, max, &mut visit)
                    .map_err(failed(&segment.path, "be read"))?;
                if after == start {
                    break;
                }
            }
            if found.len() >= max || bytes >= READ_BYTES {
                break;
            }
        }
        Ok(found)
    }

    /// Gives `visit` the latest state of every breach, incident, decision and response that is not
    /// older than `since`, in the order in which these states were journalled.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn replay(
        &self,
        since: Timestamp,
        visit: &mut dyn FnMut(u64, Numbered),
    ) -> Result<(), JournalError> {
        let mut latest: HashMap<(u8, String), u64> = HashMap::new();
        self.each(&mut |seq, notice| {
            if time(&notice.notice) >= since {
                latest.insert(key(&notice.notice), seq);
            }
        })?;
        self.each(&mut |seq, notice| {
            if latest.get(&key(&notice.notice)) == Some(&seq) {
                visit(seq, notice);
            }
        })
    }

    fn each(&self, visit: &mut dyn FnMut(u64, Numbered)) -> Result<(), JournalError> {
        let mut seq = 0;
        loop {
            let batch = self.read_after(seq, 4_096)?;
            let Some((last, _)) = batch.last() else {
                return Ok(());
            };
            seq = *last;
            for (seq, notice) in batch {
                visit(seq, notice);
            }
        }
    }
}

/// The notice of an entry. One that passed its checksum and does not parse was written by another
/// version with a notice this one does not know.
fn parse(entry: &Entry<'_>) -> Option<Numbered> {
    match serde_json::from_slice(entry.payload) {
        Ok(notice) => Some(Numbered {
            number: entry.number,
            notice,
        }),
        Err(error) => {
            tracing::warn!(%error, seq = entry.seq, "A journalled notice cannot be understood.");
            None
        }
    }
}

/// What a later state replaces.
fn key(notice: &Notice) -> (u8, String) {
    match notice {
        Notice::Breach(breach) => (0, breach.id.clone()),
        Notice::Incident(incident) => (1, incident.id.clone()),
        Notice::Decision(decision) => (2, decision.id.clone()),
        Notice::Response(response) => (3, response.decision.clone()),
    }
}

fn time(notice: &Notice) -> Timestamp {
    match notice {
        Notice::Breach(breach) => breach.last_ts.max(breach.ts),
        Notice::Incident(incident) => incident.last_ts,
        Notice::Decision(decision) => decision.ts,
        Notice::Response(response) => response.ts,
    }
}
