//! A frame as the kill table sees it: a TCP segment with what has to be copied from around it.
//!
//! Bounds: two VLAN tags are kept; a frame with more is not answered on a trunk.

use crate::decode::{self, Ip, Network, Refused, Tcp, flag, is_signed, proto};
use crate::types::{Endpoint, MacAddr};

const ETHERNET: u32 = 1;
/// Where tags or the EtherType stand.
const TAGS_AT: usize = 12;
const TAG_LEN: usize = 4;
/// Largest frame that segmentation offload shows: 64 KiB of IP, Ethernet and two tags.
const WIRE_LEN_MAX: u32 = 65_535 + 22;

/// A TCP segment in an Ethernet frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) src_mac: MacAddr,
    pub(super) dst_mac: MacAddr,
    /// Outer VLAN id; 0 if untagged.
    pub(super) vlan: u16,
    /// The tags as on the wire; `None` if there are more than can be copied.
    pub(super) tags: Option<&'a [u8]>,
    pub(super) src: Endpoint,
    pub(super) dst: Endpoint,
    pub(super) ttl: u8,
    pub(super) flow_label: u32,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    /// Payload bytes on the wire.
    pub(super) len: u32,
    /// Whether it carries a TCP-MD5 or TCP-AO option.
    pub(super) signed: bool,
}

impl<'a> Seen<'a> {
    /// The segment in `frame`, if there is a whole header of one.
    pub(super) fn parse(frame: &'a [u8]) -> Option<Self> {
        let have = u32::try_from(frame.len()).ok()?;
        let decoded = match decode::decode(ETHERNET, have, frame) {
            // The headers of a frame that was cut while it was read are all that matters here.
            Err(Refused::Malformed(_)) => decode::decode(ETHERNET, WIRE_LEN_MAX, frame).ok()?,
            decoded => decoded.ok()?,
        };
        let Network::Ip(ip) = decoded.network else {
            return None;
        };
        if ip.proto != proto::TCP || ip.fragment.is_some() {
            return None;
        }
        let tcp = Tcp::parse(ip.payload, ip.payload_len).ok()?;
        let (ttl, flow_label) = around(&ip);
        Some(Self {
            src_mac: decoded.src_mac,
            dst_mac: decoded.dst_mac,
            vlan: decoded.vlan,
            tags: tags(frame),
            src: Endpoint {
                addr: ip.src,
                port: tcp.src_port,
            },
            dst: Endpoint {
                addr: ip.dst,
                port: tcp.dst_port,
            },
            ttl,
            flow_label,
            seq: tcp.seq,
            ack: tcp.ack,
            flags: tcp.flags,
            len: ip.payload_len.saturating_sub(tcp.header_len),
            signed: is_signed(ip.payload),
        })
    }

    /// Whether any of the flags in `mask` is set.
    pub(super) fn has(&self, mask: u8) -> bool {
        self.flags & mask != 0
    }

    /// Sequence number behind this segment: SYN and FIN count one each.
    pub(super) fn end(&self) -> u32 {
        let marks = u32::from(self.has(flag::SYN)) + u32::from(self.has(flag::FIN));
        self.seq.wrapping_add(self.len).wrapping_add(marks)
    }
}

/// Time to live and flow label.
fn around(ip: &Ip<'_>) -> (u8, u32) {
    match *ip.header {
        [v, l0, l1, l2, _, _, _, hops, ..] if v >> 4 == 6 => {
            (hops, u32::from_be_bytes([0, l0 & 0x0f, l1, l2]))
        }
        [_, _, _, _, _, _, _, _, ttl, ..] => (ttl, 0),
        _ => (64, 0),
    }
}

/// The VLAN tags of a frame, at most two.
fn tags(frame: &[u8]) -> Option<&[u8]> {
    let mut end = TAGS_AT;
    for _ in 0..=2 {
        let [a, b, ..] = *frame.get(end..)? else {
            return None;
        };
        if !matches!(u16::from_be_bytes([a, b]), 0x8100 | 0x88a8 | 0x9100) {
            return frame.get(TAGS_AT..end);
        }
        end = end.saturating_add(TAG_LEN);
    }
    None
}
