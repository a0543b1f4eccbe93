//! A device as the inventory knows it, each claim with its evidence.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{MacAddr, Timestamp};

/// One address a device held, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub addr: IpAddr,
    /// What tied it to the device: `dhcp`, `arp`, `frame` …
    pub evidence: String,
    /// First seen.
    pub first_ts: Timestamp,
    /// Last seen.
    pub last_ts: Timestamp,
}

/// One name of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceName {
    /// The name as sent on the wire.
    pub name: String,
    /// What it was read from: `dhcp host name`, `mdns`, `dns answer` …
    pub evidence: String,
    /// First seen.
    pub first_ts: Timestamp,
    /// Last seen.
    pub last_ts: Timestamp,
}

/// A statement about a device with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed, for example `router`, `serves smb`, `vendor class MSFT 5.0`.
    pub claim: String,
    /// What it rests on.
    pub evidence: String,
    /// First seen.
    pub first_ts: Timestamp,
    /// Last seen.
    pub last_ts: Timestamp,
}

/// Something concluded about a device, with the strongest grounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What is concluded: `printer`, `Windows 10 22H2`, `dns server` …
    pub value: String,
    /// How sure, in per cent: 1–99.
    pub confidence: u8,
    /// The strongest grounds, at most three, strongest first.
    pub reasons: Vec<Reason>,
}

/// One ground of a judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What was seen, in words: `dhcp vendor class MSFT 5.0`.
    pub what: String,
    /// Last seen.
    pub last_ts: Timestamp,
}

/// An account used on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceUser {
    /// The account as sent, with its domain if one was: `KONTOR\\albers`.
    pub user: String,
    /// What it was read from: `kerberos`, `ntlm` …
    pub evidence: String,
    /// First seen.
    pub first_ts: Timestamp,
    /// Last seen.
    pub last_ts: Timestamp,
}

/// One line of `devices.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Device id, for example `d-k3f9q2m7`.
    pub id: String,
    /// Best name: host name, else address, else hardware address.
    pub name: String,
    /// Hardware address; absent if known by address only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Vendor of the hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Hardware address of the router it was seen behind, if it is known by address only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<MacAddr>,
    /// Further hardware addresses of the same machine: another card, or made up for privacy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_macs: Vec<MacAddr>,
    /// What kind of thing it is: `pc`, `phone`, `printer`, `camera`, `server` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Judgement>,
    /// Operating system or firmware, with its version if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<Judgement>,
    /// What it does for others: `gateway`, `dns server`, `domain controller` …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Judgement>,
    /// Accounts used on it, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<DeviceUser>,
    /// Ids of devices that turned out to be this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<String>,
    /// Addresses over time.
    pub addresses: Vec<Address>,
    /// Names over time.
    pub names: Vec<DeviceName>,
    /// What else is known, with the evidence.
    pub claims: Vec<Claim>,
    /// First frame.
    pub first_ts: Timestamp,
    /// Last frame.
    pub last_ts: Timestamp,
    /// Flows it originated.
    pub flows_orig: u64,
    /// Flows it answered.
    pub flows_resp: u64,
    /// Payload bytes it sent.
    pub bytes_sent: u64,
    /// Payload bytes it received.
    pub bytes_received: u64,
    /// VLANs it was seen in.
    pub vlans: Vec<u16>,
}

impl Device {
    /// Whether `id` is this device's, or that of one that turned out to be it.
    #[must_use]
    pub fn goes_by(&self, id: &str) -> bool {
        self.id == id || self.merged.iter().any(|merged| merged == id)
    }
}

/// Two devices that are held to be one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// Since when.
    pub ts: Timestamp,
    /// Id of the device that stays.
    pub into: String,
    /// Id of the device that is part of it.
    pub other: String,
    /// Who said so; absent if the evidence alone did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// On what grounds, in words.
    pub why: String,
}
