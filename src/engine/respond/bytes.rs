//! A reset as bytes: Ethernet, up to two VLAN tags, IP, TCP; nothing else can be written here.
//!
//! Standard: IEEE 802.3, 802.1Q; RFC 791, RFC 8200; RFC 9293 §3.1; RFC 1071 for the checksums.
//! Bounds:   82 bytes: 14 Ethernet, 8 tags, 40 IPv6, 20 TCP. No payload, no options, window 0.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decode::{flag, proto};
use crate::types::{Endpoint, MacAddr};

/// Longest reset there is.
pub(super) const FRAME_LEN_MAX: usize = 82;
const TCP_LEN: u16 = 20;

/// A TCP reset, ready for the wire. Only this room can make one.
#[derive(Clone, Copy)]
pub struct ResetFrame {
    bytes: [u8; FRAME_LEN_MAX],
    len: usize,
}

impl ResetFrame {
    /// The frame, from the destination address on, without padding and check sequence.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl std::fmt::Debug for ResetFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResetFrame")
            .field("len", &self.len)
            .finish()
    }
}

/// At most two resets, and whose they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resets {
    frames: [Option<ResetFrame>; 2],
    /// Serial number of the entry that made them.
    pub(super) entry: Option<u32>,
    /// Whether they are the entry's first.
    pub(super) first: bool,
}

impl Resets {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            frames: [None; 2],
            entry: None,
            first: false,
        }
    }

    /// The frames, in the order to send them.
    pub fn iter(&self) -> impl Iterator<Item = &ResetFrame> {
        self.frames.iter().flatten()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether they are the first of an action: the caller measures how long they took.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.first && !self.is_empty()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Adds a frame; a third is not kept.
    pub(super) fn push(&mut self, frame: ResetFrame) {
        if let Some(free) = self.frames.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(frame);
        }
    }
}

/// What a reset says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    /// Who it is for.
    pub(super) dst_mac: MacAddr,
    /// The injection port.
    pub(super) src_mac: MacAddr,
    /// VLAN tags as on the wire, four bytes each; empty on a port that is no trunk.
    pub(super) tags: &'a [u8],
    /// Who it seems to come from.
    pub(super) src: Endpoint,
    /// Who it is for.
    pub(super) dst: Endpoint,
    /// Time to live of the end it seems to come from.
    pub(super) ttl: u8,
    /// IPv6 flow label of that end, 20 bits.
    pub(super) flow_label: u32,
    /// Sequence number.
    pub(super) seq: u32,
    /// Acknowledgement, if one is said.
    pub(super) ack: Option<u32>,
}

/// Writes from front to back; what does not fit is left out.
struct Writer {
    bytes: [u8; FRAME_LEN_MAX],
    len: usize,
}

impl Writer {
    fn put(&mut self, part: &[u8]) {
        let end = self.len.saturating_add(part.len());
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(part);
            self.len = end;
        }
    }
}

impl Segment<'_> {
    /// As a frame; `None` if the ends are of different families.
    pub(super) fn frame(&self) -> Option<ResetFrame> {
        let mut writer = Writer {
            bytes: [0; FRAME_LEN_MAX],
            len: 0,
        };
        writer.put(&self.dst_mac.0);
        writer.put(&self.src_mac.0);
        writer.put(self.tags);
        let pseudo = match (self.src.ip(), self.dst.ip()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                writer.put(&[0x08, 0x00]);
                writer.put(&ipv4(src, dst, self.ttl));
                sum(&src.octets()).wrapping_add(sum(&dst.octets()))
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                writer.put(&[0x86, 0xdd]);
                writer.put(&ipv6(src, dst, self.ttl, self.flow_label));
                sum(&src.octets()).wrapping_add(sum(&dst.octets()))
            }
            _ => return None,
        };
        let pseudo = pseudo
            .wrapping_add(u32::from(proto::TCP))
            .wrapping_add(u32::from(TCP_LEN));
        writer.put(&self.tcp(pseudo));
        Some(ResetFrame {
            bytes: writer.bytes,
            len: writer.len,
        })
    }

    /// The TCP header; `pseudo` is the sum of the pseudo header's words.
    fn tcp(&self, pseudo: u32) -> [u8; 20] {
        let flags = match self.ack {
            Some(_) => flag::RST | flag::ACK,
            None => flag::RST,
        };
        let [s0, s1] = self.src.port.to_be_bytes();
        let [d0, d1] = self.dst.port.to_be_bytes();
        let [q0, q1, q2, q3] = self.seq.to_be_bytes();
        let [a0, a1, a2, a3] = self.ack.unwrap_or(0).to_be_bytes();
        // Five words of header, window 0, no urgent data.
        let head = |c0, c1| {
            [
                s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, 0x50, flags, 0, 0, c0, c1, 0, 0,
            ]
        };
        let [c0, c1] = fold(pseudo.wrapping_add(sum(&head(0, 0)))).to_be_bytes();
        head(c0, c1)
    }
}

/// An IPv4 header: don't fragment, identification 0 (RFC 6864 §4.1).
fn ipv4(src: Ipv4Addr, dst: Ipv4Addr, ttl: u8) -> [u8; 20] {
    let ([s0, s1, s2, s3], [d0, d1, d2, d3]) = (src.octets(), dst.octets());
    let head = |c0, c1| {
        [
            0x45,
            0,
            0,
            40,
            0,
            0,
            0x40,
            0,
            ttl,
            proto::TCP,
            c0,
            c1,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ]
    };
    let [c0, c1] = fold(sum(&head(0, 0))).to_be_bytes();
    head(c0, c1)
}

/// An IPv6 header.
fn ipv6(src: Ipv6Addr, dst: Ipv6Addr, hops: u8, flow_label: u32) -> [u8; 40] {
    let mut header = [0; 40];
    let [_, l0, l1, l2] = (flow_label & 0x000f_ffff).to_be_bytes();
    let [n0, n1] = TCP_LEN.to_be_bytes();
    let fixed = [0x60, l0, l1, l2, n0, n1, proto::TCP, hops];
    let parts = fixed.into_iter().chain(src.octets()).chain(dst.octets());
    for (slot, byte) in header.iter_mut().zip(parts) {
        *slot = byte;
    }
    header
}

/// Sum of 16-bit words; the parts have even length.
fn sum(bytes: &[u8]) -> u32 {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().fold(0, |sum, pair| {
        sum.wrapping_add(u32::from(u16::from_be_bytes(*pair)))
    })
}

/// One's complement of the folded sum.
fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}
