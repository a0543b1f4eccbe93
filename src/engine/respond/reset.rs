//! The answer to one frame: at most two resets, worked out from the frame's own numbers.
//!
//! Source: measured against Linux, which takes a reset only at exactly the next byte it expects
//!         (RFC 5961 §3.2): towards the frame's receiver that is `seq+len(+SYN/FIN)`, towards its
//!         sender its `ack`. A SYN is answered as its receiver would refuse it (RFC 9293 §3.10.7.1).

use tapir_message::Action;

use super::bytes::{Resets, Segment};
use super::entry::KillEntry;
use super::seen::Seen;
use crate::decode::flag;
use crate::types::{Endpoint, MacAddr};

/// The resets that answer `frame`; none if it is not the entry's, is itself a reset, is signed, or is
/// our own. Nothing is counted and nothing learned: that is the table's.
#[must_use]
pub fn reset(entry: &KillEntry, frame: &[u8]) -> Resets {
    let mut out = Resets::new();
    if let Some(seen) = Seen::parse(frame)
        && let Some(from) = entry.side_of(&seen)
    {
        answer(entry, from, &seen, &mut out);
    }
    out
}

/// The resets for a flow that fell silent. Nothing is on its way any more, so what an end acknowledged last
/// is exactly what it expects next: one that no reset has met in time hears of it now.
pub(super) fn last_pair(entry: &KillEntry, out: &mut Resets) {
    let [orig, resp] = entry.ends;
    for (to, src, dst) in [(0, resp, orig), (1, orig, resp)] {
        let (receiver, seeming) = (entry.side(to), entry.side(1 - to));
        let tags = match (entry.trunk, &seeming.tags) {
            (false, _) => &[],
            (true, Some(tags)) => tags.as_slice(),
            (true, None) => continue,
        };
        let Some(seq) = receiver.ack.or(seeming.next) else {
            continue;
        };
        let segment = Segment {
            dst_mac: receiver.mac,
            src_mac: entry.injection_mac,
            tags,
            src,
            dst,
            ttl: seeming.ttl.unwrap_or(64),
            flow_label: seeming.flow_label,
            seq,
            ack: None,
        };
        if receiver.mac.is_station()
            && let Some(frame) = segment.frame()
        {
            out.push(frame);
        }
    }
}

/// The same for a segment already known to be the entry's, sent by end `from`.
pub(super) fn answer(entry: &KillEntry, from: usize, seen: &Seen<'_>, out: &mut Resets) {
    if seen.has(flag::RST) || seen.signed || seen.src_mac == entry.injection_mac {
        return;
    }
    let tags = match (entry.trunk, seen.tags) {
        (true, Some(tags)) => tags,
        (true, None) => return,
        (false, _) => &[],
    };
    let (syn, ack) = (seen.has(flag::SYN), seen.has(flag::ACK));
    let (sender, receiver) = (entry.side(from), entry.side(1 - from));
    // The frame at hand is the best witness of its sender, and of its receiver if that never spoke.
    let to_sender = if seen.src_mac.is_station() {
        seen.src_mac
    } else {
        sender.mac
    };
    let to_receiver = if receiver.mac.is_station() {
        receiver.mac
    } else {
        seen.dst_mac
    };
    let segment = |dst_mac: MacAddr, src: Endpoint, dst: Endpoint, seq, ack| Segment {
        dst_mac,
        src_mac: entry.injection_mac,
        tags,
        src,
        dst,
        ttl: 64,
        flow_label: 0,
        seq,
        ack,
    };
    let as_sender = |seq, ack| Segment {
        ttl: seen.ttl,
        flow_label: seen.flow_label,
        ..segment(to_receiver, seen.src, seen.dst, seq, ack)
    };
    let as_receiver = |seq, ack| Segment {
        ttl: receiver.ttl.unwrap_or(seen.ttl),
        flow_label: receiver.flow_label,
        ..segment(to_sender, seen.dst, seen.src, seq, ack)
    };
    let mut push = |segment: Segment<'_>| {
        if segment.dst_mac.is_station()
            && let Some(frame) = segment.frame()
        {
            out.push(frame);
        }
    };
    // A connection that is only beginning is not the flow of a `reset_flow`.
    if syn && entry.action == Action::ResetFlow {
        return;
    }
    match (syn, ack) {
        (true, false) => push(as_receiver(0, Some(seen.end()))),
        (true, true) => {
            // To the responder as the initiator, then to the initiator: that one says what it
            // acknowledges as well, so that it counts before the SYN-ACK has arrived, too.
            push(as_receiver(seen.ack, None));
            push(as_sender(seen.end(), Some(seen.ack)));
        }
        (false, ack) => {
            push(as_sender(seen.end(), None));
            if ack {
                push(as_receiver(seen.ack, None));
            }
        }
    }
}
