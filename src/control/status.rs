//! How the whole sensor is doing, both processes together: what `tapir show status` shows.
//!
//! Units: times in seconds, sizes in bytes.

use serde::{Deserialize, Serialize};
use tapir_message::{Health, LinkState, Mode, Stats, Timestamp};

/// All in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It works.
    #[default]
    Ok,
    /// It works, with a loss or a risk that the reasons name.
    Degraded,
    /// It does not watch.
    Failed,
}

impl State {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Degraded => "DEGRADED",
            Self::Failed => "FAILED",
        }
    }
}

/// One of the two processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its id; none if it does not run.
    pub pid: Option<u32>,
    /// Times it was started again.
    pub restarts: u32,
    /// How it ended the last time, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
    /// Seconds since it was started.
    pub uptime_s: u64,
    /// Resident memory; 0 if it has not been told.
    #[serde(default)]
    pub rss_bytes: u64,
}

/// What is kept on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// Entries kept.
    pub entries: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Most bytes it may take.
    pub bytes_max: u64,
    /// Numbers that were leased and used but never arrived: notices lost in flight.
    pub gaps: u64,
    /// Entries that had to go before every output had them.
    pub lost: u64,
    /// Time of the oldest entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ts: Option<Timestamp>,
    /// Why it cannot be written at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One place that breaches are sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputStatus {
    /// Kind: `syslog`.
    pub name: String,
    /// Where.
    pub address: String,
    /// Whether it takes what it is sent.
    pub connected: bool,
    /// What is wrong with it, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Entries that wait.
    pub depth: u64,
    /// Time of the oldest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unsent_ts: Option<Timestamp>,
    /// Lines sent.
    pub sent: u64,
    /// Lines sent again, with the repeat mark.
    pub repeated: u64,
    /// Entries that went from the journal before they were sent.
    pub lost: u64,
}

/// How the whole sensor is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// All in one word.
    pub state: State,
    /// Why it is not OK, one sentence each.
    pub reasons: Vec<String>,
    /// Version of the program.
    pub version: String,
    /// Seconds since the daemon was started.
    pub uptime_s: u64,
    /// The process that captures, judges and responds.
    pub sense: ProcessStatus,
    /// The process that keeps, forwards and answers.
    pub serve: ProcessStatus,
    /// What `sense` last said of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Its counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<Stats>,
    /// What is kept on disk.
    pub journal: JournalStatus,
    /// Where breaches go.
    pub outputs: Vec<OutputStatus>,
    /// Response mode in force.
    pub mode: Mode,
    /// Whether a person has stopped all responses.
    pub stopped: bool,
    /// Rules of engagement in force.
    pub rules: usize,
    /// Decisions that wait for a person.
    pub waiting: usize,
    /// Record lines written, and those that could not be.
    pub records_written: u64,
    /// See `records_written`.
    pub records_dropped: u64,
    /// Devices known.
    pub devices: usize,
    /// Breaches kept.
    pub breaches: usize,
    /// Incidents kept.
    pub incidents: usize,
    /// How much was learned, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub learning: String,
}

impl Status {
    /// Finds the state and its reasons from the figures; reasons that were there stay and degrade.
    #[must_use]
    pub fn judged(mut self) -> Self {
        let mut failed = false;
        let mut reasons = std::mem::take(&mut self.reasons);
        if self.sense.pid.is_none() {
            failed = true;
            let why = self.sense.last_exit.as_deref().unwrap_or("not started");
            reasons.push(format!("sense does not run ({why}): no packet is read."));
        }
        if let Some(health) = &self.health {
            failed |= health.link == LinkState::Gone;
            reasons.extend(link_reason(health));
            reasons.extend(health.degraded.iter().cloned());
            if health.notices_lost > 0 {
                let n = health.notices_lost;
                reasons.push(format!("{n} breaches, decisions or responses were lost."));
            }
        }
        if let Some(error) = &self.journal.error {
            reasons.push(format!("The journal cannot be written: {error}."));
        }
        if self.journal.lost > 0 {
            let n = self.journal.lost;
            reasons.push(format!(
                "{n} entries left the journal before they were sent."
            ));
        }
        for output in &self.outputs {
            if let Some(reason) = &output.reason {
                reasons.push(format!("{} {}: {reason}", output.name, output.address));
            }
        }
        let mut kept: Vec<String> = Vec::new();
        for reason in reasons {
            if !kept.contains(&reason) {
                kept.push(reason);
            }
        }
        self.reasons = kept;
        self.state = match (failed, self.reasons.is_empty()) {
            (true, _) => State::Failed,
            (false, false) => State::Degraded,
            (false, true) => State::Ok,
        };
        self
    }
}

/// What the mirror port's state says, if it is not up.
fn link_reason(health: &Health) -> Option<String> {
    let name = &health.interface;
    match health.link {
        LinkState::Up => None,
        LinkState::Down => Some(format!("{name} has no link: no packet arrives.")),
        LinkState::Gone => Some(format!(
            "{name} is gone: no packet is read until it is back."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Status {
        Status {
            sense: ProcessStatus {
                pid: Some(7),
                ..ProcessStatus::default()
            },
            ..Status::default()
        }
    }

    #[test]
    fn the_state_follows_from_the_figures() {
        assert_eq!(running().judged().state, State::Ok);
        assert_eq!(Status::default().judged().state, State::Failed);
        let mut status = running();
        status.outputs.push(OutputStatus {
            name: "syslog".to_owned(),
            address: "siem:514".to_owned(),
            reason: Some("connection refused for 12 s.".to_owned()),
            ..OutputStatus::default()
        });
        let status = status.judged();
        assert_eq!(status.state, State::Degraded);
        assert_eq!(
            status.reasons,
            ["syslog siem:514: connection refused for 12 s."]
        );
        // Judging again does not say it twice.
        assert_eq!(status.clone().judged().reasons, status.reasons);
        let mut status = running();
        status.health = Some(Health {
            interface: "eth1".to_owned(),
            link: LinkState::Gone,
            ..Health::default()
        });
        assert_eq!(status.judged().state, State::Failed);
    }
}
