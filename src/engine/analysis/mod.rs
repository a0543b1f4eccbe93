//! The warm half: observations in order of time in, effects out.
//!
//! Everything that joins flows happens here: names to addresses, addresses to devices, devices to
//! baselines, rows to models, breaches to incidents. The only clock is the observations'.

mod act;
mod held;
mod judge;
mod mirror;
mod row;
mod state;

use std::any::Any;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::IpAddr;

use jiff::tz::TimeZone;
use tapir_message::{Breach, Decision, Device, Incident, Mode};

use crate::baseline::{Contact, Feature, Site, SiteSettings, Span, Verdict};
use crate::breach::{Channels, Ledger};
use crate::device::{DeviceIx, DeviceNew, Home, Inventory};
use crate::flow::Conn;
use crate::incident::Incidents;
use crate::model::Models;
use crate::policy::{Authorised, Policy, PolicySettings, Watch};
use crate::proto::{dns::DnsRecord, http::HttpRecord, smb::SmbFile, tls::SslRecord};
use crate::types::{
    Body, Clue, ClueKind, FlowEvent, FlowRef, Map, Mark, Observation, Phase, Record, RecordBody,
    Seed, ShortId, Timestamp, ip_text,
};

pub use state::SavedState;

/// A new device is judged this long after its first frame, when it has said its name.
const INTRODUCTION_NS: i64 = 60 * 1_000_000_000;
/// Names of addresses outside.
const NAMES_MAX: usize = 65_536;

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
    Decision(Box<Decision>, Option<Authorised>),
}

/// The warm half of the engine.
#[derive(Debug)]
pub struct Analysis {
    settings: AnalysisSettings,
    models: Models,
    devices: Inventory,
    /// Devices not yet judged as new, with their deadlines, in order.
    newcomers: VecDeque<(Timestamp, DeviceIx)>,
    /// Names of addresses outside, from DNS answers, TLS and HTTP.
    names: Map<IpAddr, String>,
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
            ),
            newcomers: saved.newcomers.into(),
            names: Map::new(NAMES_MAX, seed),
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

    /// Takes in an observation; they come in order of time.
    pub fn observe(&mut self, observation: Observation) {
        let Observation { ts, flow, body } = observation;
        self.advance(ts);
        // A count of frames is no sign of life: what they were was told when they came.
        if let Body::Census(census) = &body {
            return self.site.mirror.census(ts, census);
        }
        self.site.heard(ts);
        match body {
            Body::Sighting(sighting) => {
                if let Some(ip) = sighting.ip.filter(|_| sighting.evidence == "arp") {
                    self.sign(ts, ip);
                }
                self.devices.sighted(ts, &sighting);
                self.introduce(ts);
            }
            Body::Clue(clue) => self.clue(ts, &clue),
            Body::Record(record) => self.record(ts, record),
            Body::Flow(event) => self.flow(ts, &flow, &event),
            Body::Census(_) => {}
            Body::Mark(Mark::Epoch) => {
                // Their deadlines belong to the old time, which does not go on.
                self.introduce_all();
                self.site.epoch(ts);
                let ended = self.policy.epoch(ts);
                self.decided(ended);
                self.watch.epoch();
                (self.now, self.quiet_until) = (ts, Timestamp::MIN);
            }
            Body::Taken => {}
        }
        self.conclude();
    }

    /// Lets time pass up to `ts`: whatever is due fires at its deadline.
    pub fn advance(&mut self, ts: Timestamp) {
        // Nearly every observation comes when nothing is due.
        if ts < self.quiet_until {
            self.now = self.now.max(ts);
            return;
        }
        while let Some(deadline) = self.next_deadline().filter(|deadline| *deadline <= ts) {
            self.site.advance(deadline);
            self.conclude();
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
        [newcomer, hour, question].into_iter().flatten().min()
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

    /// The next effect, in order of emission.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The inventory in order of first frames, then of hardware address or address.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        let mut all: Vec<Device> = self
            .devices
            .entries()
            .iter()
            .map(|e| e.device.clone())
            .collect();
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
    pub fn refused(&self) -> [(&'static str, u64); 5] {
        [
            ("devices", self.devices.refused()),
            ("names", self.names.refused()),
            ("endpoints", self.site.refused()),
            ("open_breaches", self.ledger.refused()),
            ("open_incidents", self.incidents.refused()),
        ]
    }

    /// Whether decisions are made at all.
    fn is_armed(&self) -> bool {
        self.policy.mode() != Mode::Off
    }

    /// Sets a deadline for every device just born.
    fn introduce(&mut self, ts: Timestamp) {
        for device in self.devices.take_born() {
            let at = ts.plus(INTRODUCTION_NS);
            self.newcomers.push_back((at, device));
            self.quiet_until = self.quiet_until.min(at);
        }
    }

    /// Takes in evidence about a device or the name of an address outside.
    fn clue(&mut self, ts: Timestamp, clue: &Clue) {
        if let (ClueKind::DnsName, Some(ip)) = (clue.kind, clue.ip) {
            self.name(ip, &clue.value);
        }
        if let (ClueKind::Lease, Some(ip)) = (clue.kind, clue.ip) {
            self.sign(ts, ip);
        }
        self.devices.clue(ts, clue);
        self.introduce(ts);
    }

    /// Notes that `ip`, if outside, goes by `name`.
    fn name(&mut self, ip: IpAddr, name: &str) {
        if !name.is_empty() && !self.devices.home().holds(ip) {
            match self.names.get_mut(&ip) {
                Some(known) if known == name => {}
                Some(known) => name.clone_into(known),
                None => {
                    self.names.insert(ip, name.to_owned());
                }
            }
        }
    }

    /// Takes in a record: stamps it, counts it, lets the models see it, passes it on.
    fn record(&mut self, ts: Timestamp, mut record: Box<Record>) {
        let flow = record.flow;
        let ends = self.ends(&flow);
        let id = |ix: Option<DeviceIx>| {
            let entry = self.devices.entry(ix?)?;
            Some(ShortId::new(&entry.device.id))
        };
        (record.orig_device, record.resp_device) = (id(ends.orig), id(ends.resp));
        record.local = Some((ends.orig_home, ends.resp_home));
        if let Some(ends) = record.ends.filter(|_| self.is_armed()) {
            self.watch.lives(&flow, ends);
        }
        if let Some(conn) = (&record.body as &dyn Any).downcast_ref::<Conn>() {
            self.mirrored(ts, conn, &flow);
        }
        if !self.is_own(&flow) {
            self.learn_from(ts, &record.body, &flow, &ends);
            self.judge_record(ts, &record, ends.orig, ends.resp);
        }
        self.effects.push_back(Effect::Record(record));
    }

    /// Whose addresses a flow is between.
    fn ends(&self, flow: &FlowRef) -> Ends {
        let (orig, resp) = (flow.orig.ip(), flow.resp.ip());
        let home = self.devices.home();
        Ends {
            orig: self.devices.by_ip(orig),
            resp: self.devices.by_ip(resp),
            orig_home: home.holds(orig),
            resp_home: home.holds(resp),
        }
    }

    /// What a record teaches the site.
    fn learn_from(&mut self, ts: Timestamp, body: &dyn RecordBody, flow: &FlowRef, ends: &Ends) {
        let any: &dyn Any = body;
        if let Some(conn) = any.downcast_ref::<Conn>() {
            self.flow_over(conn, flow, ends);
        } else if let Some(dns) = any.downcast_ref::<DnsRecord>() {
            let Some(device) = ends.orig else { return };
            self.site.count(ts, device, Feature::DnsQueries, 1);
            if dns.rcode_name == Some("NXDOMAIN") {
                self.site.count(ts, device, Feature::DnsNxdomain, 1);
            }
        } else if any.is::<SmbFile>() {
            if let Some(device) = ends.orig {
                self.site.count(ts, device, Feature::SmbFiles, 1);
            }
        } else if let Some(ssl) = any.downcast_ref::<SslRecord>() {
            self.name(
                flow.resp.ip(),
                ssl.server_name.as_deref().unwrap_or_default(),
            );
        } else if let Some(http) = any.downcast_ref::<HttpRecord>() {
            let host = http.host.as_deref().unwrap_or_default();
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            self.name(flow.resp.ip(), name);
        }
    }

    /// A flow's last word: its size for the rhythm.
    fn flow_over(&mut self, conn: &Conn, flow: &FlowRef, ends: &Ends) {
        let bytes = |side: Option<u64>| side.unwrap_or(0);
        let content = bytes(conn.orig_bytes).saturating_add(bytes(conn.resp_bytes));
        if let Some(device) = ends.orig.filter(|_| !ends.inside(flow.resp.ip())) {
            let endpoint = endpoint(&self.devices, &self.names, flow.resp.ip());
            self.site.ended(
                &Contact {
                    device,
                    flow,
                    inside: false,
                    endpoint: &endpoint,
                },
                content,
            );
        }
    }

    /// Takes in a stage of a flow.
    fn flow(&mut self, ts: Timestamp, flow: &FlowRef, event: &FlowEvent) {
        if let Some(sighting) = event.sighting(flow) {
            self.devices.sighted(ts, &sighting);
            self.introduce(ts);
        }
        let ends = self.ends(flow);
        let (orig_ip, resp_ip) = (flow.orig.ip(), flow.resp.ip());
        self.devices
            .flow(ts, (orig_ip, ends.orig), (resp_ip, ends.resp), event);
        self.seen_at_mirror(ts, flow, event);
        if self.is_own(flow) {
            return;
        }
        if self.is_armed() {
            let user = ends.orig.and_then(|ix| self.devices.entry(ix));
            let user = user.map(|entry| entry.device.id.as_str());
            self.watch.flow(ts, flow, event, user, ends.resp.is_some());
        }
        if let Some(device) = ends.orig {
            let inside = ends.inside(resp_ip);
            // Names matter outside only.
            let endpoint = if inside {
                Cow::Borrowed("")
            } else {
                endpoint(&self.devices, &self.names, resp_ip)
            };
            let contact = Contact {
                device,
                flow,
                inside,
                endpoint: &endpoint,
            };
            match event.phase {
                Phase::New => self.site.began(ts, &contact),
                Phase::Answered => self.site.outcome(ts, &contact, false),
                Phase::Failed => self.site.outcome(ts, &contact, true),
                Phase::Update | Phase::Close => {}
            }
            self.site
                .moved(ts, &contact, event.orig_bytes, event.resp_bytes);
        }
        // What a device sends to those who come from outside leaves the house as well.
        if let Some(device) = ends.resp.filter(|_| !is_inside(ends.orig_home, orig_ip)) {
            let endpoint = endpoint(&self.devices, &self.names, orig_ip);
            let contact = Contact {
                device,
                flow,
                inside: false,
                endpoint: &endpoint,
            };
            self.site
                .moved(ts, &contact, event.resp_bytes, event.orig_bytes);
        }
    }

    /// Judges a device that nobody had seen before.
    fn newcomer(&mut self, ts: Timestamp, device: DeviceIx) {
        let Some(entry) = self.devices.entry(device) else {
            return;
        };
        let first_ts = entry.device.first_ts;
        let row = DeviceNew {
            mac: entry.device.mac.map(|mac| mac.to_string()),
            vendor: entry.device.vendor.clone(),
            name: entry.device.names.last().map(|name| name.name.clone()),
            randomised: entry
                .device
                .mac
                .is_some_and(tapir_message::MacAddr::is_local),
            site_age: self.site.age(first_ts),
            evidence: entry.first_evidence.clone(),
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
    fn conclude(&mut self) {
        for verdict in self.site.take_verdicts() {
            self.judge_verdict(&verdict);
        }
    }
}

/// Whose addresses a flow is between: devices, and whether each lies in the home networks.
struct Ends {
    orig: Option<DeviceIx>,
    resp: Option<DeviceIx>,
    orig_home: bool,
    resp_home: bool,
}

impl Ends {
    /// Whether what goes to the responder, `resp`, stays in the house.
    fn inside(&self, resp: IpAddr) -> bool {
        is_inside(self.resp_home, resp)
    }
}

/// Whether traffic to `ip`, which lies in a home network or not, stays in the house.
fn is_inside(home: bool, ip: IpAddr) -> bool {
    let everyone = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast()) || ip.is_multicast();
    home || everyone || ip.is_unspecified()
}

/// The best name of an address: its device's, one from DNS, TLS or HTTP, else itself.
fn endpoint<'a>(
    devices: &'a Inventory,
    names: &'a Map<IpAddr, String>,
    ip: IpAddr,
) -> Cow<'a, str> {
    let device = devices.by_ip(ip).and_then(|ix| devices.entry(ix));
    device
        .map(|entry| entry.device.name.as_str())
        .or_else(|| names.get(&ip).map(String::as_str))
        .map_or_else(|| ip_text(ip).into(), Cow::Borrowed)
}
