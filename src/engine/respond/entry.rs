//! One action: whom it is aimed at, what was learned of both ends since, and how it goes.

use tapir_message::Action;

use super::chase::Chase;
use super::seen::Seen;
use crate::decode::flag;
use crate::policy::Authorised;
use crate::types::{Endpoint, MacAddr, Timestamp};

/// One row of the kill table. Made from an order, and only from one.
#[derive(Debug)]
pub struct KillEntry {
    pub(super) decision: String,
    pub(super) breach: String,
    pub(super) action: Action,
    /// Originator and responder; of a held pair the originator's port does not matter.
    pub(super) ends: [Endpoint; 2],
    pub(super) vlan: u16,
    pub(super) injection_mac: MacAddr,
    /// Whether the injection port takes tagged frames.
    pub(super) trunk: bool,
    pub(super) ordered_ts: Timestamp,
    pub(super) expires_ts: Timestamp,
    /// Set by the table; says whose resets are whose.
    pub(super) serial: u32,
    pub(super) sides: [Side; 2],
    pub(super) chase: Chase,
}

/// What is known of one end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Side {
    /// Last source address on frames from it, on this VLAN.
    pub(super) mac: MacAddr,
    /// Time to live of its last frame.
    pub(super) ttl: Option<u8>,
    /// Flow label of its last frame.
    pub(super) flow_label: u32,
    /// VLAN tags of its last frame, if they can be copied.
    pub(super) tags: Option<Tags>,
    /// Behind the last byte it sent, and its last acknowledgement.
    pub(super) next: Option<u32>,
    pub(super) ack: Option<u32>,
    /// Data that waits for an acknowledgement: where it ends, and when it was seen.
    probe: Option<(u32, Timestamp)>,
    /// From here to the other end and back.
    half_ns: i64,
}

/// At most two VLAN tags, kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tags {
    bytes: [u8; 8],
    len: usize,
}

impl Tags {
    fn copy(tags: &[u8]) -> Option<Self> {
        let mut kept = Self {
            len: tags.len(),
            ..Self::default()
        };
        kept.bytes.get_mut(..tags.len())?.copy_from_slice(tags);
        Some(kept)
    }

    /// The tags as on the wire.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl KillEntry {
    /// The entry an order asks for. `injection_mac` is the port's own address; `trunk` says whether
    /// VLAN tags are copied or left out.
    #[must_use]
    pub fn new(order: Authorised, injection_mac: MacAddr, trunk: bool) -> Self {
        let target = order.target();
        let side = |mac: MacAddr| Side {
            mac,
            ..Side::default()
        };
        Self {
            action: order.action(),
            ends: [
                Endpoint::new(target.orig_h, target.orig_p),
                Endpoint::new(target.resp_h, target.resp_p),
            ],
            vlan: target.vlan,
            injection_mac,
            trunk,
            ordered_ts: order.ts(),
            expires_ts: order.expires_ts(),
            serial: 0,
            sides: [side(target.orig_mac), side(target.resp_mac)],
            chase: Chase::default(),
            decision: order.decision().to_owned(),
            breach: order.breach().to_owned(),
        }
    }

    /// Id of the decision.
    #[must_use]
    pub fn decision(&self) -> &str {
        &self.decision
    }

    /// Which end sent a segment, if it is this entry's: 0 the originator, 1 the responder.
    pub(super) fn side_of(&self, seen: &Seen<'_>) -> Option<usize> {
        if seen.vlan != self.vlan {
            return None;
        }
        let [orig, resp] = &self.ends;
        let is_orig = |end: &Endpoint| match self.action {
            Action::ResetFlow => end == orig,
            Action::HoldPair => end.addr == orig.addr,
        };
        if is_orig(&seen.src) && seen.dst == *resp {
            return Some(0);
        }
        (is_orig(&seen.dst) && seen.src == *resp).then_some(1)
    }

    /// End 0 or 1.
    pub(super) fn side(&self, at: usize) -> &Side {
        let [orig, resp] = &self.sides;
        if at == 0 { orig } else { resp }
    }

    /// Learns from a segment of end `from`.
    pub(super) fn learn(&mut self, ts: Timestamp, from: usize, seen: &Seen<'_>) {
        let [orig, resp] = &mut self.sides;
        let (side, peer) = if from == 0 {
            (orig, resp)
        } else {
            (resp, orig)
        };
        if seen.src_mac.is_station() {
            side.mac = seen.src_mac;
        }
        (side.ttl, side.flow_label) = (Some(seen.ttl), seen.flow_label);
        side.tags = seen.tags.and_then(Tags::copy);
        if seen.has(flag::RST) {
            return;
        }
        side.next = Some(seen.end());
        if seen.len > 0 && side.probe.is_none() {
            side.probe = Some((seen.end(), ts));
        }
        if seen.has(flag::ACK) {
            side.ack = Some(seen.ack);
            if let Some((end, sent)) = peer.probe
                && seen.ack.wrapping_sub(end) < 1 << 31
            {
                (peer.probe, peer.half_ns) = (None, ts.since(sent).max(0));
            }
        }
    }

    /// Round trip from end to end, as far as it was seen.
    pub(super) fn rtt_ns(&self) -> i64 {
        let [orig, resp] = &self.sides;
        orig.half_ns.saturating_add(resp.half_ns)
    }

    /// Whether a RST or FIN of end `from` stands where that end's stream does. One that does not is
    /// ignored by its receiver, too; taking it for the end would let an end shake us off.
    pub(super) fn is_in_place(&self, from: usize, seen: &Seen<'_>) -> bool {
        let known = [self.side(from).next, self.side(1 - from).ack];
        known.iter().all(Option::is_none) || known.contains(&Some(seen.seq))
    }
}
