//! Certificates read before: a server shows the same chain to every client.
//!
//! What a certificate says depends on its bytes alone, so it is read once and told again. Each thread knows its own.
//! Bounds: [`KNOWN_MAX`] certificates of at most [`DER_LEN_MAX`] bytes; the oldest goes for a new one.

use std::cell::RefCell;
use std::hash::BuildHasher as _;

use super::certificate::{Certificate, certificate};
use crate::types::Seed;

/// Certificates known.
const KNOWN_MAX: usize = 32;
/// Longest that is remembered; longer ones are rare and read each time.
const DER_LEN_MAX: usize = 4 * 1024;

/// Certificates in the order in which they were first seen, from `oldest` on and round.
#[derive(Debug, Default)]
struct Known {
    entries: Vec<Entry>,
    oldest: usize,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    der: Box<[u8]>,
    said: Certificate,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Reads a certificate, as [`certificate`] does.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    if der.len() > DER_LEN_MAX {
        return certificate(der);
    }
    KNOWN.with_borrow_mut(|known| known.read(der))
}

impl Known {
    fn read(&mut self, der: &[u8]) -> Option<Certificate> {
        let hash = Seed(0).hasher().hash_one(der);
        let is = |entry: &&Entry| entry.hash == hash && *entry.der == *der;
        if let Some(entry) = self.entries.iter().find(is) {
            return Some(entry.said.clone());
        }
        let said = certificate(der)?;
        let entry = Entry {
            hash,
            der: der.into(),
            said: said.clone(),
        };
        if self.entries.len() < KNOWN_MAX {
            self.entries.push(entry);
        } else if let Some(oldest) = self.entries.get_mut(self.oldest) {
            *oldest = entry;
            self.oldest = self.oldest.saturating_add(1) % KNOWN_MAX;
        }
        Some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Certificates that differ in their serial number, 80FF in the first.
    fn der(serial: u8) -> Vec<u8> {
        let mut der = super::super::tests::LEAF.to_vec();
        let at = der.windows(4).position(|bytes| bytes == [2, 3, 0, 0x80]);
        der[at.expect("a serial number") + 4] = serial;
        der
    }

    #[test]
    fn what_is_told_again_is_what_was_read() {
        let mut known = Known::default();
        for round in 0..3_u8 {
            for serial in 1..50 {
                let der = der(serial);
                let (said, read) = (known.read(&der), certificate(&der));
                assert_eq!(format!("{said:?}"), format!("{read:?}"), "round {round}");
                assert!(known.entries.len() <= KNOWN_MAX);
            }
        }
        assert!(known.read(b"no certificate").is_none());
    }
}
