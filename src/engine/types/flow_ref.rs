//! What names a flow: its endpoints, protocol, tag and first packet's time.
//!
//! Ids are a keyless BLAKE3 of (sensor id, canonical flow key, first packet's timestamp, ordinal), so
//! that they are the same for the same packets on every machine (design §2).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::{Joined, Json, Timestamp};

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
        let mut text = Joined::<128>::new();
        // A sensor id that leaves no room for the rest goes through the hasher's own buffers.
        let short = sensor_id.len() <= 64;
        if short {
            text.add(sensor_id.as_bytes());
        }
        text.add(&[0]);
        for end in [a, b] {
            text.add(&end.addr);
            text.add(&end.port.to_be_bytes());
        }
        text.add(&[proto]);
        text.add(&vlan.to_be_bytes());
        if carrier != 0 {
            text.add(&carrier.to_be_bytes());
        }
        text.add(&self.first_ts.nanos().to_be_bytes());
        text.add(&self.ordinal.to_be_bytes());
        let hash = if short {
            blake3::hash(text.bytes())
        } else {
            let mut hasher = blake3::Hasher::new();
            hasher.update(sensor_id.as_bytes());
            hasher.update(text.bytes());
            hasher.finalize()
        };
        Uid::from_hash(hash.as_bytes())
    }
}

/// A Zeek-style unique id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uid([u8; 18]);

/// 62^5: what five digits tell apart.
const FIVE: u64 = 916_132_832;

/// The character of a digit.
fn base62(digit: u32) -> u8 {
    const DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let digit = usize::try_from(digit).unwrap_or(0);
    DIGITS.get(digit).copied().unwrap_or(b'A')
}

impl Uid {
    /// `C`, ten base62 digits of the hash's first eight bytes and seven of the next eight, the least
    /// digit of each first.
    fn from_hash(hash: &[u8; 32]) -> Self {
        let (first, rest) = hash.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let (second, _) = rest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let (first, second) = (u64::from_be_bytes(*first), u64::from_be_bytes(*second));
        let mut out = [b'C'; 18];
        let parts = [
            first % FIVE,
            first / FIVE % FIVE,
            second % FIVE,
            second / FIVE % FIVE,
        ];
        let (_, digits) = out.split_at_mut(1);
        // Four short chains of divisions, side by side.
        for (slots, part) in digits.chunks_mut(5).zip(parts) {
            let mut rest = u32::try_from(part).unwrap_or(0);
            for slot in slots {
                *slot = base62(rest % 62);
                rest /= 62;
            }
        }
        Self(out)
    }

    /// Writes the id behind `key`; see [`Json::field`].
    #[inline]
    pub fn write(&self, key: &str, json: &mut Json<'_>) {
        json.ascii(key, &self.0, self.0.len());
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
