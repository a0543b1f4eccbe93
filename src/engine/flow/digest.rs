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

/// Takes two words into a lane with these digits.
#[inline]
fn mix(lane: &mut u64, digits: u64, first: u64, second: u64) {
    *lane = fold(*lane ^ first, second ^ digits).wrapping_add(second);
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
            mix(lane, *digits, first, second);
        }
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let (large, rest) = bytes.as_chunks::<64>();
        for large in large {
            self.blocks(large);
        }
        let (blocks, rest) = rest.as_chunks::<16>();
        self.blocks(blocks.as_flattened());
        let len = u64::try_from(bytes.len()).unwrap_or(0);
        let mut last = [0; 16];
        // The last bytes that are no block, as the end of one that begins before them if there are so many.
        match (bytes.last_chunk::<16>(), rest) {
            (Some(whole), [_, ..]) => last = *whole,
            (None, [_, ..]) => {
                for (to, from) in last.iter_mut().zip(rest) {
                    *to = *from;
                }
            }
            (_, []) => {}
        }
        let ([_, _, _, lane], [_, _, _, digits]) = (&mut self.0, DIGITS);
        let word = u128::from_le_bytes(last);
        let (low, high) = (word & u128::from(u64::MAX), word >> 64);
        let half = |half: u128| u64::try_from(half).unwrap_or(0);
        mix(lane, digits ^ len, half(low), half(high));
    }

    /// Takes four blocks of 16 bytes or fewer, each into a lane of its own.
    #[inline]
    fn blocks(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<8>();
        let (pairs, _) = words.as_chunks::<2>();
        for ((lane, digits), [first, second]) in self.0.iter_mut().zip(DIGITS).zip(pairs) {
            mix(
                lane,
                digits,
                u64::from_le_bytes(*first),
                u64::from_le_bytes(*second),
            );
        }
    }

    #[inline]
    fn end(self) -> u64 {
        // Each lane with the digits of another: a lane that was not used must not come to nothing.
        let ([a, b, c, d], [e, f, g, h]) = (self.0, DIGITS);
        let (first, second) = (fold(a ^ f, b ^ e), fold(c ^ h, d ^ g));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Network, decode};

    /// LINKTYPE_RAW.
    const RAW: u32 = 101;

    fn digest_of(packet: &[u8]) -> u64 {
        let wire_len = u32::try_from(packet.len()).unwrap();
        match decode(RAW, wire_len, packet).unwrap().network {
            Network::Ip(ip) => digest(&ip),
            other => panic!("{other:?}"),
        }
    }

    /// A packet of `len` payload bytes, none like its neighbours: IPv4 (RFC 791) or IPv6 (RFC 8200).
    fn packet(v6: bool, proto: u8, len: usize) -> Vec<u8> {
        let payload = (0..len).map(|n| u8::try_from(n * 7 % 251).unwrap());
        let mut out = if v6 {
            let [l0, l1] = u16::try_from(len).unwrap().to_be_bytes();
            let mut head = vec![0x60, 0, 0, 0, l0, l1, proto, 64];
            head.extend(1..=32);
            head
        } else {
            let [l0, l1] = u16::try_from(20 + len).unwrap().to_be_bytes();
            vec![
                0x45, 0, l0, l1, 0, 1, 0x40, 0, 64, proto, 0, 0, // TTL 64, no checksum
                10, 0, 0, 1, 10, 0, 0, 2,
            ]
        };
        let head_len = out.len();
        out.extend(payload);
        if proto == 6 {
            out[head_len + 12] = 0x50;
        }
        if proto == 17 {
            out[head_len + 4..head_len + 6].copy_from_slice(&[0, 0]);
        }
        out
    }

    /// Every bit counts but those of TTL and checksums, and of TCP those behind the beginning.
    #[test]
    fn what_a_switch_changes_does_not_count_and_all_else_does() {
        let kinds = [(6, 16), (17, 6), (1, 2), (58, 2), (132, usize::MAX)];
        for (v6, (proto, checksum)) in [false, true]
            .into_iter()
            .flat_map(|v6| kinds.map(|k| (v6, k)))
        {
            let (head_len, ttl) = if v6 { (40, 7) } else { (20, 8) };
            for len in [20, 21, 31, 32, 40, 63, 64, 80, 83, 99, 148, 160, 300] {
                let whole = packet(v6, proto, len);
                let known = digest_of(&whole);
                for at in 0..whole.len() {
                    // A length or version that is changed makes it no packet.
                    let fixed = if v6 {
                        at == 0 || (4..7).contains(&at)
                    } else {
                        matches!(at, 0 | 2 | 3 | 6 | 7 | 9)
                    };
                    let offset = at.checked_sub(head_len);
                    let other = proto == 6 && offset == Some(12)
                        || proto == 17 && matches!(offset, Some(4 | 5));
                    if fixed || other {
                        continue;
                    }
                    let changes = at == ttl
                        || !v6 && matches!(at, 10 | 11)
                        || offset.is_some_and(|n| {
                            n == checksum
                                || Some(n) == checksum.checked_add(1)
                                || proto == 6 && n >= SEGMENT_LEN
                        });
                    for bit in 0..8 {
                        let mut changed = whole.clone();
                        changed[at] ^= 1 << bit;
                        assert_eq!(
                            digest_of(&changed) == known,
                            changes,
                            "{v6} {proto} {len} {at}"
                        );
                    }
                }
            }
        }
    }
}
