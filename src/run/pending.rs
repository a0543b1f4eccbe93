//! Observations that wait for their turn: released in one order, by (time, flow key), and within equals as
//! they came.
//!
//! Only places are sorted. An observation stays where its worker put it until it is released, however
//! often others go before it.

use std::collections::VecDeque;

use tapir_engine::types::{Body, FlowKey, FlowRef, Observation, Observations, Timestamp};

/// A place in the order of all observations: a time, and of that time what has a smaller key.
pub(super) type Moment = (Timestamp, Option<FlowKey>);

/// What one worker said at a time, and how much of it still waits.
#[derive(Debug)]
struct Batch {
    observations: Observations,
    waiting: usize,
}

/// Where an observation is, and when it was seen: batch, counted from the first of all, and place in it.
#[derive(Clone, Copy, Debug)]
struct Place {
    ts: Timestamp,
    batch: u32,
    index: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pending {
    batches: VecDeque<Batch>,
    /// Number of the first batch.
    first: u32,
    /// All that wait: those in order already, then those that came since.
    order: Vec<Place>,
    /// Emptied batches, to be filled again.
    spares: Vec<Observations>,
}

/// Emptied batches kept.
const SPARES_MAX: usize = 8;

impl Pending {
    /// Takes in what a worker saw.
    pub(super) fn add(&mut self, observations: Observations) {
        let number = u32::try_from(self.batches.len()).unwrap_or(u32::MAX);
        let batch = self.first.wrapping_add(number);
        let place = |(observation, index): (&Observation, u32)| Place {
            ts: observation.ts,
            batch,
            index,
        };
        self.order
            .extend(observations.iter().zip(0_u32..).map(place));
        self.batches.push_back(Batch {
            waiting: observations.len(),
            observations,
        });
    }

    /// Hands out what comes before `before`, or everything.
    pub(super) fn release(&mut self, before: Option<Moment>, mut take: impl FnMut(Observation)) {
        let (batches, first) = (&mut self.batches, self.first);
        // Time tells most of them apart; the key is worked out only for equals. A stable sort finds
        // what is in order already and merges the rest into it.
        self.order.sort_by(|a, b| {
            let key = |place| Some(at(batches, first, place)?.flow.key());
            a.ts.cmp(&b.ts).then_with(|| key(a).cmp(&key(b)))
        });
        let ready = match before {
            Some((until, next)) => self.order.partition_point(|place| {
                let key = |next| at(batches, first, place).is_some_and(|o| o.flow.key() < next);
                place.ts < until || (place.ts == until && next.is_some_and(key))
            }),
            None => self.order.len(),
        };
        for place in self.order.drain(..ready) {
            let Some(batch) = batches.get_mut(offset(place.batch, first)) else {
                continue;
            };
            batch.waiting = batch.waiting.saturating_sub(1);
            let index = usize::try_from(place.index).unwrap_or(usize::MAX);
            if let Some(observation) = batch.observations.get_mut(index) {
                take(std::mem::replace(observation, nothing()));
            }
        }
        while let Some(mut done) = self.batches.pop_front_if(|batch| batch.waiting == 0) {
            self.first = self.first.wrapping_add(1);
            if self.spares.len() < SPARES_MAX {
                done.observations.clear();
                self.spares.push(done.observations);
            }
        }
    }

    /// An emptied batch, if there is one.
    pub(super) fn spare(&mut self) -> Option<Observations> {
        self.spares.pop()
    }
}

/// Place of a batch in the queue whose first is number `first`.
fn offset(batch: u32, first: u32) -> usize {
    usize::try_from(batch.wrapping_sub(first)).unwrap_or(usize::MAX)
}

/// The observation at a place.
fn at<'a>(batches: &'a VecDeque<Batch>, first: u32, place: &Place) -> Option<&'a Observation> {
    let batch = batches.get(offset(place.batch, first))?;
    batch
        .observations
        .get(usize::try_from(place.index).unwrap_or(usize::MAX))
}

/// What stands where an observation was.
fn nothing() -> Observation {
    Observation {
        ts: Timestamp::MIN,
        flow: FlowRef::default(),
        body: Body::Taken,
    }
}

#[cfg(test)]
mod tests {
    use tapir_engine::types::Mark;

    use super::*;

    fn seen(secs: i64, port: u16) -> Observation {
        let mut flow = FlowRef::default();
        flow.orig.port = port;
        Observation {
            ts: Timestamp::from_secs(secs),
            flow,
            body: Body::Mark(Mark::Epoch),
        }
    }

    fn released(pending: &mut Pending, before: Option<Moment>) -> Vec<(i64, u16)> {
        let mut out = Vec::new();
        pending.release(before, |o| {
            out.push((o.ts.secs(), o.flow.orig.port));
        });
        out
    }

    #[test]
    fn what_comes_later_waits_and_equals_go_by_key() {
        let third = |key| Some((Timestamp::from_secs(3), key));
        let mut pending = Pending::default();
        pending.add(vec![seen(3, 1), seen(1, 9), seen(2, 7), seen(2, 5)]);
        assert_eq!(
            released(&mut pending, third(None)),
            [(1, 9), (2, 5), (2, 7)]
        );
        assert!(pending.spare().is_none());
        pending.add(vec![seen(4, 0), seen(3, 0)]);
        assert_eq!(released(&mut pending, third(None)), []);
        let key = Some(seen(3, 1).flow.key());
        assert_eq!(released(&mut pending, third(key)), [(3, 0)]);
        assert_eq!(released(&mut pending, None), [(3, 1), (4, 0)]);
        assert_eq!(released(&mut pending, None), []);
        assert!(pending.spare().is_some_and(|spare| spare.is_empty()));
    }
}
