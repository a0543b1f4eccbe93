//! One entry of the journal as bytes, and the search for entries in bytes that may be damaged.
//!
//! Format: little-endian length of the payload (4), CRC-32 of all that follows it and of the length
//!         (4), sequence number (8), notice number (8), kind (1), payload (JSON).
//! Bounds: a payload of at most 4 MiB; a longer one is refused.

/// Bytes before the payload.
pub(super) const HEAD: usize = 25;
/// Longest payload.
pub(super) const PAYLOAD_MAX: usize = 4 << 20;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A notice.
    Notice,
    /// The journal's own account of numbers; carries the sequence number before it and takes none.
    Account,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Notice => 1,
            Self::Account => 2,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Notice),
            2 => Some(Self::Account),
            _ => None,
        }
    }
}

/// An entry that passed its checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) seq: u64,
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) payload: &'a [u8],
}

impl Entry<'_> {
    /// Appends the entry; `false` if its payload is too long.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> bool {
        let Some(len) = u32::try_from(self.payload.len())
            .ok()
            .filter(|_| self.payload.len() <= PAYLOAD_MAX)
        else {
            return false;
        };
        let mut head = Vec::with_capacity(HEAD);
        head.extend(self.seq.to_le_bytes());
        head.extend(self.number.to_le_bytes());
        head.push(self.kind.byte());
        out.extend(len.to_le_bytes());
        out.extend(checksum(&len.to_le_bytes(), &head, self.payload).to_le_bytes());
        out.extend(head);
        out.extend(self.payload);
        true
    }

    /// Bytes it takes.
    const fn len(&self) -> usize {
        HEAD + self.payload.len()
    }
}

fn checksum(len: &[u8], head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(len);
    hasher.update(head);
    hasher.update(payload);
    hasher.finalize()
}

/// The entry that `bytes` begin with, if it is whole and its numbers can be true.
fn read(bytes: &[u8], least: u64, most: u64) -> Option<Entry<'_>> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let (head, rest) = rest.split_at_checked(HEAD - 8)?;
    let (seq, tail) = head.split_first_chunk::<8>()?;
    let (number, tail) = tail.split_first_chunk::<8>()?;
    let kind = Kind::of(*tail.first()?)?;
    let seq = u64::from_le_bytes(*seq);
    let lowest = match kind {
        Kind::Notice => least.saturating_add(1),
        Kind::Account => least,
    };
    let size = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    if seq < lowest || seq > most || size > PAYLOAD_MAX {
        return None;
    }
    let payload = rest.get(..size)?;
    (checksum(len, head, payload) == u32::from_le_bytes(*sum)).then_some(Entry {
        seq,
        number: u64::from_le_bytes(*number),
        kind,
        payload,
    })
}

/// Walks over the entries of a piece of a segment. Bytes that are no entry are stepped over, as long
/// as a later entry shows that they were once one.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    last: u64,
    most: u64,
    /// Bytes stepped over.
    pub(super) damaged: usize,
}

impl<'a> Walk<'a> {
    /// Entries after `last` and not above `most`.
    pub(super) const fn new(bytes: &'a [u8], last: u64, most: u64) -> Self {
        Self {
            bytes,
            at: 0,
            end: 0,
            last,
            most,
            damaged: 0,
        }
    }

    /// Where the last entry found so far ends.
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    fn entry_at(&self, at: usize) -> Option<Entry<'a>> {
        read(self.bytes.get(at..)?, self.last, self.most)
    }
}

impl<'a> Iterator for Walk<'a> {
    /// Where the entry begins, and the entry.
    type Item = (usize, Entry<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let limit = self.bytes.len().saturating_sub(HEAD);
        let mut at = self.at;
        let entry = loop {
            if let Some(entry) = self.entry_at(at) {
                break entry;
            }
            if at >= limit {
                self.at = self.bytes.len();
                return None;
            }
            at += 1;
        };
        self.damaged += at - self.at;
        self.at = at + entry.len();
        self.end = self.at;
        self.last = entry.seq;
        Some((at, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seqs: &[u64]) -> Vec<u8> {
        let mut out = Vec::new();
        for seq in seqs {
            let entry = Entry {
                seq: *seq,
                number: seq + 100,
                kind: Kind::Notice,
                payload: b"{\"a\":1}",
            };
            assert!(entry.write(&mut out));
        }
        out
    }

    #[test]
    fn the_layout_is_the_one_in_the_header() {
        let out = bytes(&[3]);
        assert_eq!(out[..4], [7, 0, 0, 0]);
        assert_eq!(out[8..16], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out[16..24], [103, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out[24], 1);
        assert_eq!(&out[25..], b"{\"a\":1}");
    }

    #[test]
    fn a_flipped_bit_anywhere_costs_that_entry_only() {
        let good = bytes(&[1, 2, 3]);
        let size = good.len() / 3;
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let found: Vec<u64> = Walk::new(&bad, 0, 9).map(|(_, e)| e.seq).collect();
            let lost = u64::try_from(at / size).unwrap() + 1;
            let want: Vec<u64> = (1..=3).filter(|seq| *seq != lost).collect();
            assert_eq!(found, want, "byte {at}");
        }
    }

    #[test]
    fn repeated_or_older_entries_are_not_taken() {
        let mut twice = bytes(&[4]);
        twice.extend(bytes(&[4, 5]));
        let found: Vec<u64> = Walk::new(&twice, 3, 9).map(|(_, e)| e.seq).collect();
        assert_eq!(found, [4, 5]);
    }
}
