//! A breach: one firing of a model, with its score and every reason for it.
//!
//! Units:  `score` 0–100 (design §5), rates per 1,000 device-weeks, `loss` a share 0–1.
//! Bounds: the points of `terms` sum exactly to `score`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{MacAddr, Rate, Timestamp};

/// What kind of statement a model makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Somebody means harm.
    Threat,
    /// Out of the ordinary.
    Anomaly,
    /// Against a rule of the house.
    Compliance,
    /// The sensor itself; carries a priority instead of a score.
    Health,
}

/// One step of the waterfall from nothing to the score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Short name of the evidence.
    pub name: String,
    /// Change of the integer score when this evidence was applied.
    pub points: i32,
    /// A sentence with the fields behind it.
    pub text: String,
}

/// One firing of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Breach {
    /// When the evidence was complete.
    pub ts: Timestamp,
    /// 26 base32 characters.
    pub id: String,
    /// Model id, for example `CMD-01`.
    pub model: String,
    /// Model title.
    pub title: String,
    /// Model class.
    pub class: Class,
    /// 0–100, from `rate`; absent for health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// The same formula from `rate_high`: what band and action go by; absent for health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_sure: Option<u8>,
    /// 0–100, health only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Innocent breaches at least this unusual, all channels together.
    pub rate: Rate,
    /// Lower end of the 90 % interval of `rate`.
    pub rate_low: Rate,
    /// Upper end of the 90 % interval of `rate`.
    pub rate_high: Rate,
    /// Whether the channel's rate is still mostly a prior.
    pub provisional: bool,
    /// 1–5; caps the score at 39, 59, 79, 94, 100.
    pub impact: u8,
    /// Device id; empty if no device is meant.
    pub device: String,
    /// What the device was called at that time.
    pub device_name: String,
    /// Originator address of the flow behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig_h: Option<IpAddr>,
    /// Originator port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig_p: Option<u16>,
    /// Responder address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resp_h: Option<IpAddr>,
    /// Responder port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resp_p: Option<u16>,
    /// uid of the flow behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// IP protocol of the flow: `tcp`, `udp`, `icmp`, or its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<String>,
    /// Community ID of the flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    /// Best name of the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Hardware address of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// ATT&CK technique ids.
    pub attack: Vec<String>,
    /// The waterfall; sums to `score`.
    pub terms: Vec<Term>,
    /// Incident it belongs to.
    pub incident: String,
    /// When the first and the last evidence was seen.
    pub first_ts: Timestamp,
    /// See `first_ts`.
    pub last_ts: Timestamp,
    /// Firings folded into this breach.
    pub count: u64,
    /// Share of packets known lost around it.
    pub loss: f64,
    /// One sentence for the owner.
    pub text: String,
    /// One sentence for the engineer.
    pub detail: String,
}
