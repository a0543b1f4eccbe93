//! Link types: what the first bytes of a frame are.
//!
//! Standard: the LINKTYPE_ registry of tcpdump.org (`draft-ietf-opsawg-pcaplinktype`).
//! Bounds:   any 32-bit number is carried; those without a name here print as a number.

use std::fmt;

/// A LINKTYPE_ number as capture files hold it (DLT_ numbers are folded into it where known).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: 4-byte address family in the byte order of the machine that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet, with or without VLAN tags.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without HDLC framing.
    pub const PPP: Self = Self(9);
    /// PPP in HDLC framing.
    pub const PPP_HDLC: Self = Self(50);
    /// Raw IP; the version nibble tells which. Files also hold 12 and 14 for it.
    pub const RAW: Self = Self(101);
    /// Cisco's HDLC: address, control, EtherType.
    pub const CISCO_HDLC: Self = Self(104);
    /// OpenBSD loopback: as [`LinkType::NULL`], in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, version 1 (the `any` device).
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// The Linux firewall's log: attributes, one of them the packet.
    pub const NFLOG: Self = Self(239);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// The link type for a number read from a file: the DLT numbers some writers leave there
    /// for raw IP (12 on most systems, 14 on OpenBSD) become [`LinkType::RAW`].
    pub const fn from_file(number: u32) -> Self {
        match number {
            12 | 14 => Self::RAW,
            other => Self(other),
        }
    }

    /// The number libpcap's compiler knows this link type by on Linux (`pcap/dlt.h`).
    pub(crate) fn dlt(self) -> Option<i32> {
        match self.0 {
            100 => Some(11),
            101 => Some(12),
            other => i32::try_from(other).ok(),
        }
    }

    /// The registry's name in lower case, if this is one of the common types.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "null",
            1 => "ethernet",
            6 => "token-ring",
            8 => "slip",
            9 => "ppp",
            50 => "ppp-hdlc",
            10 => "fddi",
            101 => "raw-ip",
            104 => "cisco-hdlc",
            105 => "ieee802.11",
            107 => "frame-relay",
            108 => "loop",
            113 => "linux-sll",
            127 => "ieee802.11-radiotap",
            192 => "ppi",
            195 => "ieee802.15.4",
            220 => "usb-linux",
            227 => "socketcan",
            228 => "ipv4",
            229 => "ipv6",
            230 => "ieee802.15.4-nofcs",
            239 => "nflog",
            276 => "linux-sll2",
            _ => return None,
        })
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "link type {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Raw IP has three numbers in the wild and one here; unknown numbers still print.
    #[test]
    fn numbers_and_names() {
        assert_eq!(LinkType::from_file(12), LinkType::RAW);
        assert_eq!(LinkType::from_file(14), LinkType::RAW);
        assert_eq!(LinkType::from_file(1), LinkType::ETHERNET);
        assert_eq!(LinkType::RAW.dlt(), Some(12));
        assert_eq!(LinkType(9999).to_string(), "link type 9999");
        assert_eq!(LinkType::LINUX_SLL2.to_string(), "linux-sll2");
    }
}
