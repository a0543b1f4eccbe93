//! One model, as it was read: what is unusual, how rare that is among the innocent, what to say of it.

use tapir_message::Class;

use super::eval::Condition;
use super::template::Template;
use super::trial::Trial;

/// A checked model.
#[derive(Debug)]
pub struct Model {
    /// Short name, for example `CMD-01`; one model has it.
    pub id: String,
    /// Title in plain words.
    pub title: String,
    /// What kind of statement it makes.
    pub class: Class,
    /// ATT&CK technique ids.
    pub attack: Vec<String>,
    /// Kind of row it is evaluated on: a record's or a detector's verdict's.
    pub on: &'static str,
    /// Which device it is about.
    pub device: DeviceRole,
    /// What must be true for a breach.
    pub when: Condition,
    /// What its score comes from. A model file never contains a score.
    pub calibration: Calibration,
    /// 1–5; caps the score, see [`Self::cap`].
    pub impact: u8,
    /// Counter-evidence, in the order it is applied.
    pub defeats: Vec<Defeat>,
    /// Sentence of the first term.
    pub rarity_text: Template,
    /// The least response worth offering.
    pub response: LeastResponse,
    /// One sentence for the owner.
    pub owner: Template,
    /// One sentence for the engineer.
    pub engineer: Template,
    /// What the model is about and what to do, for the person woken at night.
    pub description: String,
    /// What it must and must not breach on.
    pub tests: Vec<Trial>,
    /// The file it was read from.
    pub path: String,
}

impl Model {
    /// Highest score its impact allows.
    #[must_use]
    pub fn cap(&self) -> u8 {
        cap(self.impact)
    }

    /// 0–100, of a health model; absent for every other class.
    #[must_use]
    pub fn priority(&self) -> Option<u8> {
        match self.calibration {
            Calibration::Priority { priority } => Some(priority),
            _ => None,
        }
    }
}

/// Highest score an impact of 1–5 allows.
#[must_use]
pub fn cap(impact: u8) -> u8 {
    match impact {
        0 | 1 => 39,
        2 => 59,
        3 => 79,
        4 => 94,
        _ => 100,
    }
}

/// What a model's score comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Calibration {
    /// Yes or no: how often the innocent do this.
    Rate {
        /// Innocent firings per 1,000 device-weeks before anything was seen here; above 0.
        prior: f64,
        /// How many events the prior is worth; above 0.
        weight: f64,
    },
    /// The calibrated rate of a continuous family of surprise.
    Family {
        /// The family's name, for example `upload`.
        name: String,
    },
    /// Class health: no score, but a place in the queue.
    Priority {
        /// 0–100.
        priority: u8,
    },
}

/// Counter-evidence: when it applies, the innocent do this more often.
#[derive(Debug)]
pub struct Defeat {
    /// Short name, that of the term.
    pub name: String,
    /// When it applies.
    pub when: Condition,
    /// The rate is multiplied by this; at least 1.
    pub rate_times: f64,
    /// Sentence of the term.
    pub text: Template,
}

/// Which device a model is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRole {
    /// The one that sent the first packet; of a verdict, the device it was given on.
    Orig,
    /// The other side.
    Resp,
    /// The sensor itself; class health only.
    Sensor,
}

/// The least response worth offering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeastResponse {
    /// Keep it.
    Record,
    /// Tell somebody.
    Notify,
    /// Ask somebody who may decide.
    Ask,
    /// Cut the connection.
    Reset,
}

/// A word of a model file and what it stands for.
pub(super) type Words<T> = &'static [(&'static str, T)];

/// Spellings of [`Class`].
pub(super) const CLASSES: Words<Class> = &[
    ("threat", Class::Threat),
    ("anomaly", Class::Anomaly),
    ("compliance", Class::Compliance),
    ("health", Class::Health),
];

/// Spellings of [`DeviceRole`].
pub(super) const DEVICES: Words<DeviceRole> = &[
    ("orig", DeviceRole::Orig),
    ("resp", DeviceRole::Resp),
    ("sensor", DeviceRole::Sensor),
];

/// Spellings of [`LeastResponse`].
pub(super) const RESPONSES: Words<LeastResponse> = &[
    ("record", LeastResponse::Record),
    ("notify", LeastResponse::Notify),
    ("ask", LeastResponse::Ask),
    ("reset", LeastResponse::Reset),
];

impl LeastResponse {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        RESPONSES
            .iter()
            .find(|(_, value)| *value == self)
            .map_or("", |(word, _)| word)
    }
}
