//! One flow: what is kept of it while it is alive.
//!
//! Bounds: 256 bytes, whatever a parser keeps in `app` aside.

use super::wheel::UNLINKED;
use super::{Dir, History, Key, Weirds};
use crate::types::{FlowRef, MacAddr, Ordinal, Timestamp, ask};

/// Bits of [`Flow::flags`] and [`Side::seen`].
pub mod bit {
    /// Endpoint `a` of the key is the originator.
    pub const A_IS_ORIG: u32 = 1;
    /// The first packet was a SYN, or the protocol has none.
    pub const FROM_START: u32 = 2;
    /// `Answered` was told.
    pub const ANSWERED: u32 = 4;
    /// `Failed` was told.
    pub const FAILED: u32 = 8;
    /// The SYN-ACK acknowledged the SYN.
    pub const SYN_ACKED: u32 = 16;
    /// The handshake was seen complete both ways.
    pub const HANDSHAKE: u32 = 32;
    /// The originator went on after the SYN-ACK.
    pub const ESTABLISHED: u32 = 64;
    /// Second copies of packets are not counted.
    pub const DUPLICATES: u32 = 128;
    /// The originator has sent an acknowledgement; the responder's bit is the next.
    pub const ACKS: u32 = 256;
    /// A bad checksum of the originator was told; the responder's bit is the next.
    pub const BAD_CHECKSUM: u32 = 1_024;
    /// A RST or FIN that its receiver may not have believed: the flow may go on.
    pub const DOUBTED: u32 = 4_096;
    /// A SYN carried a TCP-MD5 or TCP-AO option.
    pub const SIGNED: u32 = 8_192;
    /// The originator's FIN came in order; the responder's bit is the next.
    pub const FIN_IN_ORDER: u32 = 16_384;
    /// Its packets are no copies of each other: they are not looked at any more.
    pub const GENUINE: u32 = 65_536;
    /// Every packet came three times or more.
    pub const TRIPLED: u32 = 131_072;
    /// It lies in a tunnel that is itself a flow, which counts its packets.
    pub const WITHIN_FLOW: u32 = 262_144;

    /// A SYN.
    pub const SYN: u8 = 1;
    /// A FIN.
    pub const FIN: u8 = 2;
    /// A RST.
    pub const RST: u8 = 4;
    /// Data.
    pub const DATA: u8 = 8;
    /// A pure ACK.
    pub const ACK: u8 = 16;
    /// Flags that exclude each other.
    pub const MULTI: u8 = 32;
    /// A checksum that was right.
    pub const CHECKSUM: u8 = 64;
    /// `next` is valid.
    pub const SEQ: u8 = 128;
}

/// State of one end of a TCP connection, as Zeek has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tcp {
    /// Nothing sent.
    #[default]
    Inactive,
    /// SYN sent.
    SynSent,
    /// SYN-ACK sent, SYN not seen.
    SynAckSent,
    /// Sending, but its SYN was not seen.
    Partial,
    /// Handshake seen.
    Established,
    /// FIN sent.
    Closed,
    /// RST sent.
    Reset,
}

/// What is kept of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Side {
    /// Packets.
    pub pkts: u64,
    /// Their bytes from the IP header on.
    pub ip_bytes: u64,
    /// Payload bytes; TCP: by sequence numbers, so repeated bytes count once and lost ones too.
    pub payload: u64,
    /// Packets since the last event.
    pub new_pkts: u32,
    /// Low half of `payload` at the last event.
    pub told_payload: u32,
    /// TCP: next sequence number expected.
    pub next: u32,
    /// TCP: highest acknowledgement sent by this side.
    pub ack: u32,
    /// TCP: the youngest range not seen, from its first byte to behind its last; equal if none.
    pub hole: (u32, u32),
    /// Last hardware address.
    pub mac: MacAddr,
    /// TCP state.
    pub state: Tcp,
    /// What was seen of it; see [`bit`].
    pub seen: u8,
    /// Content gaps, retransmissions and zero windows, for the history.
    pub gaps: u8,
    /// See `gaps`.
    pub retransmissions: u8,
    /// See `gaps`.
    pub zero_windows: u8,
    /// Pieces probed for a protocol; 255 once given up.
    pub sensed: u8,
    /// TCP: highest TTL or hop limit it sent with.
    pub(super) ttl: u8,
}

/// One flow, with whatever `A` its payload is parsed by.
///
/// It begins where a cache line does, and its fields are in this order: an ordinary packet needs the first
/// line and its own direction's, sometimes the other's; the last one is for what happens rarely.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Flow<A> {
    /// Its key.
    pub key: Key,
    /// See [`bit`].
    pub flags: u32,
    /// Last packet's time.
    pub last_ts: Timestamp,
    /// Sensing or parsing state, if any is needed.
    pub app: Option<Box<A>>,
    /// The originator's direction.
    pub orig: Side,
    /// The responder's direction.
    pub resp: Side,
    /// First packet's time.
    pub first_ts: Timestamp,
    /// Payload bytes known to be lost; at most 4 GiB are known.
    pub missed: u32,
    /// Time of the last event since the first packet, in units of 2^26 ns (67 ms).
    pub event_age: u32,
    /// Neighbours in the timing wheel.
    pub(super) links: (u32, u32),
    /// Copies that were not counted.
    pub copies: u32,
    /// When the last of the first packets came: time since the first in units of 2^16 ns, rounded up;
    /// 0 before.
    pub looked: u32,
    /// Slot of the timing wheel.
    pub(super) slot: u16,
    /// See [`Ordinal`].
    pub ordinal: Ordinal,
    /// Bytes of the copies among the first packets, each direction.
    pub duplicate_bytes: (u16, u16),
    /// Another VLAN in which its packets were seen as well, and how many of the first ones.
    pub other_vlan: (u16, u8),
    /// Copies among the first packets, each direction.
    pub duplicates: (u8, u8),
    /// How many of the first packets were like one just before, copies left out.
    pub again: u8,
    /// Most of them in a row.
    pub run: u8,
    /// Protocol sensed: 1 + its place in the list, 0 if none.
    pub service: u8,
    /// History letters.
    pub history: History,
    /// Oddities seen; see [`Flow::weirds`].
    pub(super) weirds: [u8; 3],
}

const _: () = {
    assert!(size_of::<Flow<u8>>() <= 256, "a flow is at most 256 bytes");
    let sides = (
        std::mem::offset_of!(Flow<u8>, orig),
        std::mem::offset_of!(Flow<u8>, resp),
    );
    assert!(sides.0 == 64 && sides.1 == 128, "a line for each direction");
};

const SECOND: i64 = 1_000_000_000;

impl<A> Flow<A> {
    /// A flow whose first packet comes at `ts`.
    #[must_use]
    pub fn new(key: Key, a_is_orig: bool, ts: Timestamp, ordinal: Ordinal) -> Self {
        Self {
            key,
            flags: if a_is_orig { bit::A_IS_ORIG } else { 0 },
            last_ts: ts,
            app: None,
            orig: Side::default(),
            resp: Side::default(),
            first_ts: ts,
            missed: 0,
            event_age: 0,
            links: (u32::MAX, u32::MAX),
            copies: 0,
            looked: 0,
            slot: UNLINKED,
            ordinal,
            duplicate_bytes: (0, 0),
            other_vlan: (0, 0),
            duplicates: (0, 0),
            again: 0,
            run: 0,
            service: 0,
            history: History::default(),
            weirds: [0; 3],
        }
    }

    /// Asks for each of its cache lines.
    #[inline]
    pub(super) fn ask(&self) {
        ask(&self.flags);
        ask(&self.orig.new_pkts);
        ask(&self.resp.new_pkts);
        ask(&self.event_age);
    }

    /// The direction of `dir`.
    #[inline]
    #[must_use]
    pub fn side(&self, dir: Dir) -> &Side {
        match dir {
            Dir::Orig => &self.orig,
            Dir::Resp => &self.resp,
        }
    }

    /// The direction of `dir`, to change.
    #[inline]
    pub fn side_mut(&mut self, dir: Dir) -> &mut Side {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }

    /// Whether all of `mask` is set in the flags.
    #[inline]
    #[must_use]
    pub fn is(&self, mask: u32) -> bool {
        self.flags & mask == mask
    }

    /// Direction of a packet sent by endpoint `a`, or by `b`.
    #[inline]
    #[must_use]
    pub fn dir(&self, from_a: bool) -> Dir {
        if from_a == self.is(bit::A_IS_ORIG) {
            Dir::Orig
        } else {
            Dir::Resp
        }
    }

    /// Its name.
    #[must_use]
    pub fn flow_ref(&self) -> FlowRef {
        let (a, b) = self.key.endpoints();
        let (orig, resp) = if self.is(bit::A_IS_ORIG) {
            (a, b)
        } else {
            (b, a)
        };
        FlowRef {
            orig,
            resp,
            proto: self.key.proto,
            vlan: self.key.vlan,
            carrier: self.key.carrier,
            ordinal: self.ordinal,
            first_ts: self.first_ts,
        }
    }

    /// When it is over, if nothing more comes.
    #[inline]
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.last_ts.plus(self.timeout_ns())
    }

    /// How long it may be silent.
    #[inline]
    #[must_use]
    pub fn timeout_ns(&self) -> i64 {
        // What nearly all packets of a capture belong to.
        if (self.orig.state, self.resp.state) == (Tcp::Established, Tcp::Established)
            && self.is(bit::ESTABLISHED)
        {
            return SECOND.saturating_mul(3_600);
        }
        self.other_timeout_ns()
    }

    fn other_timeout_ns(&self) -> i64 {
        use Tcp::{Closed, Inactive, Reset, SynAckSent, SynSent};
        let seconds = if self.key.proto != 6 {
            60
        } else {
            match (self.orig.state, self.resp.state) {
                // As long as a flow met in its middle: what was doubted may not have happened.
                (Reset | Closed, _) | (_, Reset | Closed) if self.is(bit::DOUBTED) => 300,
                (Reset, _) | (_, Reset) => 1,
                (Closed, Closed) => 5,
                (Closed, _) | (_, Closed) => 60,
                _ if self.is(bit::ESTABLISHED) => 3_600,
                // A SYN-ACK without its SYN, or data after an unanswered SYN: one way is not seen.
                (SynSent | SynAckSent, Inactive) | (Inactive, SynSent | SynAckSent)
                    if self.orig.payload | self.resp.payload == 0 =>
                {
                    5
                }
                _ if self.is(bit::SYN_ACKED) => 5,
                _ => 300,
            }
        };
        SECOND.saturating_mul(seconds)
    }

    /// Whether it is over for TCP: both sides finished, or one reset it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(
            (self.orig.state, self.resp.state),
            (Tcp::Reset, _) | (_, Tcp::Reset) | (Tcp::Closed, Tcp::Closed)
        )
    }

    /// Oddities seen so far.
    #[inline]
    #[must_use]
    pub fn weirds(&self) -> Weirds {
        Weirds::unpack(self.weirds)
    }

    /// Notes an oddity; it is told with the packet.
    pub fn note(&mut self, weird: Weirds) {
        let mut weirds = self.weirds();
        weirds.add(weird);
        self.weirds = weirds.pack();
    }

    /// TCP: sequence number of the first byte of `dir`, once one is known.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
    pub fn first_seq(&self, dir: Dir) -> u32 {
        let side = self.side(dir);
        side.next.wrapping_sub(side.payload as u32)
    }

    /// Counts packets of one direction: `pkts` of them with `bytes` from the IP header on.
    #[inline]
    pub fn count(&mut self, dir: Dir, pkts: u32, bytes: u32) {
        let side = self.side_mut(dir);
        side.pkts = side.pkts.wrapping_add(u64::from(pkts));
        side.ip_bytes = side.ip_bytes.wrapping_add(u64::from(bytes));
        side.new_pkts = side.new_pkts.saturating_add(pkts);
    }
}
