//! The transport header behind an IP packet, whatever it is.

use super::{Icmp, Malformed, Sctp, Tcp, Udp};

/// IP protocol numbers that are looked into (IANA registry).
pub mod proto {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IPv4 in IP.
    pub const IPV4: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 in IP.
    pub const IPV6: u8 = 41;
    /// GRE.
    pub const GRE: u8 = 47;
    /// Ethernet in IP.
    pub const ETHERIP: u8 = 97;
    /// MPLS in IP.
    pub const MPLS: u8 = 137;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
}

/// A transport header.
#[derive(Clone, Copy, Debug)]
pub enum Transport<'a> {
    /// TCP.
    Tcp(Tcp<'a>),
    /// UDP.
    Udp(Udp<'a>),
    /// ICMP or ICMPv6.
    Icmp(Icmp<'a>),
    /// SCTP.
    Sctp(Sctp<'a>),
    /// Something else, or cut before more could be read; ports are 0 if there are none.
    Other {
        /// Source port.
        src_port: u16,
        /// Destination port.
        dst_port: u16,
    },
}

impl<'a> Transport<'a> {
    /// Reads the header of protocol `number`. `len` is what was on the wire, `bytes` what was captured.
    ///
    /// A header cut by the capture gives [`Transport::Other`] with the ports, if those are there.
    ///
    /// # Errors
    /// The header contradicts itself, or the packet is too short for it.
    #[inline]
    pub fn parse(number: u8, bytes: &'a [u8], len: u32) -> Result<Self, Malformed> {
        let parsed = match number {
            proto::TCP => Tcp::parse(bytes, len).map(Self::Tcp),
            proto::UDP => Udp::parse(bytes, len).map(Self::Udp),
            proto::ICMP | proto::ICMPV6 => Icmp::parse(bytes).map(Self::Icmp),
            proto::SCTP => Sctp::parse(bytes, len).map(Self::Sctp),
            _ => {
                return Ok(Self::Other {
                    src_port: 0,
                    dst_port: 0,
                });
            }
        };
        match parsed {
            Err(m) if super::narrow(bytes.len()) < len && m.need > m.have => Ok(match number {
                proto::TCP | proto::UDP | proto::SCTP => Self::ports(bytes),
                _ => Self::Other {
                    src_port: 0,
                    dst_port: 0,
                },
            }),
            other => other,
        }
    }

    /// Only the ports, if they are there.
    fn ports(bytes: &[u8]) -> Self {
        let &[s0, s1, d0, d1] = bytes.first_chunk::<4>().unwrap_or(&[0; 4]);
        Self::Other {
            src_port: u16::from_be_bytes([s0, s1]),
            dst_port: u16::from_be_bytes([d0, d1]),
        }
    }
}
