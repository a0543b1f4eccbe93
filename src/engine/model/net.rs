//! Address blocks: `10.0.0.0/8`, `fe80::/10`.
//!
//! Standard: RFC 4632 (IPv4 prefixes), RFC 4291 §2.3 (IPv6 prefixes). An IPv4-mapped IPv6 address is
//! the IPv4 address it carries.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses: all that share its first `prefix` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net {
    addr: IpAddr,
    prefix: u8,
}

impl Net {
    /// The block of one address.
    pub(super) fn host(addr: IpAddr) -> Self {
        let addr = addr.to_canonical();
        Self {
            addr,
            prefix: bits(addr),
        }
    }

    /// The block of `prefix` bits at `addr`.
    ///
    /// # Errors
    ///
    /// Too many bits, or bits set beyond the prefix; says what would be right.
    pub(super) fn new(addr: IpAddr, prefix: u8) -> Result<Self, String> {
        let most = bits(addr);
        if prefix > most {
            return Err(format!(
                "/{prefix} is too long for {addr}; the most is /{most}"
            ));
        }
        let net = Self {
            addr: start(addr, prefix),
            prefix,
        };
        if net.addr == addr {
            Ok(net)
        } else {
            Err(format!(
                "{addr}/{prefix} has bits set beyond /{prefix}; did you mean {net}?"
            ))
        }
    }

    /// Whether `ip` lies in the block. Families never mix.
    pub(super) fn contains(self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.addr.is_ipv4() && start(ip, self.prefix) == self.addr
    }
}

/// Number of bits of an address.
fn bits(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

/// The first address that shares `prefix` bits with `addr`.
fn start(addr: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match addr {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(prefix))
                .unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(prefix))
                .unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn blocks_hold_their_addresses_and_no_others() {
        let cases = [
            ("10.0.0.0", 8, "10.255.0.1", "11.0.0.0"),
            ("192.168.4.0", 22, "192.168.7.255", "192.168.8.0"),
            ("fe80::", 10, "febf::1", "fec0::1"),
            ("0.0.0.0", 0, "255.255.255.255", "::1"),
            ("192.0.2.1", 32, "::ffff:192.0.2.1", "192.0.2.2"),
        ];
        for (base, prefix, inside, outside) in cases {
            let net = Net::new(ip(base), prefix).unwrap();
            assert!(net.contains(ip(inside)), "{net} {inside}");
            assert!(!net.contains(ip(outside)), "{net} {outside}");
        }
    }

    #[test]
    fn sloppy_blocks_are_refused_with_the_right_one() {
        let told = Net::new(ip("10.0.0.1"), 8).unwrap_err();
        assert!(told.contains("did you mean 10.0.0.0/8?"), "{told}");
        assert!(Net::new(ip("10.0.0.0"), 33).is_err());
    }
}
