//! The ledger of open breaches: what was told already is updated, not told again.

use tapir_message::{Breach, Rate};

use super::channels::{Channels, Estimate};
use super::score::Waterfall;
use crate::baseline::{Family, Span};
use crate::flow::community_id;
use crate::model::{Model, ModelIndex, Row};
use crate::types::{FlowRef, Held, MacAddr, Map, Seed, Timestamp, base32};

/// A breach stays open this long after its first evidence.
const OPEN_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// Open breaches at most.
const OPEN_MAX: usize = 100_000;
/// Characters of a sentence at most.
const TEXT_LEN_MAX: usize = 1_000;

/// A model that fired, with what it fired on.
pub struct Firing<'a> {
    /// Place of the model in its list.
    pub index: ModelIndex,
    /// The model.
    pub model: &'a Model,
    /// The row it fired on.
    pub row: &'a dyn Row,
    /// When.
    pub ts: Timestamp,
    /// When its evidence was seen.
    pub seen: Span,
    /// Device id; empty for the sensor.
    pub device: &'a str,
    /// Device name.
    pub device_name: &'a str,
    /// The flow behind it.
    pub flow: Option<FlowRef>,
    /// For continuous channels.
    pub family: Option<Family>,
    /// Exposure of the site in 1,000 device-weeks.
    pub exposure: f64,
    /// Share of content lost.
    pub loss: f64,
    /// Whether later evidence replaces the sentence: a detector knows more each time it speaks.
    pub cumulative: bool,
    /// Best name of the other side.
    pub peer: Option<&'a str>,
    /// Hardware address of the device.
    pub mac: Option<MacAddr>,
}

impl std::fmt::Debug for Firing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Firing")
            .field("model", &self.model.id)
            .finish_non_exhaustive()
    }
}

/// A breach that may still grow, and the flow it was told with.
#[derive(Clone, Debug)]
struct Open {
    breach: Breach,
    flow: Option<FlowRef>,
}

/// All open breaches, by device and model.
#[derive(Debug)]
pub struct Ledger {
    sensor_id: String,
    open: Map<(String, String), Open>,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(sensor_id: &str, seed: Seed) -> Self {
        Self {
            sensor_id: sensor_id.to_owned(),
            open: Map::new(OPEN_MAX, seed),
        }
    }

    /// Breaches refused because too many were open.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.open.refused()
    }

    /// Breaches still open at `ts`, for the state.
    #[must_use]
    pub fn save(&self, ts: Timestamp) -> Vec<Breach> {
        let open = |b: &Breach| ts.since(b.ts) < OPEN_NS;
        self.open
            .sorted()
            .into_iter()
            .map(|(_, o)| &o.breach)
            .filter(|b| open(b))
            .cloned()
            .collect()
    }

    /// Takes breaches of an earlier run back in.
    pub fn restore(&mut self, breaches: Vec<Breach>) {
        for breach in breaches {
            let key = (breach.device.clone(), breach.model.clone());
            self.open.insert(key, Open { breach, flow: None });
        }
    }

    /// Whether a scored breach of `device` is open at `ts`.
    #[must_use]
    pub fn is_open(&self, device: &str, model: &str, ts: Timestamp) -> bool {
        self.open
            .get(&(device.to_owned(), model.to_owned()))
            .is_some_and(|open| ts.since(open.breach.ts) < OPEN_NS)
    }

    /// The flow an open breach was told with: later evidence may be about no flow in particular.
    #[must_use]
    pub fn flow(&self, device: &str, model: &str) -> Option<FlowRef> {
        self.open.get(&(device.to_owned(), model.to_owned()))?.flow
    }

    /// Takes in a firing: the breach to tell, and whether it is new. `None` if there is nothing to
    /// tell: the table is full, or an open breach of a yes/no model only counts one more.
    pub fn fire(&mut self, firing: &Firing<'_>, channels: &mut Channels) -> Option<(Breach, bool)> {
        let key = (firing.device.to_owned(), firing.model.id.clone());
        if self.is_open(firing.device, &firing.model.id, firing.ts) {
            let open = self.open.get_mut(&key)?;
            update(&mut open.breach, firing, channels);
            return Some((open.breach.clone(), false));
        }
        let breach = self.new_breach(firing, channels)?;
        if !self.open.insert(
            key,
            Open {
                breach: breach.clone(),
                flow: firing.flow,
            },
        ) {
            return None;
        }
        channels.fired(firing.index, firing.ts);
        Some((breach, true))
    }

    /// The incident of an open breach.
    pub fn assign(&mut self, breach: &Breach) {
        let key = (breach.device.clone(), breach.model.clone());
        if let Some(open) = self.open.get_mut(&key) {
            open.breach.incident.clone_from(&breach.incident);
        }
    }

    fn new_breach(&self, firing: &Firing<'_>, channels: &Channels) -> Option<Breach> {
        let model = firing.model;
        let flow = firing.flow;
        let mut breach = Breach {
            ts: firing.ts,
            id: self.id(firing),
            model: model.id.clone(),
            title: model.title.clone(),
            class: model.class,
            score: None,
            score_sure: None,
            priority: None,
            rate: Rate(0.0),
            rate_low: Rate(0.0),
            rate_high: Rate(0.0),
            provisional: false,
            impact: model.impact,
            device: firing.device.to_owned(),
            device_name: firing.device_name.to_owned(),
            orig_h: flow.map(|f| f.orig.ip()),
            orig_p: flow.map(|f| f.orig.port),
            resp_h: flow.map(|f| f.resp.ip()),
            resp_p: flow.map(|f| f.resp.port),
            uid: flow.map(|f| f.uid(&self.sensor_id).to_string()),
            proto: flow.map(|f| proto_name(f.proto)),
            community_id: flow.map(|f| community_id(&f, 0).to_string()),
            peer: flow.and(firing.peer).map(str::to_owned),
            mac: firing.mac,
            attack: model.attack.clone(),
            terms: vec![],
            incident: String::new(),
            first_ts: firing.seen.first_ts,
            last_ts: firing.seen.last_ts,
            count: 1,
            loss: firing.loss,
            text: String::new(),
            detail: String::new(),
        };
        judge(&mut breach, firing, channels).then_some(breach)
    }

    /// 26 base32 digits over sensor, device, model and time.
    fn id(&self, firing: &Firing<'_>) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [&self.sensor_id, firing.device, &firing.model.id] {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        hasher.update(&firing.ts.nanos().to_be_bytes());
        base32(hasher.finalize().as_bytes(), 26)
    }
}

/// `tcp`, `udp`, `icmp`, or the protocol's number.
fn proto_name(proto: u8) -> String {
    match proto {
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        1 | 58 => "icmp".to_owned(),
        other => other.to_string(),
    }
}

/// Scores the firing and writes its sentences; false if its channel is unknown.
fn judge(breach: &mut Breach, firing: &Firing<'_>, channels: &Channels) -> bool {
    let model = firing.model;
    let bounded = |text: String| text.chars().take(TEXT_LEN_MAX).collect::<String>();
    breach.text = bounded(model.owner.render(firing.row));
    breach.detail = bounded(model.engineer.render(firing.row));
    if let Some(priority) = model.priority() {
        breach.priority = Some(priority);
        return true;
    }
    let Some(all) = channels.estimate(firing.index, firing.exposure, firing.family) else {
        return false;
    };
    let rarity = model.rarity_text.render(firing.row);
    let mut waterfall = Waterfall::new(all.rate, all.high, bounded(explain(&all, rarity)));
    for defeat in model
        .defeats
        .iter()
        .filter(|defeat| defeat.when.eval(firing.row))
    {
        let text = bounded(defeat.text.render(firing.row));
        waterfall.defeat(&defeat.name, defeat.rate_times, text);
    }
    let times = waterfall.rate() / all.rate.max(f64::MIN_POSITIVE);
    (breach.rate, breach.rate_low, breach.rate_high) = (
        Rate(all.rate * times),
        Rate(all.low * times),
        Rate(all.high * times),
    );
    breach.provisional = all.provisional;
    let (terms, score, sure) = waterfall.close(model.impact);
    breach.terms = terms;
    (breach.score, breach.score_sure) = (Some(score), Some(sure));
    true
}

/// The first term's sentence: what was seen, and what its rate means.
fn explain(all: &Estimate, seen: String) -> String {
    let rate = Rate(all.rate).rounded();
    let basis = if all.provisional {
        " (prior: unfitted)"
    } else {
        ""
    };
    format!("{seen} An innocent network shows as much {rate} times per 1,000 device-weeks{basis}.")
}

/// Folds later evidence into an open breach. The score never falls by more evidence of the same.
fn update(breach: &mut Breach, firing: &Firing<'_>, channels: &Channels) {
    breach.count = breach.count.saturating_add(1);
    breach.first_ts = breach.first_ts.min(firing.seen.first_ts);
    breach.last_ts = breach.last_ts.max(firing.seen.last_ts);
    breach.loss = firing.loss;
    let mut newer = breach.clone();
    if !judge(&mut newer, firing, channels) {
        return;
    }
    let rises = newer.score > breach.score;
    if rises || (firing.cumulative && newer.score == breach.score) {
        if let Some(flow) = firing.flow.filter(|_| rises) {
            newer.orig_h = Some(flow.orig.ip());
            newer.orig_p = Some(flow.orig.port);
            newer.resp_h = Some(flow.resp.ip());
            newer.resp_p = Some(flow.resp.port);
            newer.proto = Some(proto_name(flow.proto));
            newer.community_id = Some(community_id(&flow, 0).to_string());
            newer.peer = firing.peer.map(str::to_owned);
        }
        *breach = newer;
    }
}

/// Bytes of a breach's texts, about.
const TEXT_BYTES: usize = 3_000;

impl Ledger {
    /// Bytes of open breaches; their texts are estimated.
    #[must_use]
    pub fn held(&self) -> Held {
        let of = |len: usize, table: usize| len.saturating_mul(TEXT_BYTES).saturating_add(table);
        let bound = Map::<(String, String), Open>::table_bound(OPEN_MAX);
        Held::new(
            "open breaches",
            of(self.open.len(), self.open.table_bytes()),
            of(OPEN_MAX, bound),
        )
    }
}
