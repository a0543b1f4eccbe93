//! A service on the internet and a device that uses it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One line of `services.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceUse {
    /// Id of the service in the catalogue, for example `dropbox`.
    pub service: String,
    /// What people call it.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// What it is for: `storage`, `mail`, `ai` …
    pub category: String,
    /// Whether the site allows it; absent where it has not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sanctioned: Option<bool>,
    /// Id of the device.
    pub device: String,
    /// Its best name.
    pub device_name: String,
    /// First flow.
    pub first_ts: Timestamp,
    /// Last time a flow was heard of.
    pub last_ts: Timestamp,
    /// Flows; in a message without any, it turned out to be another service.
    pub flows: u64,
    /// Payload bytes that the device sent.
    pub bytes_up: u64,
    /// Payload bytes that it was sent.
    pub bytes_down: u64,
    /// How the service is known, the surest first: `sni`, `http host`, `certificate`, `dns`.
    pub evidence: Vec<String>,
}

/// A service with all who use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTotal {
    /// See [`ServiceUse`].
    pub service: String,
    /// See [`ServiceUse`].
    pub name: String,
    /// See [`ServiceUse`].
    pub owner: String,
    /// See [`ServiceUse`].
    pub category: String,
    /// See [`ServiceUse`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sanctioned: Option<bool>,
    /// First flow of any device.
    pub first_ts: Timestamp,
    /// Last time a flow of any device was heard of.
    pub last_ts: Timestamp,
    /// Flows of all devices.
    pub flows: u64,
    /// Payload bytes that all devices sent.
    pub bytes_up: u64,
    /// Payload bytes that they were sent.
    pub bytes_down: u64,
    /// Who used it, those who sent most first.
    pub uses: Vec<ServiceUse>,
}

impl ServiceTotal {
    /// Uses by their services, those that were sent most to first.
    #[must_use]
    pub fn of(uses: Vec<ServiceUse>) -> Vec<Self> {
        let mut by_id: BTreeMap<String, Self> = BTreeMap::new();
        for one in uses {
            let total = by_id.entry(one.service.clone()).or_insert_with(|| Self {
                service: one.service.clone(),
                name: one.name.clone(),
                owner: one.owner.clone(),
                category: one.category.clone(),
                sanctioned: one.sanctioned,
                first_ts: one.first_ts,
                last_ts: one.last_ts,
                flows: 0,
                bytes_up: 0,
                bytes_down: 0,
                uses: Vec::new(),
            });
            total.first_ts = total.first_ts.min(one.first_ts);
            total.last_ts = total.last_ts.max(one.last_ts);
            total.flows = total.flows.saturating_add(one.flows);
            total.bytes_up = total.bytes_up.saturating_add(one.bytes_up);
            total.bytes_down = total.bytes_down.saturating_add(one.bytes_down);
            total.uses.push(one);
        }
        let mut all: Vec<Self> = by_id.into_values().collect();
        for total in &mut all {
            total
                .uses
                .sort_by(|a, b| (b.bytes_up, &a.device).cmp(&(a.bytes_up, &b.device)));
        }
        all.sort_by(|a, b| (b.bytes_up, &a.service).cmp(&(a.bytes_up, &b.service)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(service: &str, device: &str, (first, last): (i64, i64), up: u64) -> ServiceUse {
        ServiceUse {
            service: service.to_owned(),
            name: service.to_uppercase(),
            owner: "o".to_owned(),
            category: "storage".to_owned(),
            sanctioned: None,
            device: device.to_owned(),
            device_name: device.to_owned(),
            first_ts: Timestamp::from_secs(first),
            last_ts: Timestamp::from_secs(last),
            flows: 2,
            bytes_up: up,
            bytes_down: 1,
            evidence: vec!["sni".to_owned()],
        }
    }

    #[test]
    fn uses_are_summed_by_service_the_most_sent_first() {
        let uses = vec![
            one("mega", "d-1", (5, 9), 10),
            one("box", "d-1", (1, 2), 25),
            one("mega", "d-2", (3, 4), 20),
        ];
        let all = ServiceTotal::of(uses);
        let short: Vec<_> = all
            .iter()
            .map(|t| (t.service.as_str(), t.bytes_up, t.flows))
            .collect();
        assert_eq!(short, [("mega", 30, 4), ("box", 25, 2)]);
        let mega = &all[0];
        let (first, last) = (Timestamp::from_secs(3), Timestamp::from_secs(9));
        assert_eq!(
            (mega.first_ts, mega.last_ts, mega.bytes_down),
            (first, last, 2)
        );
        let devices: Vec<_> = mega.uses.iter().map(|u| u.device.as_str()).collect();
        assert_eq!(devices, ["d-2", "d-1"]);
    }
}
