//! A bounded map whose keys are addresses.
//!
//! IPv4 addresses, the bulk of them, are kept in four bytes each: a table of them stays in the caches
//! that one of sixteen bytes and more would not fit into.
//! Bounds: those of [`Map`], over both families together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Map, Seed};

/// An address as 128 bits, IPv4 mapped (RFC 4291 §2.5.5.2): [`super::Endpoint`]s carry it so.
#[must_use]
pub fn ip_bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The IPv4 address in mapped bits.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the low part is meant")]
pub fn v4_bits(bits: u128) -> Option<u32> {
    ((bits >> 32) as u64 == 0xffff && bits >> 96 == 0).then_some(bits as u32)
}

/// See the module.
#[derive(Debug)]
pub struct ByAddr<V> {
    v4: Map<u32, V>,
    v6: Map<u128, V>,
    entries_max: usize,
    refused: u64,
}

impl<V> ByAddr<V> {
    /// An empty map of at most `entries_max` addresses.
    #[must_use]
    pub fn new(entries_max: usize, seed: Seed) -> Self {
        Self {
            v4: Map::new(entries_max, seed),
            v6: Map::new(entries_max, seed),
            entries_max,
            refused: 0,
        }
    }

    /// Number of addresses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len().saturating_add(self.v6.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a new address would be refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= self.entries_max
    }

    /// How many insertions were refused at the bound.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Counts an insertion that was not even tried because the map is full.
    pub fn refuse(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// The value of the address `bits`.
    #[inline]
    #[must_use]
    pub fn get(&self, bits: u128) -> Option<&V> {
        match v4_bits(bits) {
            Some(v4) => self.v4.get(&v4),
            None => self.v6.get(&bits),
        }
    }

    /// The value of the address `bits`, to change.
    #[inline]
    pub fn get_mut(&mut self, bits: u128) -> Option<&mut V> {
        match v4_bits(bits) {
            Some(v4) => self.v4.get_mut(&v4),
            None => self.v6.get_mut(&bits),
        }
    }

    /// Sets the address `bits` to `value`. False, and counted, if it is new and the map is full.
    pub fn insert(&mut self, bits: u128, value: V) -> bool {
        if let Some(old) = self.get_mut(bits) {
            *old = value;
            return true;
        }
        if self.is_full() {
            self.refuse();
            return false;
        }
        match v4_bits(bits) {
            Some(v4) => self.v4.insert(v4, value),
            None => self.v6.insert(bits, value),
        }
    }

    /// Takes the address `bits` out.
    pub fn remove(&mut self, bits: u128) -> Option<V> {
        match v4_bits(bits) {
            Some(v4) => self.v4.remove(&v4),
            None => self.v6.remove(&bits),
        }
    }

    /// Keeps the entries for which `keep` says so. `keep` must not depend on the order of calls.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        self.v4.retain(|_, value| keep(value));
        self.v6.retain(|_, value| keep(value));
    }

    /// The sum of something over all values, which is the same in any order.
    pub fn sum(&self, of: impl Fn(&V) -> usize) -> usize {
        let v4 = self.v4.sum(|_, value| of(value));
        v4.saturating_add(self.v6.sum(|_, value| of(value)))
    }

    /// Bytes of the tables themselves.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        self.v4.table_bytes().saturating_add(self.v6.table_bytes())
    }

    /// The same at `entries_max` addresses. A table keeps its size when its addresses go: first one family
    /// may fill it, then the other.
    #[must_use]
    pub const fn table_bound(entries_max: usize) -> usize {
        let v4 = Map::<u32, V>::table_bound(entries_max);
        v4.saturating_add(Map::<u128, V>::table_bound(entries_max))
    }

    /// All entries in the order of their addresses, IPv4 first.
    #[must_use]
    pub fn sorted(&self) -> Vec<(IpAddr, &V)> {
        let v4 = self.v4.sorted().into_iter();
        let v6 = self.v6.sorted().into_iter();
        v4.map(|(bits, value)| (Ipv4Addr::from_bits(*bits).into(), value))
            .chain(v6.map(|(bits, value)| (Ipv6Addr::from_bits(*bits).into(), value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> u128 {
        ip_bits(text.parse().unwrap())
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address_and_nothing_else_is() {
        assert_eq!(v4_bits(bits("192.0.2.7")), Some(0xc000_0207));
        assert_eq!(v4_bits(bits("::ffff:192.0.2.7")), Some(0xc000_0207));
        assert_eq!(v4_bits(bits("::192.0.2.7")), None);
        assert_eq!(v4_bits(bits("2001:db8::ffff:192.0.2.7")), None);
        assert_eq!(v4_bits(bits("::1:ffff:c000:207")), None);
    }

    #[test]
    fn one_bound_holds_for_both_families() {
        let mut map = ByAddr::new(2, Seed(1));
        assert!(map.insert(bits("10.0.0.1"), 1) && map.insert(bits("fe80::1"), 2));
        assert!(!map.insert(bits("10.0.0.2"), 3));
        assert!(map.insert(bits("::ffff:10.0.0.1"), 4));
        assert_eq!((map.len(), map.refused()), (2, 1));
        let first: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(map.sorted().first(), Some(&(first, &4)));
        assert_eq!(map.remove(bits("10.0.0.1")), Some(4));
        assert_eq!(map.get(bits("10.0.0.1")), None);
    }
}
