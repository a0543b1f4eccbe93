//! Counts of what was found, missing and extra.

use std::collections::BTreeSet;

use super::corpus::Capture;
use super::found::{Found, Map, plain};
use super::text;

/// Largest relative difference of a file's flow count that still counts as equal.
const FLOWS_DIFFERENCE_MAX: f64 = 0.05;
/// Fingerprints of a file that the truth lists; it does not say how many more there are.
const JA4_MAX: usize = 60;

/// Counts of one map over all files.
#[derive(Default)]
pub(super) struct Row {
    pub(super) files: usize,
    pub(super) wanted: usize,
    pub(super) found: usize,
    pub(super) extra: usize,
    pub(super) examples: Vec<String>,
}

impl Row {
    pub(super) fn share(&self) -> f64 {
        share(self.found, self.wanted)
    }

    /// Adds one file.
    pub(super) fn add(&mut self, map: &Map, capture: &Capture, found: &Found) {
        let ours = found.values.get(map.truth);
        // What another map of the truth has of the same field is not extra here.
        let cousins = map
            .cousin()
            .map_or_else(BTreeSet::new, |cousin| values(capture, cousin));
        let Some(truth) = capture.truth[map.truth].as_object() else {
            self.extra += ours.map_or(0, |ours| ours.difference(&cousins).count());
            return;
        };
        let wanted = values(capture, map.truth).into_iter();
        let wanted: BTreeSet<String> = wanted
            .map(|value| text::said(map.truth, value))
            .filter(|value| map.wants(value))
            .collect();
        let empty = BTreeSet::new();
        let ours = ours.unwrap_or(&empty);
        self.files += usize::from(!wanted.is_empty());
        self.wanted += wanted.len();
        self.found += wanted.intersection(ours).count();
        for value in wanted.difference(ours) {
            self.examples
                .push(format!("missing {} {value:?}", capture.file));
        }
        // The truth's lists stop at 150 values, those of JA4 at 60; then ours may well know more.
        let is_cut = !capture.truth[format!("{}_total", map.truth)].is_null()
            || (map.truth.starts_with("ja") && truth.len() >= JA4_MAX);
        if !is_cut {
            for value in ours
                .difference(&wanted)
                .filter(|ours| !cousins.contains(*ours))
            {
                self.extra += 1;
                self.examples
                    .push(format!("extra   {} {value:?}", capture.file));
            }
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

/// Files whose number of flows is the truth's, within the tolerance.
#[derive(Default)]
pub(super) struct FlowRow {
    pub(super) files: usize,
    pub(super) equal: usize,
    pub(super) examples: Vec<String>,
}

impl FlowRow {
    pub(super) fn share(&self) -> f64 {
        share(self.equal, self.files)
    }

    pub(super) fn add(&mut self, proto: &'static str, capture: &Capture, found: &Found) {
        let key = if proto == "tcp" {
            "tcp_streams"
        } else {
            "udp_flows"
        };
        let wanted = capture.truth[key]
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0);
        // The truth has the innermost flow of each packet: a carrying one only where it carried no other
        // of its protocol. So it lies between what we have without and with those that carry.
        let (least, most) = found.flows.get(proto).copied().unwrap_or_default();
        let ours = wanted.clamp(least, most);
        if wanted == 0 && ours == 0 {
            return;
        }
        self.files += 1;
        if as_f64(wanted.abs_diff(ours)) <= FLOWS_DIFFERENCE_MAX * as_f64(wanted) {
            self.equal += 1;
        } else {
            self.examples.push(format!(
                "{key} {}: {ours} instead of {wanted}",
                capture.file
            ));
        }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        as_f64(part) / as_f64(whole)
    }
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
