//! What IPv4 and IPv6 have in common for the rooms above.

use super::{Ipv4, Ipv6, Layer, Malformed, Network};

/// An IP packet of either version; IPv4 addresses are kept mapped (RFC 4291 §2.5.5.2).
#[derive(Clone, Copy, Debug)]
pub struct Ip<'a> {
    /// Source address.
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
    /// Protocol behind all extension headers.
    pub proto: u8,
    /// Length from the IP header on, as the header says.
    pub len: u32,
    /// Fixed header, for digests.
    pub header: &'a [u8],
    /// Captured part of the payload, padding cut off.
    pub payload: &'a [u8],
    /// Length of the payload, as the header says.
    pub payload_len: u32,
    /// Set if this is a piece of a larger packet.
    pub fragment: Option<Fragment>,
}

impl Ip<'_> {
    /// Whether the capture holds less than the header says.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        super::narrow(self.payload.len()) < self.payload_len
    }

    /// Time to live, or hop limit.
    #[inline]
    #[must_use]
    pub fn ttl(&self) -> u8 {
        match self.header {
            [version, _, _, _, _, _, _, hops, ttl, ..] => {
                if version >> 4 == 4 {
                    *ttl
                } else {
                    *hops
                }
            }
            _ => 0,
        }
    }
}

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Identification.
    pub id: u32,
    /// Where its payload begins, in bytes.
    pub offset: u32,
    /// Whether more fragments follow.
    pub more: bool,
}

/// An IP packet that tells its version itself.
pub(super) fn by_version(packet: &[u8], wire_len: u32) -> Result<Network<'_>, Malformed> {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => Ok(Network::Ip(Ipv4::parse(packet, wire_len)?.ip)),
        Some(6) => Ok(Network::Ip(Ipv6::parse(packet, wire_len)?.ip)),
        _ => Err(Malformed::new(Layer::Link, 1, packet.len())),
    }
}

/// IPv4-mapped form of an address.
#[inline]
pub(super) fn mapped(v4: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = v4;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

/// The captured part of a payload of `len` bytes.
#[inline]
pub(super) fn captured(rest: &[u8], len: u32) -> &[u8] {
    usize::try_from(len)
        .ok()
        .and_then(|len| rest.get(..len))
        .unwrap_or(rest)
}
