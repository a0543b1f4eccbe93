//! What was decided about a breach, and what became of it.
//!
//! Units:  times are nanoseconds since the Unix epoch; `latency_ns` and `duration_ns` are nanoseconds.
//! Bounds: one decision a breach and action; a response is told again whenever its state changes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{MacAddr, Timestamp};

/// What may be done to a connection, least impact first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Reset this one TCP flow.
    ResetFlow,
    /// Reset it and, until the action expires, every new flow between the same two addresses to the
    /// same responder port.
    HoldPair,
}

impl Action {
    /// The name used in rules, logs and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResetFlow => "reset_flow",
            Self::HoldPair => "hold_pair",
        }
    }
}

/// How far the sensor may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// No decision is made.
    #[default]
    Off,
    /// Decisions are made and logged as what would have been done.
    Shadow,
    /// A person approves each action.
    Confirm,
    /// Acts inside the rule of engagement.
    Autonomous,
}

impl Mode {
    /// The name used in the configuration, in logs and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shadow => "shadow",
            Self::Confirm => "confirm",
            Self::Autonomous => "autonomous",
        }
    }

    /// The mode of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Off, Self::Shadow, Self::Confirm, Self::Autonomous];
        all.into_iter().find(|mode| mode.name() == name)
    }
}

/// What `policy` said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Do it now.
    Act,
    /// It would have been done, were the mode not shadow.
    WouldAct,
    /// A person has to approve it before it expires.
    Ask,
    /// It is not done; `reason` says which limit stood against it.
    Withheld,
}

/// Whom an action is aimed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Originator address.
    pub orig_h: IpAddr,
    /// Originator port.
    pub orig_p: u16,
    /// Responder address.
    pub resp_h: IpAddr,
    /// Responder port.
    pub resp_p: u16,
    /// VLAN id, outer tag; 0 if untagged.
    pub vlan: u16,
    /// Last hardware address seen on frames from the originator, on this VLAN.
    pub orig_mac: MacAddr,
    /// The same of the responder.
    pub resp_mac: MacAddr,
    /// uid of the flow.
    pub uid: String,
}

/// What an action would touch, stated before it is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blast {
    /// Flows that would be cut now.
    pub flows: u32,
    /// Devices that used the same responder in the time looked back on, the target's own excepted.
    pub others: u32,
    /// One sentence for the person who decides.
    pub text: String,
}

/// One decision of `policy`, logged before anything is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When, by the packets.
    pub ts: Timestamp,
    /// 26 base32 characters.
    pub id: String,
    /// The breach it answers.
    pub breach: String,
    /// Model id of that breach.
    pub model: String,
    /// `score_sure` of that breach, which alone decides.
    pub score_sure: u8,
    /// Device id.
    pub device: String,
    /// Device name.
    pub device_name: String,
    /// Mode in force.
    pub mode: Mode,
    /// What was considered.
    pub action: Action,
    /// What was said.
    pub verdict: Verdict,
    /// One sentence: which clause covers it, or which limit stood against it.
    pub reason: String,
    /// Id of the rule of engagement, if one covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Who signed that rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorised_by: Option<String>,
    /// Aim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// What it would touch.
    pub blast: Blast,
    /// When the action, or the question, ends by itself.
    pub expires_ts: Timestamp,
}

/// State of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseState {
    /// The kill entry stands; no packet of the flow was seen since.
    Armed,
    /// Resets were sent; not yet known whether they worked.
    Sent,
    /// The flow is dead: an end reset or closed it, or no data for 500 ms.
    Reset,
    /// Data still flows after the last reset that may be sent.
    Failed,
    /// It cannot be told.
    Unknown,
    /// The time of the action is over.
    Expired,
    /// Taken back by a person.
    Reverted,
    /// Refused after it was decided: the flow is not one that may be reset, or it came too late.
    Refused,
}

impl ResponseState {
    /// Whether nothing more will be done.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Armed | Self::Sent)
    }
}

/// What became of a decision to act; told anew at every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// When this state was reached, by the frames.
    pub ts: Timestamp,
    /// Id of the decision.
    pub decision: String,
    /// Breach answered.
    pub breach: String,
    /// State.
    pub state: ResponseState,
    /// Reset frames given to the port.
    pub frames_sent: u32,
    /// Reset frames that the port's egress filter or the kernel refused.
    pub frames_refused: u32,
    /// From the triggering packet (kernel time stamp) to the first reset handed to the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ns: Option<u64>,
    /// The longest such time of all resets of the action, each from the packet that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_max_ns: Option<u64>,
    /// Payload bytes seen on the flow after the order.
    pub bytes_after: u64,
    /// New flows of a held pair met with a reset.
    pub redials: u32,
    /// One sentence.
    pub text: String,
}
