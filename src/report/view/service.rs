//! Services on the internet: each with who used it and how much.

use serde::Serialize;
use tapir_message::{ServiceTotal, ServiceUse};

use super::super::words::{Time, bytes, count, plural, sanctioned};
use super::super::{SERVICES_MAX, Summary};
use super::Zone;

/// Devices named of one service.
const DEVICES_MAX: usize = 20;

/// One service.
#[derive(Debug, Serialize)]
pub(super) struct ServiceView {
    name: String,
    owner: String,
    category: String,
    sanctioned: &'static str,
    devices: String,
    users: Vec<UserView>,
    users_more: usize,
    sent: String,
    received: String,
    first: Time,
    last: Time,
}

/// One device that used it.
#[derive(Debug, Serialize)]
struct UserView {
    name: String,
    flows: String,
    sent: String,
    received: String,
    evidence: String,
    last: Time,
}

impl ServiceView {
    /// Those that were sent most to, and how many more there are.
    pub(super) fn all(summary: &Summary<'_>) -> (Vec<Self>, usize) {
        let all = ServiceTotal::of(summary.services.to_vec());
        let more = all.len().saturating_sub(SERVICES_MAX);
        let shown = all.into_iter().take(SERVICES_MAX);
        let shown = shown.map(|total| Self::new(total, summary.time_zone));
        (shown.collect(), more)
    }

    fn new(total: ServiceTotal, zone: Zone<'_>) -> Self {
        let users = total.uses.iter().take(DEVICES_MAX);
        Self {
            sanctioned: sanctioned(total.sanctioned),
            devices: plural(total.uses.len(), "device", "devices"),
            users: users.map(|one| UserView::new(one, zone)).collect(),
            users_more: total.uses.len().saturating_sub(DEVICES_MAX),
            sent: bytes(total.bytes_up),
            received: bytes(total.bytes_down),
            first: Time::new(total.first_ts, zone),
            last: Time::new(total.last_ts, zone),
            name: total.name,
            owner: total.owner,
            category: total.category,
        }
    }
}

impl UserView {
    fn new(one: &ServiceUse, zone: Zone<'_>) -> Self {
        Self {
            name: one.device_name.clone(),
            flows: count(one.flows),
            sent: bytes(one.bytes_up),
            received: bytes(one.bytes_down),
            evidence: one.evidence.join(", "),
            last: Time::new(one.last_ts, zone),
        }
    }
}
