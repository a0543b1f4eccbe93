//! Fragments put together again.
//!
//! Standard: RFC 791 §3.2, RFC 8200 §4.5.
//! Policy:   IPv4: of two copies of a byte the first to arrive counts; a last fragment that contradicts
//!           an earlier one is passed over. IPv6: overlapping fragments void their packet, as RFC 5722
//!           asks of every receiver. Exact copies are taken for what a mirror makes. Receivers differ in
//!           all of this, so whatever else overlaps or contradicts is told.
//! Bounds:   4,096 packets in pieces, 8 MiB in all, 256 pieces a packet, 30 s from the first piece. At a
//!           bound the new piece is refused and counted; so is a packet that was never completed. Of each
//!           pair of addresses an oddity is told once in ten minutes, of 1,024 pairs at a time.

mod pieces;

use std::net::Ipv6Addr;

use super::Weirds;
use crate::decode::Fragment;
use crate::types::{Held, Map, Seed, Timestamp};

use pieces::Pieces;

/// Packets in pieces at a time.
const PACKETS_MAX: usize = 4_096;
/// Bytes held in all.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Pieces of one packet.
const PIECES_MAX: usize = 256;
/// Longest packet.
const PACKET_LEN_MAX: u32 = 65_535;
/// How long a packet may be incomplete.
const TIMEOUT_NS: i64 = 30_000_000_000;
/// How long it is remembered that it was: the longest any receiver waits is two minutes (RFC 1122 §3.3.2).
const REMEMBERED_NS: i64 = 120_000_000_000;
/// How long an oddity of a pair of addresses is not told again.
const TOLD_NS: i64 = 600_000_000_000;
/// Pairs of addresses of which an oddity was told.
const TOLD_MAX: usize = 1_024;
/// Least length of a packet that is a fragment and not the last, as in Zeek.
const LEN_MIN: u32 = 64;

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
    told: Map<Pair, (Timestamp, Weirds)>,
    bytes: usize,
    /// When packets were last looked through for those that took too long.
    swept: Timestamp,
    /// Pieces refused at a bound.
    pub refused: u64,
    /// Packets that were never completed.
    pub incomplete: u64,
    /// Fragments given up that no flow was told of.
    pub untold: u64,
}

/// Two addresses and the VLAN id.
type Pair = ([u8; 16], [u8; 16], u16);

impl Fragments {
    /// Nothing held.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self {
            packets: Map::new(PACKETS_MAX, seed),
            told: Map::new(TOLD_MAX, seed),
            bytes: 0,
            swept: Timestamp::MIN,
            refused: 0,
            incomplete: 0,
            untold: 0,
        }
    }

    /// Takes a piece of `ip_len` bytes from the IP header on; `cut` if not all of it was captured. Returns
    /// the oddities to be told as well.
    pub fn piece(
        &mut self,
        ts: Timestamp,
        key: Datagram,
        at: Fragment,
        data: &[u8],
        (ip_len, cut): (u32, bool),
    ) -> (Outcome, Weirds) {
        if ts.since(self.swept) >= TIMEOUT_NS {
            self.swept = ts;
            self.sweep(ts);
        }
        let mut odd = self.age(ts, &key);
        if !cut && at.more && ip_len < LEN_MIN {
            odd.add(Weirds::SMALL_FRAGMENT);
        }
        let end = at
            .offset
            .saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
        if end > PACKET_LEN_MAX {
            odd.add(Weirds::LARGE_FRAGMENT);
        }
        let fits = self.bytes.saturating_add(data.len()) <= BYTES_MAX;
        let is_known = self.packets.get(&key).is_some();
        let refused =
            !fits || end > PACKET_LEN_MAX || (!is_known && self.packets.len() >= PACKETS_MAX);
        let Some(pieces) = (!refused)
            .then(|| self.packets.entry(key, || Pieces::new(ts)))
            .flatten()
            .filter(|pieces| pieces.len() < PIECES_MAX)
        else {
            self.refused = self.refused.saturating_add(1);
            return (Outcome::Held, self.news(ts, &key, odd));
        };
        let before = pieces.held();
        if !cut {
            odd.add(pieces.oddities(at, data, end));
        }
        pieces.take(at, data, end, ip_len, key.is_v6() && odd.has_overlap());
        self.bytes = self
            .bytes
            .saturating_sub(before)
            .saturating_add(pieces.held());
        let outcome = pieces.outcome();
        if matches!(outcome, Outcome::Whole { .. }) {
            self.bytes = self.bytes.saturating_sub(pieces.held());
            self.packets.remove(&key);
        }
        (outcome, self.news(ts, &key, odd))
    }

    /// Gives up every packet: the input is over, or its time leapt.
    pub fn clear(&mut self) {
        self.give_up_where(|_| true);
        self.packets.retain(|_, _| false);
        self.told.retain(|_, _| false);
        self.swept = Timestamp::MIN;
    }

    fn sweep(&mut self, ts: Timestamp) {
        self.give_up_where(|pieces| ts.since(pieces.first_ts) >= TIMEOUT_NS);
        let remembered = |first| ts.since(first) < REMEMBERED_NS;
        self.packets.retain(|_, pieces| remembered(pieces.first_ts));
        self.told.retain(|_, (first, _)| ts.since(*first) < TOLD_NS);
    }

    /// Gives up what is held of some packets.
    fn give_up_where(&mut self, over: impl Fn(&Pieces) -> bool) {
        let (mut bytes, mut gone, mut untold) = (0_usize, 0_u64, 0_u64);
        self.packets.retain(|_, pieces| {
            if over(pieces) && !pieces.is_given_up() {
                bytes = bytes.saturating_add(pieces.held());
                gone = gone.saturating_add(1);
                untold = untold.saturating_add(pieces.give_up());
            }
            true
        });
        self.bytes = self.bytes.saturating_sub(bytes);
        self.incomplete = self.incomplete.saturating_add(gone);
        self.untold = self.untold.saturating_add(untold);
    }

    /// Gives up a packet that has been incomplete for too long; says so if a piece of it comes now.
    fn age(&mut self, ts: Timestamp, key: &Datagram) -> Weirds {
        let Some(pieces) = self.packets.get_mut(key) else {
            return Weirds::NONE;
        };
        let age = ts.since(pieces.first_ts);
        if age < TIMEOUT_NS {
            return Weirds::NONE;
        }
        if !pieces.is_given_up() {
            self.bytes = self.bytes.saturating_sub(pieces.held());
            self.incomplete = self.incomplete.saturating_add(1);
            self.untold = self.untold.saturating_add(pieces.give_up());
        }
        self.packets.remove(key);
        if age < REMEMBERED_NS {
            Weirds::LATE_FRAGMENT
        } else {
            Weirds::NONE
        }
    }

    /// Those of `odd` that were not told of this pair of addresses.
    fn news(&mut self, ts: Timestamp, key: &Datagram, odd: Weirds) -> Weirds {
        if odd.is_empty() {
            return odd;
        }
        let pair = if key.src <= key.dst {
            (key.src, key.dst, key.vlan)
        } else {
            (key.dst, key.src, key.vlan)
        };
        if self.told.get(&pair).is_none() && self.told.len() >= TOLD_MAX {
            return Weirds::NONE;
        }
        let Some((first, told)) = self.told.entry(pair, || (ts, Weirds::NONE)) else {
            return Weirds::NONE;
        };
        if ts.since(*first) >= TOLD_NS {
            (*first, *told) = (ts, Weirds::NONE);
        }
        let news = odd.without(*told);
        told.add(odd);
        news
    }
}

impl Datagram {
    /// Whether it is of IPv6.
    fn is_v6(&self) -> bool {
        Ipv6Addr::from(self.src).to_ipv4_mapped().is_none()
    }
}

impl Weirds {
    /// Whether fragments overlap.
    fn has_overlap(self) -> bool {
        self.has(Self::FRAGMENT_OVERLAP) || self.has(Self::FRAGMENT_INCONSISTENCY)
    }
}

impl Fragments {
    /// Bytes of the pieces, and of what says whose they are.
    #[must_use]
    pub fn held(&self) -> Held {
        let tables = self
            .packets
            .table_bytes()
            .saturating_add(self.told.table_bytes());
        let bound = Map::<Datagram, Pieces>::table_bound(PACKETS_MAX)
            .saturating_add(Map::<Pair, (Timestamp, Weirds)>::table_bound(TOLD_MAX))
            .saturating_add(BYTES_MAX);
        Held::new("fragments", tables.saturating_add(self.bytes), bound)
    }
}
