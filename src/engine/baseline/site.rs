//! The site: every device's watch and baseline, the clock of hours and days, the verdicts.
//!
//! Hours are UTC hours of packet time; which bucket of the day they fall into comes from the
//! configured time zone. An hour closes at its deadline, whenever that is noticed.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::beacon::{Beacon, Endpoint, Rhythm};
use super::counts::Levels;
use super::device::{Hour, Watch};
use super::features::FEATURES;
use super::novelty::stable_hash;
use super::tail::{Prior, Tail};
use crate::device::DeviceIx;
use crate::mirror::{Ended, MirrorWatch};
use crate::types::{FlowRef, Interval, Map, RecordBody, Seed, Timestamp};

pub(super) const HOUR_NS: i64 = 3_600 * 1_000_000_000;
/// A baseline begins this long after the first flow.
pub(super) const TENURE_NS: i64 = 600 * 1_000_000_000;
/// Only detectors speak in the site's first day.
pub(super) const LEARNING_NS: i64 = 24 * HOUR_NS;
/// Longer without any frame, and the sensor was not watching: nights and weekends are shorter or
/// have a clock that ticks, captures put together from several are not.
const UNWATCHED_NS: i64 = 24 * HOUR_NS;
/// Endpoints outside that the site remembers.
pub(super) const ENDPOINTS_MAX: usize = 65_536;
/// An upload is judged within the hour from here on, and at every doubling.
pub(super) const UPLOAD_BYTES_MIN: u64 = 256 * 1024;
/// Half-life of what is ranked against, in days.
pub(super) const PAST_DAYS: f64 = 30.0;
/// Evidence of an hour is cut off here, and what an ordinary hour adds is taken away.
pub(super) const EVIDENCE_MAX: f64 = 14.0;
pub(super) const EVIDENCE_DRIFT: f64 = 2.0;
pub(super) const EVIDENCE_KEEP: f64 = 0.9;

/// Hourly surprise of innocent devices: 99 % quantile and mean excess. `prior: unfitted`: the demo's
/// own figures for bytes sent outside, which `tests/state.rs` prints and holds this to.
const SURPRISE_PRIOR: Prior = Prior {
    threshold: 5.5,
    excess: 3.5,
};
/// The same for the day's peak of accumulated evidence, in units of the device's usual peak. Wider
/// than the demo's own (4.6 and 0.8 over 67 device-days, as the same test prints): so few days of so few
/// machines show nothing rarer than one in a hundred, and a tail drawn from them would claim much more.
const PEAK_PRIOR: Prior = Prior {
    threshold: 7.0,
    excess: 2.2,
};

/// What a site needs to know from outside.
#[derive(Clone, Debug)]
pub struct SiteSettings {
    /// Where hour of day and workday come from.
    pub time_zone: TimeZone,
    /// Key of the hash tables.
    pub seed: Seed,
}

/// A row for the models, and whom it is about.
#[derive(Debug)]
pub struct Verdict {
    /// When the verdict was reached.
    pub ts: Timestamp,
    /// When its evidence was seen.
    pub seen: Span,
    /// The device; `None` if it is about the sensor.
    pub device: Option<DeviceIx>,
    /// The flow that completed it.
    pub flow: Option<FlowRef>,
    /// The row.
    pub row: Box<dyn RecordBody>,
    /// For continuous families: the value's innocent rate per 1,000 device-weeks, and exceedances.
    pub family: Option<Family>,
}

/// First and last moment of the evidence: a verdict at the hour's end is about what was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First evidence.
    pub first_ts: Timestamp,
    /// Last evidence.
    pub last_ts: Timestamp,
}

impl Span {
    /// A single moment.
    #[must_use]
    pub const fn at(ts: Timestamp) -> Self {
        Self {
            first_ts: ts,
            last_ts: ts,
        }
    }
}

/// A continuous family's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Family {
    /// 7,000 × the device-day tail probability.
    pub rate: f64,
    /// Exceedances seen on this site.
    pub exceedances: f64,
}

/// Everything that outlives a run, except the inventory.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    started: Option<Timestamp>,
    #[serde(default)]
    heard: Option<Timestamp>,
    hour: i64,
    /// Whether anything was seen in the open hour.
    #[serde(default)]
    alive: bool,
    levels: Levels,
    surprises: Vec<Tail>,
    peaks: Option<Tail>,
    raw_peaks: Option<Tail>,
    rhythm: Rhythm,
    endpoints: Vec<(u64, Endpoint)>,
    watches: Vec<Option<Box<Watch>>>,
    device_days: f64,
}

/// The site.
#[derive(Debug)]
pub struct Site {
    pub(super) settings: SiteSettings,
    /// First packet ever, moved on by the time that nobody watched.
    pub(super) started: Option<Timestamp>,
    /// Last observation.
    heard: Option<Timestamp>,
    /// The open hour, counted from the epoch.
    pub(super) hour: i64,
    /// Whether anything was seen in it.
    pub(super) alive: bool,
    pub(super) levels: Levels,
    pub(super) surprises: Vec<Tail>,
    pub(super) peaks: Tail,
    pub(super) raw_peaks: Tail,
    pub(super) rhythm: Rhythm,
    pub(super) endpoints: Map<u64, Endpoint>,
    pub(super) watches: Vec<Option<Box<Watch>>>,
    /// By device: before this it has no baseline. Its watch, which lies far away, is not asked.
    pub(super) due: Vec<Timestamp>,
    /// What the mirror port shows.
    pub mirror: MirrorWatch,
    /// Whether a flow ended in the open hour: before, there is nothing to say of its mirror.
    pub(super) mirror_due: bool,
    pub(super) device_days: f64,
    pub(super) verdicts: Vec<Verdict>,
}

impl Site {
    /// A site with what it knew before.
    #[must_use]
    pub fn new(settings: SiteSettings, saved: Saved) -> Self {
        let seed = settings.seed;
        let mut endpoints = Map::new(ENDPOINTS_MAX, seed);
        for (key, endpoint) in saved.endpoints {
            endpoints.insert(key, endpoint);
        }
        let mut surprises = saved.surprises;
        surprises.resize_with(FEATURES.len(), || Tail::new(SURPRISE_PRIOR));
        Self {
            settings,
            started: saved.started,
            heard: saved.heard,
            hour: saved.hour,
            alive: saved.alive,
            levels: saved.levels,
            surprises,
            peaks: saved.peaks.unwrap_or_else(|| Tail::new(PEAK_PRIOR)),
            raw_peaks: saved.raw_peaks.unwrap_or_else(|| Tail::new(PEAK_PRIOR)),
            rhythm: saved.rhythm,
            endpoints,
            watches: saved.watches,
            due: Vec::new(),
            mirror: MirrorWatch::new(seed),
            mirror_due: false,
            device_days: saved.device_days,
            verdicts: Vec::new(),
        }
    }

    /// What outlives this run.
    #[must_use]
    pub fn save(&self) -> Saved {
        Saved {
            started: self.started,
            heard: self.heard,
            hour: self.hour,
            alive: self.alive,
            levels: self.levels.clone(),
            surprises: self.surprises.clone(),
            peaks: Some(self.peaks.clone()),
            raw_peaks: Some(self.raw_peaks.clone()),
            rhythm: self.rhythm.clone(),
            endpoints: self
                .endpoints
                .sorted()
                .iter()
                .map(|(k, v)| (**k, (*v).clone()))
                .collect(),
            watches: self.watches.clone(),
            device_days: self.device_days,
        }
    }

    /// How long the site has been watched, long pauses left out.
    #[must_use]
    pub fn age(&self, ts: Timestamp) -> Interval {
        Interval(self.started.map_or(0, |started| ts.since(started)))
    }

    /// Device-weeks of exposure in thousands.
    #[must_use]
    pub fn exposure(&self) -> f64 {
        self.device_days / 7_000.0
    }

    /// Share of content lost while something was seen, as far as it is known.
    #[must_use]
    pub fn loss(&self, seen: Span) -> f64 {
        self.mirror.loss(seen.first_ts, seen.last_ts)
    }

    /// Endpoints refused because the table was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.endpoints.refused()
    }

    /// Whether a verdict was reached since they were last taken.
    #[must_use]
    pub fn has_verdicts(&self) -> bool {
        !self.verdicts.is_empty()
    }

    /// Verdicts reached since the last call, in order.
    pub fn take_verdicts(&mut self) -> Vec<Verdict> {
        std::mem::take(&mut self.verdicts)
    }

    /// When the open hour ends; `None` before the first packet, and in the last hour of all time.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.started?;
        let end = self.hour.saturating_add(1).checked_mul(HOUR_NS)?;
        Some(Timestamp::from_nanos(end))
    }

    /// Whether the open hour can have anything to tell when it closes.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.alive
    }

    /// Lets time pass: closes the open hour if it ended by `ts`. Hours in which nothing at all was
    /// seen say nothing of the devices; however many they are, they are passed over in one step.
    pub fn advance(&mut self, ts: Timestamp) {
        let now = ts.nanos().div_euclid(HOUR_NS);
        if self.started.is_none() {
            self.started = Some(ts);
            self.hour = now;
        }
        if self.hour < now && std::mem::take(&mut self.alive) {
            self.close_hour();
            self.hour = self.hour.saturating_add(1);
        }
        if self.hour < now {
            self.pass_silence(now);
        }
    }

    /// Something was observed. What was not watched does not count as the site's age, or everything
    /// after a long pause would be new on a network that is known well.
    pub fn heard(&mut self, ts: Timestamp) {
        let pause = self.heard.map_or(0, |last| ts.since(last));
        if pause > UNWATCHED_NS {
            self.started = self.started.map(|started| started.plus(pause));
        }
        self.heard = Some(ts);
        self.alive = true;
    }

    /// Ends the open hour early: the input is over.
    pub fn finish(&mut self, ts: Timestamp) {
        if self.started.is_some() {
            self.judge_hour(ts);
        }
    }

    /// Time jumped: the open hour teaches nothing.
    pub fn epoch(&mut self, ts: Timestamp) {
        self.hour = ts.nanos().div_euclid(HOUR_NS);
        self.heard = Some(ts);
        self.mirror.epoch();
        self.alive = false;
        for watch in self.watches.iter_mut().flatten() {
            if let Some(baseline) = &mut watch.baseline {
                baseline.hour = Hour::default();
            }
        }
    }

    /// A flow is over: what it says of the mirror.
    pub fn mirrored(&mut self, ts: Timestamp, flow: &Ended) {
        self.mirror_due = true;
        self.mirror.ended(ts, flow);
    }

    /// A breach of `device` is open: this hour teaches little.
    pub fn breached(&mut self, device: DeviceIx) {
        if let Some(Some(watch)) = self.watches.get_mut(device.index())
            && let Some(baseline) = &mut watch.baseline
        {
            baseline.hour.breached = true;
        }
    }

    /// Adds what the site knows of the endpoint to a rhythm and passes it on.
    pub(super) fn beacon(
        &mut self,
        ts: Timestamp,
        flow: Option<FlowRef>,
        device: DeviceIx,
        (seen, mut beacon): (Span, Beacon),
    ) {
        let key = stable_hash(&[beacon.endpoint.as_bytes()]);
        if let Some(endpoint) = self.endpoints.get(&key) {
            beacon.devices = u64::try_from(endpoint.devices.len()).unwrap_or(u64::MAX);
            beacon.age = Interval(ts.since(endpoint.first_ts));
        }
        beacon.site_age = self.age(ts);
        self.verdicts.push(Verdict {
            ts,
            seen,
            device: Some(device),
            flow,
            row: Box::new(beacon),
            family: None,
        });
    }
}
