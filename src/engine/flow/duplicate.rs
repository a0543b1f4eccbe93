//! Whether a flow's packets come twice, and checksums of control segments.
//!
//! A packet that was just seen is left out at once, so that no parser hears a message twice, but on
//! probation: once the flow's first packets show that its sender repeats itself, or that only a few of
//! them came twice, what was left out is counted after all. A mirror that doubles shows every packet
//! once more and each of them another one; a flood shows one packet many times.
//!
//! Decided: for copies, once 8 of the first 32 packets had one; against them, if 2 ms after those 32
//!          fewer had; for a sender that repeats itself, once the same packet came more than 6 times in a
//!          row. A flow that ends before goes by whether half of a direction's packets had a copy.
//! Not done: two equal packets at once and then silence, as some scanners send them, look like a copy. A
//!          flood of one and the same packet counts twice on a mirror that doubles.

use super::recent::Look;
use super::recent::WINDOW_NS;
use super::state::bit;
use super::{Dir, Flow, Weirds};
use crate::decode::Ip;
use crate::types::Timestamp;

/// Packets of a flow among which copies are looked for.
const LOOKED_AT: u64 = 32;
/// Copies among them from which on the flow is known to be doubled.
const COPIES_MIN: u8 = 8;
/// The same packet so many times in a row, copies left out, was sent so often.
const RUN_MIN: u8 = 4;
/// Copies of other packets that may lie between those of one that is repeated.
const OTHERS_MAX: u8 = 2;

/// What became of a packet that may be a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It counts.
    No,
    /// It does not count.
    Yes,
}

/// A control segment's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The capture cut the segment.
    Unknown,
    /// As it should be.
    Right,
    /// Wrong, as perhaps all of this sender's before its card finishes them.
    Wrong,
    /// Wrong, although its sender has shown right ones.
    Forged,
}

impl<A> Flow<A> {
    /// Copies that each packet of this flow may have.
    #[inline]
    #[must_use]
    pub fn copies_max(&self) -> u8 {
        // A mirror in a loop may show it any number of times.
        if self.is(bit::TRIPLED) { u8::MAX } else { 1 }
    }

    /// Takes in what the last moments say of a packet with `bytes`, and says whether it counts; beside
    /// it, how many packets left out before are counted now.
    pub fn copied(&mut self, dir: Dir, ts: Timestamp, bytes: u32, look: Look) -> (Copied, u64) {
        if let Some(vlan) = look.other_vlan {
            self.other_vlan = (vlan, self.other_vlan.1.saturating_add(1));
        }
        if self.is(bit::DUPLICATES) {
            if !look.copy {
                return (Copied::No, 0);
            }
            self.copies = self.copies.saturating_add(1);
            return (Copied::Yes, 0);
        }
        if look.run > 1 {
            self.again = self.again.saturating_add(1);
            self.run = self.run.max(look.run);
        }
        let left_out = self.left_out();
        if self.run >= RUN_MIN && left_out <= self.run.saturating_add(OTHERS_MAX) {
            return (Copied::No, self.genuine());
        }
        let since = |ns: i64| u32::try_from(ns.max(0) >> 16).unwrap_or(u32::MAX);
        let age_ns = ts.since(self.first_ts);
        let is_early = self.looked == 0 || since(age_ns.saturating_sub(look.age_ns)) < self.looked;
        let copy = look.copy && is_early && self.leave_out(dir, bytes);
        let left_out = left_out.saturating_add(u8::from(copy));
        let mut back = 0;
        if left_out >= COPIES_MIN {
            back = self.judge_copies(left_out);
        } else if self.looked == 0 {
            let seen = self.orig.pkts.wrapping_add(self.resp.pkts);
            if seen.saturating_add(u64::from(left_out)) >= LOOKED_AT {
                self.looked = since(age_ns).saturating_add(1);
            }
        } else if since(age_ns.saturating_sub(WINDOW_NS)) > self.looked {
            back = self.genuine();
        }
        // A packet given back with the others is counted with them.
        (if copy { Copied::Yes } else { Copied::No }, back)
    }

    /// Copies left out on probation.
    fn left_out(&self) -> u8 {
        self.duplicates.0.saturating_add(self.duplicates.1)
    }

    /// Leaves a packet out, if its bytes can be noted.
    fn leave_out(&mut self, dir: Dir, bytes: u32) -> bool {
        let (count, of) = match dir {
            Dir::Orig => (&mut self.duplicates.0, &mut self.duplicate_bytes.0),
            Dir::Resp => (&mut self.duplicates.1, &mut self.duplicate_bytes.1),
        };
        let sum = u16::try_from(bytes).ok().and_then(|b| of.checked_add(b));
        let Some(sum) = sum else { return false };
        *of = sum;
        *count = count.saturating_add(1);
        true
    }

    /// Enough copies were seen: doubled, tripled, or a sender with several packets that repeats them.
    fn judge_copies(&mut self, left_out: u8) -> u64 {
        let doubled = self.again <= left_out / 2;
        let tripled = !doubled && self.run <= 2;
        if !doubled && !tripled {
            return self.genuine();
        }
        self.flags |= bit::DUPLICATES;
        self.copies = u32::from(left_out);
        if tripled {
            self.flags |= bit::TRIPLED;
        }
        0
    }

    /// The flow's packets are its own: what was left out is counted. Gives how many those are.
    fn genuine(&mut self) -> u64 {
        self.flags |= bit::GENUINE;
        self.give_back(Dir::Orig)
            .saturating_add(self.give_back(Dir::Resp))
    }

    /// The flow is over: decides what is still open. Gives how many packets are counted now.
    pub fn settle_copies(&mut self) -> u64 {
        if self.left_out() == 0 || self.is(bit::DUPLICATES) {
            return 0;
        }
        let mut back = 0;
        for dir in [Dir::Orig, Dir::Resp] {
            let left_out = match dir {
                Dir::Orig => self.duplicates.0,
                Dir::Resp => self.duplicates.1,
            };
            if u64::from(left_out).saturating_mul(2) < self.side(dir).pkts {
                back = self.give_back(dir).saturating_add(back);
            } else if left_out > 0 {
                self.flags |= bit::DUPLICATES;
                self.copies = self.copies.saturating_add(u32::from(left_out));
            }
        }
        back
    }

    /// Counts what was left out of one direction. Headers are taken to be without options.
    fn give_back(&mut self, dir: Dir) -> u64 {
        let (count, bytes) = match dir {
            Dir::Orig => (&mut self.duplicates.0, &mut self.duplicate_bytes.0),
            Dir::Resp => (&mut self.duplicates.1, &mut self.duplicate_bytes.1),
        };
        let (count, bytes) = (std::mem::take(count), std::mem::take(bytes));
        let ip_len: u64 = if self.flow_ref().orig.ip().is_ipv4() {
            20
        } else {
            40
        };
        let headers_len = match self.key.proto {
            17 | 1 | 58 => ip_len.saturating_add(8),
            _ => ip_len,
        };
        self.count(dir, u32::from(count), u32::from(bytes));
        if self.key.proto != 6 {
            let headers = u64::from(count).saturating_mul(headers_len);
            let side = self.side_mut(dir);
            side.payload = side
                .payload
                .saturating_add(u64::from(bytes).saturating_sub(headers));
        }
        u64::from(count)
    }

    /// Looks at a control segment's checksum. A wrong one of a sender who has shown right ones is forged:
    /// its receiver will not believe it either.
    pub fn checksum(&mut self, dir: Dir, ip: &Ip<'_>) -> Checksum {
        if ip.is_cut() {
            return Checksum::Unknown;
        }
        let right = checksum(ip) == 0xffff;
        let side = self.side_mut(dir);
        if right {
            side.seen |= bit::CHECKSUM;
            return Checksum::Right;
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
        if forged {
            Checksum::Forged
        } else {
            Checksum::Wrong
        }
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
