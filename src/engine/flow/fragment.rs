//! Fragments put together again.
//!
//! Standard: RFC 791 §3.2, RFC 8200 §4.5.
//! Policy:   of two copies of a byte the first to arrive counts; a last fragment that contradicts an
//!           earlier one is passed over.
//! Bounds:   1,024 packets in pieces, 8 MiB in all, 256 pieces a packet, 30 s from the first piece. At a
//!           bound the new piece is refused and counted; so is a packet that was never completed.

use crate::decode::Fragment;
use crate::types::{Map, Seed, Timestamp};

/// Packets in pieces at a time.
const PACKETS_MAX: usize = 1_024;
/// Bytes held in all.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Pieces of one packet.
const PIECES_MAX: usize = 256;
/// Longest packet.
const PACKET_LEN_MAX: u32 = 65_535;
/// How long a packet may be incomplete.
const TIMEOUT_NS: i64 = 30_000_000_000;

/// Which packet a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Datagram {
    /// Source address.
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
    /// Identification.
    pub id: u32,
    /// Protocol; IPv6: of the piece, as all of one packet have the same.
    pub proto: u8,
    /// Outer VLAN id.
    pub vlan: u16,
    /// What carries it; see [`super::Carrier`].
    pub carrier: u32,
}

/// What a piece led to.
#[derive(Debug)]
pub enum Outcome {
    /// Not yet the first piece, or no room: nothing to tell.
    Held,
    /// The first piece is there, its bytes from the transport header on; packets and bytes not yet told.
    Begun {
        /// Captured bytes of the first piece.
        start: Vec<u8>,
        /// Fragments that were not told of yet.
        pkts: u32,
        /// Their bytes from the IP header on.
        bytes: u32,
    },
    /// All pieces are there.
    Whole {
        /// The payload.
        payload: Vec<u8>,
        /// Fragments that were not told of yet.
        pkts: u32,
        /// Their bytes from the IP header on.
        bytes: u32,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Fragments {
    packets: Map<Datagram, Pieces>,
    bytes: usize,
    /// When packets were last looked through for those that took too long.
    swept: Timestamp,
    /// Pieces refused at a bound.
    pub refused: u64,
    /// Packets that were never completed.
    pub incomplete: u64,
}

/// What is there of one packet.
#[derive(Debug)]
struct Pieces {
    first_ts: Timestamp,
    /// Sorted by offset, none overlapping.
    pieces: Vec<(u32, Vec<u8>)>,
    /// Length of the whole, once the last piece is there.
    len: Option<u32>,
    pkts: u32,
    ip_bytes: u32,
}

impl Fragments {
    /// Nothing held.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self {
            packets: Map::new(PACKETS_MAX, seed),
            bytes: 0,
            swept: Timestamp::MIN,
            refused: 0,
            incomplete: 0,
        }
    }

    /// Takes a piece of `ip_len` bytes from the IP header on.
    pub fn piece(
        &mut self,
        ts: Timestamp,
        key: Datagram,
        at: Fragment,
        data: &[u8],
        ip_len: u32,
    ) -> Outcome {
        if ts.since(self.swept) >= TIMEOUT_NS {
            self.swept = ts;
            self.sweep(ts);
        }
        if self
            .packets
            .get(&key)
            .is_some_and(|p| ts.since(p.first_ts) >= TIMEOUT_NS)
        {
            self.give_up(&key);
        }
        let end = at
            .offset
            .saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
        let fits = self.bytes.saturating_add(data.len()) <= BYTES_MAX;
        if !fits
            || end > PACKET_LEN_MAX
            || (self.packets.get(&key).is_none() && self.packets.len() >= PACKETS_MAX)
        {
            self.refused = self.refused.saturating_add(1);
            return Outcome::Held;
        }
        let Some(pieces) = self.packets.entry(key, || Pieces::new(ts)) else {
            return Outcome::Held;
        };
        if pieces.pieces.len() >= PIECES_MAX {
            self.refused = self.refused.saturating_add(1);
            return Outcome::Held;
        }
        pieces.pkts = pieces.pkts.saturating_add(1);
        pieces.ip_bytes = pieces.ip_bytes.saturating_add(ip_len);
        if !at.more && pieces.len.is_none() && pieces.end() <= end {
            pieces.len = Some(end);
        }
        let before = pieces.held();
        pieces.insert(at.offset, data);
        self.bytes = self
            .bytes
            .saturating_sub(before)
            .saturating_add(pieces.held());
        if let Some(payload) = pieces.whole() {
            let (pkts, bytes) = pieces.take_counts();
            let held = pieces.held();
            self.bytes = self.bytes.saturating_sub(held);
            self.packets.remove(&key);
            return Outcome::Whole {
                payload,
                pkts,
                bytes,
            };
        }
        match pieces.pieces.first() {
            Some((0, start)) => {
                let start = start.get(..64).unwrap_or(start).to_vec();
                let (pkts, bytes) = pieces.take_counts();
                Outcome::Begun { start, pkts, bytes }
            }
            _ => Outcome::Held,
        }
    }

    /// Gives up every packet: the input is over, or its time leapt.
    pub fn clear(&mut self) {
        self.incomplete = self
            .incomplete
            .saturating_add(u64::try_from(self.packets.len()).unwrap_or(0));
        self.packets.retain(|_, _| false);
        (self.bytes, self.swept) = (0, Timestamp::MIN);
    }

    fn sweep(&mut self, ts: Timestamp) {
        let (mut bytes, mut gone) = (self.bytes, 0_u64);
        self.packets.retain(|_, pieces| {
            let keep = ts.since(pieces.first_ts) < TIMEOUT_NS;
            if !keep {
                bytes = bytes.saturating_sub(pieces.held());
                gone = gone.saturating_add(1);
            }
            keep
        });
        (self.bytes, self.incomplete) = (bytes, self.incomplete.saturating_add(gone));
    }

    fn give_up(&mut self, key: &Datagram) {
        if let Some(pieces) = self.packets.remove(key) {
            self.bytes = self.bytes.saturating_sub(pieces.held());
            self.incomplete = self.incomplete.saturating_add(1);
        }
    }
}

impl Pieces {
    fn new(first_ts: Timestamp) -> Self {
        Self {
            first_ts,
            pieces: Vec::new(),
            len: None,
            pkts: 0,
            ip_bytes: 0,
        }
    }

    fn held(&self) -> usize {
        self.pieces
            .iter()
            .map(|(_, data)| data.len())
            .fold(0, usize::saturating_add)
    }

    /// Behind the last byte held.
    fn end(&self) -> u32 {
        self.pieces.last().map_or(0, end)
    }

    fn take_counts(&mut self) -> (u32, u32) {
        (
            std::mem::take(&mut self.pkts),
            std::mem::take(&mut self.ip_bytes),
        )
    }

    /// Puts in what is not there yet.
    fn insert(&mut self, mut at: u32, mut data: &[u8]) {
        let mut index = self.pieces.partition_point(|piece| end(piece) <= at);
        while !data.is_empty() {
            let Some(piece) = self.pieces.get(index) else {
                self.pieces.push((at, data.to_vec()));
                return;
            };
            let new = usize::try_from(piece.0.saturating_sub(at))
                .unwrap_or(0)
                .min(data.len());
            let skip = end(piece).saturating_sub(at);
            if new > 0 {
                let (part, _) = data.split_at_checked(new).unwrap_or((data, &[]));
                self.pieces.insert(index, (at, part.to_vec()));
                index = index.saturating_add(1);
            }
            data = usize::try_from(skip)
                .ok()
                .and_then(|skip| data.get(skip..))
                .unwrap_or_default();
            at = at.saturating_add(skip);
            index = index.saturating_add(1);
        }
    }

    /// The payload, if nothing is missing.
    fn whole(&self) -> Option<Vec<u8>> {
        let len = self.len?;
        let mut at = 0;
        for piece in &self.pieces {
            if piece.0 != at {
                return None;
            }
            at = end(piece);
        }
        if at < len {
            return None;
        }
        let mut payload = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        for (_, data) in &self.pieces {
            payload.extend_from_slice(data);
        }
        payload.truncate(usize::try_from(len).unwrap_or(0));
        Some(payload)
    }
}

/// Behind a piece's last byte.
fn end(piece: &(u32, Vec<u8>)) -> u32 {
    piece
        .0
        .saturating_add(u32::try_from(piece.1.len()).unwrap_or(u32::MAX))
}
