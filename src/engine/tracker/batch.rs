//! Many packets at once, so that they wait for memory together.
//!
//! Where a packet's flow lies depends on nothing that the packets before it did: so of some packets first the
//! keys are read, then the places of their flows, then the flows are asked for, and only then does one packet after
//! the other change its flow. What is asked for changes nothing; a flow that begins or ends in between is found by its packet.
//! Bounds: [`PACKETS`] packets at a time.

use super::Tracker;
use super::plain::Quick;
use crate::types::{Observations, Timestamp};

/// Packets whose flows are asked for together. More would leave the nearest cache, fewer would wait for
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

impl Packet<'_> {
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
}

impl Tracker {
    /// Takes a frame of link type `link` (LINKTYPE number), of which `wire_len` bytes were on the wire.
    pub fn packet(
        &mut self,
        ts: Timestamp,
        link: u32,
        wire_len: u32,
        frame: &[u8],
        out: &mut Observations,
    ) {
        let packet = Packet {
            ts,
            link,
            wire_len,
            frame,
        };
        let quick = Quick::read(&packet, &self.table);
        self.take(&packet, quick.as_ref(), out);
    }

    /// Takes frames one after the other, as [`Self::packet`] does, at less cost.
    pub fn packets<'a>(
        &mut self,
        packets: impl IntoIterator<Item = Packet<'a>>,
        out: &mut Observations,
    ) {
        let mut packets = packets.into_iter();
        loop {
            let mut waiting: [Option<Packet<'a>>; PACKETS] = [None; PACKETS];
            let mut quick: [Option<Quick>; PACKETS] = [const { None }; PACKETS];
            for (waiting, quick) in waiting.iter_mut().zip(&mut quick) {
                *waiting = packets.next();
                let Some(packet) = waiting else { break };
                *quick = Quick::read(packet, &self.table);
                if let Some(quick) = quick {
                    self.table.ask_place(quick.hash);
                }
            }
            for quick in quick.iter().flatten() {
                self.table.ask_flow(quick.hash);
            }
            for (packet, quick) in waiting.iter().zip(&quick) {
                let Some(packet) = packet else { return };
                self.take(packet, quick.as_ref(), out);
            }
        }
    }
}
