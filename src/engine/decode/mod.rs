//! Headers, from the frame to the transport, in place.
//!
//! Input:  one frame of a known link type, perhaps cut by the capture's snap length.
//! Output: [`Frame`]: hardware addresses, VLAN ids, and what the network layer says; of a packet inside
//!         another, [`Encapsulated`], which the caller opens as often as it likes.
//! Links:  Ethernet, Linux cooked 1 and 2, raw IP, loopback, PPP, Cisco HDLC, NFLOG; 802.1Q, 802.1ad,
//!         802.1ah, MPLS, PPPoE, LLC with SNAP.
//! Inside: IP in IP, GRE (also PPTP and ERSPAN I to III), EtherIP, MPLS in IP, VXLAN, Geneve, GTP-U, Teredo, L2TPv2.
//! Bounds: four VLAN tags, eight labels, eight IPv6 extension headers; nothing is copied or allocated.
//! Not done: 802.11, token ring, FDDI, frame relay, SLIP and other links; see also `tunnel` and `gre`.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod arp;
mod cooked;
mod ethernet;
mod geneve;
mod gre;
mod gtp;
mod icmp;
mod ip;
mod ipv4;
mod ipv6;
mod l2tp;
mod llc;
mod loopback;
pub mod mpls;
mod pbb;
mod ppp;
mod sctp;
mod serial;
mod tcp;
mod teredo;
mod transport;
mod tunnel;
mod udp;
mod vlan;
mod vxlan;

pub use arp::Arp;
pub use icmp::{Icmp, Neighbour};
pub use ip::{Fragment, Ip};
pub use ipv4::Ipv4;
pub use ipv6::Ipv6;
pub use sctp::{Sctp, chunk};
pub use tcp::{Tcp, flag, is_signed};
pub use transport::{Transport, proto};
pub use tunnel::{Encapsulated, Inner, Kind, Tunnel, carried, inner, may_carry};
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
    /// SCTP.
    Sctp,
    /// MPLS.
    Mpls,
    /// PPP or PPPoE.
    Ppp,
    /// GRE or ERSPAN.
    Gre,
    /// Another header that carries packets.
    Tunnel,
}

impl Layer {
    /// All layers, in the order of `index`.
    pub const ALL: [Self; 13] = [
        Self::Link,
        Self::Vlan,
        Self::Arp,
        Self::Ipv4,
        Self::Ipv6,
        Self::Icmp,
        Self::Tcp,
        Self::Udp,
        Self::Sctp,
        Self::Mpls,
        Self::Ppp,
        Self::Gre,
        Self::Tunnel,
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
            Self::Sctp => "sctp",
            Self::Mpls => "mpls",
            Self::Ppp => "ppp",
            Self::Gre => "gre",
            Self::Tunnel => "tunnel",
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
    /// VLAN id behind the outer one; 0 if there is no second tag.
    pub inner_vlan: u16,
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
    /// What a port says by LLDP.
    Lldp(&'a [u8]),
    /// What a port says by CDP.
    Cdp(&'a [u8]),
    /// An EtherType that is not decoded.
    EtherType(u16),
    /// An LLC service access point that is not decoded.
    Llc(u8),
    /// A PPP protocol that is not decoded.
    Ppp(u16),
    /// Labels, a PPPoE session or a provider's tag around another packet.
    Tunnelled(Encapsulated<'a>),
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
        9 | 50 => Ok(bare(ppp::decode(frame, wire_len)?)),
        104 => Ok(serial::hdlc(frame, wire_len)?),
        239 => Ok(bare(serial::nflog(frame, wire_len)?)),
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
        inner_vlan: 0,
        network,
    }
}

/// What follows an EtherType, tags included: outer and inner VLAN id, and network layer.
#[inline]
fn after_ether_type(
    ether_type: u16,
    rest: &[u8],
    offset: u32,
    wire_len: u32,
) -> Result<((u16, u16), Network<'_>), Malformed> {
    if vlan::is_tag(ether_type) {
        let (ids, ether_type, rest, tags_len) = vlan::strip(rest).map_err(|m| m.at(offset))?;
        let offset = offset.saturating_add(tags_len);
        let network = network(ether_type, rest, offset, wire_len)?;
        return Ok((ids, network));
    }
    Ok(((0, 0), network(ether_type, rest, offset, wire_len)?))
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
        0x8847 | 0x8848 => mpls::parse(rest, rest_len).map(Network::Tunnelled),
        0x88cc => Ok(Network::Lldp(rest)),
        0x8864 => ppp::over_ethernet(rest, rest_len).map(Network::Tunnelled),
        0x88e7 => pbb::parse(rest, rest_len).map(Network::Tunnelled),
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
#[cfg(test)]
mod tunnel_tests;
