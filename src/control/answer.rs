//! What the daemon answers: one envelope a line, its shape named in `schema`.

use serde::{Deserialize, Serialize};
use tapir_message::{
    Breach, Decision, Device, Incident, Merge, Mirror, Mode, ProtocolStats, Response, ServiceTotal,
    ServiceUse, Stats,
};

use super::desk::first;
use super::device::{Portrait, has};
use super::{ServiceFilter, Status};

/// Whose answer it is, and what is needed to read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Name of the sensor.
    pub sensor_id: String,
    /// Zone in which times are shown.
    pub time_zone: String,
    /// Devices known; what a rate means here depends on it.
    pub devices: usize,
}

/// A decision and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResponseEntry {
    /// The decision.
    pub decision: Decision,
    /// Last state of the action; none if nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// The code that approves it, while it waits for a person who may approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Everything about one breach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The breach.
    pub breach: Breach,
    /// The incident it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
    /// The device it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// What was decided and done about it, the earliest first.
    pub responses: Vec<ResponseEntry>,
    /// Response mode in force.
    pub mode: Mode,
    /// Whether a person has stopped all responses.
    pub stopped: bool,
}

/// A device that is held to be part of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeEntry {
    /// Which, since when, and why.
    #[serde(flatten)]
    pub merge: Merge,
    /// Name of the machine.
    pub name: String,
}

/// One application protocol of the run so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolEntry {
    /// Its name; `-` for what nobody understood.
    pub name: String,
    /// Flows of it that are over.
    pub flows: u64,
    /// Their bytes, and how the parser fared.
    #[serde(flatten)]
    pub stats: ProtocolStats,
}

/// Why a request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The person may not.
    NotAuthorised,
    /// There is no such thing.
    NotFound,
    /// More than one thing is meant.
    Ambiguous,
    /// It cannot be done as it is.
    Refused,
    /// The line was not a request.
    BadRequest,
    /// Too many connections.
    Busy,
}

/// A request that was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub why: Why,
    /// One sentence with the remedy.
    pub text: String,
}

impl Refusal {
    /// A refusal in words.
    pub fn new(why: Why, text: impl Into<String>) -> Self {
        Self {
            why,
            text: text.into(),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A new breach, or a newer state of one.
    Breach {
        /// The breach.
        breach: Box<Breach>,
    },
    /// A new incident, or a newer state of one.
    Incident {
        /// The incident.
        incident: Box<Incident>,
    },
    /// A decision.
    Decision {
        /// The decision.
        decision: Box<Decision>,
    },
    /// A new state of an action.
    Response {
        /// The response.
        response: Box<Response>,
    },
    /// The state of the sensor changed.
    Health {
        /// The whole status.
        status: Box<Status>,
    },
    /// A person did something: approved, took back, stopped, resumed, merged, split.
    Command {
        /// Who.
        who: String,
        /// What, in one sentence.
        text: String,
    },
    /// This watcher was too slow.
    Missed {
        /// Lines left out before this one.
        lines: u64,
    },
}

/// One line from the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "schema")]
pub enum Answer {
    /// The inventory.
    #[serde(rename = "tapir.devices/1")]
    Devices {
        /// Whose.
        site: Site,
        /// How many there are that match, shown or not.
        total: usize,
        /// The latest seen first.
        devices: Vec<Device>,
    },
    /// One device.
    #[serde(rename = "tapir.device/1")]
    Device {
        /// Whose.
        site: Site,
        /// All about it.
        #[serde(flatten)]
        portrait: Box<Portrait>,
    },
    /// Devices that are held to be one machine.
    #[serde(rename = "tapir.merges/1")]
    Merges {
        /// Whose.
        site: Site,
        /// The newest first.
        merges: Vec<MergeEntry>,
    },
    /// Services on the internet.
    #[serde(rename = "tapir.services/1")]
    Services {
        /// Whose.
        site: Site,
        /// How many there are that match, shown or not.
        total: usize,
        /// Those that were sent most to first.
        services: Vec<ServiceTotal>,
    },
    /// Breaches.
    #[serde(rename = "tapir.breaches/1")]
    Breaches {
        /// Whose.
        site: Site,
        /// How many there are that match, shown or not.
        total: usize,
        /// The newest first.
        breaches: Vec<Breach>,
    },
    /// Incidents.
    #[serde(rename = "tapir.incidents/1")]
    Incidents {
        /// Whose.
        site: Site,
        /// How many there are that match, shown or not.
        total: usize,
        /// The newest first.
        incidents: Vec<Incident>,
    },
    /// How the sensor is doing.
    #[serde(rename = "tapir.status/1")]
    Status {
        /// Whose.
        site: Site,
        /// The status.
        status: Box<Status>,
    },
    /// What the mirror port shows.
    #[serde(rename = "tapir.mirror/1")]
    Mirror {
        /// Whose.
        site: Site,
        /// Graded.
        mirror: Box<Mirror>,
    },
    /// What is spoken.
    #[serde(rename = "tapir.protocols/1")]
    Protocols {
        /// Whose.
        site: Site,
        /// In the order of their names.
        protocols: Vec<ProtocolEntry>,
    },
    /// Decisions and actions.
    #[serde(rename = "tapir.responses/1")]
    Responses {
        /// Whose.
        site: Site,
        /// Mode in force.
        mode: Mode,
        /// Whether a person has stopped all responses.
        stopped: bool,
        /// How many there are that match, shown or not.
        total: usize,
        /// The newest first.
        responses: Vec<ResponseEntry>,
    },
    /// One breach.
    #[serde(rename = "tapir.explanation/1")]
    Explanation {
        /// Whose.
        site: Site,
        /// All about it.
        explanation: Box<Explanation>,
    },
    /// The first line of a watch.
    #[serde(rename = "tapir.watch/1")]
    Watching {
        /// Whose.
        site: Site,
    },
    /// One thing that happened.
    #[serde(rename = "tapir.event/1")]
    Event {
        /// What.
        #[serde(flatten)]
        event: Event,
    },
    /// It was done.
    #[serde(rename = "tapir.done/1")]
    Done {
        /// What, in one sentence.
        text: String,
    },
    /// It was not done.
    #[serde(rename = "tapir.refused/1")]
    Refused {
        /// Why not.
        #[serde(flatten)]
        refusal: Refusal,
    },
}

impl ProtocolEntry {
    /// All protocols of a run.
    #[must_use]
    pub fn all(stats: &Stats) -> Vec<Self> {
        let entry = |(name, protocol): (&String, &ProtocolStats)| Self {
            name: name.clone(),
            flows: stats.services.get(name).copied().unwrap_or(0),
            stats: *protocol,
        };
        stats.protocols.iter().map(entry).collect()
    }
}

impl Answer {
    /// The services among `uses` that are meant.
    #[must_use]
    pub fn services(site: Site, mut uses: Vec<ServiceUse>, filter: &ServiceFilter) -> Self {
        let fits = |wanted: &Option<String>, names: [&str; 2]| {
            let wanted = wanted.as_deref();
            wanted.is_none_or(|wanted| names.iter().any(|name| has(name, wanted)))
        };
        uses.retain(|one| {
            fits(&filter.service, [&one.service, &one.name])
                && fits(&filter.device, [&one.device, &one.device_name])
                && filter.category.as_ref().is_none_or(|c| *c == one.category)
        });
        let mut all = ServiceTotal::of(uses);
        let since = filter.new_since;
        all.retain(|total| since.is_none_or(|since| total.first_ts >= since));
        let (total, services) = first(all, filter.limit);
        Self::Services {
            site,
            total,
            services,
        }
    }

    /// A refusal as an answer.
    #[must_use]
    pub const fn refused(refusal: Refusal) -> Self {
        Self::Refused { refusal }
    }
}
