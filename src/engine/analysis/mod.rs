//! The warm half: observations in order of time in, effects out.
//!
//! Everything that joins flows happens here: names to addresses, addresses to devices, devices to
//! baselines, rows to models, breaches to incidents. The only clock is the observations'.

mod act;
mod announced;
mod carried;
mod flow;
mod held;
mod judge;
mod look;
mod mirror;
mod names;
mod oddities;
mod record;
mod row;
mod secrets;
mod service;
mod shown;
mod state;

use std::collections::VecDeque;
use std::net::IpAddr;

use compact_str::ToCompactString as _;
use jiff::tz::TimeZone;
use tapir_message::{Breach, Decision, Device, Incident, Mode};

use crate::baseline::{Site, SiteSettings, Span, Verdict};
use crate::breach::{Channels, Ledger};
use crate::device::{DeviceIx, DeviceNew, Home, Inventory};
use crate::incident::Incidents;
use crate::model::Models;
use crate::policy::{Authorised, Policy, PolicySettings, Watch};
use crate::service::{Catalogue, Uses};
use crate::types::{Body, Mark, Observation, Record, Seed, Text, Timestamp};

use announced::Announced;
use names::{Names, endpoint};
use oddities::Oddities;
use secrets::Secrets;

pub use state::SavedState;

/// A new device is judged this long after its first frame, when it has said its name.
const INTRODUCTION_NS: i64 = 60 * 1_000_000_000;

/// What the operator decides about the analysis.
#[derive(Clone, Debug)]
pub struct AnalysisSettings {
    /// Part of every id.
    pub sensor_id: String,
    /// Whose addresses are devices.
    pub home: Home,
    /// Where hours and workdays come from.
    pub time_zone: TimeZone,
    /// Key of the hash tables; it changes nothing that is written out.
    pub seed: Seed,
    /// How far responses may go; off by default.
    pub response: PolicySettings,
    /// Addresses of the sensor itself: what it sends is counted and not judged.
    pub own: Vec<IpAddr>,
    /// Services on the internet, and what the site says of them.
    pub services: Catalogue,
}

/// What comes out.
#[derive(Debug)]
pub enum Effect {
    /// A record to write.
    Record(Box<Record>),
    /// A new breach, or a newer state of one with the same id.
    Breach(Box<Breach>),
    /// A new incident, or a newer state of one with the same id.
    Incident(Box<Incident>),
    /// A decision, and the order if it is to act: to be carried out once the decision is on disk.
    Decision(Box<Decision>, Option<Box<Authorised>>),
}

/// The warm half of the engine.
#[derive(Debug)]
pub struct Analysis {
    settings: AnalysisSettings,
    models: Models,
    devices: Inventory,
    /// Devices not yet judged as new, with their deadlines, in order.
    newcomers: VecDeque<(Timestamp, DeviceIx)>,
    names: Names,
    services: Catalogue,
    uses: Uses,
    announced: Announced,
    oddities: Oddities,
    secrets: Secrets,
    /// Room for the text of an address.
    text: String,
    site: Site,
    channels: Channels,
    ledger: Ledger,
    incidents: Incidents,
    policy: Policy,
    watch: Watch,
    effects: VecDeque<Effect>,
    now: Timestamp,
    /// Nothing is due before this; the hour's end at the latest.
    quiet_until: Timestamp,
}

impl Analysis {
    /// An analysis with what it knew before.
    #[must_use]
    pub fn new(settings: AnalysisSettings, models: Models, saved: SavedState) -> Self {
        let seed = settings.seed;
        let site_settings = SiteSettings {
            time_zone: settings.time_zone.clone(),
            seed,
        };
        let policy = Policy::new(
            settings.response.clone(),
            &settings.sensor_id,
            settings.time_zone.clone(),
            seed,
            saved.policy,
        );
        let mut ledger = Ledger::new(&settings.sensor_id, seed);
        ledger.restore(saved.breaches);
        Self {
            devices: Inventory::new(
                &settings.sensor_id,
                settings.home.clone(),
                seed,
                saved.devices,
            )
            .with_own(settings.own.clone()),
            newcomers: saved.newcomers.into(),
            names: Names::new(seed),
            uses: Uses::new(seed, &settings.services, saved.services),
            services: settings.services.clone(),
            announced: Announced::new(seed),
            oddities: Oddities::new(seed),
            secrets: Secrets::new(seed),
            text: String::new(),
            site: Site::new(site_settings, saved.site),
            channels: Channels::new(&models, &saved.channels),
            ledger,
            incidents: Incidents::new(&settings.sensor_id, seed, saved.incidents),
            policy,
            watch: Watch::new(seed, saved.watch),
            effects: VecDeque::new(),
            now: Timestamp::MIN,
            quiet_until: Timestamp::MIN,
            settings,
            models,
        }
    }

    /// Takes in an observation; they come in order of time. What it owns is taken out of it.
    pub fn observe(&mut self, observation: &mut Observation) {
        let Observation { ts, flow, body } = observation;
        let ts = *ts;
        self.advance(ts);
        // A count of frames is no sign of life: what they were was told when they came.
        if let Body::Census(census) = body {
            return self.site.mirror.census(ts, census);
        }
        self.site.heard(ts);
        match body {
            Body::Sighting(sighting) => {
                if let Some(ip) = sighting.ip.filter(|_| sighting.evidence == "arp") {
                    self.sign(ts, ip);
                }
                self.devices.sighted(ts, sighting);
                self.introduce(ts);
            }
            Body::Clue(clue) => self.clue(ts, clue),
            Body::Flow(event) => self.flow(ts, flow, event),
            Body::Record(_) | Body::Close(..) => match std::mem::replace(body, Body::Taken) {
                Body::Record(record) => self.record(ts, flow, record),
                Body::Close(event, record) => self.close(ts, flow, &event, record),
                _ => {}
            },
            Body::Census(_) | Body::Taken => {}
            Body::Mark(Mark::Epoch) => {
                // Their deadlines belong to the old time, which does not go on.
                self.introduce_all();
                self.site.epoch(ts);
                self.devices.epoch();
                let ended = self.policy.epoch(ts);
                self.decided(ended);
                self.watch.epoch();
                self.announced.epoch();
                (self.now, self.quiet_until) = (ts, Timestamp::MIN);
            }
        }
        self.conclude();
    }

    /// Lets time pass up to `ts`: whatever is due fires at its deadline.
    #[inline]
    pub fn advance(&mut self, ts: Timestamp) {
        // Nearly every observation comes when nothing is due.
        if ts < self.quiet_until {
            self.now = self.now.max(ts);
        } else {
            self.fire(ts);
        }
    }

    /// Lets fire what is due by `ts`.
    fn fire(&mut self, ts: Timestamp) {
        while let Some(deadline) = self.next_deadline().filter(|deadline| *deadline <= ts) {
            self.site.advance(deadline);
            self.conclude();
            self.devices.advance(deadline);
            while let Some((at, device)) = self.newcomers.pop_front_if(|(at, _)| *at <= deadline) {
                self.newcomer(at, device);
                self.conclude();
            }
            let ended = self.policy.expire(deadline);
            self.decided(ended);
        }
        self.site.advance(ts);
        self.policy.advance(ts);
        self.now = self.now.max(ts);
        let hour = self.site.next_deadline();
        let due = [self.next_deadline(), hour].into_iter().flatten().min();
        self.quiet_until = due.unwrap_or(Timestamp::MIN);
    }

    /// When something is due next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let newcomer = self.newcomers.front().map(|(at, _)| *at);
        // An hour without anything seen has nothing to tell at its end: it need not be waited for.
        let hour = self.site.next_deadline().filter(|_| self.site.alive());
        let question = self.policy.next_deadline();
        let pair = self.devices.next_deadline();
        [newcomer, hour, question, pair].into_iter().flatten().min()
    }

    /// The input is over: judges what is still open.
    pub fn finish(&mut self, ts: Timestamp) {
        self.advance(ts);
        self.introduce_all();
        self.site.finish(self.now);
        self.conclude();
    }

    /// Judges every newcomer now.
    fn introduce_all(&mut self) {
        while let Some((_, device)) = self.newcomers.pop_front() {
            self.newcomer(self.now, device);
            self.conclude();
        }
    }

    /// How many effects wait.
    #[inline]
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.effects.len()
    }

    /// All effects that wait, in order of emission; `room` will be filled instead.
    pub fn take(&mut self, room: Vec<Effect>) -> Vec<Effect> {
        std::mem::replace(&mut self.effects, room.into()).into()
    }

    /// The next effect, in order of emission.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The inventory in order of first frames, then of hardware address or address.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        let mut all = self.devices.devices();
        all.sort_by(|a, b| (a.first_ts, a.mac, &a.id).cmp(&(b.first_ts, b.mac, &b.id)));
        all
    }

    /// How long this site has been watched, in days.
    #[must_use]
    pub fn site_days(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "days of a lifetime")]
        let ns = self.site.age(self.now).0 as f64;
        ns / 86_400e9
    }

    /// Entries refused by tables at their bound, by table.
    #[must_use]
    pub fn refused(&self) -> [(&'static str, u64); 10] {
        [
            ("devices", self.devices.refused()),
            ("names", self.names.refused()),
            ("announced_flows", self.announced.refused()),
            ("oddities", self.oddities.refused()),
            ("secrets", self.secrets.refused()),
            ("endpoints", self.site.refused()),
            ("open_breaches", self.ledger.refused()),
            ("open_incidents", self.incidents.refused()),
            ("service_uses", self.uses.let_go()),
            ("service_flows", self.uses.refused()),
        ]
    }

    /// Oddities seen by name, in order; not each of them is told.
    pub fn oddities(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.oddities.counts()
    }

    /// Whether decisions are made at all.
    fn is_armed(&self) -> bool {
        self.policy.mode() != Mode::Off
    }

    /// Sets a deadline for every device just born.
    fn introduce(&mut self, ts: Timestamp) {
        if !self.devices.has_born() {
            return;
        }
        for device in self.devices.take_born() {
            let at = ts.plus(INTRODUCTION_NS);
            self.newcomers.push_back((at, device));
            self.quiet_until = self.quiet_until.min(at);
        }
    }

    /// Judges a device that nobody had seen before.
    fn newcomer(&mut self, ts: Timestamp, device: DeviceIx) {
        // What turned out to be a device that is known is not new.
        let known = self.devices.main(device) != device;
        let Some(entry) = self.devices.entry(device).filter(|_| !known) else {
            return;
        };
        let first_ts = entry.device.first_ts;
        let row = DeviceNew {
            mac: entry.device.mac.map(|mac| mac.to_compact_string()),
            vendor: entry.device.vendor.as_deref().map(Text::from),
            name: entry
                .device
                .names
                .last()
                .map(|name| name.name.as_str().into()),
            randomised: entry
                .device
                .mac
                .is_some_and(tapir_message::MacAddr::is_local),
            site_age: self.site.age(first_ts),
            evidence: entry.first_evidence.as_str().into(),
        };
        self.judge_verdict(&Verdict {
            ts,
            seen: Span::at(first_ts),
            device: Some(device),
            flow: None,
            row: Box::new(row),
            family: None,
        });
    }

    /// Judges what the site has reached a verdict on.
    #[inline]
    fn conclude(&mut self) {
        // Hardly any observation completes one.
        if self.site.has_verdicts() {
            self.judge_verdicts();
        }
    }

    fn judge_verdicts(&mut self) {
        for verdict in self.site.take_verdicts() {
            self.judge_verdict(&verdict);
        }
    }
}
