//! What makes two packets the same flow.
//!
//! Addresses, ports, protocol, outer VLAN id and what carries it, the smaller endpoint first. ICMP has the type in the
//! sender's port; the other port holds the type of the answer, or the code where there is none, as in
//! Zeek, so that a request and its reply share a key.

use crate::types::Endpoint;

/// The first of the IPv6 addresses that stand for an IPv4 address (RFC 4291 §2.5.5.2).
const MAPPED: u128 = 0xffff_0000_0000;

/// The canonical key of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Smaller endpoint's address.
    pub a: [u8; 16],
    /// Larger endpoint's address.
    pub b: [u8; 16],
    /// Smaller endpoint's port.
    pub a_port: u16,
    /// Larger endpoint's port.
    pub b_port: u16,
    /// Outer VLAN id.
    pub vlan: u16,
    /// IP protocol.
    pub proto: u8,
    /// What carries it; see [`super::Carrier`].
    pub carrier: u32,
}

impl Key {
    /// The key of a packet from `src` to `dst`, and whether its sender is endpoint `a`.
    #[inline]
    #[must_use]
    pub fn new(src: Endpoint, dst: Endpoint, proto: u8, vlan: u16, carrier: u32) -> (Self, bool) {
        // Compared as numbers: the same order as that of `Endpoint`, without a call to memcmp.
        let (s, d) = (u128::from_be_bytes(src.addr), u128::from_be_bytes(dst.addr));
        let forward = s < d || (s == d && src.port <= dst.port);
        let (low, high) = if forward { (src, dst) } else { (dst, src) };
        let key = Self {
            a: low.addr,
            b: high.addr,
            a_port: low.port,
            b_port: high.port,
            vlan,
            proto,
            carrier,
        };
        (key, forward)
    }

    /// The same for addresses of IPv4, addresses and ports as numbers; nothing carries it.
    #[inline]
    #[must_use]
    pub fn v4(src: (u32, u16), dst: (u32, u16), proto: u8, vlan: u16) -> (Self, bool) {
        let order = |(addr, port): (u32, u16)| u64::from(addr) << 16 | u64::from(port);
        let wide = |(addr, _): (u32, u16)| (MAPPED | u128::from(addr)).to_be_bytes();
        let forward = order(src) <= order(dst);
        let (low, high) = if forward { (src, dst) } else { (dst, src) };
        let key = Self {
            a: wide(low),
            b: wide(high),
            a_port: low.1,
            b_port: high.1,
            vlan,
            proto,
            carrier: 0,
        };
        (key, forward)
    }

    /// The key as words, for the hasher, without what carries the flow: nearly always nothing.
    #[inline]
    #[must_use]
    pub fn words(&self) -> [u64; 5] {
        let halves = |addr: [u8; 16]| {
            let word = u128::from_le_bytes(addr);
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = word.to_le_bytes();
            (
                u64::from_le_bytes([a, b, c, d, e, f, g, h]),
                u64::from_le_bytes([i, j, k, l, m, n, o, p]),
            )
        };
        let ((a0, a1), (b0, b1)) = (halves(self.a), halves(self.b));
        let [p0, p1] = self.a_port.to_le_bytes();
        let [p2, p3] = self.b_port.to_le_bytes();
        let [v0, v1] = self.vlan.to_le_bytes();
        [
            a0,
            a1,
            b0,
            b1,
            u64::from_le_bytes([p0, p1, p2, p3, v0, v1, self.proto, 0]),
        ]
    }

    /// What keys are put in order by.
    #[must_use]
    pub(super) fn order(&self) -> impl Ord + use<> {
        let (a, b) = self.endpoints();
        (a, b, self.proto, self.vlan, self.carrier)
    }

    /// The beginning of that as a number: of two keys the one with the lower number comes first. An IPv4 address
    /// and its port fit in, of others the address's first half.
    #[must_use]
    pub(super) fn beginning(&self) -> u64 {
        let a = u128::from_be_bytes(self.a);
        let narrow = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        // Addresses before, among and behind those of IPv4, in 62 bits each.
        match a.checked_sub(MAPPED).map(u32::try_from) {
            None => narrow(a << 14),
            Some(Ok(v4)) => 1 << 62 | u64::from(v4) << 30 | u64::from(self.a_port) << 14,
            Some(Err(_)) => 1 << 63 | narrow(a >> 66),
        }
    }

    /// Endpoint `a` and endpoint `b`.
    #[must_use]
    pub fn endpoints(&self) -> (Endpoint, Endpoint) {
        let a = Endpoint {
            addr: self.a,
            port: self.a_port,
        };
        let b = Endpoint {
            addr: self.b,
            port: self.b_port,
        };
        (a, b)
    }
}

/// The type that answers ICMP type `icmp_type`, if it is one half of a pair.
#[must_use]
pub fn counterpart(v6: bool, icmp_type: u8) -> Option<u8> {
    let pairs: &[(u8, u8)] = if v6 {
        &[
            (128, 129),
            (133, 134),
            (135, 136),
            (130, 131),
            (139, 140),
            (144, 145),
        ]
    } else {
        &[(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)]
    };
    pairs.iter().find_map(|&(request, reply)| match icmp_type {
        t if t == request => Some(reply),
        t if t == reply => Some(request),
        _ => None,
    })
}

/// Whether a port is one that servers listen on. Used only where no SYN tells who called whom: a first
/// packet from such a port to one that is not is taken for an answer (Zeek's `likely_server_ports`).
#[must_use]
pub fn is_likely_server(proto: u8, port: u16) -> bool {
    let ports: &[u16] = match proto {
        6 => TCP_SERVER_PORTS,
        17 => UDP_SERVER_PORTS,
        _ => &[],
    };
    ports.binary_search(&port).is_ok()
}

/// Ascending.
const TCP_SERVER_PORTS: &[u16] = &[
    21, 22, 23, 25, 53, 80, 81, 88, 110, 111, 135, 139, 143, 389, 443, 445, 465, 502, 514, 587,
    631, 636, 853, 993, 995, 1080, 1433, 1883, 2049, 3128, 3268, 3269, 3306, 3389, 5060, 5061,
    5222, 5223, 5432, 5900, 5985, 5986, 6379, 6667, 8000, 8080, 8443, 8883, 8888, 9389, 20000,
    44818,
];

/// Ascending.
const UDP_SERVER_PORTS: &[u16] = &[
    53, 67, 69, 88, 123, 137, 138, 161, 162, 389, 443, 464, 500, 514, 1434, 1812, 1813, 1900, 3478,
    3544, 3702, 4500, 4789, 5060, 5353, 5355,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addr() -> impl Strategy<Value = u128> {
        let near = (0_u128..3).prop_map(|n| MAPPED - 1 + n);
        prop_oneof![
            near,
            (0_u128..4).prop_map(|n| MAPPED + 0xffff_fffe + n),
            any::<u32>().prop_map(|v4| MAPPED + u128::from(v4)),
            any::<u128>(),
            any::<u128>().prop_map(|addr| addr >> 80),
        ]
    }

    proptest! {
        #[test]
        fn a_key_of_ipv4_is_the_same_either_way(src: (u32, u16), dst: (u32, u16), vlan: u16) {
            let end = |(addr, port): (u32, u16)| Endpoint {
                addr: (MAPPED | u128::from(addr)).to_be_bytes(),
                port,
            };
            let long = Key::new(end(src), end(dst), 17, vlan, 0);
            prop_assert_eq!(Key::v4(src, dst, 17, vlan), long);
        }

        /// Who begins lower comes first.
        #[test]
        fn a_beginning_is_in_order(a in (addr(), any::<u16>()), b in (addr(), any::<u16>())) {
            let key = |(addr, port): (u128, u16)| Key {
                a: addr.to_be_bytes(),
                a_port: port,
                ..Key::default()
            };
            let (a, b) = (key(a), key(b));
            if a.beginning() != b.beginning() {
                prop_assert_eq!(a.beginning() < b.beginning(), a.order() < b.order());
            }
        }
    }
}
