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
const HOUR_NS: i64 = 3_600 * 1_000_000_000;
/// Examples told.
const EXAMPLES_MAX: usize = 8;

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
        self.hosts.insert(ip, host);
    }

    /// A host sent something to another one.
    #[inline]
    pub(super) fn heard(&mut self, ts: Timestamp, ip: u128) {
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
        self.swept = Timestamp::MIN;
    }
}

impl Hosts {
    /// Bytes of the table.
    pub(super) fn held(&self) -> Held {
        let bound = ByAddr::<Host>::table_bound(HOSTS_MAX);
        Held::new("hosts that sign in", self.hosts.table_bytes(), bound)
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
