//! From a source of frames to observations in order of time, with any number of workers.
//!
//! One worker reads and tracks on its own thread. Several get their frames dealt in rounds: every
//! round goes to every worker, with its part of the frames and the round's last time, so that an idle
//! worker's watermark moves too. The analysis takes one answer a worker and round, in order, and
//! releases what lies below the lowest watermark, sorted by (time, flow key): the same order whatever
//! the number of workers.
//!
//! Bounds: see `round`.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tapir_capture::{Batch, Frame, Place, Source, SourceError};
use tapir_engine::types::{Body, FlowRef, Held, Mark, Observation, Observations, Timestamp};
use tapir_engine::{Packet, Tracker, TrackerConfig, TrackerStats};

use super::dealing::{deal, spawn_worker};
use super::name_thread;
use super::pending::{Moment, Pending};
use super::round::{Boundary, Rounds};

/// Observations a round has room for at first.
pub(super) const ROUND_OBSERVATIONS: usize = 1_024;
/// Flows closed in one go when all of them end.
const PART_FLOWS: usize = 1_024;
/// Rounds in flight per queue.
pub(super) const QUEUE_ROUNDS: usize = 4;

/// A worker's answer to one round.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) observations: Observations,
    /// Nothing that comes before this is still to be told.
    pub(super) watermark: Moment,
    pub(super) until: Timestamp,
    pub(super) boundary: Boundary,
}

/// A worker's answers, and the way back for what held them.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) tracked: Receiver<Tracked>,
    pub(super) spare: SyncSender<Observations>,
}

/// What reading said while it went on.
pub(crate) trait Watcher {
    /// A frame of this time and so many bytes was read.
    fn frame(&mut self, ts_ns: i64, wire_len: u32);

    /// The last one was.
    fn over(&mut self) {}
}

/// Runs the hot half over `source` and hands observations, in order, to `take`.
///
/// `take` gets the last time of the input with the end, and says whether to go on. Returns the source and the workers' counts.
pub(crate) fn run<S: Source + Send, W: Watcher + Send>(
    mut source: S,
    watcher: &mut W,
    workers: usize,
    config: &TrackerConfig,
    mut take: impl FnMut(Taken<'_>) -> bool,
) -> Result<(S, Vec<TrackerStats>), SourceError> {
    std::thread::scope(|scope| {
        let mut answers = Vec::new();
        let mut trackers = Vec::new();
        let reader = if workers == 1 {
            let (mut worker, answer) = Worker::new(config);
            answers.push(answer);
            scope.spawn(move || {
                name_thread("tracker-0");
                let read = read_one(&mut source, watcher, &mut worker);
                (source, read, Some(worker.tracker.stats().clone()))
            })
        } else {
            let mut rounds = Vec::new();
            for number in 0..workers {
                let (worker, answer) = Worker::new(config);
                let (to_worker, tracker) = spawn_worker(scope, number, worker);
                rounds.push(to_worker);
                answers.push(answer);
                trackers.push(tracker);
            }
            scope.spawn(move || {
                name_thread("reader");
                let read = deal(&mut source, watcher, &rounds);
                (source, read, None)
            })
        };
        merge(&answers, &mut take);
        drop(answers);
        let joined = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (source, read, own) = joined;
        let mut stats: Vec<TrackerStats> = own.into_iter().collect();
        for tracker in trackers {
            stats.push(
                tracker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        read.map(|()| (source, stats))
    })
}

/// What the analysis is handed.
#[derive(Debug)]
pub(crate) enum Taken<'a> {
    /// The next observation; what is taken out of it is the taker's.
    Observation(&'a mut Observation),
    /// The input is over, at this time.
    End(Timestamp),
}

/// Takes one answer a worker and round and releases what is below the lowest watermark. Where all flows
/// end, every worker has as many answers as it needs; they are waited for.
fn merge(answers: &[Answers], take: &mut impl FnMut(Taken<'_>) -> bool) {
    let mut pending = Pending::default();
    let mut told: Vec<(Boundary, Moment, Timestamp)> = Vec::new();
    loop {
        for (worker, answer) in answers.iter().enumerate() {
            let at_end = |told: &(Boundary, _, _)| told.0.ends_flows();
            if told.get(worker).is_some_and(at_end) {
                continue;
            }
            // A reader that failed hangs up; what it said before stands.
            let Ok(tracked) = answer.tracked.recv() else {
                return;
            };
            pending.add(tracked.observations);
            // What is emptied goes back to be filled again; a full queue has spares enough.
            if let Some(spare) = pending.spare() {
                let _spare = answer.spare.try_send(spare);
            }
            let said = (tracked.boundary, tracked.watermark, tracked.until);
            match told.get_mut(worker) {
                Some(told) => *told = said,
                None => told.push(said),
            }
        }
        let going_on = told.iter().filter(|told| !told.0.ends_flows());
        let lowest = going_on.map(|told| told.1).min();
        let Some(&(boundary, _, until)) = told.first() else {
            return;
        };
        let before = lowest.filter(|_| boundary != Boundary::Exact);
        let mut go_on = true;
        pending.release(before, |observation| {
            go_on = go_on && take(Taken::Observation(observation));
        });
        if lowest.is_none() {
            told.clear();
            match boundary {
                Boundary::Epoch => {
                    let body = Body::Mark(Mark::Epoch);
                    let mut mark = Observation {
                        ts: until,
                        flow: FlowRef::default(),
                        body,
                    };
                    go_on = go_on && take(Taken::Observation(&mut mark));
                }
                _ => {
                    take(Taken::End(until));
                    return;
                }
            }
        }
        // Hanging up stops the workers, and they the reader.
        if !go_on {
            return;
        }
    }
}

/// A tracker with its way to the analysis.
#[derive(Debug)]
pub(super) struct Worker {
    tracker: Tracker,
    observations: Observations,
    to_analysis: SyncSender<Tracked>,
    spares: Receiver<Observations>,
}

impl Worker {
    pub(super) fn new(config: &TrackerConfig) -> (Self, Answers) {
        let (to_analysis, tracked) = sync_channel(QUEUE_ROUNDS);
        let (spare, spares) = sync_channel(QUEUE_ROUNDS);
        let worker = Self {
            tracker: Tracker::new(*config),
            observations: Observations::new(),
            to_analysis,
            spares,
        };
        (worker, Answers { tracked, spare })
    }

    /// Takes a frame.
    pub(super) fn track(&mut self, frame: &Frame<'_>) {
        let ts = Timestamp::from_nanos(frame.ts_ns);
        let Self {
            tracker,
            observations,
            ..
        } = self;
        tracker.packet(ts, frame.link.0, frame.wire_len, frame.bytes, observations);
    }

    /// Takes packets one after the other.
    pub(super) fn packets<'a>(&mut self, packets: impl Iterator<Item = Packet<'a>>) {
        self.tracker.packets(packets, &mut self.observations);
    }

    /// Takes frames that lie in `bytes`.
    fn track_all(&mut self, places: &[Place], bytes: &[u8]) {
        self.packets(places.iter().filter_map(|place| {
            Some(Packet {
                ts: Timestamp::from_nanos(place.ts_ns),
                link: place.link.0,
                wire_len: place.wire_len,
                frame: place.of(bytes)?,
            })
        }));
    }

    /// What the tracker holds in memory; looks at every flow.
    pub(super) fn held(&self) -> Vec<Held> {
        self.tracker.held()
    }

    /// What was counted so far.
    pub(super) fn stats(&self) -> TrackerStats {
        self.tracker.stats().clone()
    }

    /// Ends a round; false if nobody listens any more.
    pub(super) fn close(&mut self, until: Timestamp, boundary: Boundary) -> bool {
        match boundary {
            Boundary::Full | Boundary::Drained | Boundary::Part => {
                self.tracker.advance(until, &mut self.observations);
            }
            Boundary::Exact => self.tracker.settle(until, &mut self.observations),
            Boundary::Epoch => {
                if !self.close_flows(until) {
                    return false;
                }
                self.tracker.epoch(until, &mut self.observations);
            }
            Boundary::End => {
                self.tracker.advance(until, &mut self.observations);
                if !self.close_flows(until) {
                    return false;
                }
                self.tracker.finish(until, &mut self.observations);
            }
        }
        self.tell((self.tracker.watermark(), None), until, boundary)
    }

    /// Closes all flows but the last few, part by part: a million at once would fill the memory.
    fn close_flows(&mut self, until: Timestamp) -> bool {
        while let Some(next) = self.tracker.close_some(PART_FLOWS, &mut self.observations) {
            let watermark = (self.tracker.watermark(), Some(next));
            if !self.tell(watermark, until, Boundary::Part) {
                return false;
            }
        }
        true
    }

    /// Hands over what was seen; false if nobody listens any more.
    fn tell(&mut self, watermark: Moment, until: Timestamp, boundary: Boundary) -> bool {
        let new = || Observations::with_capacity(ROUND_OBSERVATIONS);
        let spare = self.spares.try_recv().unwrap_or_else(|_| new());
        let observations = std::mem::replace(&mut self.observations, spare);
        let tracked = Tracked {
            observations,
            watermark,
            until,
            boundary,
        };
        self.to_analysis.send(tracked).is_ok()
    }
}

/// Reads and tracks on one thread, without copying a frame.
fn read_one<S: Source>(
    source: &mut S,
    watcher: &mut impl Watcher,
    worker: &mut Worker,
) -> Result<(), SourceError> {
    let (mut until, mut rounds) = (Timestamp::MIN, Rounds::default());
    let mut held = Vec::new();
    while let Some(batch) = source.batch()? {
        if let Batch::One(frame) = &batch
            && frame.epoch
        {
            let ts = Timestamp::from_nanos(frame.ts_ns);
            let frame = hold(frame, &mut held);
            if let Some(boundary) = rounds.over(until)
                && !worker.close(until, boundary)
            {
                return Ok(());
            }
            // What was due in the old epoch is told before the new one begins.
            until = passed(source, until);
            rounds = Rounds::default();
            if !(worker.close(until, Boundary::Full) && worker.close(ts, Boundary::Epoch)) {
                return Ok(());
            }
            rounds.add(frame.bytes.len());
            watcher.frame(frame.ts_ns, frame.wire_len);
            until = ts;
            worker.track(&frame);
            continue;
        }
        let (places, bytes) = match batch {
            Batch::Many { places, bytes } => (places, bytes),
            Batch::One(frame) => {
                if let Some(boundary) = rounds.over(until)
                    && !worker.close(until, boundary)
                {
                    return Ok(());
                }
                rounds.add(frame.bytes.len());
                watcher.frame(frame.ts_ns, frame.wire_len);
                until = Timestamp::from_nanos(frame.ts_ns);
                worker.track(&frame);
                continue;
            }
        };
        // A round may end within a batch.
        let mut rest = places;
        let mut begun = 0_usize;
        for (number, place) in places.iter().enumerate() {
            if let Some(boundary) = rounds.over(until) {
                let (before, behind) = rest.split_at_checked(number - begun).unwrap_or((rest, &[]));
                worker.track_all(before, bytes);
                (rest, begun) = (behind, number);
                if !worker.close(until, boundary) {
                    return Ok(());
                }
            }
            rounds.add(place.len as usize);
            watcher.frame(place.ts_ns, place.wire_len);
            until = Timestamp::from_nanos(place.ts_ns);
        }
        worker.track_all(rest, bytes);
    }
    watcher.over();
    worker.close(passed(source, until), Boundary::End);
    Ok(())
}

/// How far time went in what is over: to the last frame, or further if the source knows.
pub(super) fn passed(source: &impl Source, until: Timestamp) -> Timestamp {
    let passed = source.passed().map(Timestamp::from_nanos);
    passed.map_or(until, |passed| passed.max(until))
}

/// The same frame with its bytes in `held`, so that its source can be asked in the meantime.
pub(super) fn hold<'a>(frame: &Frame<'_>, held: &'a mut Vec<u8>) -> Frame<'a> {
    held.clear();
    held.extend_from_slice(frame.bytes);
    Frame {
        bytes: held,
        ..*frame
    }
}

#[cfg(test)]
mod tests;
