//! Headers, from the frame to the transport, in place.
//!
//! Input:  one frame of a known link type, perhaps cut by the capture's snap length.
//! Output: [`Frame`]: hardware addresses, outer VLAN id, and what the network layer says.
//! Bounds: four VLAN tags, eight IPv6 extension headers; nothing is copied or allocated.
//! Not done: MPLS, PPPoE and tunnels are not looked through; they are told as not understood.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod arp;
mod cooked;
mod ethernet;
mod icmp;
mod ip;
mod ipv4;
mod ipv6;
mod llc;
mod loopback;
mod tcp;
mod transport;
mod udp;
mod vlan;

pub use arp::Arp;
pub use icmp::{Icmp, Neighbour};
pub use ip::{Fragment, Ip};
pub use ipv4::Ipv4;
pub use ipv6::Ipv6;
pub use tcp::{Tcp, flag, is_signed};
pub use transport::{Transport, proto};
pub use udp::Udp;

use crate::types::MacAddr;

/// Where a header was found to contradict itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Ethernet, Linux cooked, loopback or LLC header.
    Link,
    /// VLAN tag.
    Vlan,
    /// ARP.
    Arp,
    /// IPv4.
    Ipv4,
    /// IPv6 or one of its extension headers.
    Ipv6,
    /// ICMP or ICMPv6.
    Icmp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Layer {
    /// All layers, in the order of `index`.
    pub const ALL: [Self; 8] = [
        Self::Link,
        Self::Vlan,
        Self::Arp,
        Self::Ipv4,
        Self::Ipv6,
        Self::Icmp,
        Self::Tcp,
        Self::Udp,
    ];

    /// Lower-case name: key of the counter.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Vlan => "vlan",
            Self::Arp => "arp",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Icmp => "icmp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A header that is shorter than it must be, or says so of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Which header.
    pub layer: Layer,
    /// Where it begins, in bytes from the start of what was being parsed.
    pub offset: u32,
    /// Bytes it needs.
    pub need: u32,
    /// Bytes there are.
    pub have: u32,
}

impl Malformed {
    /// A mistake in `layer`, which needs `need` bytes and has `have`.
    #[must_use]
    pub fn new(layer: Layer, need: usize, have: usize) -> Self {
        Self {
            layer,
            offset: 0,
            need: narrow(need),
            have: narrow(have),
        }
    }

    /// The same mistake in a header that begins `offset` bytes further in.
    #[must_use]
    pub fn at(self, offset: u32) -> Self {
        Self {
            offset: self.offset.saturating_add(offset),
            ..self
        }
    }
}

/// Why a frame has no network layer for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The link type is not one we know.
    LinkType,
    /// A header contradicts itself or is cut.
    Malformed(Malformed),
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// A frame as far as the network layer.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Sender's hardware address; zero if the link type has none.
    pub src_mac: MacAddr,
    /// Receiver's hardware address; zero if the link type has none.
    pub dst_mac: MacAddr,
    /// Outer VLAN id; 0 if untagged.
    pub vlan: u16,
    /// What it carries.
    pub network: Network<'a>,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug)]
pub enum Network<'a> {
    /// An IPv4 or IPv6 packet.
    Ip(Ip<'a>),
    /// An ARP packet.
    Arp(Arp),
    /// An EtherType that is not decoded.
    EtherType(u16),
    /// An LLC service access point that is not decoded.
    Llc(u8),
}

/// Decodes a frame of the link type numbered `link` (LINKTYPE registry).
///
/// # Errors
/// The link type is unknown, or a header needs more bytes than there are.
#[inline]
pub fn decode(link: u32, wire_len: u32, frame: &[u8]) -> Result<Frame<'_>, Refused> {
    match link {
        1 => Ok(ethernet::decode(frame, wire_len)?),
        12 | 14 | 101 => Ok(bare(ip::by_version(frame, wire_len)?)),
        228 => Ok(bare(Network::Ip(Ipv4::parse(frame, wire_len)?.ip))),
        229 => Ok(bare(Network::Ip(Ipv6::parse(frame, wire_len)?.ip))),
        0 | 108 => Ok(bare(loopback::decode(frame, wire_len)?)),
        113 => Ok(cooked::decode_v1(frame, wire_len)?),
        276 => Ok(cooked::decode_v2(frame, wire_len)?),
        _ => Err(Refused::LinkType),
    }
}

/// The registered name of a link type, or its number.
#[must_use]
pub fn link_name(link: u32) -> String {
    let name = match link {
        0 => "null",
        1 => "ethernet",
        105 => "ieee802_11",
        127 => "ieee802_11_radiotap",
        113 => "linux_sll",
        276 => "linux_sll2",
        147 => "user0",
        9 => "ppp",
        189 => "usb_linux",
        220 => "usb_linux_mmapped",
        201 => "bluetooth_hci_h4_with_phdr",
        187 => "bluetooth_hci_h4",
        195 => "ieee802_15_4_withfcs",
        230 => "ieee802_15_4_nofcs",
        239 => "nflog",
        249 => "usbpcap",
        _ => return format!("linktype_{link}"),
    };
    name.to_owned()
}

/// A frame without hardware addresses.
fn bare(network: Network<'_>) -> Frame<'_> {
    Frame {
        src_mac: MacAddr::default(),
        dst_mac: MacAddr::default(),
        vlan: 0,
        network,
    }
}

/// What follows an EtherType, tags included: outer VLAN id and network layer.
#[inline]
fn after_ether_type(
    ether_type: u16,
    rest: &[u8],
    offset: u32,
    wire_len: u32,
) -> Result<(u16, Network<'_>), Malformed> {
    if vlan::is_tag(ether_type) {
        let (outer, ether_type, rest, tags_len) = vlan::strip(rest).map_err(|m| m.at(offset))?;
        let offset = offset.saturating_add(tags_len);
        let network = network(ether_type, rest, offset, wire_len)?;
        return Ok((outer, network));
    }
    Ok((0, network(ether_type, rest, offset, wire_len)?))
}

/// The network layer named by an EtherType, or by LLC where it is a length.
#[inline]
fn network(
    ether_type: u16,
    rest: &[u8],
    offset: u32,
    wire_len: u32,
) -> Result<Network<'_>, Malformed> {
    let rest_len = wire_len.saturating_sub(offset);
    let network = match ether_type {
        0x0800 => Ipv4::parse(rest, rest_len).map(|v| Network::Ip(v.ip)),
        0x86dd => Ipv6::parse(rest, rest_len).map(|v| Network::Ip(v.ip)),
        0x0806 => Arp::parse(rest).map(Network::Arp),
        0..=0x05dc => llc::decode(rest, rest_len),
        other => Ok(Network::EtherType(other)),
    };
    network.map_err(|m| m.at(offset))
}

/// A length as it is kept in a [`Malformed`]; frames are far below 4 GiB.
fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
