//! The desk: what operators see and do over the control socket.

use std::sync::PoisonError;

use tapir_message::{Breach, Device, Incident, Merge, Says, ServiceUse, ToSense};

use super::{Serve, held};
use crate::control::{
    Desk, Event, JournalStatus, OutputStatus, ProcessStatus, Refusal, ResponseEntry, Ruled, Site,
    Status, Watch, Why,
};
use crate::forward::{OutputHealth, OutputState};
use crate::run::daemon::FromServer;
use crate::run::memory::Resident;
use crate::store::decisions::{DecisionsError, LogEntry};
use crate::store::stopped;

impl Desk for Serve {
    fn site(&self) -> Site {
        Site {
            sensor_id: self.settings.sensor.id.clone(),
            time_zone: self.settings.sensor.time_zone_name.clone(),
            devices: held(&self.board).devices.len(),
        }
    }

    fn devices(&self) -> Vec<Device> {
        held(&self.board).devices.values().cloned().collect()
    }

    fn merges(&self) -> Vec<Merge> {
        held(&self.board).merges.clone()
    }

    fn services(&self) -> Vec<ServiceUse> {
        held(&self.board).services()
    }

    fn breaches(&self) -> Vec<Breach> {
        held(&self.board).breaches.all().cloned().collect()
    }

    fn incidents(&self) -> Vec<Incident> {
        held(&self.board).incidents.all().cloned().collect()
    }

    fn responses(&self) -> Vec<ResponseEntry> {
        held(&self.board).responses()
    }

    fn status(&self) -> Status {
        self.judged_status()
    }

    fn subscribe(&self) -> Watch {
        self.watchers.subscribe()
    }

    fn approve(&self, who: &str, decision: &str, code: &str) -> Result<String, Refusal> {
        if !held(&self.board).redeem(decision, code) {
            let text = format!(
                "that is not the code of decision {decision}, or it no longer waits; see tapir show responses"
            );
            return Err(Refusal::new(Why::Refused, text));
        }
        let message = ToSense::Approve {
            decision: decision.to_owned(),
            who: who.to_owned(),
        };
        self.command(who, &format!("approve {decision}"), &message)?;
        Ok(format!(
            "Approved decision {decision}; it is carried out if it still stands within its rule."
        ))
    }

    fn revert(&self, who: &str, decision: Option<&str>) -> Result<String, Refusal> {
        let message = ToSense::Revert {
            decision: decision.map(str::to_owned),
            who: who.to_owned(),
        };
        let what = decision.unwrap_or("all");
        self.command(who, &format!("revert {what}"), &message)?;
        Ok(format!(
            "Taken back: {what}. What was cut stays cut; nothing more is."
        ))
    }

    fn merge_devices(&self, who: &str, into: &str, other: &str) -> Result<Ruled, Refusal> {
        let says = Says::Merge {
            into: into.to_owned(),
            other: other.to_owned(),
        };
        self.rule(who, &format!("device merge {into} {other}"), says)
    }

    fn split_device(&self, who: &str, id: &str) -> Result<Ruled, Refusal> {
        let says = Says::Split { id: id.to_owned() };
        self.rule(who, &format!("device split {id}"), says)
    }

    fn stop_responses(&self, who: &str) -> Result<String, Refusal> {
        let message = ToSense::StopResponses {
            who: who.to_owned(),
        };
        // The port first: it needs nobody's understanding.
        self.tell_supervisor(FromServer::StopResponses)?;
        let mut stopped = held(&self.stopped);
        *stopped = Some(who.to_owned());
        let kept = stopped::save(&self.settings.store.folder, Some(who));
        // A disk that is full must not stand against a stop.
        if let Err(error) = self.log_command(who, "stop-responses") {
            tracing::error!(%error, who, "All responses were stopped, which could not be logged.");
        }
        self.pass_on(who, "stop-responses", &message)?;
        drop(stopped);
        kept.map_err(|error| {
            let text = format!("all responses are stopped, but a restart would lift it: {error}");
            Refusal::new(Why::Refused, text)
        })?;
        Ok("All responses are stopped; no frame leaves the injection port any more.".to_owned())
    }

    fn resume_responses(&self, who: &str) -> Result<String, Refusal> {
        let message = ToSense::ResumeResponses {
            who: who.to_owned(),
        };
        let mut stopped = held(&self.stopped);
        self.command(who, "resume-responses", &message)?;
        stopped::save(&self.settings.store.folder, None).map_err(|error| {
            let text = format!("a restart would stop responses again: {error}");
            Refusal::new(Why::Refused, text)
        })?;
        *stopped = None;
        drop(stopped);
        self.tell_supervisor(FromServer::ResumeResponses)?;
        Ok("Responses are allowed again, within mode and rules.".to_owned())
    }
}

impl Serve {
    /// Logs a command, passes it on, tells those who watch.
    fn command(&self, who: &str, what: &str, message: &ToSense) -> Result<(), Refusal> {
        self.log_command(who, what).map_err(|error| {
            let text = format!("not done, because it cannot be logged: {error}");
            Refusal::new(Why::Refused, text)
        })?;
        self.pass_on(who, what, message)
    }

    pub(super) fn log_command(&self, who: &str, what: &str) -> Result<(), DecisionsError> {
        self.log(&LogEntry::Command {
            who: who.to_owned(),
            command: what.to_owned(),
        })
    }

    /// Passes a command on to `sense` and tells those who watch.
    fn pass_on(&self, who: &str, what: &str, message: &ToSense) -> Result<(), Refusal> {
        held(&self.to_sense)
            .send(message)
            .map_err(|error| Refusal::new(Why::Refused, error.to_string()))?;
        self.watchers.publish(Event::Command {
            who: who.to_owned(),
            text: what.to_owned(),
        });
        Ok(())
    }

    fn tell_supervisor(&self, what: FromServer) -> Result<(), Refusal> {
        use std::io::Write as _;
        let mut line = serde_json::to_string(&what).unwrap_or_default();
        line.push('\n');
        let mut stream = self
            .supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        stream
            .write_all(line.as_bytes())
            .map_err(|error| Refusal::new(Why::Refused, format!("the supervisor: {error}")))
    }

    /// All figures of both processes, judged.
    pub(super) fn judged_status(&self) -> Status {
        let journal = held(&self.journal).status();
        let outputs = held(&self.forwarder)
            .as_ref()
            .map(crate::forward::Forwarder::health)
            .unwrap_or_default();
        let board = held(&self.board);
        let told = &board.supervisor;
        let mut status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: board.begun.elapsed().as_secs(),
            sense: ProcessStatus {
                pid: (told.sense_pid > 0).then_some(told.sense_pid),
                restarts: told.sense_restarts,
                last_exit: told.sense_exit.clone(),
                uptime_s: board.sense_since.elapsed().as_secs(),
                rss_bytes: board.health.as_ref().map_or(0, |h| h.memory.rss_bytes),
            },
            serve: ProcessStatus {
                pid: Some(std::process::id()),
                restarts: told.serve_restarts,
                last_exit: told.serve_exit.clone(),
                uptime_s: board.begun.elapsed().as_secs(),
                rss_bytes: Resident::now().all,
            },
            health: board.health.clone(),
            stats: board.stats.clone(),
            journal: JournalStatus {
                entries: (journal.last_seq + 1).saturating_sub(journal.first_seq),
                bytes: journal.bytes,
                bytes_max: journal.bytes_max,
                gaps: journal.gaps.total,
                lost: journal.lost_unsent,
                oldest_ts: None,
                error: board.trouble.get("journal").cloned(),
            },
            outputs: outputs.into_iter().map(output).collect(),
            mode: self.settings.response.mode,
            rules: self.settings.response.rules.len(),
            waiting: board.waiting(),
            records_written: board.records_written,
            records_dropped: board.records_lost,
            devices: board.devices.len(),
            breaches: board.breaches.len(),
            incidents: board.incidents.len(),
            stopped: held(&self.stopped).is_some(),
            ..Status::default()
        };
        if let Some(health) = &status.health {
            status.records_dropped += health.records_dropped;
        }
        status.reasons = told.degraded.clone();
        for (about, why) in board
            .trouble
            .iter()
            .filter(|(about, _)| **about != "journal")
        {
            status.reasons.push(format!("{about}: {why}"));
        }
        drop(board);
        status.judged()
    }
}

/// An output's health as operators see it: its kind and where to, each said once.
fn output(health: OutputHealth) -> OutputStatus {
    let (name, address) = health
        .target
        .split_once(" tcp ")
        .unwrap_or((&health.name, &health.target));
    let prefix = format!("{name} {address}: ");
    let reason = health
        .reason
        .strip_prefix(&prefix)
        .unwrap_or(&health.reason);
    OutputStatus {
        name: name.to_owned(),
        address: address.to_owned(),
        connected: health.state == OutputState::Up,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        depth: health.depth,
        oldest_unsent_ts: health.oldest_unsent,
        sent: health.sent,
        repeated: health.repeated,
        lost: health.lost,
    }
}
