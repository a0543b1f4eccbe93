//! Counts of what was found, missing and extra.

use std::collections::BTreeSet;

use super::corpus::Capture;
use super::exceptions::{Exceptions, Side};
use super::found::{Found, plain};
use super::maps::{Map, Tier};
use super::text;

/// Fingerprints of a file that the truth lists; it does not say how many more there are.
const JA4_MAX: usize = 60;

/// Flows: what the truth calls them, and what they must reach.
pub(super) const FLOWS: [(&str, Tier); 3] = [
    ("tcp_streams_with_handshake", Tier::Office),
    ("udp_flows", Tier::Office),
    ("tcp_streams", Tier::Other),
];

/// Counts of one map over all files.
pub(super) struct Row {
    pub(super) name: &'static str,
    tier: Tier,
    pub(super) files: usize,
    pub(super) wanted: usize,
    pub(super) found: usize,
    pub(super) extra: usize,
    /// Excused by an exception, of either side.
    pub(super) excused: usize,
    pub(super) examples: Vec<String>,
}

impl Row {
    pub(super) fn new(name: &'static str, tier: Tier) -> Self {
        Self {
            name,
            tier,
            files: 0,
            wanted: 0,
            found: 0,
            extra: 0,
            excused: 0,
            examples: Vec::new(),
        }
    }

    /// Share found.
    pub(super) fn share(&self) -> f64 {
        if self.wanted == 0 {
            1.0
        } else {
            as_f64(self.found) / as_f64(self.wanted)
        }
    }

    /// What the row does not reach.
    pub(super) fn complaint(&self) -> Option<String> {
        let Self {
            name,
            wanted,
            found,
            extra,
            ..
        } = self;
        let (least, most) = self.tier.limits();
        let is_reached = self.share() >= least && as_f64(*extra) <= most * as_f64(*wanted);
        (!is_reached).then(|| format!("{name}: {found} of {wanted} found, {extra} extra"))
    }

    /// Adds the values of one file.
    pub(super) fn add(
        &mut self,
        map: &Map,
        capture: &Capture,
        found: &Found,
        excuses: &Exceptions,
    ) {
        let file = &capture.file;
        let ours = found.values.get(map.truth).cloned().unwrap_or_default();
        let total = capture.truth[format!("{}_total", map.truth)].as_u64();
        let total = total.and_then(|total| usize::try_from(total).ok());
        if let Some(total) = total.filter(|_| found.same.contains(map.truth)) {
            self.files += 1;
            (self.wanted, self.found) = (self.wanted + total, self.found + total);
            return;
        }
        let truth = values(capture, map.truth).into_iter();
        let wanted: BTreeSet<String> = truth
            .map(|value| text::said(map.truth, value))
            .filter(|value| map.wants(value))
            .collect();
        // What another map of the truth has of the same field is not extra here.
        let cousins = map
            .cousin()
            .map_or_else(BTreeSet::new, |cousin| values(capture, cousin));
        let mut missing: BTreeSet<_> = wanted.difference(&ours).cloned().collect();
        let mut extra: BTreeSet<_> = ours.difference(&wanted).cloned().collect();
        extra.retain(|value| !cousins.contains(value));
        // The truth's lists stop at 150 values, those of JA4 at 60; then ours may well know more.
        let is_cut = total.is_some() || (map.truth.starts_with("ja") && wanted.len() >= JA4_MAX);
        if is_cut {
            extra.clear();
        }
        let differing = missing.len() + extra.len();
        excuses.excuse(file, map.truth, Side::Found, &mut missing);
        excuses.excuse(file, map.truth, Side::Extra, &mut extra);
        self.excused += differing - missing.len() - extra.len();
        let both = wanted.intersection(&ours).count();
        self.files += usize::from(!wanted.is_empty());
        self.found += both;
        self.wanted += both + missing.len();
        self.extra += extra.len();
        for value in &missing {
            self.examples.push(format!("missing {file} {value:?}"));
        }
        for value in &extra {
            self.examples.push(format!("extra   {file} {value:?}"));
        }
    }

    /// Adds the number of flows of one file.
    pub(super) fn add_flows(&mut self, capture: &Capture, found: &Found, excuses: &Exceptions) {
        let file = &capture.file;
        let wanted = capture.truth[self.name].as_u64();
        let wanted = wanted.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        // The truth has the innermost flow of each packet: a carrying one only where it carried no other
        // of its protocol. So it lies between what we have without and with those that carry.
        let (least, most) = found.flows.get(self.name).copied().unwrap_or_default();
        let ours = wanted.clamp(least, most);
        let (missing, extra) = (wanted.saturating_sub(ours), ours.saturating_sub(wanted));
        let missing_left = excuses.excuse_count(file, self.name, Side::Found, missing);
        let extra_left = excuses.excuse_count(file, self.name, Side::Extra, extra);
        self.files += usize::from(wanted > 0);
        self.found += wanted - missing;
        self.wanted += wanted - missing + missing_left;
        self.extra += extra_left;
        self.excused += missing - missing_left + extra - extra_left;
        if missing_left + extra_left > 0 {
            self.examples
                .push(format!("{file}: {ours} instead of {wanted}"));
        }
    }
}

/// The values that the truth of a capture has in a map.
fn values(capture: &Capture, map: &str) -> BTreeSet<String> {
    let truth = capture.truth[map].as_object();
    truth.map_or_else(BTreeSet::new, |truth| {
        truth.keys().map(|value| plain(value)).collect()
    })
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
