//! Which addresses are ours.
//!
//! Source: RFC 1918, RFC 6598 and RFC 3927 for IPv4; RFC 4193 and RFC 4291 §2.5.6 for IPv6.

use std::net::IpAddr;
use std::str::FromStr;

use crate::types::v4_bits;

/// A network in CIDR form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    addr: IpAddr,
    len: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network; write it like 10.0.0.0/8 or fd00::/8")]
pub struct NetError(String);

impl Net {
    /// Whether `ip` lies in the network.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.addr, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.len));
                net.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.len));
                net.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Net {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let bad = || NetError(text.to_owned());
        let (addr, len) = text
            .split_once('/')
            .map_or((text, None), |(a, l)| (a, Some(l)));
        let addr: IpAddr = addr.parse().map_err(|_| bad())?;
        let full = if addr.is_ipv4() { 32 } else { 128 };
        let len = len.map_or(Ok(full), str::parse).map_err(|_| bad())?;
        if len > full {
            Err(bad())
        } else {
            Ok(Self { addr, len })
        }
    }
}

/// The networks whose addresses are devices of this site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    nets: Vec<Net>,
    /// The same as first addresses and masks, by family: they are asked for every flow's ends.
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Home {
    /// The given networks; the private ranges if none is given.
    #[must_use]
    pub fn new(nets: Vec<Net>) -> Self {
        if !nets.is_empty() {
            return Self::of(nets);
        }
        let private = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ];
        Self::of(
            private
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
        )
    }

    fn of(nets: Vec<Net>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in &nets {
            let len = u32::from(net.len);
            match net.addr {
                IpAddr::V4(addr) => {
                    let host = u32::MAX.checked_shr(len).unwrap_or(0);
                    v4.push((addr.to_bits() & !host, !host));
                }
                IpAddr::V6(addr) => {
                    let host = u128::MAX.checked_shr(len).unwrap_or(0);
                    v6.push((addr.to_bits() & !host, !host));
                }
            }
        }
        Self { nets, v4, v6 }
    }

    /// Whether `ip` is an address that a device of this site can hold.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        self.nets.iter().any(|net| net.contains(ip))
            && !ip.is_multicast()
            && !ip.is_unspecified()
            && !matches!(ip, IpAddr::V4(v4) if v4.is_broadcast())
    }

    /// The same of an address as a flow's end carries it.
    #[inline]
    #[must_use]
    pub fn holds_bits(&self, bits: u128) -> bool {
        let in_net = match v4_bits(bits) {
            Some(addr) => self.v4.iter().any(|(net, mask)| addr & mask == *net),
            None => self.v6.iter().any(|(net, mask)| bits & mask == *net),
        };
        in_net && !is_everyone(bits)
    }
}

/// Whether an address, as a flow's end carries it, is nobody's own: unspecified, broadcast, multicast.
#[inline]
#[must_use]
pub fn is_everyone(bits: u128) -> bool {
    match v4_bits(bits) {
        Some(addr) => addr == 0 || addr == u32::MAX || addr >> 28 == 0xe,
        None => bits == 0 || bits >> 120 == 0xff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ip_bits;

    #[test]
    fn private_ranges_are_home_unless_told_otherwise() {
        let home = Home::new(vec![]);
        for (text, ours) in [
            ("10.1.2.3", true),
            ("172.31.255.1", true),
            ("172.32.0.1", false),
            ("192.168.0.9", true),
            ("198.51.100.1", false),
            ("fe80::1", true),
            ("2001:db8::1", false),
            ("0.0.0.0", false),
            ("ff02::1", false),
            ("10.255.255.255", true),
            ("255.255.255.255", false),
            ("239.1.2.3", false),
            ("::10.1.2.3", false),
            ("fdff::1", true),
            ("fe00::1", false),
        ] {
            let ip = text.parse().unwrap();
            assert_eq!(home.holds(ip), ours, "{text}");
            assert_eq!(home.holds_bits(ip_bits(ip)), ours, "{text}");
        }
        let other = Home::new(vec!["198.51.100.0/24".parse().unwrap()]);
        assert!(other.holds("198.51.100.1".parse().unwrap()));
        assert!(!other.holds("10.1.2.3".parse().unwrap()));
    }

    #[test]
    fn whole_space_and_single_addresses_are_networks() {
        let all: Net = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()));
        let one: Net = "10.0.0.1".parse().unwrap();
        assert!(one.contains("10.0.0.1".parse().unwrap()));
        assert!(!one.contains("10.0.0.2".parse().unwrap()));
    }

    #[test]
    fn refuses_what_is_no_network() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "x",
            "fd00::/129",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
    }
}
