//! Packets inside packets: what carries them, and where the inner headers begin.
//!
//! Input:  an IP packet of a protocol that carries others, or a datagram to a tunnel's port.
//! Output: [`Encapsulated`]: kind, number and inner bytes, still to be decoded by [`inner`].
//! Guess:  a port proves nothing. A datagram is taken for a tunnel only if the inner headers check out;
//!         behind an IP protocol number or EtherType there is no guess, so mistakes there are malformed.
//! Not done: AYIYA, OpenVPN, CAPWAP, LISP and STT stay ordinary datagrams.

use super::{
    Frame, Ip, Layer, Malformed, Network, Transport, Udp, bare, ethernet, geneve, gre, gtp, ip,
    l2tp, network, ppp, proto, teredo, vxlan,
};

/// What kind of header carries a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A label stack.
    #[default]
    Mpls,
    /// A PPPoE session.
    Pppoe,
    /// Provider backbone bridging, 802.1ah.
    Pbb,
    /// IPv4 or IPv6 in IP.
    Ipip,
    /// Ethernet in IP, RFC 3378.
    EtherIp,
    /// GRE with whatever is not named apart.
    Gre,
    /// GRE version 1, as PPTP has it.
    Pptp,
    /// ERSPAN I, II or III.
    Erspan,
    /// VXLAN.
    Vxlan,
    /// Geneve.
    Geneve,
    /// GTP-U.
    Gtp,
    /// Teredo.
    Teredo,
    /// L2TP version 2.
    L2tp,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Mpls,
        Self::Pppoe,
        Self::Pbb,
        Self::Ipip,
        Self::EtherIp,
        Self::Gre,
        Self::Pptp,
        Self::Erspan,
        Self::Vxlan,
        Self::Geneve,
        Self::Gtp,
        Self::Teredo,
        Self::L2tp,
    ];

    /// Lower-case name: key of the counter and first word of a record's field.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
            Self::Pbb => "pbb",
            Self::Ipip => "ipip",
            Self::EtherIp => "etherip",
            Self::Gre => "gre",
            Self::Pptp => "pptp",
            Self::Erspan => "erspan",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gtp => "gtp",
            Self::Teredo => "teredo",
            Self::L2tp => "l2tp",
        }
    }

    /// Whether both directions of a flow carry the same number. MPLS labels, GTP and L2TP tunnel ids and
    /// PPTP call ids are each receiver's own choice: with them in a key every flow would fall in two.
    #[must_use]
    pub fn is_same_both_ways(self) -> bool {
        !matches!(self, Self::Mpls | Self::Pptp | Self::Gtp | Self::L2tp)
    }
}

/// How a tunnel is named: its kind, and the number it goes by, if it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tunnel {
    /// See [`Kind`].
    pub kind: Kind,
    /// VNI, key, TEID, session; of MPLS the first labels, see [`super::mpls`].
    pub id: Option<u64>,
}

/// How the inner bytes begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// With an IP header that tells its version.
    Ip,
    /// With an Ethernet header.
    Ethernet,
    /// With a PPP header.
    Ppp,
    /// As this EtherType says.
    EtherType(u16),
}

/// A packet inside another, not yet decoded.
#[derive(Clone, Copy, Debug)]
pub struct Encapsulated<'a> {
    /// What carries it.
    pub tunnel: Tunnel,
    /// How it begins.
    pub inner: Inner,
    /// Captured bytes.
    pub bytes: &'a [u8],
    /// Bytes on the wire, as the outer headers say.
    pub wire_len: u32,
    /// The label stack of MPLS; else nothing.
    pub stack: &'a [u8],
}

impl<'a> Encapsulated<'a> {
    /// Bytes of kind `kind`, numbered `id`.
    pub(super) fn new(
        (kind, id): (Kind, Option<u64>),
        inner: Inner,
        bytes: &'a [u8],
        wire_len: u32,
    ) -> Self {
        Self {
            tunnel: Tunnel { kind, id },
            inner,
            bytes,
            wire_len,
            stack: &[],
        }
    }

    /// Whether the capture cut it.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        super::narrow(self.bytes.len()) < self.wire_len
    }
}

/// Ports at which a datagram may be a tunnel's; the receiver's, or either for those that answer from it.
const RECEIVER_PORTS: [u16; 4] = [
    vxlan::PORT,
    vxlan::PORT_LINUX,
    vxlan::PORT_GPE,
    geneve::PORT,
];

/// The packet inside a packet whose transport header was read; `None` for nearly all of them.
///
/// # Errors
/// The carrying header contradicts itself, and nothing about it is a guess.
#[inline]
pub fn carried<'a>(
    ip: &Ip<'a>,
    transport: &Transport<'a>,
) -> Result<Option<Encapsulated<'a>>, Malformed> {
    match transport {
        Transport::Udp(udp) if may_carry(udp) => Ok(in_datagram(udp)),
        Transport::Other { .. } => in_packet(ip),
        _ => Ok(None),
    }
}

/// Whether the ports are those of a tunnel.
#[inline]
#[must_use]
pub fn may_carry(udp: &Udp<'_>) -> bool {
    let either = |port| matches!(port, gtp::PORT | teredo::PORT | l2tp::PORT);
    RECEIVER_PORTS.contains(&udp.dst_port) || either(udp.dst_port) || either(udp.src_port)
}

/// The packet in a datagram, if what is inside checks out.
#[cold]
fn in_datagram<'a>(udp: &Udp<'a>) -> Option<Encapsulated<'a>> {
    let (bytes, len) = (udp.payload, udp.payload_len);
    let found = match (udp.src_port, udp.dst_port) {
        (_, vxlan::PORT | vxlan::PORT_LINUX | vxlan::PORT_GPE) => vxlan::parse(bytes, len),
        (_, geneve::PORT) => geneve::parse(bytes, len),
        (_, gtp::PORT) | (gtp::PORT, _) => gtp::parse(bytes, len),
        (_, teredo::PORT) | (teredo::PORT, _) => teredo::parse(bytes, len),
        (_, l2tp::PORT) | (l2tp::PORT, _) => l2tp::parse(bytes, len),
        _ => None,
    }?;
    inner(&found).is_ok().then_some(found)
}

/// The packet behind an IP protocol number.
fn in_packet<'a>(ip: &Ip<'a>) -> Result<Option<Encapsulated<'a>>, Malformed> {
    let (bytes, len) = (ip.payload, ip.payload_len);
    let plain = |kind, inner| Some(Encapsulated::new((kind, None), inner, bytes, len));
    Ok(match ip.proto {
        proto::IPV4 => plain(Kind::Ipip, Inner::EtherType(0x0800)),
        proto::IPV6 => plain(Kind::Ipip, Inner::EtherType(0x86dd)),
        proto::GRE => gre::parse(bytes, len)?,
        proto::MPLS => Some(super::mpls::parse(bytes, len)?),
        proto::ETHERIP => match bytes.split_first_chunk::<2>() {
            // RFC 3378 §2: version 3, and twelve bits that must be zero.
            Some(([0x30, 0], rest)) => Some(Encapsulated::new(
                (Kind::EtherIp, None),
                Inner::Ethernet,
                rest,
                len.saturating_sub(2),
            )),
            Some(_) => None,
            None => return Err(Malformed::new(Layer::Tunnel, 2, bytes.len())),
        },
        _ => None,
    })
}

/// Decodes what is inside. A frame without an Ethernet header has no hardware addresses and no tag.
///
/// # Errors
/// As [`super::decode`].
pub fn inner<'a>(within: &Encapsulated<'a>) -> Result<Frame<'a>, Malformed> {
    let (bytes, len) = (within.bytes, within.wire_len);
    match within.inner {
        Inner::Ip => ip::by_version(bytes, len).map(bare),
        Inner::Ethernet => ethernet::decode(bytes, len),
        Inner::Ppp => ppp::decode(bytes, len).map(bare),
        Inner::EtherType(number) if super::vlan::is_tag(number) => {
            let (tags, network) = super::after_ether_type(number, bytes, 0, len)?;
            let (vlan, inner_vlan) = tags;
            Ok(Frame {
                vlan,
                inner_vlan,
                ..bare(network)
            })
        }
        // Behind GRE a small number is no length (RFC 2784 §2.4).
        Inner::EtherType(number @ 0..=0x05dc) => Ok(bare(Network::EtherType(number))),
        Inner::EtherType(number) => network(number, bytes, 0, len).map(bare),
    }
}
