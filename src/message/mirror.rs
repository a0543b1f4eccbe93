//! What the mirror port shows, graded: what `tapir show mirror` and `stats.json` say of it.
//!
//! Bounds: three causes, eight examples a cause, 256 VLANs.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How much of the traffic the mirror port shows as it should; a later letter is worse.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Grade {
    /// All of it.
    #[default]
    A,
    /// All of it, with something to know.
    B,
    /// Something is missing that matters seldom.
    C,
    /// Much is missing, or the port carries so much twice that it will be.
    D,
    /// What it shows is of little use.
    F,
}

impl Grade {
    /// The letter.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::F => "F",
        }
    }

    /// 1 for the best, 5 for the worst.
    #[must_use]
    pub const fn rank(self) -> u64 {
        match self {
            Self::A => 1,
            Self::B => 2,
            Self::C => 3,
            Self::D => 4,
            Self::F => 5,
        }
    }
}

/// One thing that is wrong with the mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorCause {
    /// Its short name, such as `one_way`.
    pub cause: String,
    /// The grade it alone would give.
    pub grade: Grade,
    /// What was seen, with numbers, in one sentence.
    pub text: String,
    /// What to change at the switch, in one sentence.
    pub fix: String,
    /// Addresses or VLANs it was seen on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// What was seen of one VLAN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorVlan {
    /// Its id; 0 for frames without a tag.
    pub vlan: u16,
    /// Packets.
    pub packets: u64,
    /// TCP flows with content that ended.
    pub flows: u64,
    /// Those of which one direction was never seen.
    pub one_way: u64,
    /// Most packets in an hour of the last day.
    pub most: u64,
    /// Last packet.
    pub last_ts: Option<Timestamp>,
    /// It carried traffic for hours, and then none, while others went on.
    pub gone: bool,
}

/// Sums that a grade follows from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorFigures {
    /// Packets.
    pub packets: u64,
    /// Those to everybody or to a group.
    pub group: u64,
    /// Those of which only the beginning was captured.
    pub truncated: u64,
    /// Those longer than any frame on a wire.
    pub oversize: u64,
    /// TCP control segments whose checksum could be looked at.
    pub checked: u64,
    /// Those with a wrong one.
    pub bad_checksums: u64,
    /// Packets the kernel dropped because the ring was full; known live only.
    pub ring_dropped: u64,
    /// Flows that ended, of any protocol.
    pub flows_all: u64,
    /// Packets in them, copies left out.
    pub flow_packets: u64,
    /// Copies of packets in them.
    pub copies: u64,
    /// Flows of which every packet came three times or more.
    pub tripled: u64,
    /// Flows whose packets were also seen in another VLAN.
    pub other_vlan: u64,
    /// TCP flows with content that ended.
    pub flows: u64,
    /// Those of which one direction was never seen.
    pub one_way: u64,
    /// Bytes of TCP content seen.
    pub content: u64,
    /// Bytes of TCP content that were acknowledged and not seen.
    pub missed: u64,
    /// Hosts that speak ARP.
    pub hosts: u64,
    /// Those of which nothing else was ever seen.
    pub silent: u64,
    /// Packets of the sensor itself.
    pub own: u64,
}

/// The mirror, graded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// None if there was too little to judge.
    pub grade: Option<Grade>,
    /// First and last moment that was judged.
    pub first_ts: Option<Timestamp>,
    /// See `first_ts`.
    pub last_ts: Option<Timestamp>,
    /// What is wrong, the worst first.
    pub causes: Vec<MirrorCause>,
    /// What it follows from.
    pub figures: MirrorFigures,
    /// In order of their ids.
    pub vlans: Vec<MirrorVlan>,
}
