//! What is told of a flow: its events and its `conn` record.

use super::state::{Side, Tcp, bit};
use super::{Carrier, Conn, Dir, Flow, Weirds};
use crate::types::{Ends, FlowEvent, Heard, Interval, Phase, Timestamp};

/// Bytes of both sides above which every doubling is told.
const DOUBLING_BYTES_MIN: u64 = 64 * 1024;
/// A flow that lives is told of once more than this has passed, in units of 2^26 ns: a minute and a
/// little, as both times were rounded down.
const UPDATE_AGE_MIN: u32 = 896;
/// More new bytes than this are told at once, so that the counters hold them.
const NEW_BYTES_MAX: u32 = 1 << 31;

/// The event `phase` of a flow at `ts`; what it counts is counted once. `first_of` is the side whose
/// first packet brought it.
#[must_use]
pub fn event<A>(
    flow: &mut Flow<A>,
    phase: Phase,
    first_of: Option<Heard>,
    ts: Timestamp,
) -> FlowEvent {
    flow.event_age = age(flow, ts);
    let (orig, resp) = (&mut flow.orig, &mut flow.resp);
    let (orig_bytes, resp_bytes) = (orig.tell_payload(), resp.tell_payload());
    let orig_pkts = std::mem::take(&mut orig.new_pkts);
    let resp_pkts = std::mem::take(&mut resp.new_pkts);
    FlowEvent {
        phase,
        orig_bytes,
        resp_bytes,
        orig_pkts,
        resp_pkts,
        from_start: flow.is(bit::FROM_START),
        handshake: flow.is(bit::HANDSHAKE),
        signed: flow.is(bit::SIGNED) || flow.key.carrier != 0,
        first_of,
        orig_mac: flow.orig.mac,
        resp_mac: flow.resp.mac,
    }
}

/// What is known of a TCP flow's ends; `open` is false once the flow is taken off its table.
#[must_use]
pub fn ends<A>(flow: &Flow<A>, open: bool) -> Option<Ends> {
    (flow.key.proto == 6).then(|| Ends {
        // A reset that both ends outlived did not close it.
        open: open && (!flow.is_finished() || flow.weirds().has(Weirds::DATA_AFTER_RESET)),
        handshake: flow.is(bit::HANDSHAKE),
        signed: flow.is(bit::SIGNED) || flow.key.carrier != 0,
        orig_mac: flow.orig.mac,
        resp_mac: flow.resp.mac,
    })
}

impl Side {
    /// Payload bytes since the last event; an update is told before they outgrow 32 bits.
    #[inline]
    fn new_payload(&self) -> u32 {
        self.payload_low().wrapping_sub(self.told_payload)
    }

    /// The same, told now.
    fn tell_payload(&mut self) -> u32 {
        let new = self.new_payload();
        self.told_payload = self.payload_low();
        new
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
    fn payload_low(&self) -> u32 {
        self.payload as u32
    }
}

/// Time since the first packet in units of 2^26 ns.
#[inline]
fn age<A>(flow: &Flow<A>, ts: Timestamp) -> u32 {
    u32::try_from(ts.since(flow.first_ts) >> 26).unwrap_or(u32::MAX)
}

impl<A> Flow<A> {
    /// Whether an update is due after a packet of `bytes` at `ts`.
    #[inline]
    #[must_use]
    pub fn wants_update(&self, ts: Timestamp, bytes: u32) -> bool {
        let total = self.orig.ip_bytes.wrapping_add(self.resp.ip_bytes);
        let doubled = total >= DOUBLING_BYTES_MIN
            && total.leading_zeros() != total.wrapping_sub(u64::from(bytes)).leading_zeros();
        doubled
            || age(self, ts).wrapping_sub(self.event_age) >= UPDATE_AGE_MIN
            || self.orig.new_payload() | self.resp.new_payload() >= NEW_BYTES_MAX
    }
}

/// The `conn` record of a flow that is over. Unlike Zeek's, a flow of one packet has its byte counts.
#[must_use]
pub fn conn<A>(flow: &Flow<A>, service: Option<&'static str>, carrier: Option<&Carrier>) -> Conn {
    let proto = match flow.key.proto {
        6 => "tcp",
        17 => "udp",
        1 | 58 => "icmp",
        132 => "sctp",
        _ => "unknown_transport",
    };
    let more_than_one = flow.orig.pkts.saturating_add(flow.resp.pkts) > 1;
    let duration = Interval(flow.last_ts.since(flow.first_ts));
    Conn {
        proto,
        service,
        duration: more_than_one.then_some(duration),
        orig_bytes: Some(flow.orig.payload),
        resp_bytes: Some(flow.resp.payload),
        conn_state: conn_state(flow),
        missed_bytes: flow.missed.into(),
        history: flow.history.text(),
        orig_pkts: flow.orig.pkts,
        orig_ip_bytes: flow.orig.ip_bytes,
        resp_pkts: flow.resp.pkts,
        resp_ip_bytes: flow.resp.ip_bytes,
        duplicated: flow.is(bit::DUPLICATES).then_some(true),
        copies: Some(u64::from(flow.copies)).filter(|copies| *copies > 0),
        // One packet may be like another by chance or because a host is in both VLANs.
        other_vlan: Some(flow.other_vlan.0).filter(|_| flow.other_vlan.1 > 1),
        inner_vlan: carrier.and_then(Carrier::inner_vlan),
        tunnel: carrier.and_then(Carrier::text),
        cloud_service: None,
        cloud_category: None,
        cloud_sanctioned: None,
    }
}

/// Zeek's connection state.
fn conn_state<A>(flow: &Flow<A>) -> &'static str {
    use Tcp::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};
    match flow.key.proto {
        6 => {}
        17 | 132 => {
            return match (flow.orig.pkts > 0, flow.resp.pkts > 0) {
                (true, true) => "SF",
                (true, false) => "S0",
                (false, true) => "SHR",
                (false, false) => "OTH",
            };
        }
        _ => return "OTH",
    }
    let empty = flow.side(Dir::Orig).payload | flow.side(Dir::Resp).payload == 0;
    match (flow.orig.state, flow.resp.state) {
        (SynSent | SynAckSent, Reset) => "REJ",
        (Reset, Reset) if empty => "REJ",
        (Inactive | Partial, Reset) => "RSTRH",
        (_, Reset) => "RSTR",
        (Reset, Inactive | Partial) => "RSTOS0",
        (Reset, _) => "RSTO",
        (Closed, Closed) => "SF",
        (Closed, Inactive | Partial) => "SH",
        (Closed, _) => "S2",
        (Inactive | Partial, Closed) => "SHR",
        (_, Closed) => "S3",
        (SynSent, Inactive) => "S0",
        (Established, Established) => "S1",
        _ => "OTH",
    }
}
