//! What a device's flows say of it: the stages of each as they come.

use super::beacon::{Endpoint, NAME_LEN_MAX};
use super::features::Feature;
use super::hours::{baseline, watch};
use super::novelty::{StableHash, stable_hash};
use super::site::{Site, UPLOAD_BYTES_MIN, Verdict};
use crate::device::DeviceIx;
use crate::types::{FlowRef, Timestamp};

/// Devices remembered per endpoint: beyond a few it is simply common.
pub(super) const ENDPOINT_DEVICES_MAX: usize = 64;
/// In the place of the time when a baseline is due: there is one.
const JUDGED: Timestamp = Timestamp::MIN.plus(1);

/// An endpoint outside: its name, else its address, and what it is found by.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The name.
    pub text: &'a str,
    /// See [`NameHash`].
    pub hash: NameHash,
}

/// The hashes of a name that tables of the site are looked up by, worked out once for each name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameHash {
    /// Of as much of it as is kept.
    endpoint: u64,
    /// Of all of it; a port is still to be added.
    edge: StableHash,
}

impl NameHash {
    /// Of a name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let edge = StableHash::new().with(name.as_bytes());
        let end = name.char_indices().nth(NAME_LEN_MAX).map(|(at, _)| at);
        let endpoint = match end.and_then(|end| name.get(..end)) {
            Some(kept) => stable_hash(&[kept.as_bytes()]),
            None => edge.end(),
        };
        Self { endpoint, edge }
    }

    /// Names an edge of a device in its table: endpoint and port.
    fn edge(self, port: u16) -> u64 {
        self.edge.with(&port.to_be_bytes()).end()
    }
}

/// An address, a port and a protocol, as [`Site::contact`] names them.
#[derive(Clone, Copy, Debug)]
pub struct Contact(u64);

impl Site {
    /// Whether there is a baseline that a device's flow belongs to; begins one where it is due.
    #[inline]
    pub fn judges(&mut self, ts: Timestamp, device: DeviceIx) -> bool {
        match self.due.get(device.index()) {
            Some(&JUDGED) => true,
            Some(due) if ts < *due => false,
            _ => self.begin(ts, device),
        }
    }

    /// Begins a baseline if it is due, and says whether there is one.
    fn begin(&mut self, ts: Timestamp, device: DeviceIx) -> bool {
        let judges = baseline(&mut self.watches, ts, device).is_some();
        self.expect(device);
        judges
    }

    /// Notes when a device's baseline is due.
    fn expect(&mut self, device: DeviceIx) {
        let due = match self.watches.get(device.index()) {
            Some(Some(watch)) => watch.due().unwrap_or(JUDGED),
            _ => Timestamp::MIN,
        };
        if self.due.len() <= device.index() {
            let len = device.index().saturating_add(1);
            self.due.resize(len, Timestamp::MIN);
        }
        if let Some(slot) = self.due.get_mut(device.index()) {
            *slot = due;
        }
    }

    /// The same, without beginning one.
    #[must_use]
    pub fn has_baseline(&self, device: DeviceIx) -> bool {
        let watch = self.watches.get(device.index()).and_then(Option::as_ref);
        watch.is_some_and(|watch| watch.baseline.is_some())
    }

    /// A device's flow began: rhythm and rarity of the endpoint, if it is outside.
    pub fn began(
        &mut self,
        ts: Timestamp,
        device: DeviceIx,
        flow: &FlowRef,
        outside: Option<Named<'_>>,
    ) {
        self.count(ts, device, Feature::Flows, 1);
        let Some(Named { text, hash }) = outside else {
            return;
        };
        let fresh = || Endpoint {
            first_ts: ts,
            last_ts: ts,
            devices: Vec::new(),
        };
        if let Some(endpoint) = self.endpoints.entry(hash.endpoint, fresh) {
            endpoint.last_ts = ts;
            if endpoint.devices.len() < ENDPOINT_DEVICES_MAX
                && let Err(at) = endpoint.devices.binary_search(&device.0)
            {
                endpoint.devices.insert(at, device.0);
            }
        }
        if !self.judges(ts, device) {
            return;
        }
        let rhythm = &self.rhythm;
        let beacon = baseline(&mut self.watches, ts, device).and_then(|baseline| {
            let edge = hash.edge(flow.resp.port);
            baseline.edges.call(ts, edge, text, rhythm)
        });
        if let Some(beacon) = beacon {
            self.beacon(ts, Some(*flow), device, beacon);
        }
    }

    /// Asks for what a flow's event will read of a device.
    #[inline]
    pub fn ask(&self, device: DeviceIx) {
        if let Some(Some(watch)) = self.watches.get(device.index()) {
            watch.ask();
        }
    }

    /// Names what a device is in contact with, and asks for where the device's contacts tell of it.
    pub fn contact(&self, device: DeviceIx, flow: &FlowRef) -> Contact {
        let port = flow.resp.port.to_be_bytes();
        let thing = stable_hash(&[&flow.resp.addr, &port, &[flow.proto]]);
        if let Some(Some(watch)) = self.watches.get(device.index()) {
            watch.contacts.ask(thing);
        }
        Contact(thing)
    }

    /// A device's contact was answered or failed: the scan walk, on TCP first contacts.
    pub fn outcome(
        &mut self,
        ts: Timestamp,
        device: DeviceIx,
        flow: &FlowRef,
        (contact, failed): (Contact, bool),
    ) {
        let Some(watch) = watch(&mut self.watches, ts, device) else {
            return;
        };
        let first = !watch.answered && !failed;
        watch.answered |= !failed;
        let port = flow.resp.port;
        let known = watch.contacts.note(ts, contact.0);
        let tcp = flow.proto == 6;
        let scan = if tcp && !known {
            watch.walk.contact(ts, flow.resp.ip(), port, failed)
        } else {
            None
        };
        let seen = watch.walk.seen();
        if first {
            self.expect(device);
        }
        if known {
            return;
        }
        self.count(ts, device, Feature::FirstContacts, 1);
        if failed && tcp {
            self.count(ts, device, Feature::FailedContacts, 1);
        }
        if let Some(scan) = scan {
            self.verdicts.push(Verdict {
                ts,
                seen,
                device: Some(device),
                flow: Some(*flow),
                row: Box::new(scan),
                family: None,
            });
        }
    }

    /// A device's flow moved bytes, as payload since its last event, to the site or to what is outside, which
    /// is asked for its name only if it was sent something.
    pub fn moved<'a>(
        &mut self,
        ts: Timestamp,
        device: DeviceIx,
        flow: &FlowRef,
        outside: Option<impl FnOnce() -> &'a str>,
        (sent, received): (u64, u64),
    ) {
        let Some(base) = baseline(&mut self.watches, ts, device) else {
            return;
        };
        let kib = |bytes: u64| bytes.saturating_add(512) / 1024;
        base.hour.alive = true;
        let (feature, by) = match outside {
            None => (Feature::KibOutInside, kib(sent)),
            Some(_) => (Feature::KibInOutside, kib(received)),
        };
        if let Some(count) = base.hour.counts.get_mut(feature.index()) {
            *count = count.saturating_add(by);
        }
        let Some(endpoint) = outside else { return };
        if sent > 0 {
            base.hour.upload(ts, endpoint(), sent);
        }
        let due = base
            .hour
            .judged_bytes
            .saturating_mul(2)
            .max(UPLOAD_BYTES_MIN);
        if base.hour.bytes_out >= due {
            self.judge_upload(ts, device, Some(*flow));
        }
    }

    /// A device's flow to an endpoint outside is over: its size belongs to its rhythm.
    pub fn ended(&mut self, device: DeviceIx, port: u16, hash: NameHash, payload: u64) {
        if let Some(Some(watch)) = self.watches.get_mut(device.index())
            && let Some(baseline) = &mut watch.baseline
        {
            baseline.edges.size(hash.edge(port), payload);
        }
    }

    /// Adds to a count of the open hour.
    pub fn count(&mut self, ts: Timestamp, device: DeviceIx, feature: Feature, by: u64) {
        if !self.judges(ts, device) {
            return;
        }
        let Some(baseline) = baseline(&mut self.watches, ts, device) else {
            return;
        };
        baseline.hour.alive = true;
        if let Some(count) = baseline.hour.counts.get_mut(feature.index()) {
            *count = count.saturating_add(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_what_is_kept_of_it_and_an_edge_by_all_of_it() {
        for name in ["", "a.example", "104.16.0.1"] {
            let hash = NameHash::of(name);
            assert_eq!(hash.endpoint, stable_hash(&[name.as_bytes()]));
            assert_eq!(hash.edge(443), stable_hash(&[name.as_bytes(), &[1, 187]]));
        }
        let long = "ü".repeat(NAME_LEN_MAX) + "x";
        let kept = long.strip_suffix('x').unwrap();
        assert_eq!(NameHash::of(&long).endpoint, NameHash::of(kept).endpoint);
        assert_ne!(NameHash::of(&long).edge(1), NameHash::of(kept).edge(1));
    }
}
