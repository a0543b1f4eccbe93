//! A tracker with its way to the analysis.
//!
//! Bounds: [`QUEUE_ROUNDS`] answers wait; see `round` for their size.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tapir_capture::{Batch, Frame, Place};
use tapir_engine::types::{Held, Observations, Timestamp};
use tapir_engine::{Packet, Tracker, TrackerConfig, TrackerStats};

use super::pending::Moment;
use super::round::Boundary;

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

/// Where a worker's answers go.
pub(super) trait Tell {
    /// Hands an answer over and gives room for the next; `None` if nobody listens any more.
    fn tell(&mut self, tracked: Tracked) -> Option<Observations>;
}

/// To another thread, and back what is emptied.
#[derive(Debug)]
pub(super) struct ToAnalysis {
    tracked: SyncSender<Tracked>,
    spares: Receiver<Observations>,
}

/// The way from a worker to the analysis, and its other end.
pub(super) fn to_analysis() -> (ToAnalysis, Answers) {
    let (to_analysis, tracked) = sync_channel(QUEUE_ROUNDS);
    let (spare, spares) = sync_channel(QUEUE_ROUNDS);
    let to_analysis = ToAnalysis {
        tracked: to_analysis,
        spares,
    };
    (to_analysis, Answers { tracked, spare })
}

impl Tell for ToAnalysis {
    fn tell(&mut self, tracked: Tracked) -> Option<Observations> {
        self.tracked.send(tracked).ok()?;
        Some(self.spares.try_recv().unwrap_or_else(|_| round()))
    }
}

/// Room for a round's observations.
pub(super) fn round() -> Observations {
    Observations::with_capacity(ROUND_OBSERVATIONS)
}

/// A tracker with its way to the analysis.
#[derive(Debug)]
pub(super) struct Worker<T = ToAnalysis> {
    tracker: Tracker,
    observations: Observations,
    to_analysis: T,
}

impl<T: Tell> Worker<T> {
    pub(super) fn new(config: &TrackerConfig, to_analysis: T) -> Self {
        Self {
            tracker: Tracker::new(*config),
            observations: round(),
            to_analysis,
        }
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
    pub(super) fn track_all(&mut self, places: &[Place], bytes: &[u8]) {
        self.packets(places.iter().filter_map(|place| {
            Some(Packet {
                ts: Timestamp::from_nanos(place.ts_ns),
                link: place.link.0,
                wire_len: place.wire_len,
                frame: place.of(bytes)?,
            })
        }));
    }

    /// Takes the frames of a batch.
    pub(super) fn track_batch(&mut self, batch: &Batch<'_>) {
        match batch {
            Batch::One(frame) => self.track(frame),
            Batch::Many { places, bytes } => self.track_all(places, bytes),
        }
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
        let tracked = Tracked {
            observations: std::mem::take(&mut self.observations),
            watermark,
            until,
            boundary,
        };
        let Some(empty) = self.to_analysis.tell(tracked) else {
            return false;
        };
        self.observations = empty;
        true
    }
}
