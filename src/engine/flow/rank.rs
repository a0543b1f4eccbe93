//! Who has to go when the flow table is full.
//!
//! What costs a sender nothing goes first: a flood of addresses made up has no answers and finishes no handshake.
//! Whoever was answered is known to be there; who talks goes last of all. Whether an address is a device's is not
//! known where flows are tracked, so a known device is one that answers.

use super::{Flow, TcpState};
use crate::decode::proto;

/// How much is lost with a flow; the lowest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rank {
    /// One side was never heard, or the handshake is not finished.
    Unfinished,
    /// Answered, but no talk: a connection without data or already over, a question with its answer.
    Answered,
    /// A connection with data, or datagrams to and fro.
    Established,
}

impl Rank {
    /// All, lowest first.
    pub const ALL: [Self; 3] = [Self::Unfinished, Self::Answered, Self::Established];

    /// Its name in the counters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Answered => "answered",
            Self::Established => "established",
        }
    }
}

impl<A> Flow<A> {
    /// How much would be lost with it.
    #[must_use]
    pub fn rank(&self) -> Rank {
        if self.orig.pkts == 0 || self.resp.pkts == 0 {
            return Rank::Unfinished;
        }
        let talks = if self.key.proto == proto::TCP {
            let opening = |state| matches!(state, TcpState::SynSent | TcpState::SynAckSent);
            let accepted = self.is(super::bit::SYN_ACKED) && !self.is(super::bit::ESTABLISHED);
            let begun = opening(self.orig.state) || opening(self.resp.state) || accepted;
            if begun && !self.is_finished() {
                return Rank::Unfinished;
            }
            !self.is_finished() && self.orig.payload | self.resp.payload != 0
        } else {
            self.orig.pkts > 1 && self.resp.pkts > 1
        };
        if talks {
            Rank::Established
        } else {
            Rank::Answered
        }
    }
}
