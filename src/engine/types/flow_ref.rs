//! What names a flow: its endpoints, protocol, tag and first packet's time.
//!
//! Ids are a keyless BLAKE3 of (sensor id, canonical flow key, first packet's timestamp, ordinal), so
//! that they are the same for the same packets on every machine (design §2).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::{Joined, Timestamp};

/// An address with its port. IPv4 is kept as its IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Sixteen bytes in network order.
    pub addr: [u8; 16],
    /// TCP, UDP or SCTP port; for ICMP see `flow::key`.
    pub port: u16,
}

impl Endpoint {
    /// An endpoint from an address of either family.
    #[must_use]
    pub fn new(ip: IpAddr, port: u16) -> Self {
        let addr = match ip {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        Self { addr, port }
    }

    /// The address as 128 bits, IPv4 mapped.
    #[inline]
    #[must_use]
    pub fn bits(&self) -> u128 {
        u128::from_be_bytes(self.addr)
    }

    /// The address, IPv4 if it is a mapped one.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        Ipv6Addr::from(self.addr).to_canonical()
    }
}

/// How many earlier flows share key and first packet's time.
pub type Ordinal = u16;

/// The canonical key of a flow: endpoints in ascending order, IP protocol, VLAN id, carrier.
pub type FlowKey = (Endpoint, Endpoint, u8, u16, u32);

/// Names one flow; `orig` sent its first packet. Frames without IP have all-zero addresses and `proto` 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowRef {
    /// Who sent the first packet.
    pub orig: Endpoint,
    /// The other side.
    pub resp: Endpoint,
    /// IP protocol number.
    pub proto: u8,
    /// VLAN id, outer tag; 0 if untagged.
    pub vlan: u16,
    /// Hash of what carries it besides a frame with one tag; 0 if nothing does. See `flow::carrier`.
    pub carrier: u32,
    /// See [`Ordinal`].
    pub ordinal: Ordinal,
    /// First packet's time.
    pub first_ts: Timestamp,
}

impl FlowRef {
    /// The canonical flow key, the same for both directions.
    #[must_use]
    pub fn key(&self) -> FlowKey {
        let (a, b) = if self.orig <= self.resp {
            (self.orig, self.resp)
        } else {
            (self.resp, self.orig)
        };
        (a, b, self.proto, self.vlan, self.carrier)
    }

    /// Zeek-style uid: `C` and 17 base62 characters.
    #[must_use]
    pub fn uid(&self, sensor_id: &str) -> Uid {
        let (a, b, proto, vlan, carrier) = self.key();
        let mut hasher = blake3::Hasher::new();
        hasher.update(sensor_id.as_bytes());
        // In one piece: the hasher's own steps cost more than what it hashes.
        let mut rest = Joined::<54>::new();
        rest.add(&[0]);
        for end in [a, b] {
            rest.add(&end.addr);
            rest.add(&end.port.to_be_bytes());
        }
        rest.add(&[proto]);
        rest.add(&vlan.to_be_bytes());
        if carrier != 0 {
            rest.add(&carrier.to_be_bytes());
        }
        rest.add(&self.first_ts.nanos().to_be_bytes());
        rest.add(&self.ordinal.to_be_bytes());
        hasher.update(rest.bytes());
        Uid::from_hash(hasher.finalize().as_bytes())
    }
}

/// A Zeek-style unique id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uid([u8; 18]);

impl Uid {
    /// `C`, ten base62 digits of the hash's first eight bytes and seven of the next eight.
    fn from_hash(hash: &[u8; 32]) -> Self {
        const DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let (first, rest) = hash.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let (second, _) = rest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let mut out = [b'C'; 18];
        let (_, digits) = out.split_at_mut(1);
        let (head, tail) = digits.split_at_mut(10);
        for (part, bytes) in [(head, first), (tail, second)] {
            let mut rest = u64::from_be_bytes(*bytes);
            for slot in part {
                let digit = usize::try_from(rest % 62).unwrap_or(0);
                *slot = DIGITS.get(digit).copied().unwrap_or(b'A');
                rest /= 62;
            }
        }
        Self(out)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or("C")
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(orig: u8, resp: u8) -> FlowRef {
        let end = |n: u8| Endpoint::new(IpAddr::from([10, 0, 0, n]), u16::from(n));
        FlowRef {
            orig: end(orig),
            resp: end(resp),
            proto: 6,
            ..FlowRef::default()
        }
    }

    #[test]
    fn uid_has_zeeks_shape_and_ignores_direction() {
        let uid = flow(1, 2).uid("tapir");
        assert_eq!(uid, flow(2, 1).uid("tapir"));
        assert!(uid.as_str().starts_with('C') && uid.as_str().len() == 18);
        assert_ne!(uid, flow(1, 3).uid("tapir"));
        assert_ne!(uid, flow(1, 2).uid("other"));
    }

    #[test]
    fn an_ipv4_address_survives_the_mapping() {
        let ip = IpAddr::from([192, 0, 2, 7]);
        assert_eq!(Endpoint::new(ip, 1).ip(), ip);
    }
}
