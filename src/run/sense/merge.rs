//! Observations of live queues, released in one order: below the lowest watermark, by (time, flow key).
//!
//! The answer awaited next is always that of the queue furthest behind. So what waits here is bounded by
//! the queues of the others, which fill up when one stands still.
//!
//! An epoch change and the end are told by every queue at its own place in its own stream; all that
//! came before is released once each has told.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tapir_engine::types::{Body, FlowRef, Mark, Observation, Timestamp};

use crate::run::pending::{Moment, Pending};
use crate::run::round::Boundary;
use crate::run::worker::Answers;

/// What [`Merge::step`] found.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing came within the time given.
    Idle,
    /// Observations were handed out, and up to this time there will be no others.
    Ready(Timestamp),
    /// Every queue has read up to the end; it is the latest of their times.
    Drained(Timestamp),
    /// The last observations were handed out; the run ends here.
    End(Timestamp),
    /// A queue has gone; the run cannot go on.
    Gone,
}

/// One queue's stream.
#[derive(Debug)]
struct Stream {
    answers: Answers,
    watermark: Moment,
    /// What it waits at, and with which time.
    parked: Option<(Boundary, Timestamp)>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Merge {
    streams: Vec<Stream>,
    pending: Pending,
}

impl Merge {
    pub(super) fn new(answers: Vec<Answers>) -> Self {
        let stream = |answers| Stream {
            answers,
            watermark: (Timestamp::MIN, None),
            parked: None,
        };
        Self {
            streams: answers.into_iter().map(stream).collect(),
            pending: Pending::default(),
        }
    }

    /// Takes the next answer of the queue furthest behind, and hands out what has its turn by it, in order.
    pub(super) fn step(&mut self, wait: Duration, take: &mut impl FnMut(&mut Observation)) -> Step {
        let behind = self
            .streams
            .iter_mut()
            .filter(|stream| stream.parked.is_none())
            .min_by_key(|stream| stream.watermark);
        let Some(stream) = behind else {
            return self.together(take);
        };
        let tracked = match stream.answers.tracked.recv_timeout(wait) {
            Ok(tracked) => tracked,
            Err(RecvTimeoutError::Timeout) => return Step::Idle,
            Err(RecvTimeoutError::Disconnected) => return Step::Gone,
        };
        self.pending.add(tracked.observations);
        if let Some(spare) = self.pending.spare() {
            let _spare = stream.answers.spare.try_send(spare);
        }
        stream.watermark = tracked.watermark;
        if !matches!(
            tracked.boundary,
            Boundary::Full | Boundary::Exact | Boundary::Part
        ) {
            stream.parked = Some((tracked.boundary, tracked.until));
            if self.streams.iter().all(|stream| stream.parked.is_some()) {
                return self.together(take);
            }
        }
        let low = |stream: &Stream| stream.watermark;
        let low = self.streams.iter().filter(|s| s.parked.is_none()).map(low);
        let watermark = low.min().unwrap_or((Timestamp::MIN, None));
        self.pending.release(Some(watermark), take);
        Step::Ready(watermark.0)
    }

    /// All queues have come to the same place.
    fn together(&mut self, take: &mut impl FnMut(&mut Observation)) -> Step {
        let at = |stream: &Stream| stream.parked.map(|(_, until)| until);
        let until = self.streams.iter().filter_map(at).max();
        let (Some(until), Some((boundary, _))) =
            (until, self.streams.first().and_then(|s| s.parked))
        else {
            return Step::Gone;
        };
        for stream in &mut self.streams {
            (stream.parked, stream.watermark) = (None, (Timestamp::MIN, None));
        }
        match boundary {
            Boundary::Drained => Step::Drained(until),
            Boundary::End => {
                self.pending.release(None, take);
                Step::End(until)
            }
            _ => {
                self.pending.release(None, &mut *take);
                take(&mut Observation {
                    ts: until,
                    flow: FlowRef::default(),
                    body: Body::Mark(Mark::Epoch),
                });
                Step::Ready(until)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tapir_engine::TrackerConfig;

    use super::*;
    use crate::run::worker::{Worker, to_analysis};

    /// Settling moves the watermark up to the queue's time, and the queue goes on after it.
    #[test]
    fn what_is_settled_is_released_at_once() {
        let (to_analysis, answers) = to_analysis();
        let mut worker = Worker::new(&TrackerConfig::default(), to_analysis);
        let mut merge = Merge::new(vec![answers]);
        for ms in [1_000, 1_020, 1_041] {
            let until = Timestamp::from_nanos(ms * 1_000_000);
            assert!(worker.close(until, Boundary::Exact));
            let Step::Ready(watermark) = merge.step(Duration::ZERO, &mut |_| {}) else {
                panic!("no answer of the queue");
            };
            assert_eq!(watermark, until);
        }
    }
}
