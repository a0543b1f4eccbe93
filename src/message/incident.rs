//! An incident: breaches that belong together, as one notice.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One line of an incident's story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub ts: Timestamp,
    /// Breach id.
    pub breach: String,
    /// Model id.
    pub model: String,
    /// Score of the breach; absent for health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// What happened, in one sentence.
    pub text: String,
}

/// One line of `incidents.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// 26 base32 characters.
    pub id: String,
    /// First breach.
    pub first_ts: Timestamp,
    /// Last evidence.
    pub last_ts: Timestamp,
    /// Highest score among its breaches; absent if health only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// Title: the worst breach's, and how many others.
    pub title: String,
    /// Device ids.
    pub devices: Vec<String>,
    /// Device names, in the order of `devices`.
    pub device_names: Vec<String>,
    /// ATT&CK technique ids, in order of appearance.
    pub attack: Vec<String>,
    /// Breaches in order of time.
    pub timeline: Vec<Moment>,
}
