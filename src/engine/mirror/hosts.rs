//! Hosts that speak ARP, and whether anything else was ever heard of them.
//!
//! ARP is broadcast and so reaches a mirror from everywhere; what a host then says to one other goes only
//! where the switch sends it. A host that speaks ARP again and again and is never heard is on a port that
//! the mirror does not copy.
//! Bounds: 4,096 hosts; at the bound those silent for an hour go first, then new ones are refused.

use crate::types::{ByAddr, Held, Seed, Timestamp};

/// Hosts remembered.
const HOSTS_MAX: usize = 4_096;
/// Signs a host must have given, which come at most once a minute, and for how long.
const SIGNS_MIN: u32 = 3;
const SIGNS_NS: i64 = 600 * 1_000_000_000;
/// Words of the filter, a power of two.
const FILTER_WORDS: usize = 256;
const HOUR_NS: i64 = 3_600 * 1_000_000_000;
/// Examples told.
const EXAMPLES_MAX: usize = 8;

/// Word and bit of the filter that an address leads to: Fibonacci hashing of its low half.
#[inline]
fn place(ip: u128) -> (usize, u64) {
    let low = u64::try_from(ip & u128::from(u64::MAX)).unwrap_or(0);
    let hash = low.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    let word = usize::try_from(hash).unwrap_or(0) % FILTER_WORDS;
    (word, 1 << (hash >> 10))
}

/// What is known of one host.
#[derive(Clone, Copy, Debug)]
struct Host {
    first_ts: Timestamp,
    last_ts: Timestamp,
    signs: u32,
    heard: Option<Timestamp>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: ByAddr<Host>,
    /// A bit for each of them that its address leads to: of most addresses that are heard none is set, and the
    /// table need not be asked. Those of hosts let go stay.
    filter: Box<[u64; FILTER_WORDS]>,
    swept: Timestamp,
}

/// How many hosts there are, how many of them were never heard, and some of those.
#[derive(Debug, Default)]
pub(super) struct Silence {
    pub(super) hosts: u64,
    pub(super) silent: u64,
    pub(super) examples: Vec<String>,
}

impl Hosts {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            hosts: ByAddr::new(HOSTS_MAX, seed),
            filter: Box::new([0; FILTER_WORDS]),
            swept: Timestamp::MIN,
        }
    }

    /// A host spoke ARP, or was given an address.
    pub(super) fn sign(&mut self, ts: Timestamp, ip: u128) {
        if let Some(host) = self.hosts.get_mut(ip) {
            host.last_ts = ts;
            host.signs = host.signs.saturating_add(1);
            return;
        }
        if self.hosts.len() >= HOSTS_MAX && ts.since(self.swept) >= SIGNS_NS {
            self.swept = ts;
            self.hosts.retain(|host| ts.since(host.last_ts) < HOUR_NS);
        }
        let host = Host {
            first_ts: ts,
            last_ts: ts,
            signs: 1,
            heard: None,
        };
        if self.hosts.insert(ip, host) {
            let (word, bit) = place(ip);
            if let Some(word) = self.filter.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// A host sent something to another one.
    #[inline]
    pub(super) fn heard(&mut self, ts: Timestamp, ip: u128) {
        let (word, bit) = place(ip);
        if self.filter.get(word).is_none_or(|word| word & bit == 0) {
            return;
        }
        if let Some(host) = self.hosts.get_mut(ip) {
            host.heard = Some(ts);
        }
    }

    /// Who was silent in the hour before `now`, or ever.
    pub(super) fn silence(&self, now: Option<Timestamp>) -> Silence {
        let mut silence = Silence::default();
        for (ip, host) in self.hosts.sorted() {
            let recent = |ts: Timestamp| now.is_none_or(|now| now.since(ts) <= HOUR_NS);
            if !recent(host.last_ts) {
                continue;
            }
            silence.hosts = silence.hosts.saturating_add(1);
            let steady = host.signs >= SIGNS_MIN && host.last_ts.since(host.first_ts) >= SIGNS_NS;
            if steady && !host.heard.is_some_and(recent) {
                silence.silent = silence.silent.saturating_add(1);
                if silence.examples.len() < EXAMPLES_MAX {
                    silence.examples.push(ip.to_string());
                }
            }
        }
        silence
    }

    pub(super) fn clear(&mut self) {
        self.hosts.retain(|_| false);
        self.filter.fill(0);
        self.swept = Timestamp::MIN;
    }
}

impl Hosts {
    /// Bytes of the table and of its filter.
    pub(super) fn held(&self) -> Held {
        let bytes = |table: usize| table.saturating_add(size_of::<[u64; FILTER_WORDS]>());
        let bound = ByAddr::<Host>::table_bound(HOSTS_MAX);
        let table = self.hosts.table_bytes();
        Held::new("hosts that sign in", bytes(table), bytes(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ip_bits;

    fn minute(n: i64) -> Timestamp {
        Timestamp::from_nanos(n * 60 * 1_000_000_000)
    }

    #[test]
    fn a_host_that_only_speaks_arp_is_silent_and_one_that_asks_once_is_not() {
        let mut hosts = Hosts::new(Seed(1));
        let ip = |n: u8| ip_bits([10, 0, 0, n].into());
        for n in 0..20 {
            hosts.sign(minute(n), ip(1));
            hosts.sign(minute(n), ip(2));
        }
        hosts.sign(minute(3), ip(3));
        hosts.heard(minute(5), ip(2));
        let silence = hosts.silence(Some(minute(20)));
        assert_eq!((silence.hosts, silence.silent), (3, 1));
        assert_eq!(silence.examples, ["10.0.0.1"]);
        assert_eq!(hosts.silence(Some(minute(200))).hosts, 0);
        assert_eq!(hosts.silence(None).silent, 1);
    }
}
