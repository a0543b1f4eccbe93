//! Incidents: breaches that belong together, as one notice that is updated.
//!
//! In this form breaches belong together when they share a device within 24 hours of each other.
//! Health breaches are about the sensor and belong to no incident.
//! Bounds: 10,000 open incidents, 256 breaches each; beyond that the timeline stands still, counted.

use tapir_message::{Breach, Class, Incident, Moment};

use crate::types::{Held, Map, Seed, Timestamp, base32};

/// A breach joins an incident whose last evidence is no older.
const JOIN_NS: i64 = 24 * 3_600 * 1_000_000_000;
const OPEN_MAX: usize = 10_000;
const MOMENTS_MAX: usize = 256;

/// All open incidents, by device id.
#[derive(Debug)]
pub struct Incidents {
    sensor_id: String,
    open: Map<String, Incident>,
}

impl Incidents {
    /// None open, or those of an earlier run.
    #[must_use]
    pub fn new(sensor_id: &str, seed: Seed, saved: Vec<Incident>) -> Self {
        let mut open = Map::new(OPEN_MAX, seed);
        for incident in saved {
            if let Some(device) = incident.devices.first() {
                open.insert(device.clone(), incident);
            }
        }
        Self {
            sensor_id: sensor_id.to_owned(),
            open,
        }
    }

    /// Incidents refused because too many were open.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.open.refused()
    }

    /// Incidents that a breach could still join at `ts`.
    #[must_use]
    pub fn save(&self, ts: Timestamp) -> Vec<Incident> {
        let live = |i: &Incident| ts.since(i.last_ts) < JOIN_NS;
        self.open
            .sorted()
            .into_iter()
            .map(|(_, i)| i)
            .filter(|i| live(i))
            .cloned()
            .collect()
    }

    /// Takes in a breach, new or updated, writes its incident into it and returns the incident.
    pub fn join(&mut self, breach: &mut Breach) -> Option<Incident> {
        if breach.class == Class::Health || breach.device.is_empty() {
            return None;
        }
        let device = breach.device.clone();
        let stale =
            |i: &Incident| breach.last_ts.since(i.last_ts) > JOIN_NS && i.id != breach.incident;
        if self.open.get(&device).is_none_or(stale) {
            let fresh = self.fresh(breach);
            if !self.open.insert(device.clone(), fresh) {
                return None;
            }
        }
        let incident = self.open.get_mut(&device)?;
        breach.incident.clone_from(&incident.id);
        fold(incident, breach);
        Some(incident.clone())
    }

    fn fresh(&self, breach: &Breach) -> Incident {
        let mut hasher = blake3::Hasher::new();
        for part in [&self.sensor_id, &breach.device, "incident"] {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        hasher.update(&breach.first_ts.nanos().to_be_bytes());
        Incident {
            id: base32(hasher.finalize().as_bytes(), 26),
            first_ts: breach.first_ts,
            last_ts: breach.last_ts,
            score: breach.score,
            title: String::new(),
            devices: vec![breach.device.clone()],
            device_names: vec![breach.device_name.clone()],
            attack: vec![],
            timeline: vec![],
        }
    }
}

/// Writes a breach's present state into its incident.
fn fold(incident: &mut Incident, breach: &Breach) {
    incident.first_ts = incident.first_ts.min(breach.first_ts);
    incident.last_ts = incident.last_ts.max(breach.last_ts);
    incident.score = incident.score.max(breach.score);
    if let Some(name) = incident.device_names.first_mut() {
        name.clone_from(&breach.device_name);
    }
    for technique in &breach.attack {
        if !incident.attack.contains(technique) {
            incident.attack.push(technique.clone());
        }
    }
    let moment = Moment {
        ts: breach.first_ts,
        breach: breach.id.clone(),
        model: breach.model.clone(),
        score: breach.score,
        text: breach.text.clone(),
    };
    if let Some(old) = incident.timeline.iter_mut().find(|m| m.breach == breach.id) {
        *old = moment;
    } else if incident.timeline.len() < MOMENTS_MAX {
        incident.timeline.push(moment);
    }
    let order = |m: &Moment| (m.ts, m.model.clone());
    incident.timeline.sort_by_key(order);
    incident.title = title(incident, breach);
}

/// The worst breach's title, and how many others there are.
fn title(incident: &Incident, breach: &Breach) -> String {
    let head = if incident.score == breach.score || incident.title.is_empty() {
        breach.title.as_str()
    } else {
        // What this function appended before is not part of the title.
        match incident.title.rsplit_once(" and ") {
            Some((head, tail)) if tail.starts_with(|c: char| c.is_ascii_digit()) => head,
            _ => incident.title.as_str(),
        }
    };
    match incident.timeline.len() {
        0 | 1 => head.to_owned(),
        2 => format!("{head} and 1 other"),
        n => format!("{head} and {} others", n - 1),
    }
}

/// Bytes of a moment with its texts, and of an incident's other texts, about.
const MOMENT_BYTES: usize = size_of::<Moment>() + 100;
const TEXT_BYTES: usize = 500;

impl Incidents {
    /// Bytes of open incidents; their texts are estimated.
    #[must_use]
    pub fn held(&self) -> Held {
        let of = |moments: usize| {
            MOMENT_BYTES
                .saturating_mul(moments)
                .saturating_add(TEXT_BYTES)
        };
        let each = self.open.sum(|_, incident| of(incident.timeline.len()));
        Held::new(
            "open incidents",
            each.saturating_add(self.open.table_bytes()),
            Map::<String, Incident>::table_bound(OPEN_MAX)
                .saturating_add(of(MOMENTS_MAX).saturating_mul(OPEN_MAX)),
        )
    }
}
