//! Whether a flow's packets come twice, and checksums of control segments.

use super::digest::is_copy;
use super::state::bit;
use super::{Dir, Flow, Weirds};
use crate::decode::Ip;
use crate::types::Timestamp;

/// Packets of a flow among which copies are looked for.
const LOOKED_AT: u64 = 32;
/// Copies among them from which on copies do not count.
const COPIES_MIN: u8 = 8;

/// What became of a packet that may be a second copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It counts.
    No,
    /// It does not count; this many copies are told of now, earlier ones included.
    Yes(u64),
}

impl<A> Flow<A> {
    /// Notes a packet's digest and says whether it counts.
    #[inline]
    pub fn copied(
        &mut self,
        dir: Dir,
        ts: Timestamp,
        bytes: u32,
        digest: impl FnOnce() -> u32,
    ) -> Copied {
        let seen = self.orig.pkts.wrapping_add(self.resp.pkts);
        let applied = self.is(bit::DUPLICATES);
        if !applied && seen >= LOOKED_AT {
            return Copied::No;
        }
        let last_ts = self.last_ts;
        let side = self.side_mut(dir);
        let digest = digest();
        if !is_copy(
            &mut side.digests,
            &mut side.digest_times,
            last_ts,
            ts,
            digest,
        ) {
            return Copied::No;
        }
        if applied {
            return Copied::Yes(1);
        }
        if self.duplicates.0.saturating_add(self.duplicates.1) < COPIES_MIN.saturating_sub(1) {
            let (count, of) = match dir {
                Dir::Orig => (&mut self.duplicates.0, &mut self.duplicate_bytes.0),
                Dir::Resp => (&mut self.duplicates.1, &mut self.duplicate_bytes.1),
            };
            *count = count.saturating_add(1);
            *of = of.saturating_add(u16::try_from(bytes).unwrap_or(u16::MAX));
            return Copied::No;
        }
        self.flags |= bit::DUPLICATES;
        self.take_back();
        Copied::Yes(u64::from(COPIES_MIN))
    }

    /// Takes the copies counted so far off the totals.
    fn take_back(&mut self) {
        let header_len = if self.flow_ref().orig.ip().is_ipv4() {
            28
        } else {
            48
        };
        let (duplicates, bytes) = (self.duplicates, self.duplicate_bytes);
        let udp = self.key.proto == 17;
        for (side, pkts, bytes) in [
            (&mut self.orig, duplicates.0, bytes.0),
            (&mut self.resp, duplicates.1, bytes.1),
        ] {
            side.pkts = side.pkts.saturating_sub(u64::from(pkts));
            side.ip_bytes = side.ip_bytes.saturating_sub(u64::from(bytes));
            if udp {
                let headers = u64::from(pkts).saturating_mul(header_len);
                let payload = u64::from(bytes).saturating_sub(headers);
                side.payload = side.payload.saturating_sub(payload);
            }
        }
    }

    /// Whether a control segment's checksum is wrong although its sender has shown right ones: then its
    /// receiver will not believe it either.
    pub fn is_forged(&mut self, dir: Dir, ip: &Ip<'_>) -> bool {
        if ip.is_cut() {
            return false;
        }
        let right = checksum(ip) == 0xffff;
        let side = self.side_mut(dir);
        if right {
            side.seen |= bit::CHECKSUM;
            return false;
        }
        let forged = side.seen & bit::CHECKSUM != 0;
        let told = match dir {
            Dir::Orig => bit::BAD_CHECKSUM,
            Dir::Resp => bit::BAD_CHECKSUM << 1,
        };
        if forged && self.flags & told == 0 {
            self.flags |= told;
            self.note(Weirds::BAD_CHECKSUM);
            self.history.push(dir, b'C');
        }
        forged
    }
}

/// The ones' complement sum of pseudo-header and segment; 0xffff if the checksum is right (RFC 1071).
fn checksum(ip: &Ip<'_>) -> u16 {
    let mut sum = u64::from(ip.proto).wrapping_add(u64::from(ip.payload_len));
    // The prefix of a mapped address adds 0xffff twice, which is nothing in ones' complement.
    for bytes in [ip.src.as_slice(), ip.dst.as_slice(), ip.payload] {
        let (words, rest) = bytes.as_chunks::<2>();
        for word in words {
            sum = sum.wrapping_add(u64::from(u16::from_be_bytes(*word)));
        }
        if let Some(last) = rest.first() {
            sum = sum.wrapping_add(u64::from(*last) << 8);
        }
    }
    while sum > 0xffff {
        sum = (sum >> 16).wrapping_add(sum & 0xffff);
    }
    u16::try_from(sum).unwrap_or(0)
}
