//! Second copies of a packet, as a mirror of both ingress and egress makes them.
//!
//! A digest is taken from the IP header on, without what a switch or router changes: TTL, hop limit and
//! checksums. It covers the headers, the lengths and the whole payload: the two first messages of DHCP
//! differ only behind 300 bytes. Of TCP it covers the beginning, as sequence numbers tell segments apart.
//! It has no key: what is a copy must not depend on one.
//! Bounds: see `recent` for packets; a table of 1,024 for frames without IP.

use super::recent::WINDOW_NS;
use crate::decode::Ip;
use crate::types::Timestamp;

/// Bytes of a TCP segment that count: its header, and 88 bytes of content or more.
const SEGMENT_LEN: usize = 148;

/// The digest of an IP packet.
#[must_use]
pub fn digest(ip: &Ip<'_>) -> u64 {
    let mut hash = Fold(u64::from(ip.len));
    match ip.header.split_at_checked(12) {
        Some((&[a, b, c, d, e, f, g, h, _ttl, proto, _, _], rest)) if a >> 4 == 4 => {
            hash.word(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
            hash.word(u64::from(proto));
            hash.bytes(rest);
        }
        Some((&[a, b, c, d, e, f, g, _hops, i, j, k, l], rest)) => {
            hash.word(u64::from_le_bytes([a, b, c, d, e, f, g, 0]));
            hash.word(u64::from(u32::from_le_bytes([i, j, k, l])));
            hash.bytes(rest);
        }
        _ => hash.bytes(ip.header),
    }
    let payload = match ip.proto {
        6 => ip.payload.get(..SEGMENT_LEN).unwrap_or(ip.payload),
        _ => ip.payload,
    };
    let checksum_at = match ip.proto {
        6 => 16,
        17 => 6,
        58 | 1 => 2,
        _ => usize::MAX,
    };
    match payload.split_at_checked(checksum_at) {
        Some((before, after)) => {
            hash.bytes(before);
            hash.bytes(after.get(2..).unwrap_or_default());
        }
        None => hash.bytes(payload),
    }
    hash.0
}

/// A multiply-and-fold hash, fixed for all time.
struct Fold(u64);

/// Where the lanes of a long run of bytes begin; the first goes on from what was before.
const LANES: [u64; 4] = [
    0,
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
];

impl Fold {
    #[inline]
    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = product.to_le_bytes();
        self.0 = u64::from_le_bytes([a, b, c, d, e, f, g, h])
            ^ u64::from_le_bytes([i, j, k, l, m, n, o, p]);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<32>();
        if !blocks.is_empty() {
            self.blocks(blocks);
        }
        let (chunks, rest) = rest.as_chunks::<8>();
        for chunk in chunks {
            self.word(u64::from_le_bytes(*chunk));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.word(
            u64::from_le_bytes(last) ^ u64::try_from(bytes.len()).unwrap_or(0).wrapping_shl(56),
        );
    }

    /// Four words at a time, none of which waits for another's product.
    fn blocks(&mut self, blocks: &[[u8; 32]]) {
        let mut lanes = LANES.map(Fold);
        if let Some(first) = lanes.first_mut() {
            first.0 ^= self.0;
        }
        for block in blocks {
            let (words, _) = block.as_chunks::<8>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                lane.word(u64::from_le_bytes(*word));
            }
        }
        for lane in &lanes {
            self.word(lane.0);
        }
    }
}

/// Frames without IP that were just seen.
#[derive(Debug)]
pub struct NonIp {
    entries: Vec<(u64, Timestamp)>,
}

impl Default for NonIp {
    fn default() -> Self {
        Self {
            entries: vec![(0, Timestamp::MIN); 1_024],
        }
    }
}

impl NonIp {
    /// Notes a frame and says whether it is a second copy.
    pub fn is_copy(&mut self, ts: Timestamp, frame: &[u8]) -> bool {
        let mut hash = Fold(0);
        hash.bytes(frame.get(..256).unwrap_or(frame));
        hash.word(u64::try_from(frame.len()).unwrap_or(0));
        let digest = hash.0;
        let at = usize::try_from(digest & 1_023).unwrap_or(0);
        let Some(entry) = self.entries.get_mut(at) else {
            return false;
        };
        let copy = entry.0 == digest && ts.since(entry.1) <= WINDOW_NS;
        if !copy {
            *entry = (digest, ts);
        }
        copy
    }
}
