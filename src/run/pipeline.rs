//! From a source of frames to observations in order of time, with any number of workers.
//!
//! One worker reads and tracks on its own thread, or, where there is one core, on the thread that analyses. Several get their frames dealt in rounds: every
//! round goes to every worker, with its part of the frames and the round's last time, so that an idle
//! worker's watermark moves too. The analysis takes one answer a worker and round, in order, and
//! releases what lies below the lowest watermark, sorted by (time, flow key): the same order whatever
//! the number of workers.
//!
//! Bounds: see `round`.

use tapir_capture::{Batch, Frame, Source, SourceError};
use tapir_engine::types::{Body, FlowRef, Mark, Observation, Observations, Timestamp};
use tapir_engine::{TrackerConfig, TrackerStats};

use super::dealing::{deal, spawn_worker};
use super::name_thread;
use super::pending::{Moment, Pending};
use super::round::{Boundary, Rounds};
use super::worker::{Answers, Tell, Tracked, Worker, round, to_analysis};

/// What reading said while it went on.
pub(crate) trait Watcher {
    /// A frame of this time and so many bytes was read.
    fn frame(&mut self, ts_ns: i64, wire_len: u32);

    /// The last one was.
    fn over(&mut self) {}
}

/// Who tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// The thread that analyses.
    One,
    /// So many of their own.
    Workers(usize),
}

/// Runs the hot half over `source` and hands observations, in order, to `take`.
///
/// `take` gets the last time of the input with the end, and says whether to go on. Returns the source and the workers' counts.
pub(crate) fn run<S: Source + Send, W: Watcher + Send>(
    mut source: S,
    watcher: &mut W,
    threads: Threads,
    config: &TrackerConfig,
    mut take: impl FnMut(Taken<'_>) -> bool,
) -> Result<(S, Vec<TrackerStats>), SourceError> {
    let Threads::Workers(workers) = threads else {
        let mut worker = Worker::new(config, Here::new(take));
        read_one(&mut source, watcher, &mut worker)?;
        return Ok((source, vec![worker.stats()]));
    };
    std::thread::scope(|scope| {
        let mut answers = Vec::new();
        let mut trackers = Vec::new();
        let reader = if workers == 1 {
            let (to_analysis, answer) = to_analysis();
            let mut worker = Worker::new(config, to_analysis);
            answers.push(answer);
            scope.spawn(move || {
                name_thread("tracker-0");
                let read = read_one(&mut source, watcher, &mut worker);
                (source, read, Some(worker.stats()))
            })
        } else {
            let mut rounds = Vec::new();
            for number in 0..workers {
                let (to_analysis, answer) = to_analysis();
                let worker = Worker::new(config, to_analysis);
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

/// What the workers have said of the rounds so far.
#[derive(Debug, Default)]
struct Merge {
    pending: Pending,
    /// The last word of each worker.
    told: Vec<(Boundary, Moment, Timestamp)>,
}

impl Merge {
    /// Whether the worker has said all it has to say before all flows have ended.
    fn is_at_end(&self, worker: usize) -> bool {
        self.told
            .get(worker)
            .is_some_and(|told| told.0.ends_flows())
    }

    /// Takes a worker's answer in. Gives what is emptied, to be filled again.
    fn add(&mut self, worker: usize, tracked: Tracked) -> Option<Observations> {
        self.pending.add(tracked.observations);
        let said = (tracked.boundary, tracked.watermark, tracked.until);
        match self.told.get_mut(worker) {
            Some(told) => *told = said,
            None => self.told.push(said),
        }
        self.pending.spare()
    }

    /// Releases what is below the lowest watermark once every worker has answered. False when it is over.
    fn release(&mut self, take: &mut impl FnMut(Taken<'_>) -> bool) -> bool {
        let going_on = self.told.iter().filter(|told| !told.0.ends_flows());
        let lowest = going_on.map(|told| told.1).min();
        let Some(&(boundary, _, until)) = self.told.first() else {
            return false;
        };
        let before = lowest.filter(|_| boundary != Boundary::Exact);
        let mut go_on = true;
        self.pending.release(before, |observation| {
            go_on = go_on && take(Taken::Observation(observation));
        });
        if lowest.is_some() {
            return go_on;
        }
        self.told.clear();
        if boundary != Boundary::Epoch {
            take(Taken::End(until));
            return false;
        }
        let body = Body::Mark(Mark::Epoch);
        let mut mark = Observation {
            ts: until,
            flow: FlowRef::default(),
            body,
        };
        go_on && take(Taken::Observation(&mut mark))
    }
}

/// Takes one answer a worker and round and releases what is below the lowest watermark. Where all flows
/// end, every worker has as many answers as it needs; they are waited for.
fn merge(answers: &[Answers], take: &mut impl FnMut(Taken<'_>) -> bool) {
    let mut merge = Merge::default();
    loop {
        for (worker, answer) in answers.iter().enumerate() {
            if merge.is_at_end(worker) {
                continue;
            }
            // A reader that failed hangs up; what it said before stands.
            let Ok(tracked) = answer.tracked.recv() else {
                return;
            };
            // A full queue has spares enough.
            if let Some(spare) = merge.add(worker, tracked) {
                let _spare = answer.spare.try_send(spare);
            }
        }
        // Hanging up stops the workers, and they the reader.
        if !merge.release(take) {
            return;
        }
    }
}

/// To the analysis on the same thread.
#[derive(Debug)]
struct Here<F> {
    merge: Merge,
    take: F,
}

impl<F> Here<F> {
    fn new(take: F) -> Self {
        Self {
            merge: Merge::default(),
            take,
        }
    }
}

impl<F: FnMut(Taken<'_>) -> bool> Tell for Here<F> {
    fn tell(&mut self, tracked: Tracked) -> Option<Observations> {
        let spare = self.merge.add(0, tracked);
        let go_on = self.merge.release(&mut self.take);
        go_on.then(|| spare.unwrap_or_else(round))
    }
}

/// Reads and tracks on one thread, without copying a frame.
fn read_one<S: Source, T: Tell>(
    source: &mut S,
    watcher: &mut impl Watcher,
    worker: &mut Worker<T>,
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
