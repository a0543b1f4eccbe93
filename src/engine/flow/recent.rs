//! Packets of the last moments, found again by their digest.
//!
//! A mirror of ingress and egress shows a packet twice, and between the two may lie a burst of others:
//! so not the flow but the tracker remembers what it just saw. Only flows still looked at are in here,
//! see `duplicate`; the others cost nothing.
//!
//! Bounds: 32,768 packets, which is 2 ms at 16 million packets a second; an older one that still counted is
//!         overwritten, and that is counted. A chain is followed for 32 packets. The key decides only
//!         which chain a packet is in, never what is found.

use crate::types::{Held, Seed, Timestamp, ask};

/// Copies come within 2 ms.
pub(super) const WINDOW_NS: i64 = 2_000_000;
/// The same packet again within this, but not as a copy, was sent more than once: four windows, so that
/// a sender of one packet a millisecond is known by its second pair.
const AGAIN_NS: i64 = 4 * WINDOW_NS;
/// The same in units of [`coarse`], rounded up.
const AGAIN_COARSE: u32 = 123;
/// Packets remembered; a power of two.
const RING_LEN: usize = 1 << 15;
/// Chains; a power of two.
const CHAINS: usize = 1 << 13;
/// Places ahead of the packet remembered that are asked for: the line of memory behind its own.
const ASKED_AHEAD: u32 = 2;
/// Packets of a chain that are looked at.
const CHAIN_LOOKED_AT: u32 = 32;

/// One packet.
#[derive(Clone, Copy, Debug)]
struct Entry {
    ts: Timestamp,
    digest: u64,
    /// Number of the packet before it in its chain.
    older: u32,
    vlan: u16,
    /// Copies of it so far.
    copies: u8,
    /// How often the same was sent in a row, this one included.
    run: u8,
}

/// The newest packet of a chain.
#[derive(Clone, Copy, Debug)]
struct Head {
    number: u32,
    /// When it came, see [`coarse`]: what is long gone is seen here, without a look into the ring.
    moment: u32,
}

/// What the last moments say of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// It is a copy of one seen before.
    pub copy: bool,
    /// If it is: how long ago that was, in nanoseconds.
    pub age_ns: i64,
    /// If it is not: how often the same was sent in a row, copies left out; 1 if it is new.
    pub run: u8,
    /// The same packet was just seen in another VLAN, this one.
    pub other_vlan: Option<u16>,
}

/// See the module.
#[derive(Debug)]
pub struct Recent {
    ring: Vec<Entry>,
    heads: Vec<Head>,
    /// Number of the next packet; a packet's place is its number modulo the ring's length.
    next: u32,
    key: u64,
    /// Packets overwritten within the window.
    pub overrun: u64,
}

impl Recent {
    /// Remembers nothing.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        let none = Entry {
            ts: Timestamp::MIN,
            digest: 0,
            older: 0,
            vlan: 0,
            copies: 0,
            run: 0,
        };
        Self {
            ring: vec![none; RING_LEN],
            heads: vec![
                Head {
                    number: 0,
                    moment: 0,
                };
                CHAINS
            ],
            // The numbers that empty heads hold are behind the ring.
            next: u32::try_from(RING_LEN).unwrap_or(0).saturating_add(1),
            key: seed.0,
            overrun: 0,
        }
    }

    /// Looks for a packet and remembers it, unless it is a copy. Each packet has `copies_max` copies at
    /// most: what comes after them was sent again.
    pub fn look(&mut self, ts: Timestamp, digest: u64, vlan: u16, copies_max: u8) -> Look {
        let chain = self.chain(digest);
        let mut look = Look {
            run: 1,
            ..Look::default()
        };
        let Some(head) = self.heads.get(chain) else {
            return look;
        };
        let fresh = coarse(ts).wrapping_sub(head.moment) <= AGAIN_COARSE;
        let (mut number, mut left) = (head.number, if fresh { CHAIN_LOOKED_AT } else { 0 });
        let mut found = false;
        while left > 0 && self.is_there(number) {
            let Some(entry) = self.ring.get_mut(place(number)) else {
                break;
            };
            let age = ts.since(entry.ts);
            if age > AGAIN_NS {
                break;
            }
            if entry.digest == digest && entry.vlan != vlan && age <= WINDOW_NS {
                look.other_vlan = Some(entry.vlan);
            } else if entry.digest == digest && entry.vlan == vlan && !found {
                found = true;
                if age <= WINDOW_NS && entry.copies < copies_max {
                    entry.copies = entry.copies.saturating_add(1);
                    (look.copy, look.age_ns) = (true, age);
                    return look;
                }
                look.run = entry.run.saturating_add(1);
            }
            number = entry.older;
            left = left.saturating_sub(1);
        }
        self.remember(ts, digest, vlan, look.run, chain);
        look
    }

    /// The last packet remembered did not count: its like is not a copy of it.
    pub fn forget_last(&mut self) {
        if let Some(entry) = self.ring.get_mut(place(self.next.wrapping_sub(1))) {
            entry.digest = !entry.digest;
        }
    }

    /// Time leapt: what was before is not remembered.
    pub fn clear(&mut self) {
        self.next = self.next.wrapping_add(u32::try_from(RING_LEN).unwrap_or(0));
    }

    fn remember(&mut self, ts: Timestamp, digest: u64, vlan: u16, run: u8, chain: usize) {
        let number = self.next;
        self.next = number.wrapping_add(1);
        let (Some(entry), Some(head)) =
            (self.ring.get_mut(place(number)), self.heads.get_mut(chain))
        else {
            return;
        };
        if ts.since(entry.ts) <= WINDOW_NS {
            self.overrun = self.overrun.saturating_add(1);
        }
        *entry = Entry {
            ts,
            digest,
            older: head.number,
            vlan,
            copies: 0,
            run,
        };
        *head = Head {
            number,
            moment: coarse(ts),
        };
        // What will be overwritten soon: by then it has come out of memory.
        if let Some(entry) = self.ring.get(place(number.wrapping_add(ASKED_AHEAD))) {
            ask(entry);
        }
    }

    /// Whether a packet of this number is still in the ring.
    #[inline]
    fn is_there(&self, number: u32) -> bool {
        let age = self.next.wrapping_sub(number);
        age >= 1 && usize::try_from(age).is_ok_and(|age| age <= RING_LEN)
    }

    /// The chain of a digest. Mixed with the key, so that nobody can fill one on purpose.
    #[inline]
    fn chain(&self, digest: u64) -> usize {
        let mixed = (digest ^ self.key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 51).unwrap_or(0) & (CHAINS - 1)
    }
}

/// A time in units of 2^16 ns, which come round every 78 hours.
#[inline]
fn coarse(ts: Timestamp) -> u32 {
    let [_, _, a, b, c, d, ..] = ts.nanos().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// A packet's place in the ring.
#[inline]
fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(0) & (RING_LEN - 1)
}

impl Recent {
    /// Bytes of the ring and the chains' heads, which are there from the start.
    #[must_use]
    pub fn held(&self) -> Held {
        let ring = self.ring.capacity().saturating_mul(size_of::<Entry>());
        let heads = self.heads.capacity().saturating_mul(size_of::<Head>());
        let bytes = ring.saturating_add(heads);
        Held::new("packets of the last moments", bytes, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(us: i64) -> Timestamp {
        Timestamp::from_nanos(us * 1_000)
    }

    #[test]
    fn a_copy_is_found_behind_a_burst_and_only_once() {
        let mut recent = Recent::new(Seed(7));
        for n in 0..500_u32 {
            assert_eq!(recent.look(us(i64::from(n)), n.into(), 0, 1).run, 1);
        }
        assert!(recent.look(us(1_500), 0, 0, 1).copy);
        let third = recent.look(us(1_600), 0, 0, 1);
        assert!(!third.copy && third.run == 2);
        assert!(
            !recent.look(us(2_100), 1, 0, 1).copy,
            "more than 2 ms later"
        );
        assert_eq!(recent.look(us(20_000), 1, 0, 1).run, 1, "and long after");
    }

    #[test]
    fn the_same_packet_in_another_vlan_is_no_copy() {
        let mut recent = Recent::new(Seed(7));
        recent.look(us(0), 9, 10, 1);
        let look = recent.look(us(50), 9, 20, 1);
        assert!(!look.copy && look.run == 1 && look.other_vlan == Some(10));
    }

    #[test]
    fn what_is_overwritten_too_early_is_counted_and_an_old_ring_is_empty() {
        let mut recent = Recent::new(Seed(7));
        for n in 0..u32::try_from(RING_LEN).unwrap() + 5 {
            recent.look(us(1), n.into(), 0, 1);
        }
        assert_eq!(recent.overrun, 5);
        recent.clear();
        assert!(!recent.look(us(1), 100, 0, 1).copy);
    }
}
