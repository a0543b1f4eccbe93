//! The analysis on its thread: observations in, effects out, and what people say in between.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use tapir_capture::{Epochs, InputReport};
use tapir_engine::device::Home;
use tapir_engine::mirror::with_ring;
use tapir_engine::types::{Observation, Record, Seed, Timestamp};
use tapir_engine::{Analysis, AnalysisSettings, Effect, SavedState, TrackerConfig};
use tapir_message::{Final, Health, LinkState, Notice, Ruling, Stats, ToServe};

use super::account::Account;
use super::drops::Drops;
use super::merge::{Merge, Step};
use super::open::Prepared;
use super::outbox::Outbox;
use super::queue::{Published, Shared};
use super::relay::Relay;
use super::responder::Responses;
use super::rulings::{Ruled, Rulings};
use super::told::Told;
use crate::config::Settings;
use crate::run::tally::{self, Tally};
use crate::run::{RunError, boot_key, learning};

/// Longest wait for observations before people are heard.
const WAIT: Duration = Duration::from_millis(10);
/// Records that go to the outbox at once, and how long fewer wait for company: each hand-over wakes two
/// threads.
const RECORDS_BATCH: usize = 512;
const RECORDS_WAIT: Duration = Duration::from_millis(50);
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// Devices and counters: each device is judged anew for that, so where there are many of them they are told more
/// seldom, and one part in [`DEVICES_SHARE`] of the time goes into it at most.
const DEVICES_EVERY: Duration = Duration::from_secs(3);
const DEVICES_EVERY_MAX: Duration = Duration::from_mins(1);
const DEVICES_SHARE: u32 = 100;

/// What a person says, as `serve` passes it on.
#[derive(Debug)]
pub(super) enum Command {
    Approve {
        decision: String,
        who: String,
    },
    Revert {
        decision: Option<String>,
        who: String,
    },
    StopResponses {
        who: String,
    },
    ResumeResponses,
    Ruling(Ruling),
    /// A new `serve` knows nothing of devices, counters and health.
    TellAll,
    /// Finish what is open and end.
    End,
}

/// See the module.
pub(super) struct Engine {
    analysis: Analysis,
    relay: Relay,
    out: Outbox,
    responses: Option<Responses>,
    commands: Receiver<Command>,
    records: Vec<Box<Record>>,
    counts: BTreeMap<String, u64>,
    told: Told,
    rulings: Rulings,
    health: Health,
    prepared: Prepared,
    key: u64,
    hash_files: bool,
    reached: Timestamp,
    /// Whether anything was observed.
    begun: bool,
    state_every: Duration,
    stopping: bool,
    drops: Drops,
    account: Account,
    at: Clocked,
}

/// When what was last told.
struct Clocked {
    health: Option<Instant>,
    devices: Option<Instant>,
    /// Time to be left between that and the next time.
    devices_every: Duration,
    state: Instant,
    flushed: Instant,
}

impl Engine {
    /// An analysis that goes on from `state`, the JSON text of what was known before.
    pub(super) fn new(
        settings: &Settings,
        mut prepared: Prepared,
        state: &str,
        out: Outbox,
        responses: Option<Responses>,
        commands: Receiver<Command>,
    ) -> Result<Self, RunError> {
        let saved: SavedState = match state {
            "" => SavedState::default(),
            text => serde_json::from_str(text).map_err(|error| RunError::Store {
                path: settings.store.folder.clone(),
                error: format!("the state cannot be read: {error}"),
            })?,
        };
        prepared.begin(settings, state, usize::from(settings.capture.queues))?;
        let key = boot_key();
        let analysis = AnalysisSettings {
            sensor_id: settings.sensor.id.clone(),
            home: Home::new(settings.sensor.home.clone()),
            time_zone: settings.sensor.time_zone.clone(),
            seed: Seed(key),
            response: prepared.policy(settings),
            own: prepared.own.clone(),
            services: prepared.services.clone(),
        };
        let models = prepared.models.take().ok_or(RunError::NoInterface)?;
        let analysis = Analysis::new(analysis, models, saved);
        let account = Account::new(analysis.held());
        let capture = &settings.capture;
        let engine = Self {
            analysis,
            relay: Relay::default(),
            out,
            responses,
            commands,
            records: Vec::new(),
            counts: BTreeMap::new(),
            told: Told::default(),
            rulings: Rulings::default(),
            health: Health {
                interface: capture.interface.clone().unwrap_or_default(),
                stall_ms: u64::from(capture.blocks) * u64::from(capture.retire_ms),
                mode: settings.response.mode,
                ..Health::default()
            },
            prepared,
            key,
            hash_files: settings.sensor.hash_files,
            reached: Timestamp::MIN,
            begun: false,
            state_every: Duration::from_secs(settings.store.state_every_s.into()),
            stopping: false,
            drops: Drops::default(),
            account,
            at: Clocked {
                health: None,
                devices: None,
                devices_every: DEVICES_EVERY,
                state: Instant::now(),
                flushed: Instant::now(),
            },
        };
        Ok(engine)
    }

    /// Whether the kill switch is pulled, and by whom: `serve` keeps it, and the state may be older.
    pub(super) fn stopped(&mut self, who: Option<String>) {
        match who {
            Some(who) => {
                self.analysis.stop_responses(&who);
                if let Some(responses) = &self.responses {
                    responses.stop(who);
                }
            }
            None => self.analysis.resume_responses(),
        }
    }

    /// What people said of devices before this start, and the state may not know.
    pub(super) fn ruled_before(&mut self, said: Vec<Ruling>) {
        let ruled = self.rulings.again(&mut self.analysis, said);
        self.tell_ruled(ruled);
    }

    /// Whether orders may be given.
    pub(super) fn acts(&self) -> bool {
        self.responses.is_some()
    }

    /// A queue's way into the record.
    pub(super) fn record_sender(&mut self, queue: usize) -> Option<tapir_capture::RecordSender> {
        self.prepared.sender(queue)
    }

    /// For the trackers of this run.
    pub(super) fn tracker(&self) -> TrackerConfig {
        TrackerConfig {
            seed: Seed(self.key),
            files: self.hash_files,
            ..TrackerConfig::default()
        }
    }

    /// Runs until a person, or the system, says stop and everything read is judged.
    pub(super) fn run(
        &mut self,
        mut merge: Merge,
        shared: &Shared,
        epochs: &Epochs,
        ends: &[Sender<Timestamp>],
    ) -> Result<(), RunError> {
        loop {
            match merge.step(WAIT, &mut |observation| self.observe(observation)) {
                Step::Idle => {}
                Step::Ready(watermark) => {
                    self.reached = self.reached.max(watermark);
                    // A replay begins with the first frame, so time before it must not count.
                    if self.begun {
                        self.analysis.advance(watermark);
                    }
                    self.effects();
                }
                Step::Drained(until) => {
                    for end in ends {
                        let _gone = end.send(until);
                    }
                }
                Step::End(until) => {
                    self.analysis.finish(until);
                    self.reached = until;
                    self.effects();
                    return Ok(());
                }
                Step::Gone => return Err(RunError::Queue),
            }
            for notice in self.relay.due(self.reached, false) {
                self.out.notice(notice);
            }
            if self.at.flushed.elapsed() >= RECORDS_WAIT {
                self.flush();
            }
            self.obey(shared, epochs);
            self.tick(shared);
        }
    }

    fn observe(&mut self, observation: &mut Observation) {
        self.reached = self.reached.max(observation.ts);
        self.begun = true;
        self.analysis.observe(observation);
        self.effects();
    }

    /// Passes on what came out.
    fn effects(&mut self) {
        while let Some(effect) = self.analysis.poll() {
            match effect {
                Effect::Record(record) => {
                    let kind = record.body.kind();
                    if let Some(count) = self.counts.get_mut(kind) {
                        *count += 1;
                    } else {
                        self.counts.insert(kind.to_owned(), 1);
                    }
                    self.records.push(record);
                    if self.records.len() >= RECORDS_BATCH {
                        self.flush();
                    }
                }
                Effect::Breach(breach) => {
                    if let Some(notice) = self.relay.breach(self.reached, *breach) {
                        self.out.notice(notice);
                    }
                }
                Effect::Incident(incident) => {
                    if let Some(notice) = self.relay.incident(self.reached, *incident) {
                        self.out.notice(notice);
                    }
                }
                Effect::Decision(said, order) => {
                    // The order waits there until its decision is on disk.
                    if let (Some(order), Some(responses)) = (order, &self.responses) {
                        responses.given(order);
                    }
                    self.out.notice(Notice::Decision(said));
                }
            }
        }
    }

    fn flush(&mut self) {
        self.at.flushed = Instant::now();
        if !self.records.is_empty() {
            self.out.records(std::mem::take(&mut self.records));
        }
    }

    /// Does what people say.
    fn obey(&mut self, shared: &Shared, epochs: &Epochs) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Approve { decision, who } => {
                    if !self.analysis.approve(&decision, &who) {
                        tracing::warn!(%decision, "An approval came for a decision that no longer waits.");
                    }
                }
                Command::Revert { decision, who } => {
                    self.analysis.revert(decision.as_deref(), &who);
                }
                Command::StopResponses { who } => self.analysis.stop_responses(&who),
                Command::ResumeResponses => self.analysis.resume_responses(),
                Command::Ruling(ruling) => {
                    let ruled = self.rulings.said(&mut self.analysis, &ruling);
                    self.tell_ruled(ruled.into_iter().collect());
                }
                Command::TellAll => {
                    self.told.forget();
                    (self.at.health, self.at.devices) = (None, None);
                }
                Command::End if self.stopping => {}
                Command::End => {
                    self.stopping = true;
                    shared.stop(Timestamp::from_nanos(epochs.time_now()));
                }
            }
            self.effects();
        }
    }

    /// Tells from time to time how things are.
    fn tick(&mut self, shared: &Shared) {
        let due = |at: Option<Instant>, every| at.is_none_or(|at: Instant| at.elapsed() >= every);
        if due(self.at.health, HEALTH_EVERY) {
            self.at.health = Some(Instant::now());
            self.tell_health(&shared.published());
        }
        if due(self.at.devices, self.at.devices_every) {
            let begun = Instant::now();
            let ruled = self.rulings.seen(&mut self.analysis);
            self.tell_ruled(ruled);
            self.tell_devices();
            let published = shared.published();
            let tally = Tally::sum(published.iter().map(|one| one.tally.clone()).collect());
            let stats = self.stats(&published, &tally, false);
            self.out.message(ToServe::Stats(Box::new(stats)));
            self.at.devices = Some(begun);
            self.at.devices_every = devices_after(begun.elapsed());
        }
        if self.at.state.elapsed() >= self.state_every {
            self.at.state = Instant::now();
            self.tell_state();
        }
    }

    fn tell_health(&mut self, published: &[Published]) {
        let figures = &self.out.figures;
        let health = &mut self.health;
        health.ts = (self.reached > Timestamp::MIN).then_some(self.reached);
        health.link = LinkState::Up;
        for link in published.iter().map(|one| one.link) {
            if link != LinkState::Up && health.link != LinkState::Gone {
                health.link = link;
            }
        }
        health.queues = published.iter().map(|one| one.health).collect();
        (health.recorded, health.record_dropped) = self.prepared.recorded();
        health.records_dropped = figures.records_dropped();
        health.notices_waiting = figures.notices_waiting();
        health.notices_lost = figures.notices_lost();
        health.stopped = self.analysis.responses().1.is_some();
        health.degraded = published
            .iter()
            .filter_map(|one| one.trouble.clone())
            .chain(self.prepared.trouble())
            .chain(self.prepared.expired(self.reached))
            .collect();
        health.degraded.dedup();
        let dropped: u64 = health.queues.iter().map(|queue| queue.dropped).sum();
        if dropped > 0 {
            let text = format!("The kernel dropped {dropped} frames for want of room in the ring.");
            health.degraded.push(text);
        }
        let rooms = || {
            let mut rooms = self.analysis.held();
            rooms.extend(figures.held());
            rooms
        };
        if let Some(memory) = self.account.due(published, rooms) {
            health.memory = memory;
        }
        self.out.message(ToServe::Health(Box::new(health.clone())));
    }

    /// Tells of devices, merges and uses of services that changed.
    fn tell_devices(&mut self) {
        let (devices, merges) = (self.analysis.devices(), self.analysis.merges());
        for news in self.told.news(devices, merges) {
            self.out.message(news);
        }
        if let Some(news) = self.told.uses(self.analysis.service_uses()) {
            self.out.message(news);
        }
    }

    /// Tells what became of rulings, after the devices they changed.
    fn tell_ruled(&mut self, ruled: Vec<Ruled>) {
        if !ruled.is_empty() {
            self.tell_devices();
        }
        for (number, refused) in ruled {
            self.out.message(ToServe::Ruled { number, refused });
        }
    }

    fn tell_state(&self) {
        match serde_json::to_string(&self.analysis.save()) {
            Ok(text) => {
                let rulings = self.rulings.known();
                self.out.message(ToServe::State { text, rulings });
            }
            Err(error) => tracing::error!(%error, "What was learned cannot be put into words."),
        }
    }

    /// All counters: of the mirror those of the last hour, or of the whole run if it is over.
    fn stats(&mut self, published: &[Published], tally: &Tally, over: bool) -> Stats {
        let trackers: Vec<_> = published.iter().map(|one| one.tracker.clone()).collect();
        let input = InputReport {
            epochs: published.iter().map(|one| one.epochs).max().unwrap_or(0),
            ..InputReport::default()
        };
        let dropped: u64 = published.iter().map(|one| one.health.dropped).sum();
        let recent = self.drops.last_hour(self.reached, dropped);
        let mirror = self.analysis.mirror(over);
        let mirror = with_ring(mirror, if over { dropped } else { recent });
        let mut stats = tally::stats(
            &input,
            tally,
            &trackers,
            &self.analysis,
            &self.counts,
            mirror,
        );
        if dropped > 0 {
            stats.dropped.insert("kernel_ring".to_owned(), dropped);
        }
        stats
    }

    /// Says the last word: final states, what was learned, and all counters.
    pub(super) fn finish(mut self, shared: &Shared, tallies: Vec<Tally>) {
        for notice in self.relay.due(self.reached, true) {
            self.out.notice(notice);
        }
        self.flush();
        self.prepared.close();
        let published = shared.published();
        self.tell_health(&published);
        self.tell_devices();
        self.tell_state();
        let tally = Tally::sum(tallies);
        let site_days = self.analysis.site_days();
        let stats = self.stats(&published, &tally, true);
        self.out.end(Final {
            devices: self.analysis.devices(),
            services: self.analysis.service_uses(),
            stats,
            traffic: tally.traffic(),
            learning: learning(site_days),
            site_days,
            models_hash: self.prepared.models_hash,
            models: self.prepared.models_count,
        });
    }
}

/// Time until devices are told again, after it took so long.
fn devices_after(took: Duration) -> Duration {
    took.saturating_mul(DEVICES_SHARE)
        .clamp(DEVICES_EVERY, DEVICES_EVERY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Up to 30 ms every 3 s; 20,000 devices, which take some 100 ms, every 10 s; a minute at most.
    #[test]
    fn many_devices_are_told_more_seldom() {
        let after = |ms| devices_after(Duration::from_millis(ms)).as_secs();
        assert_eq!([0, 30, 100, 5_000].map(after), [3, 3, 10, 60]);
    }
}
