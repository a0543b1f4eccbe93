//! Rhythm: does this device call one endpoint as a machine does?
//!
//! Three statistics of one edge (device, endpoint, port): how concentrated its intervals are, how
//! constant its sizes, how many hours it covers. Each is ranked against the site's own edges; the sum
//! of −ln rank is the edge's statistic. Rarity and age of the endpoint are left to the model.
//!
//! Source: detection §3.4 (T, Z, H; threshold 6.79 at one false pair per host-day, in sample).
//! Bounds: 48 edges a device; eviction takes the least regular among those silent for eight of their
//! own intervals, else the least regular of all; 300 bytes an edge with its histogram.

mod held;

use compact_str::ToCompactString as _;
use serde::{Deserialize, Serialize};

use super::site::Span;
use super::tail::{Prior, Tail};
use crate::record;
use crate::types::{Interval, Text, Timestamp};

/// Edges remembered per device.
const EDGES_MAX: usize = 48;
/// Characters kept of an endpoint's name.
pub(super) const NAME_LEN_MAX: usize = 64;
/// Quarter-octave bins of the interval: 1/4 s to about 4.5 h, the ends take the rest.
const BINS: usize = 64;
/// Intervals before an edge is judged.
const INTERVALS_MIN: u32 = 8;
/// Connections closer than this are one call (a page, a retry).
const CALL_NS: i64 = 1_000_000_000;
/// Sum of −ln rank that makes a verdict.
const STATISTIC_MIN: f64 = 6.79;
/// Ranks of the three statistics before the site has edges of its own: unfitted, from the demo.
const PRIORS: [Prior; 3] = [
    Prior {
        threshold: 24.0,
        excess: 8.0,
    },
    Prior {
        threshold: 4.0,
        excess: 1.5,
    },
    Prior {
        threshold: 0.9,
        excess: 0.4,
    },
];

record! {
    /// A device that calls one endpoint in a rhythm.
    pub struct Beacon = "beacon" {
        /// Calls seen on this edge.
        pub connections: u64 = "connections",
        /// Median interval.
        pub period: Interval = "period",
        /// Half the width of the middle half of the intervals against the median, 0–1.
        pub jitter: f64 = "jitter",
        /// Mean payload bytes a call, both ways.
        pub bytes_mean: f64 = "bytes_mean",
        /// Devices of this site that ever called the endpoint.
        pub devices: u64 = "devices",
        /// Since the endpoint was first seen on this site.
        pub age: Interval = "age",
        /// How long the sensor has watched this site.
        pub site_age: Interval = "site_age",
        /// Name of the endpoint, else its address.
        pub endpoint: Text = "endpoint",
        /// Sum of −ln rank of the three statistics.
        pub statistic: f64 = "statistic",
        /// Distinct hours with a call.
        pub hours: u64 = "hours",
    }
}

/// One edge of a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Edge {
    endpoint: u64,
    first_ts: Timestamp,
    last_ts: Timestamp,
    bins: Box<[u8]>,
    intervals: u32,
    /// Welford over ln(bytes + 1).
    sizes: u32,
    size_mean: f64,
    size_m2: f64,
    bytes: f64,
    hours: u32,
    last_hour: i64,
    fired: u32,
    /// The endpoint's name when it first fired.
    name: Box<str>,
}

/// What an edge is kept or let go by.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Silent beyond this, it may go first.
    patient_until: Timestamp,
    /// The sum of its statistics as a number in the same order (IEEE 754 §5.10).
    regular: i64,
    last_ts: Timestamp,
}

/// Bytes of an edge beside its histogram and its name.
#[cfg(test)]
pub(super) const EDGE_LEN: usize = size_of::<Edge>() + size_of::<Option<Mark>>();

/// The edges of one device.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Edge>", into = "Vec<Edge>")]
pub(super) struct Edges {
    /// Which endpoint and port each is to: what every flow is looked up by, close together.
    keys: Vec<u64>,
    /// Of each since it last changed, once it was asked for: at every new endpoint all of them are searched.
    marks: Vec<Option<Mark>>,
    all: Vec<Edge>,
}

impl From<Vec<Edge>> for Edges {
    fn from(all: Vec<Edge>) -> Self {
        let keys = all.iter().map(|edge| edge.endpoint).collect();
        let marks = vec![None; all.len()];
        Self { keys, marks, all }
    }
}

impl From<Edges> for Vec<Edge> {
    fn from(edges: Edges) -> Self {
        edges.all
    }
}

/// The site's ranks of T, Z and H.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rhythm {
    ranks: [Tail; 3],
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            ranks: PRIORS.map(Tail::new),
        }
    }
}

impl Rhythm {
    /// Sum of −ln rank.
    fn statistic(&self, stats: &[f64; 3]) -> f64 {
        self.ranks
            .iter()
            .zip(stats)
            .map(|(tail, value)| -libm::log(tail.p(*value)))
            .sum()
    }

    /// Lets the past fade.
    pub(super) fn decay(&mut self, factor: f64) {
        self.ranks.iter_mut().for_each(|tail| tail.decay(factor));
    }

    /// Takes in the edges of a device that spoke in the last hour, those judged harmful excepted.
    pub(super) fn learn(&mut self, edges: &Edges, since: Timestamp) {
        for edge in edges
            .all
            .iter()
            .filter(|e| e.judged() && e.last_ts >= since && e.fired == 0)
        {
            for (tail, value) in self.ranks.iter_mut().zip(edge.statistics()) {
                tail.learn(value);
            }
        }
    }
}

impl Edges {
    /// Takes in a connection's start. A verdict at eight intervals and at each doubling after.
    pub(super) fn call(
        &mut self,
        ts: Timestamp,
        endpoint: u64,
        name: &str,
        rhythm: &Rhythm,
    ) -> Option<(Span, Beacon)> {
        let at = self.edge(ts, endpoint)?;
        let edge = self.all.get_mut(at)?;
        let gap = ts.since(edge.last_ts);
        if gap < CALL_NS {
            return None;
        }
        *self.marks.get_mut(at)? = None;
        edge.interval(gap);
        edge.last_ts = ts;
        edge.hour(ts);
        let due = INTERVALS_MIN.max(edge.fired.saturating_mul(2));
        if edge.intervals < due {
            return None;
        }
        let statistic = rhythm.statistic(&edge.statistics());
        if statistic < STATISTIC_MIN {
            return None;
        }
        edge.fired = edge.intervals;
        edge.name = name.chars().take(NAME_LEN_MAX).collect::<String>().into();
        Some((edge.seen(), edge.verdict(statistic)))
    }

    /// Takes in a connection's payload bytes, both ways.
    pub(super) fn size(&mut self, endpoint: u64, bytes: u64) {
        let Some(at) = self.at(endpoint) else { return };
        let slots = self.all.get_mut(at).zip(self.marks.get_mut(at));
        let Some((edge, mark)) = slots else { return };
        #[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
        let bytes = bytes as f64;
        edge.sizes = edge.sizes.saturating_add(1);
        if edge.sizes > 1 {
            // A single size says nothing of their constancy.
            *mark = None;
        }
        let log = libm::log(bytes + 1.0);
        let delta = log - edge.size_mean;
        edge.size_mean += delta / f64::from(edge.sizes);
        edge.size_m2 += delta * (log - edge.size_mean);
        edge.bytes += (bytes - edge.bytes) / f64::from(edge.sizes);
    }

    /// Verdicts given before on edges that called after `since`, as they stand now.
    pub(super) fn standing(&self, since: Timestamp, rhythm: &Rhythm) -> Vec<(Span, Beacon)> {
        let live = |edge: &&Edge| edge.fired > 0 && edge.last_ts >= since;
        let verdict = |e: &Edge| (e.seen(), e.verdict(rhythm.statistic(&e.statistics())));
        self.all.iter().filter(live).map(verdict).collect()
    }

    /// Where the edge to `endpoint` stands; `None` when it was made just now.
    fn edge(&mut self, ts: Timestamp, endpoint: u64) -> Option<usize> {
        let known = self.at(endpoint);
        if known.is_some() {
            return known;
        }
        if self.all.len() >= EDGES_MAX {
            let worst = self.worst(ts)?;
            self.all.swap_remove(worst);
            self.keys.swap_remove(worst);
            self.marks.swap_remove(worst);
        }
        self.all.push(Edge::new(ts, endpoint));
        self.keys.push(endpoint);
        self.marks.push(None);
        None
    }

    /// Which edge is let go: each is ranked once a change, as a search among 48 must not cost a thousand
    /// rankings.
    fn worst(&mut self, ts: Timestamp) -> Option<usize> {
        let mut least = None;
        for (at, (mark, edge)) in self.marks.iter_mut().zip(&self.all).enumerate() {
            let mark = mark.get_or_insert_with(|| edge.mark());
            let rank = (ts <= mark.patient_until, mark.regular, mark.last_ts);
            if least.is_none_or(|(_, least)| rank < least) {
                least = Some((at, rank));
            }
        }
        Some(least?.0)
    }

    /// Where the edge to `endpoint` stands, if it is known.
    fn at(&self, endpoint: u64) -> Option<usize> {
        self.keys.iter().position(|key| *key == endpoint)
    }
}

impl Edge {
    fn new(ts: Timestamp, endpoint: u64) -> Self {
        Self {
            endpoint,
            first_ts: ts,
            last_ts: ts,
            bins: vec![0; BINS].into(),
            intervals: 0,
            sizes: 0,
            size_mean: 0.0,
            size_m2: 0.0,
            bytes: 0.0,
            hours: 1,
            last_hour: hour(ts),
            fired: 0,
            name: Box::default(),
        }
    }

    /// From the first to the last call.
    const fn seen(&self) -> Span {
        Span {
            first_ts: self.first_ts,
            last_ts: self.last_ts,
        }
    }

    fn judged(&self) -> bool {
        self.intervals >= INTERVALS_MIN
    }

    /// Counts an interval; when a bin is full all are halved, so that the past fades.
    fn interval(&mut self, ns: i64) {
        self.intervals = self.intervals.saturating_add(1);
        let bin = bin_of(ns);
        if self.bins.get(bin) == Some(&u8::MAX) {
            self.bins.iter_mut().for_each(|count| *count /= 2);
        }
        if let Some(count) = self.bins.get_mut(bin) {
            *count = count.saturating_add(1);
        }
    }

    fn hour(&mut self, ts: Timestamp) {
        let now = hour(ts);
        if now != self.last_hour {
            self.last_hour = now;
            self.hours = self.hours.saturating_add(1);
        }
    }

    /// What it is kept or let go by as it stands now.
    fn mark(&self) -> Mark {
        let sum = self
            .statistics()
            .iter()
            .sum::<f64>()
            .to_bits()
            .cast_signed();
        Mark {
            patient_until: self.last_ts.plus(self.period().saturating_mul(8)),
            regular: if sum < 0 { sum ^ i64::MAX } else { sum },
            last_ts: self.last_ts,
        }
    }

    /// Concentration of intervals T, constancy of sizes Z, coverage of hours H.
    fn statistics(&self) -> [f64; 3] {
        [self.concentration(), self.constancy(), self.coverage()]
    }

    /// Largest KL divergence of a window of 0.5, 1 or 2 octaves from an even spread, times n ≤ 200.
    fn concentration(&self) -> f64 {
        // Most edges are called once.
        if self.intervals == 0 {
            return 0.0;
        }
        let total: u32 = self.bins.iter().map(|count| u32::from(*count)).sum();
        if total == 0 {
            return 0.0;
        }
        let mut best = 0.0_f64;
        for width in [2_u32, 4, 8] {
            // The divergence grows with the share: the fullest window of a width is its best.
            let windows = self.bins.windows(usize::try_from(width).unwrap_or(2));
            let sum = |window: &[u8]| window.iter().map(|count| u32::from(*count)).sum::<u32>();
            let share = f64::from(windows.map(sum).max().unwrap_or(0)) / f64::from(total);
            // An even spread over the five octaves that human use commonly fills.
            let even = f64::from(width) / 20.0;
            if share > even {
                let rest = if share < 1.0 {
                    (1.0 - share) * libm::log((1.0 - share) / (1.0 - even))
                } else {
                    0.0
                };
                best = best.max(share * libm::log(share / even) + rest);
            }
        }
        best * f64::from(total.min(200))
    }

    /// −ln variance of log sizes, weighed by how many there are.
    fn constancy(&self) -> f64 {
        if self.sizes < 2 {
            return 0.0;
        }
        let variance = (self.size_m2 / f64::from(self.sizes)).max(1e-4);
        (-libm::log(variance)).max(0.0) * f64::from(self.sizes.min(50)) / 50.0
    }

    /// Share of the hours of its span with a call, weighed by the span up to six hours.
    fn coverage(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "hours of a lifetime")]
        let span = (hour(self.last_ts) - hour(self.first_ts) + 1) as f64;
        f64::from(self.hours) / span * (span / 6.0).min(1.0)
    }

    /// Interval at share `q` of the histogram, nanoseconds.
    fn quantile(&self, q: f64) -> i64 {
        let total: u32 = self.bins.iter().map(|count| u32::from(*count)).sum();
        let mut left = f64::from(total) * q;
        for (bin, count) in self.bins.iter().enumerate() {
            left -= f64::from(*count);
            if left <= 0.0 && total > 0 {
                #[expect(clippy::cast_precision_loss, reason = "at most 64")]
                let octave = (bin as f64 + 0.5) / 4.0 - 2.0;
                #[expect(clippy::cast_possible_truncation, reason = "at most 2^15 s")]
                return (libm::exp2(octave) * 1e9) as i64;
            }
        }
        0
    }

    /// Mean interval while the edge was alive: finer than the histogram's median.
    fn period(&self) -> i64 {
        if self.intervals == 0 {
            return 0;
        }
        let median = self.quantile(0.5);
        let mean = self.last_ts.since(self.first_ts) / i64::from(self.intervals.max(1));
        if mean.abs_diff(median).saturating_mul(4) < median.unsigned_abs() {
            mean
        } else {
            median
        }
    }

    fn verdict(&self, statistic: f64) -> Beacon {
        let (low, high) = (self.quantile(0.25), self.quantile(0.75));
        let median = self.quantile(0.5).max(1);
        #[expect(
            clippy::cast_precision_loss,
            reason = "intervals of hours in nanoseconds"
        )]
        let jitter = (high - low) as f64 / 2.0 / median as f64;
        Beacon {
            connections: u64::from(self.intervals).saturating_add(1),
            period: Interval(self.period()),
            jitter,
            bytes_mean: self.bytes,
            devices: 0,
            age: Interval(0),
            site_age: Interval(0),
            endpoint: self.name.to_compact_string(),
            statistic,
            hours: u64::from(self.hours),
        }
    }
}

/// What the site knows of an endpoint outside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Endpoint {
    /// First seen on this site.
    pub first_ts: Timestamp,
    /// Last seen.
    pub last_ts: Timestamp,
    /// Devices that called it in ascending order, 64 at most.
    pub devices: Vec<u32>,
}

/// Hour since the epoch.
fn hour(ts: Timestamp) -> i64 {
    ts.secs().div_euclid(3_600)
}

/// Quarter-octave bin of an interval, from a quarter of a second on.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the bins"
)]
fn bin_of(ns: i64) -> usize {
    let octaves = libm::log2((ns.max(1) as f64) / 1e9) + 2.0;
    (octaves * 4.0).clamp(0.0, (BINS - 1) as f64) as usize
}

#[cfg(test)]
#[path = "beacon_tests.rs"]
mod tests;
