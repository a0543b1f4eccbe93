//! ARP: who holds which IPv4 address.
//!
//! Standard: RFC 826; Ethernet and IPv4 only (hardware type 1 or 6, lengths 6 and 4).

use std::net::Ipv4Addr;

use super::{Layer, Malformed};
use crate::types::MacAddr;

/// An ARP packet over Ethernet for IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Sender's hardware address.
    pub sender_mac: MacAddr,
    /// Sender's address; 0.0.0.0 in a probe (RFC 5227).
    pub sender_ip: Ipv4Addr,
    /// Target's hardware address.
    pub target_mac: MacAddr,
    /// Target's address.
    pub target_ip: Ipv4Addr,
}

impl Arp {
    /// Reads an ARP packet.
    ///
    /// # Errors
    /// Fewer than 28 bytes, or addresses of other lengths.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some((head, _)) = bytes.split_first_chunk::<28>() else {
            return Err(Malformed::new(Layer::Arp, 28, bytes.len()));
        };
        let (fixed, addresses) = head.split_at(8);
        let (&[_, _, _, _, 6, 4, o0, o1], Some((addresses, _))) =
            (fixed, addresses.split_first_chunk::<20>())
        else {
            return Err(Malformed::new(Layer::Arp, 28, bytes.len()));
        };
        let [
            m0,
            m1,
            m2,
            m3,
            m4,
            m5,
            i0,
            i1,
            i2,
            i3,
            t0,
            t1,
            t2,
            t3,
            t4,
            t5,
            j0,
            j1,
            j2,
            j3,
        ] = *addresses;
        Ok(Self {
            operation: u16::from_be_bytes([o0, o1]),
            sender_mac: MacAddr([m0, m1, m2, m3, m4, m5]),
            sender_ip: Ipv4Addr::new(i0, i1, i2, i3),
            target_mac: MacAddr([t0, t1, t2, t3, t4, t5]),
            target_ip: Ipv4Addr::new(j0, j1, j2, j3),
        })
    }
}
