//! Which addresses are ours.
//!
//! Source: RFC 1918, RFC 6598 and RFC 3927 for IPv4; RFC 4193 and RFC 4291 §2.5.6 for IPv6.

use std::net::IpAddr;
use std::str::FromStr;

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
pub struct Home(Vec<Net>);

impl Home {
    /// The given networks; the private ranges if none is given.
    #[must_use]
    pub fn new(nets: Vec<Net>) -> Self {
        if !nets.is_empty() {
            return Self(nets);
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
        Self(
            private
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
        )
    }

    /// Whether `ip` is an address that a device of this site can hold.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(ip))
            && !ip.is_multicast()
            && !ip.is_unspecified()
            && !matches!(ip, IpAddr::V4(v4) if v4.is_broadcast())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(home.holds(text.parse().unwrap()), ours, "{text}");
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
