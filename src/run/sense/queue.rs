//! One capture queue: frames to its tracker, its record and its counts, on its own thread.
//!
//! The queue says how far time has come: after frames, their time; with nothing there to read, the clock
//! as it was before looking, less what the kernel may still hold back.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tapir_capture::{Batch, Epochs, RecordSender};
use tapir_engine::TrackerStats;
use tapir_engine::types::{Held, Timestamp};
use tapir_message::{LinkState, QueueHealth};

use super::account;
use super::port::Port;
use crate::run::pipeline::Watcher as _;
use crate::run::round::Boundary;
use crate::run::tally::Tally;
use crate::run::worker::Worker;

/// Frames after which observations go to the analysis, however many more are waiting. This and the time are
/// looked at after each batch of the port: one is tracked in less than a millisecond.
const BATCH_FRAMES: usize = 1_024;
/// Time between frames after which they go, however few there are; the same of the clock between batches
/// where the port is emptied again and again.
const BATCH_NS: i64 = 5_000_000;
const BATCH: Duration = Duration::from_millis(5);
/// Pause before a port that cannot be read is asked again, and how often it is asked.
const ASK_AGAIN: Duration = Duration::from_millis(10);
const ERRORS_MAX: u32 = 100;
/// Packet time after which timers are settled to the nanosecond. In between, what is told may wait up to
/// 134 ms for the wheel of the flow table to turn, and a breach with it; settling looks at every flow
/// whose turn is next, which is too dear for each batch.
const SETTLE_NS: i64 = 20_000_000;
/// The same where an order may follow from what is told, as long as the table is small enough: at most
/// one part in [`SETTLE_SHARE`] of the time goes into settling.
const SETTLE_SOON_NS: i64 = 5_000_000;
const SETTLE_SHARE: i64 = 50;
/// Batches between two looks at the counters.
const PUBLISH_EVERY: u32 = 64;
/// The same in time, for a queue that is emptied often.
const PUBLISH_AFTER: Duration = Duration::from_millis(50);

/// What the queues and the analysis share.
#[derive(Debug)]
pub(super) struct Shared {
    /// When the run ends; frames later than it are not read. `i64::MAX` while it goes on.
    stop_ns: AtomicI64,
    /// Each queue's figures, now and then.
    published: Vec<Mutex<Published>>,
}

/// A queue's figures.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    pub(super) health: QueueHealth,
    pub(super) link: LinkState,
    pub(super) tracker: TrackerStats,
    pub(super) trouble: Option<String>,
    pub(super) epochs: u64,
    pub(super) tally: Tally,
}

impl Shared {
    pub(super) fn new(queues: usize) -> Self {
        Self {
            stop_ns: AtomicI64::new(i64::MAX),
            published: (0..queues).map(|_| Mutex::default()).collect(),
        }
    }

    /// Ends the run at `ts`.
    pub(super) fn stop(&self, ts: Timestamp) {
        self.stop_ns.store(ts.nanos(), Relaxed);
    }

    fn stop_at(&self) -> Timestamp {
        Timestamp::from_nanos(self.stop_ns.load(Relaxed))
    }

    /// What every queue last said.
    pub(super) fn published(&self) -> Vec<Published> {
        self.published
            .iter()
            .map(|one| one.lock().map(|one| one.clone()).unwrap_or_default())
            .collect()
    }

    fn publish(&self, queue: usize, published: Published) {
        if let Some(Ok(mut place)) = self.published.get(queue).map(Mutex::lock) {
            *place = published;
        }
    }
}

/// One queue with all it needs.
pub(super) struct Queue<P> {
    pub(super) port: P,
    pub(super) epochs: Arc<Epochs>,
    pub(super) worker: Worker,
    pub(super) record: Option<RecordSender>,
    /// The common end, once every queue has read up to the stop.
    pub(super) end: Receiver<Timestamp>,
    pub(super) index: usize,
    /// Whether orders may follow from what is told here.
    pub(super) prompt: bool,
    pub(super) state: State,
}

/// Where a queue is.
#[derive(Debug)]
pub(super) struct State {
    tally: Tally,
    last: Timestamp,
    /// When timers were last settled.
    settled: Timestamp,
    /// Time to be left between that and the next time.
    settle_ns: i64,
    /// When observations last went to the analysis, and counters to whoever asks.
    handed: Instant,
    published: Option<Instant>,
    /// What the tracker held in memory when it was last asked, and when that was.
    held: (Vec<Held>, Option<Instant>),
    epoch: u64,
    batches: u32,
    trouble: Option<String>,
    /// Errors in a row.
    errors: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            tally: Tally::new(false),
            last: Timestamp::MIN,
            settled: Timestamp::MIN,
            settle_ns: 0,
            handed: Instant::now(),
            published: None,
            held: (Vec::new(), None),
            epoch: 0,
            batches: 0,
            trouble: None,
            errors: 0,
        }
    }
}

impl State {
    /// Takes frames in: they are counted, recorded and tracked.
    fn take(
        &mut self,
        batch: &Batch<'_>,
        worker: &mut Worker,
        mut record: Option<&mut RecordSender>,
    ) {
        for frame in (0..batch.len()).filter_map(|number| batch.frame(number)) {
            self.last = self.last.max(Timestamp::from_nanos(frame.ts_ns));
            self.tally.frame(frame.ts_ns, frame.wire_len);
            if let Some(record) = &mut record {
                record.push(&frame);
            }
        }
        worker.track_batch(batch);
    }
}

/// What a turn of the loop came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// There may be more to read.
    Busy,
    /// Nothing was there.
    Idle,
    /// Everything up to the stop is read.
    Stop,
    /// Nobody listens any more.
    Hung,
}

impl<P: Port> Queue<P> {
    /// Reads until the run is stopped; gives the counts of what was read.
    pub(super) fn run(mut self, shared: &Shared) -> Tally {
        loop {
            let turn = self.turn(shared);
            self.state.batches = self.state.batches.wrapping_add(1);
            let due = match turn {
                Turn::Busy => self.state.batches.is_multiple_of(PUBLISH_EVERY),
                Turn::Idle => {
                    let last = self.state.published;
                    last.is_none_or(|last| last.elapsed() >= PUBLISH_AFTER)
                }
                Turn::Stop | Turn::Hung => true,
            };
            if due {
                self.publish(shared);
            }
            match turn {
                Turn::Stop => break,
                Turn::Hung => return self.state.tally,
                Turn::Busy | Turn::Idle => {}
            }
        }
        let until = self.state.last.max(shared.stop_at());
        if self.worker.close(until, Boundary::Drained)
            && let Ok(end) = self.end.recv()
        {
            if let Some(record) = self.record.take() {
                record.finish(end.nanos());
            }
            self.worker.close(end, Boundary::End);
        }
        self.publish(shared);
        self.state.tally
    }

    /// Reads a batch of frames, or finds none.
    fn turn(&mut self, shared: &Shared) -> Turn {
        let stop = shared.stop_at();
        let mut begun = None;
        let mut frames = 0;
        while frames < BATCH_FRAMES {
            let Self {
                port,
                state,
                worker,
                epochs,
                record,
                ..
            } = self;
            match port.batch() {
                Ok(Some(batch)) => {
                    state.errors = 0;
                    let wanted = batch.until(stop.nanos());
                    if let Batch::One(frame) = &wanted
                        && frame.epoch
                        && !leap(worker, epochs, state, record.as_mut())
                    {
                        return Turn::Hung;
                    }
                    if let Some(first) = wanted.frame(0) {
                        begun.get_or_insert_with(|| Timestamp::from_nanos(first.ts_ns));
                    }
                    state.take(&wanted, worker, record.as_mut());
                    if wanted.len() < batch.len() {
                        return Turn::Stop;
                    }
                    frames += wanted.len();
                    if begun.is_some_and(|begun| state.last.since(begun) >= BATCH_NS) {
                        break;
                    }
                }
                // Emptied soon after a batch: the next one is given time to grow.
                Ok(None) if begun.is_some() && state.handed.elapsed() < BATCH => {}
                Ok(None) => return self.idle(stop),
                Err(error) => {
                    state.trouble = Some(error.to_string());
                    return self.failed(stop);
                }
            }
        }
        if self.close(self.state.last) {
            Turn::Busy
        } else {
            Turn::Hung
        }
    }

    /// The port cannot be read. It is asked again; if it is there and still does not answer, it takes a
    /// `sense` that may open it anew.
    fn failed(&mut self, stop: Timestamp) -> Turn {
        self.state.errors += 1;
        std::thread::sleep(ASK_AGAIN);
        let over = self.state.errors >= ERRORS_MAX && self.port.figures().link == LinkState::Up;
        if over && stop == Timestamp::MAX {
            return Turn::Hung;
        }
        self.idle(stop)
    }

    /// Nothing is there: says how far time has come.
    fn idle(&mut self, stop: Timestamp) -> Turn {
        if self.port.epoch() != self.state.epoch
            && !leap(
                &mut self.worker,
                &self.epochs,
                &mut self.state,
                self.record.as_mut(),
            )
        {
            return Turn::Hung;
        }
        let reached = Timestamp::from_nanos(self.port.watermark_ns());
        let until = self.state.last.max(reached).min(stop);
        if let Some(record) = &mut self.record {
            record.idle(until.nanos());
        }
        if !self.close(until) {
            Turn::Hung
        } else if reached >= stop {
            Turn::Stop
        } else {
            Turn::Idle
        }
    }

    /// Hands over what was observed; false if nobody listens any more.
    fn close(&mut self, until: Timestamp) -> bool {
        let state = &mut self.state;
        let exact = until.since(state.settled) >= state.settle_ns;
        let boundary = if exact {
            Boundary::Exact
        } else {
            Boundary::Full
        };
        let begun = Instant::now();
        let heard = self.worker.close(until, boundary);
        state.handed = Instant::now();
        if exact {
            state.settled = until;
            state.settle_ns = settle_after(self.prompt, state.handed.duration_since(begun));
        }
        heard
    }

    /// What the tracker holds in memory: it looks at every flow for that, so seldom.
    fn held(&mut self) -> Vec<Held> {
        let (held, at) = &mut self.state.held;
        if at.is_none_or(|at| at.elapsed() >= account::EVERY) {
            (*held, *at) = (self.worker.held(), Some(Instant::now()));
        }
        held.clone()
    }

    fn publish(&mut self, shared: &Shared) {
        let mut published = self.port.figures();
        published.health.packets = self.state.tally.packets();
        published.trouble = self.state.trouble.take().or(published.trouble);
        published.tracker = self.worker.stats();
        if published.tracker.held.is_empty() {
            published.tracker.held = self.held();
        }
        published.tally = self.state.tally.clone();
        shared.publish(self.index, published);
        self.state.published = Some(Instant::now());
    }
}

/// Packet time until timers are settled again, after it took so long.
fn settle_after(prompt: bool, took: Duration) -> i64 {
    if !prompt {
        return SETTLE_NS;
    }
    let took = i64::try_from(took.as_nanos()).unwrap_or(i64::MAX);
    took.saturating_mul(SETTLE_SHARE)
        .clamp(SETTLE_SOON_NS, SETTLE_NS)
}

/// The clock was set: what was due by the old time is told, then the new time begins. False if nobody
/// listens any more.
fn leap(
    worker: &mut Worker,
    epochs: &Epochs,
    state: &mut State,
    mut record: Option<&mut RecordSender>,
) -> bool {
    while let Some(epoch) = epochs.epoch(state.epoch + 1) {
        let (old, new) = (
            Timestamp::from_nanos(epoch.old_end_ns),
            Timestamp::from_nanos(epoch.new_start_ns),
        );
        state.epoch = epoch.number;
        if let Some(record) = &mut record {
            record.epoch(epoch.number, epoch.old_end_ns);
        }
        (state.last, state.settled) = (new, new);
        if !(worker.close(old, Boundary::Full) && worker.close(new, Boundary::Epoch)) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests;
