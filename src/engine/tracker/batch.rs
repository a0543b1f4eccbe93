//! Many packets at once, so that they wait for memory together.
//!
//! Where a packet's flow lies depends on nothing that the packets before it did: so of some packets first the
//! headers are decoded, then the flows are read, and only then does one packet after the other change its
//! flow. What is read ahead changes nothing; a flow that begins or ends in between is found by its packet.
//! Bounds: [`PACKETS`] packets at a time.

use super::Tracker;
use crate::decode::{self, Frame, Network, Refused, proto};
use crate::flow::Key;
use crate::types::{Endpoint, Observations, Timestamp};

/// Packets whose flows are read together. More would leave the nearest cache, fewer would wait for
/// memory more often.
const PACKETS: usize = 16;

/// A frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it came.
    pub ts: Timestamp,
    /// LINKTYPE number.
    pub link: u32,
    /// Bytes of it that were on the wire.
    pub wire_len: u32,
    /// Its captured bytes.
    pub frame: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Bytes that were captured.
    #[inline]
    pub(super) fn captured(&self) -> u32 {
        u32::try_from(self.frame.len()).unwrap_or(u32::MAX)
    }

    /// Bytes that were on the wire: no fewer than were captured.
    #[inline]
    pub(super) fn wire_len(&self) -> u32 {
        self.wire_len.max(self.captured())
    }

    #[inline]
    pub(super) fn decode(&self) -> Result<Frame<'a>, Refused> {
        decode::decode(self.link, self.wire_len(), self.frame)
    }
}

/// A packet that waits for its turn.
struct Waiting<'a> {
    packet: Packet<'a>,
    decoded: Result<Frame<'a>, Refused>,
    /// Hash of its flow's key, if that can be told from its first headers.
    hash: Option<u32>,
}

impl Tracker {
    /// Takes frames one after the other, as [`Self::packet`] does, at less cost.
    pub fn packets<'a>(
        &mut self,
        packets: impl IntoIterator<Item = Packet<'a>>,
        out: &mut Observations,
    ) {
        let mut packets = packets.into_iter();
        loop {
            let waiting: [Option<Waiting<'a>>; PACKETS] = std::array::from_fn(|_| {
                let packet = packets.next()?;
                let decoded = packet.decode();
                let hash = decoded.as_ref().ok().and_then(|frame| self.hash(frame));
                Some(Waiting {
                    packet,
                    decoded,
                    hash,
                })
            });
            for hash in waiting.iter().flatten().filter_map(|one| one.hash) {
                self.table.fetch(hash);
            }
            for one in &waiting {
                let Some(one) = one else { return };
                self.decoded(&one.packet, &one.decoded, one.hash, out);
            }
        }
    }

    /// The hash of the key of a frame's flow, if it has ports and nothing carries it.
    #[inline]
    fn hash(&self, frame: &Frame<'_>) -> Option<u32> {
        let Network::Ip(ip) = &frame.network else {
            return None;
        };
        let has_ports = matches!(ip.proto, proto::TCP | proto::UDP | proto::SCTP);
        if !has_ports || ip.fragment.is_some() || frame.inner_vlan != 0 {
            return None;
        }
        let &[s0, s1, d0, d1] = ip.payload.first_chunk::<4>()?;
        let src = Endpoint {
            addr: ip.src,
            port: u16::from_be_bytes([s0, s1]),
        };
        let dst = Endpoint {
            addr: ip.dst,
            port: u16::from_be_bytes([d0, d1]),
        };
        let (key, _) = Key::new(src, dst, ip.proto, frame.vlan, 0);
        Some(self.table.hash(&key))
    }
}
