//! What a `Tracker` tells `Analysis`: small, ordered, without references to the frame.
//!
//! Order: by (`ts`, canonical flow key), and within one flow as emitted; a stable sort restores it,
//! whatever the number of workers.

use std::net::IpAddr;

use super::{Endpoint, FlowRef, MacAddr, Record, Text, Timestamp};

/// One thing seen, at the time it was seen; for a timer, its deadline.
#[derive(Debug)]
pub struct Observation {
    /// Time of emission.
    pub ts: Timestamp,
    /// The flow it belongs to; [`FlowRef::default`] for frames without IP.
    pub flow: FlowRef,
    /// What was seen.
    pub body: Body,
}

/// What was seen.
#[derive(Debug)]
pub enum Body {
    /// Something happened to the flow itself.
    Flow(FlowEvent),
    /// The flow is over: its `conn` record, and what it counted since its last event.
    Close(FlowEvent, Box<Record>),
    /// A parser or the flow table has a record.
    Record(Box<Record>),
    /// Evidence of who a device is.
    Clue(Box<Clue>),
    /// A hardware address, with the address it spoke for.
    Sighting(Sighting),
    /// Frames counted, whatever they were.
    Census(Box<Census>),
    /// Something about the input as a whole.
    Mark(Mark),
    /// Nothing: what was here has been taken out.
    Taken,
}

impl Body {
    /// The event of the flow, if this is one.
    #[must_use]
    pub fn event(&self) -> Option<&FlowEvent> {
        match self {
            Self::Flow(event) | Self::Close(event, _) => Some(event),
            _ => None,
        }
    }

    /// The record told, if one is: of a transaction, or of the flow when it is over.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) | Self::Close(_, record) => Some(record),
            _ => None,
        }
    }
}

const _: () = assert!(
    size_of::<Observation>() <= 128,
    "an observation is two cache lines: nearly all of a flow's cost is moving them"
);

/// A stage in a flow's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// First packet.
    New,
    /// The responder accepted: SYN-ACK, or a first answer without TCP.
    Answered,
    /// The responder refused (RST to a SYN, ICMP unreachable) or stayed silent until its timer.
    Failed,
    /// Every minute and at every doubling of bytes.
    Update,
    /// The flow is over; told with its `conn` record.
    Close,
}

/// State of a flow at a phase. Byte and packet counts are what was added since its last event.
#[derive(Clone, Copy, Debug)]
pub struct FlowEvent {
    /// See [`Phase`].
    pub phase: Phase,
    /// Payload bytes the originator sent since the last event; TCP by sequence numbers.
    pub orig_bytes: u32,
    /// The same from the responder.
    pub resp_bytes: u32,
    /// Packets from the originator since the last event.
    pub orig_pkts: u32,
    /// Packets from the responder.
    pub resp_pkts: u32,
    /// Whether the flow began with a SYN (TCP) or is of a protocol without one.
    pub from_start: bool,
    /// Whether the handshake was seen complete both ways; false without TCP.
    pub handshake: bool,
    /// Whether a SYN carried a TCP-MD5 or TCP-AO option: such a flow can not be reset from outside.
    pub signed: bool,
    /// Whose first packet brought the event, if it is its sender's first: that one is there now.
    pub first_of: Option<Heard>,
    /// Last packet's hardware addresses: originator's and responder's side.
    pub orig_mac: MacAddr,
    /// See `orig_mac`.
    pub resp_mac: MacAddr,
}

/// A side of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The originator.
    Orig,
    /// The responder.
    Resp,
}

impl Heard {
    /// The side's hardware address and its end of the flow.
    #[inline]
    #[must_use]
    pub fn side(self, flow: &FlowRef, orig_mac: MacAddr, resp_mac: MacAddr) -> (MacAddr, Endpoint) {
        match self {
            Self::Orig => (orig_mac, flow.orig),
            Self::Resp => (resp_mac, flow.resp),
        }
    }

    /// The side's hardware address with the address it spoke for; none if no station has such a one.
    #[must_use]
    pub fn sighting(
        self,
        flow: &FlowRef,
        orig_mac: MacAddr,
        resp_mac: MacAddr,
    ) -> Option<Sighting> {
        let (mac, end) = self.side(flow, orig_mac, resp_mac);
        mac.is_station().then(|| Sighting {
            mac,
            ip: Some(end.ip()),
            evidence: "frame",
            vlan: flow.vlan,
        })
    }
}

impl FlowEvent {
    /// Who was heard for the first time in this flow.
    #[must_use]
    pub fn sighting(&self, flow: &FlowRef) -> Option<Sighting> {
        self.first_of?.sighting(flow, self.orig_mac, self.resp_mac)
    }

    /// What the event says of the flow's ends.
    #[must_use]
    pub fn ends(&self) -> Ends {
        Ends {
            open: self.phase != Phase::Close,
            handshake: self.handshake,
            signed: self.signed,
            orig_mac: self.orig_mac,
            resp_mac: self.resp_mac,
        }
    }
}

/// A TCP flow's ends at the time something was said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Whether it still lives: neither reset nor closed by both.
    pub open: bool,
    /// Whether the handshake was seen complete both ways.
    pub handshake: bool,
    /// Whether a SYN carried a TCP-MD5 or TCP-AO option.
    pub signed: bool,
    /// Hardware address of the last frame from the originator; a guess before the first.
    pub orig_mac: MacAddr,
    /// The same of the responder.
    pub resp_mac: MacAddr,
}

impl Ends {
    /// Whether the flow may be reset by itself.
    #[must_use]
    pub fn resettable(&self) -> bool {
        self.open && self.handshake && !self.signed
    }
}

/// A hardware address seen, with the address it spoke for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Sender.
    pub mac: MacAddr,
    /// Its address; `None` for frames without one.
    pub ip: Option<IpAddr>,
    /// `arp`, `ndp`, or `frame` (source of an IP packet, of a frame without IP).
    pub evidence: &'static str,
    /// Outer VLAN id; 0 if untagged.
    pub vlan: u16,
}

/// Evidence of who a device is, from a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clue {
    /// Hardware address it is about, if the protocol names one (DHCP `chaddr`).
    pub mac: Option<MacAddr>,
    /// Address it is about, if known.
    pub ip: Option<IpAddr>,
    /// What kind of evidence.
    pub kind: ClueKind,
    /// What it rests on, for example `dhcp option 12`.
    pub evidence: &'static str,
    /// The value: a name, a fingerprint, a banner.
    pub value: Text,
}

/// Kinds of evidence about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClueKind {
    /// The device calls itself so.
    HostName,
    /// Others call it so: a DNS answer for its address.
    DnsName,
    /// It was leased this address; `ip` is set, `value` empty.
    Lease,
    /// Vendor class, option list, JA4, banner, user agent: what it runs.
    Software,
    /// It offers this service, as `value` says.
    Serves,
    /// This account was used on it.
    User,
    /// Not of a device: a flow of datagrams to `ip` and the port in `value` will be of the service `evidence`.
    Announced,
}

/// Frames of one tracker within a minute of packet time, told at its last nanosecond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Frames.
    pub packets: u64,
    /// Those to a group address.
    pub group: u64,
    /// Those of which the capture holds only the beginning.
    pub truncated: u64,
    /// Those longer than any frame on a wire.
    pub oversize: u64,
    /// TCP control segments whose checksum could be looked at.
    pub checked: u64,
    /// Those with a wrong one.
    pub bad_checksums: u64,
    /// Frames by outer VLAN id, in order of first sight.
    pub vlans: Vec<(u16, u64)>,
}

/// Something about the input as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Time jumped: flows were flushed, learning pauses for that hour.
    Epoch,
}

/// Where a `Tracker` puts what it saw; reused from batch to batch.
pub type Observations = Vec<Observation>;
