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
    let mut lanes = Lanes::new(u64::from(ip.len));
    match ip.header.split_first_chunk::<12>() {
        Some((&[a, b, c, d, e, f, g, h, _ttl, proto, _, _], rest)) if a >> 4 == 4 => {
            let (ends, options) = rest.split_first_chunk().unwrap_or((&[0; 8], rest));
            let first = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
            lanes.one(0, first, u64::from_le_bytes(*ends));
            lanes.one(1, u64::from(proto), 0);
            if !options.is_empty() {
                lanes.bytes(options);
            }
        }
        Some((&[a, b, c, d, e, f, g, _hops, i, j, k, l], rest)) => {
            let first = u64::from_le_bytes([a, b, c, d, e, f, g, 0]);
            lanes.one(0, first, u64::from(u32::from_le_bytes([i, j, k, l])));
            lanes.bytes(rest);
        }
        _ => lanes.bytes(ip.header),
    }
    match (ip.proto, ip.payload) {
        (6, segment) => match segment.split_first_chunk::<18>() {
            Some((before, after)) => {
                let (words, _) = before.as_chunks::<8>();
                if let [first, second] = words {
                    lanes.one(2, u64::from_le_bytes(*first), u64::from_le_bytes(*second));
                }
                lanes.bytes(after.get(..SEGMENT_LEN.saturating_sub(18)).unwrap_or(after));
            }
            None => lanes.bytes(segment),
        },
        (17, &[a, b, c, d, e, f, _, _, ref after @ ..]) => {
            lanes.one(2, u64::from_le_bytes([a, b, c, d, e, f, 0, 0]), 8);
            lanes.bytes(after);
        }
        (1 | 58, &[a, b, _, _, ref after @ ..]) => {
            lanes.one(2, u64::from_le_bytes([a, b, 0, 0, 0, 0, 0, 0]), 4);
            lanes.bytes(after);
        }
        (_, payload) => lanes.bytes(payload),
    }
    lanes.end()
}

/// Odd numbers that say nothing: the first digits of pi.
const DIGITS: [u64; 4] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7345,
    0xa409_3822_299f_31d1,
    0x082e_fa98_ec4e_6c89,
];

/// Both halves of a product, folded.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = product.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ u64::from_le_bytes([i, j, k, l, m, n, o, p])
}

/// A multiply-and-fold hash in four lanes, none of which waits for another's product.
struct Lanes([u64; 4]);

impl Lanes {
    #[inline]
    fn new(len: u64) -> Self {
        let [a, b, c, d] = DIGITS;
        Self([a ^ len, b, c, d])
    }

    /// Takes two words into a lane.
    #[inline]
    fn one(&mut self, at: usize, first: u64, second: u64) {
        if let (Some(lane), Some(digits)) = (self.0.get_mut(at), DIGITS.get(at)) {
            *lane = fold(*lane ^ first, second ^ digits).wrapping_add(second);
        }
    }

    #[inline]
    fn block(&mut self, at: usize, block: &[u8; 16]) {
        if let ([first, second], _) = block.as_chunks::<8>() {
            self.one(at, u64::from_le_bytes(*first), u64::from_le_bytes(*second));
        }
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let (large, rest) = bytes.as_chunks::<64>();
        for large in large {
            let (blocks, _) = large.as_chunks::<16>();
            for (at, block) in blocks.iter().enumerate() {
                self.block(at, block);
            }
        }
        let (blocks, rest) = rest.as_chunks::<16>();
        for (at, block) in blocks.iter().enumerate() {
            self.block(at, block);
        }
        let len = u64::try_from(bytes.len()).unwrap_or(0);
        // The last bytes that are no block, as the end of one that begins before them if there are so many.
        match (bytes.last_chunk::<16>(), rest) {
            (Some(last), [_, ..]) => self.block(3, last),
            (None, [_, ..]) => {
                let mut last = [0; 16];
                for (to, from) in last.iter_mut().zip(rest) {
                    *to = *from;
                }
                self.block(3, &last);
            }
            (_, []) => {}
        }
        let [_, _, _, last] = &mut self.0;
        *last ^= len;
    }

    #[inline]
    fn end(self) -> u64 {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, DIGITS);
        let (first, second) = (fold(a ^ e, b ^ f), fold(c ^ g, d ^ h));
        fold(first ^ h, second ^ e)
    }
}

/// A multiply-and-fold hash of one word after the other, fixed for all time.
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
        self.0 = fold(self.0 ^ word, 0x9e37_79b9_7f4a_7c15);
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
