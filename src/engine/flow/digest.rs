//! Second copies of a packet, as a mirror of both ingress and egress makes them.
//!
//! A digest is taken from the IP header on, without what a switch or router changes: TTL, hop limit and
//! checksums. It covers the headers, the first 128 bytes of payload and the lengths. It has no key:
//! what is a copy must not depend on one.
//! Bounds: see `recent` for packets; a table of 1,024 for frames without IP.

use super::recent::WINDOW_NS;
use crate::decode::Ip;
use crate::types::Timestamp;

/// Payload bytes that count.
const PREFIX_LEN: usize = 148;

/// The digest of an IP packet.
#[must_use]
pub fn digest(ip: &Ip<'_>) -> u32 {
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
    let payload = ip.payload.get(..PREFIX_LEN).unwrap_or(ip.payload);
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
    hash.finish()
}

/// A multiply-and-fold hash, fixed for all time.
struct Fold(u64);

impl Fold {
    #[inline]
    fn word(&mut self, word: u64) {
        let product =
            u128::from(self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = product.to_le_bytes();
        self.0 = u64::from_le_bytes([a, b, c, d, e, f, g, h])
            ^ u64::from_le_bytes([i, j, k, l, m, n, o, p]);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
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

    fn finish(&self) -> u32 {
        let [a, b, c, d, e, f, g, h] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d]) ^ u32::from_le_bytes([e, f, g, h])
    }
}

/// Frames without IP that were just seen.
#[derive(Debug)]
pub struct NonIp {
    entries: Vec<(u32, Timestamp)>,
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
        let digest = hash.finish();
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
