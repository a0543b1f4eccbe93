//! The clock of the site: what happens when an hour and a day close.

use super::counts::{BUCKETS, Levels, Past, Taken};
use super::device::{Baseline, Hour, Watch};
use super::features::{Counts, FEATURES, Feature, Upload, Window};
use super::site::{
    EVIDENCE_DRIFT, EVIDENCE_KEEP, EVIDENCE_MAX, Family, HOUR_NS, LEARNING_NS, PAST_DAYS, Site,
    Span, TENURE_NS, UPLOAD_BYTES_MIN, Verdict,
};
use super::tail::Tail;
use crate::device::DeviceIx;
use crate::mirror::share;
use crate::types::{FlowRef, RecordBody, Timestamp};

/// Weight of an hour in which a breach was open (design §6).
const SPEED_SUSPICIOUS: f64 = 0.02;

impl Site {
    /// Closes the open hour at its deadline: judges it, learns it, closes the day if it ended.
    pub(super) fn close_hour(&mut self) {
        self.judge_hour(Timestamp::from_nanos(
            self.hour.saturating_add(1).saturating_mul(HOUR_NS),
        ));
        self.learn_hour();
        if self.day(self.hour) != self.day(self.hour.saturating_add(1)) {
            self.close_day();
        }
    }

    /// Goes on to hour `now` over hours in which nothing was seen: the past fades, nothing is learned.
    pub(super) fn pass_silence(&mut self, now: i64) {
        let days = match (self.day(self.hour), self.day(now)) {
            (Some(from), Some(to)) => f64::from((to - from).get_days().max(0)),
            _ => 0.0,
        };
        if days > 0.0 {
            self.close_day();
            self.fade(days - 1.0);
        }
        self.hour = now;
    }

    /// Judges every device's open hour, and the mirror, at its end or where the input ends before.
    pub(super) fn judge_hour(&mut self, end: Timestamp) {
        let start = Timestamp::from_nanos(self.hour.saturating_mul(HOUR_NS));
        if self.mirror_due {
            self.mirror_due = false;
            let (loss, mirror) = self.mirror.judge(end);
            let hour = Span {
                first_ts: self.started.map_or(start, |first| first.max(start)),
                last_ts: end,
            };
            let loss = loss.map(|row| Box::new(row) as Box<dyn RecordBody>);
            let mirror = mirror.map(|row| Box::new(row) as Box<dyn RecordBody>);
            for row in loss.into_iter().chain(mirror) {
                self.verdicts.push(Verdict {
                    ts: end,
                    seen: hour,
                    device: None,
                    flow: None,
                    row,
                    family: None,
                });
            }
        }
        let quiet = self.age(end).0 < LEARNING_NS;
        for index in 0..self.watches.len() {
            let device = DeviceIx(u32::try_from(index).unwrap_or(u32::MAX));
            self.standing(start, end, device);
            if !quiet {
                self.judge_window(end, device);
            }
        }
    }

    /// Last word of the hour on a scan or a rhythm that fired before.
    fn standing(&mut self, start: Timestamp, end: Timestamp, device: DeviceIx) {
        let Some(Some(watch)) = self.watches.get(device.index()) else {
            return;
        };
        let scan = watch.walk.standing(start);
        let seen = watch.walk.seen();
        let edges = watch
            .baseline
            .as_ref()
            .map(|b| b.edges.standing(start, &self.rhythm));
        if let Some(scan) = scan {
            self.verdicts.push(Verdict {
                ts: end,
                seen,
                device: Some(device),
                flow: None,
                row: Box::new(scan),
                family: None,
            });
        }
        for beacon in edges.unwrap_or_default() {
            self.beacon(end, None, device, beacon);
        }
    }

    /// Judges the open hour of one device as a whole.
    fn judge_window(&mut self, end: Timestamp, device: DeviceIx) {
        let Some(Some(watch)) = self.watches.get(device.index()) else {
            return;
        };
        let Some(base) = &watch.baseline else { return };
        if !base.hour.alive {
            return;
        }
        let past = Past::new(&self.levels, self.bucket(self.hour));
        let counts = base.hour.full_counts();
        let exposed = base.levels.all_exposed(&past, &counts);
        let mut surprises = [0.0; FEATURES.len()];
        for (index, (surprise, exposed)) in surprises.iter_mut().zip(exposed).enumerate() {
            *surprise = base.levels.judge(&past, index, exposed).surprise;
        }
        let days = base.levels.hours_seen / 24.0;
        let large = base.hour.bytes_out >= UPLOAD_BYTES_MIN;
        if large {
            self.judge_upload(end, device, None);
        }
        self.verdicts.push(Verdict {
            ts: end,
            seen: Span::at(end),
            device: Some(device),
            flow: None,
            row: Box::new(Window::new(&counts, &surprises, days)),
            family: None,
        });
    }

    /// Judges what a device has sent outside in the open hour so far; being part of an hour, it can
    /// only be less surprising than the whole.
    pub(super) fn judge_upload(&mut self, ts: Timestamp, device: DeviceIx, flow: Option<FlowRef>) {
        if self.age(ts).0 < LEARNING_NS {
            return;
        }
        let past = Past::new(&self.levels, self.bucket(self.hour));
        let index = Feature::KibOutOutside.index();
        let fleet_median = self.raw_peaks.median();
        let Some(Some(watch)) = self.watches.get_mut(device.index()) else {
            return;
        };
        let Some(base) = &mut watch.baseline else {
            return;
        };
        base.hour.judged_bytes = base.hour.bytes_out;
        let counts = base.hour.full_counts();
        let judge = |levels: &Levels| {
            let exposed = levels.exposed(&past, index, &counts);
            levels.judge(&past, index, exposed)
        };
        let (judged, peers) = (judge(&base.levels), judge(&Levels::default()));
        let Some(tail) = self.surprises.get(index) else {
            return;
        };
        let before = base.evidence.get(index).copied().unwrap_or(0.0);
        let peak = evidence(before, tail, judged.surprise) / base.usual_peak(fleet_median);
        if peak < self.peaks.threshold() {
            return;
        }
        let (endpoint, most, last_ts) = base
            .hour
            .largest_upload()
            .cloned()
            .unwrap_or_else(|| (String::new(), 0, ts));
        let upload = Upload {
            bytes_out: base.hour.bytes_out,
            usual: bytes(judged.mu),
            peers_usual: bytes(peers.mu),
            surprise: judged.surprise,
            days: base.levels.hours_seen / 24.0,
            endpoint: endpoint.into(),
            share: share(most, base.hour.bytes_out),
        };
        let rate = 7_000.0 * self.peaks.p(peak);
        let family = Family {
            rate,
            exceedances: self.peaks.exceedances(),
        };
        self.verdicts.push(Verdict {
            ts,
            seen: Span {
                first_ts: flow.map_or(last_ts, |flow| flow.first_ts),
                last_ts,
            },
            device: Some(device),
            flow,
            row: Box::new(upload),
            family: Some(family),
        });
    }

    /// Takes the open hour into levels, ranks and evidence, and opens the next.
    fn learn_hour(&mut self) {
        let bucket = self.bucket(self.hour);
        let alive = self
            .watches
            .iter()
            .flatten()
            .filter_map(|w| w.baseline.as_ref())
            .count();
        #[expect(clippy::cast_precision_loss, reason = "at most 20,000 devices")]
        let hours = 1.0 / alive.max(1) as f64;
        let since = Timestamp::from_nanos(self.hour.saturating_mul(HOUR_NS));
        let levels = self.levels.clone();
        let past = Past::new(&levels, bucket);
        let (for_device, for_site) = (Taken::new(1.0), Taken::new(hours));
        for watch in self.watches.iter_mut().flatten() {
            let Some(base) = &mut watch.baseline else {
                continue;
            };
            let counts = base.hour.full_counts();
            let breached = base.hour.breached;
            let speed = if breached { SPEED_SUSPICIOUS } else { 1.0 };
            let exposed = base.levels.all_exposed(&past, &counts);
            for (index, exposed) in exposed.iter().enumerate() {
                let surprise = base.levels.judge(&past, index, *exposed).surprise;
                let (Some(tail), Some(sum)) =
                    (self.surprises.get_mut(index), base.evidence.get_mut(index))
                else {
                    continue;
                };
                *sum = evidence(*sum, tail, surprise);
                if base.hour.alive && !breached && base.levels.hours_seen >= 24.0 {
                    tail.learn(surprise);
                }
            }
            if base.levels.hours_seen >= 24.0 {
                let sum = base.evidence.get(Feature::KibOutOutside.index()).copied();
                base.day_peak = base.day_peak.max(sum.unwrap_or(0.0));
            }
            base.day_alive |= base.hour.alive;
            base.day_breached |= breached;
            base.levels.learn(&past, &exposed, &for_device.at(speed));
            let exposed = self.levels.all_exposed(&past, &counts);
            self.levels.learn(&past, &exposed, &for_site.at(speed));
            if base.hour.alive && !breached {
                self.rhythm.learn(&base.edges, since);
            }
            base.hour = Hour::default();
        }
    }

    /// Ranks the day's peaks and lets the past fade by one day.
    fn close_day(&mut self) {
        let median = self.raw_peaks.median();
        for watch in self.watches.iter_mut().flatten() {
            let Some(base) = &mut watch.baseline else {
                continue;
            };
            let (alive, breached) = (base.day_alive, base.day_breached);
            (base.day_alive, base.day_breached) = (false, false);
            if !alive {
                continue;
            }
            let usual = base.usual_peak(median);
            self.device_days += 1.0;
            let peak = if breached { 0.0 } else { base.close_day() };
            base.day_peak = 0.0;
            if !breached && base.levels.hours_seen >= 48.0 {
                self.raw_peaks.learn(peak);
                self.peaks.learn(peak / usual);
            }
        }
        self.fade(1.0);
    }

    /// Lets the past fade by `days`.
    fn fade(&mut self, days: f64) {
        let keep = libm::exp(-core::f64::consts::LN_2 / PAST_DAYS * days);
        for tail in self
            .surprises
            .iter_mut()
            .chain([&mut self.peaks, &mut self.raw_peaks])
        {
            tail.decay(keep);
        }
        self.rhythm.decay(keep);
    }

    /// Bucket of an hour: hour of day, and 24 more on days of rest.
    fn bucket(&self, hour: i64) -> usize {
        let Some(local) = self.local(hour) else {
            return 0;
        };
        let of_day = usize::try_from(local.hour()).unwrap_or(0);
        let rest = matches!(
            local.weekday(),
            jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday
        );
        (of_day + if rest { 24 } else { 0 }).min(BUCKETS - 1)
    }

    /// Local date of an hour.
    fn day(&self, hour: i64) -> Option<jiff::civil::Date> {
        Some(self.local(hour)?.date())
    }

    fn local(&self, hour: i64) -> Option<jiff::Zoned> {
        let at = jiff::Timestamp::from_second(hour.checked_mul(3_600)?).ok()?;
        Some(at.to_zoned(self.settings.time_zone.clone()))
    }
}

impl Hour {
    /// The counts with the bytes sent outside filled in.
    fn full_counts(&self) -> Counts {
        let mut counts = self.counts;
        if let Some(slot) = counts.get_mut(Feature::KibOutOutside.index()) {
            *slot = self.bytes_out.saturating_add(512) / 1024;
        }
        counts
    }
}

/// The leaky sum after an hour of this surprise.
fn evidence(before: f64, tail: &Tail, surprise: f64) -> f64 {
    let calibrated = (-libm::log(tail.p(surprise))).min(EVIDENCE_MAX);
    (EVIDENCE_KEEP * before + calibrated - EVIDENCE_DRIFT).max(0.0)
}

/// KiB as bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to u64's range"
)]
fn bytes(kib: f64) -> u64 {
    (kib * 1024.0).clamp(0.0, 1e18) as u64
}

/// The device's watch, made at its first flow.
#[inline]
pub(super) fn watch(
    watches: &mut Vec<Option<Box<Watch>>>,
    ts: Timestamp,
    device: DeviceIx,
) -> Option<&mut Watch> {
    if watches.len() <= device.index() {
        watches.resize_with(device.index().saturating_add(1), || None);
    }
    let slot = watches.get_mut(device.index())?;
    let made = || {
        Box::new(Watch {
            first_ts: ts,
            ..Watch::default()
        })
    };
    Some(slot.get_or_insert_with(made))
}

/// The device's baseline, made after its tenure and an answered exchange.
#[inline]
pub(super) fn baseline(
    watches: &mut Vec<Option<Box<Watch>>>,
    ts: Timestamp,
    device: DeviceIx,
) -> Option<&mut Baseline> {
    let watch = watch(watches, ts, device)?;
    if watch.baseline.is_none() && watch.answered && ts.since(watch.first_ts) >= TENURE_NS {
        watch.baseline = Some(Box::default());
    }
    watch.baseline.as_deref_mut()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::site::{Saved, SiteSettings};
    use super::*;
    use crate::types::Seed;

    fn hour(n: i64) -> Timestamp {
        Timestamp::from_nanos(n.saturating_mul(HOUR_NS))
    }

    fn hours_seen(site: &Site) -> Option<f64> {
        let watch = site.watches.first()?.as_ref()?;
        Some(watch.baseline.as_ref()?.levels.hours_seen)
    }

    #[test]
    fn silent_hours_teach_nothing_however_many_they_are() {
        let settings = SiteSettings {
            time_zone: TimeZone::UTC,
            seed: Seed(1),
        };
        let mut site = Site::new(settings, Saved::default());
        site.advance(hour(100));
        watch(&mut site.watches, hour(100), DeviceIx(0))
            .unwrap()
            .answered = true;
        for n in [101, 102] {
            site.advance(hour(n));
            site.heard(hour(n));
            site.count(hour(n), DeviceIx(0), Feature::Flows, 5);
        }
        assert_eq!(hours_seen(&site), Some(1.0));
        // The last hour anything was seen in, and then three centuries.
        site.advance(hour(150));
        assert_eq!(hours_seen(&site), Some(2.0));
        site.advance(Timestamp::MAX);
        assert_eq!(hours_seen(&site), Some(2.0));
        // The last hour has no end: waiting for it would be waiting for ever.
        assert_eq!(site.next_deadline(), None);
        assert_eq!(site.hour, Timestamp::MAX.nanos().div_euclid(HOUR_NS));
    }
}
