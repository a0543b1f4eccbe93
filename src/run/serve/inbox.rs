//! What `sense` says, taken in: on disk first, then shown, then acknowledged.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tapir_engine::SavedState;
use tapir_message::{Final, Notice, Numbered, Timestamp, ToSense, ToServe, VERSION};

use super::run_folder::RunFolder;
use super::{Serve, held};
use crate::control::{Event, OPEN_NS};
use crate::report::{self, Summary};
use crate::run::RunError;
use crate::run::latest::Latest;
use crate::run::link::{self, LinkError};
use crate::run::output;
use crate::store;
use crate::store::decisions::LogEntry;
use crate::store::numbers::{For, Numbers};

/// Notices that share one flush.
const BATCH: usize = 64;
/// A disk that refused is asked again after this.
const RETRY: Duration = Duration::from_secs(1);
/// New numbers are leased while so many are left.
const NUMBERS_LEFT: u64 = 300;
/// A breach is written down at once, and the decision that follows it a moment later: waiting that moment
/// saves a second flush, which takes longer.
const LINGER_MS: u16 = 1;
/// How long the last word of a `sense` is waited for.
const LOOK_EVERY_MS: u16 = 200;

/// The reading side of the link, and what it writes to.
pub(super) struct Inbox<'a> {
    pub(super) serve: &'a Serve,
    pub(super) from: link::Receiver,
    pub(super) folder: RunFolder,
    pub(super) numbers: Numbers,
    /// First number that is not leased to the `sense` of now.
    pub(super) until: u64,
    /// Whether decisions may be in the journal that did not get into their log.
    pub(super) unlogged: bool,
    /// What this run has told, in its latest state.
    pub(super) run: Run,
}

/// Breaches and incidents of this run.
#[derive(Debug, Default)]
pub(super) struct Run {
    breaches: Latest<tapir_message::Breach>,
    incidents: Latest<tapir_message::Incident>,
}

impl Run {
    pub(super) fn take(&mut self, notice: &Notice) {
        match notice {
            Notice::Breach(breach) => self.breaches.put(breach.id.clone(), (**breach).clone()),
            Notice::Incident(incident) => {
                self.incidents
                    .put(incident.id.clone(), (**incident).clone());
            }
            Notice::Decision(_) | Notice::Response(_) => {}
        }
    }
}

impl Inbox<'_> {
    /// Reads until the run is over.
    pub(super) fn run(mut self) -> Result<(), RunError> {
        held(&self.serve.to_sense).send(&ToSense::Hello { version: VERSION })?;
        drop(self.serve.tell_rulings()?);
        let mut waiting: VecDeque<Numbered> = VecDeque::new();
        loop {
            // What is there already shares one flush.
            let wait = match waiting.back().map(|numbered| &numbered.notice) {
                None => LOOK_EVERY_MS,
                Some(Notice::Breach(_) | Notice::Incident(_)) => LINGER_MS,
                Some(Notice::Decision(_) | Notice::Response(_)) => 0,
            };
            let message: Option<ToServe> = self.from.receive(Some(wait))?;
            match message {
                Some(ToServe::Notice(numbered)) if waiting.len() + 1 < BATCH => {
                    waiting.push_back(*numbered);
                    continue;
                }
                Some(ToServe::Notice(numbered)) => waiting.push_back(*numbered),
                Some(other) => {
                    self.keep(&mut waiting)?;
                    if self.message(other)? {
                        return Ok(());
                    }
                    continue;
                }
                None => {}
            }
            self.keep(&mut waiting)?;
            if self.is_over() {
                return Ok(());
            }
        }
    }

    /// Whether nobody will say a last word: told to stop, and no `sense` is there.
    fn is_over(&self) -> bool {
        let board = held(&self.serve.board);
        self.serve.stopping.load(Relaxed) && board.supervisor.sense_pid == 0
    }

    /// Puts notices on disk, shows and acknowledges them. A disk that refuses is asked again: until it
    /// takes them nothing else is read, so that nothing is acknowledged that could be lost.
    fn keep(&mut self, waiting: &mut VecDeque<Numbered>) -> Result<(), RunError> {
        let Some(last) = waiting.back().map(|numbered| numbered.number) else {
            return Ok(());
        };
        while let Err(why) = self.journal(waiting.make_contiguous()) {
            held(&self.serve.board).trouble("journal", Some(why.clone()));
            tracing::error!(%why, "Notices cannot be kept; nothing is lost yet.");
            if self.is_over() {
                return Err(RunError::Store {
                    path: self.serve.settings.store.folder.clone(),
                    error: why,
                });
            }
            self.serve.wait(RETRY);
        }
        {
            let mut board = held(&self.serve.board);
            board.trouble("journal", None);
            for numbered in waiting.drain(..) {
                self.run.take(&numbered.notice);
                let event = board.take(&numbered.notice);
                self.serve.watchers.publish(event);
            }
        }
        self.serve.appended();
        held(&self.serve.to_sense).send(&ToSense::Journalled { number: last })?;
        if last + NUMBERS_LEFT >= self.until {
            self.lease(For::SameSense)?;
        }
        Ok(())
    }

    /// The decision log and the journal: no decision is acknowledged that is not on disk in both. The disk
    /// takes both at the same time, which is hardly longer than one.
    fn journal(&mut self, notices: &[Numbered]) -> Result<(), String> {
        let mut journal = held(&self.serve.journal);
        let entries: Vec<LogEntry> = notices
            .iter()
            .filter(|numbered| self.unlogged || !journal.knows(numbered.number))
            .filter_map(|numbered| match &numbered.notice {
                Notice::Decision(decision) => Some(LogEntry::Decision(decision.clone())),
                Notice::Response(response) => Some(LogEntry::Response(response.clone())),
                Notice::Breach(_) | Notice::Incident(_) => None,
            })
            .collect();
        let mut append = || journal.append_all(notices).map(drop);
        if entries.is_empty() {
            return append().map_err(|error| error.to_string());
        }
        let mut decisions = held(&self.serve.decisions);
        let decisions = &mut *decisions;
        let written = decisions.write_all(super::now(), &entries);
        written.map_err(|error| error.to_string())?;
        self.unlogged = true;
        let (logged, journalled) = std::thread::scope(|scope| {
            let log = scope.spawn(|| decisions.sync());
            let journalled = append();
            let logged = log
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (logged, journalled)
        });
        logged.map_err(|error| error.to_string())?;
        journalled.map_err(|error| error.to_string())?;
        self.unlogged = false;
        Ok(())
    }

    /// Takes in anything but a notice; true if it was the last word.
    fn message(&mut self, message: ToServe) -> Result<bool, RunError> {
        match message {
            ToServe::Hello { version } if version != VERSION => {
                return Err(LinkError::Version(version).into());
            }
            ToServe::Hello { .. } => self.greet()?,
            ToServe::Records(lines) => {
                let written = self.folder.records(&lines, self.from.text());
                let mut board = held(&self.serve.board);
                let all: u64 = lines.iter().map(|lines| lines.count).sum();
                let lost = written.as_ref().err().map_or(0, |(lost, _)| *lost);
                board.records_written += all.saturating_sub(lost);
                board.records_lost += lost;
                let why = written.err().map(|(_, error)| error.to_string());
                board.trouble("records cannot be written", why);
            }
            ToServe::Devices(devices) => {
                let mut board = held(&self.serve.board);
                for device in devices {
                    board.device(device);
                }
            }
            ToServe::Merges(merges) => held(&self.serve.board).merges = merges,
            ToServe::Ruled { number, refused } => self.serve.ruled(number, refused),
            ToServe::Services(uses) => held(&self.serve.board).used(uses),
            ToServe::Stats(stats) => held(&self.serve.board).stats = Some(*stats),
            ToServe::Health(health) => self.health(*health),
            ToServe::State { text, rulings } => self.save(&text, rulings),
            ToServe::Final(last) => {
                self.finish(&last)?;
                return Ok(true);
            }
            ToServe::Notice(_) => {}
        }
        Ok(false)
    }

    /// A new `sense`: what its predecessor knew, numbers, and the word to begin.
    fn greet(&mut self) -> Result<(), RunError> {
        if let Some(used) = self.numbers.used() {
            let told = held(&self.serve.journal).used(used);
            told.map_err(|error| self.store_error(&error.to_string()))?;
        }
        held(&self.serve.board).sense_since = Instant::now();
        let cut = self.from.discarded();
        if cut > 0 {
            tracing::warn!(
                cut,
                "Messages were cut short by the end of a process so far."
            );
        }
        let state = self.state()?;
        held(&self.serve.to_sense).send(&ToSense::State(state))?;
        self.lease(For::NewSense)?;
        // Both are held until they were sent, so that no command of a person comes in between.
        let _rulings = self.serve.tell_rulings()?;
        let stopped = held(&self.serve.stopped);
        let switch = match stopped.clone() {
            Some(who) => ToSense::StopResponses { who },
            None => ToSense::ResumeResponses { who: String::new() },
        };
        let mut to_sense = held(&self.serve.to_sense);
        to_sense.send(&switch)?;
        to_sense.send(&ToSense::Begin)?;
        Ok(())
    }

    /// Leases numbers and passes them on.
    fn lease(&mut self, who: For) -> Result<(), RunError> {
        let lease = self
            .numbers
            .lease(who)
            .map_err(|error| self.store_error(&error.to_string()))?;
        if who == For::NewSense {
            let told = held(&self.serve.journal).leased(lease.next);
            told.map_err(|error| self.store_error(&error.to_string()))?;
        }
        self.until = lease.until;
        held(&self.serve.to_sense).send(&ToSense::Numbers {
            next: lease.next,
            until: lease.until,
        })?;
        Ok(())
    }

    fn store_error(&self, error: &str) -> RunError {
        RunError::Store {
            path: self.serve.settings.store.folder.clone(),
            error: error.to_owned(),
        }
    }

    /// The state on disk, with what was journalled since it was written.
    fn state(&self) -> Result<String, RunError> {
        let mut saved = store::load(Some(&self.serve.settings.store.folder))?;
        let board = held(&self.serve.board);
        let newest = board.breaches.all().map(|breach| breach.ts).max();
        // A new `sense` may still add to those.
        let open = |ts: Timestamp| newest.is_none_or(|newest| newest.since(ts) < OPEN_NS);
        for breach in board.breaches.all().filter(|breach| open(breach.ts)) {
            match saved.breaches.iter_mut().find(|old| old.id == breach.id) {
                Some(old) if old.count <= breach.count => *old = breach.clone(),
                Some(_) => {}
                None => saved.breaches.push(breach.clone()),
            }
        }
        for incident in board.incidents.all().filter(|one| open(one.last_ts)) {
            match saved.incidents.iter_mut().find(|old| old.id == incident.id) {
                Some(old) if old.last_ts <= incident.last_ts => *old = incident.clone(),
                Some(_) => {}
                None => saved.incidents.push(incident.clone()),
            }
        }
        serde_json::to_string(&saved).map_err(|error| self.store_error(&error.to_string()))
    }

    /// Keeps what the analysis knows, which is all that was ruled up to `rulings`.
    fn save(&self, text: &str, rulings: u64) {
        let saved = serde_json::from_str::<SavedState>(text)
            .map_err(|error| error.to_string())
            .and_then(|state| {
                let folder = &self.serve.settings.store.folder;
                store::save(folder, &state).map_err(|error| error.to_string())
            });
        if let Err(error) = &saved {
            tracing::error!(%error, "What was learned could not be kept.");
        }
        if saved.is_ok() {
            self.serve.rulings_saved(rulings);
        }
        held(&self.serve.board).trouble("state cannot be kept", saved.err());
    }

    /// How `sense` is doing; those who watch hear of a change.
    fn health(&self, health: tapir_message::Health) {
        let before = self.serve.judged_status();
        held(&self.serve.board).health = Some(health);
        let after = self.serve.judged_status();
        if (before.state, &before.reasons) != (after.state, &after.reasons) {
            self.serve.watchers.publish(Event::Health {
                status: Box::new(after),
            });
        }
    }

    /// Writes the run's files, `stats.json` last.
    fn finish(&mut self, last: &Final) -> Result<(), RunError> {
        let settings = &self.serve.settings;
        let inputs = [settings.capture.interface.clone().unwrap_or_default()];
        let summary = Summary {
            sensor_id: &settings.sensor.id,
            time_zone: &settings.sensor.time_zone,
            stats: &last.stats,
            devices: &last.devices,
            services: &last.services,
            breaches: &self.run.breaches.items,
            incidents: &self.run.incidents.items,
            traffic: &last.traffic,
            version: env!("CARGO_PKG_VERSION"),
            models_hash: &last.models_hash,
            models: last.models,
            site_days: last.site_days,
            learning: &last.learning,
            out_dir: None,
            inputs: &inputs,
        };
        let page = report::html(&summary);
        let folder = &mut self.folder;
        let path = folder.path().to_owned();
        let mut write = || {
            folder.close()?;
            folder.lines("devices.jsonl", &last.devices)?;
            folder.lines("services.jsonl", &last.services)?;
            folder.lines("breaches.jsonl", &self.run.breaches.items)?;
            folder.lines("incidents.jsonl", &self.run.incidents.items)?;
            folder.file("report.html", &page)?;
            folder.file("stats.json", &output::pretty(&last.stats))
        };
        write().map_err(|error| RunError::Store {
            path,
            error: error.to_string(),
        })
    }
}
