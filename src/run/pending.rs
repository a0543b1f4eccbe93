//! Observations that wait for their turn: released in one order, by (time, flow key), and within equals as
//! they came.
//!
//! Only places are sorted, and only those whose turn has come: what a worker says is nearly in order, and
//! an observation stays where its worker put it until it is handed out.

use std::collections::VecDeque;

use tapir_engine::types::{FlowKey, FlowRef, Observation, Observations, Timestamp};

use super::worker::ROUND_OBSERVATIONS;

/// A place in the order of all observations: a time, and of that time what has a smaller key.
pub(super) type Moment = (Timestamp, Option<FlowKey>);

/// What one worker said at a time, and what of it still waits.
#[derive(Debug, Default)]
struct Batch {
    observations: Observations,
    /// Times and places of what waits, as it came.
    waiting: Vec<(Timestamp, u32)>,
    /// The earliest and the latest time among them.
    earliest: Timestamp,
    latest: Timestamp,
}

/// Where an observation is, and when it was seen: batch, counted from the first that waits, and place in it.
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
    /// Those whose turn it is; empty in between.
    ready: Vec<Place>,
    /// Emptied batches, to be filled again, and what else was kept of them.
    spares: Vec<Observations>,
    lists: Vec<Vec<(Timestamp, u32)>>,
}

/// Emptied batches kept. One that grew is not: every one would, in time, and most rounds are short.
const SPARES_MAX: usize = 8;

impl Pending {
    /// Takes in what a worker saw.
    pub(super) fn add(&mut self, observations: Observations) {
        let mut waiting = self.lists.pop().unwrap_or_default();
        let times = observations.iter().map(|observation| observation.ts);
        waiting.extend(times.zip(0..));
        let (mut earliest, mut latest) = (Timestamp::MAX, Timestamp::MIN);
        for (ts, _) in &waiting {
            (earliest, latest) = (earliest.min(*ts), latest.max(*ts));
        }
        self.batches.push_back(Batch {
            observations,
            waiting,
            earliest,
            latest,
        });
    }

    /// Hands out what comes before `before`, or everything. What is taken out of an observation is its
    /// taker's; the rest is thrown away.
    pub(super) fn release(
        &mut self,
        before: Option<Moment>,
        mut take: impl FnMut(&mut Observation),
    ) {
        for (number, batch) in (0..).zip(&mut self.batches) {
            batch.ready(number, before.as_ref(), &mut self.ready);
        }
        let batches = &mut self.batches;
        sort(&mut self.ready, batches);
        for place in self.ready.drain(..) {
            let batch = batches.get_mut(as_index(place.batch));
            let seen = batch.and_then(|b| b.observations.get_mut(as_index(place.index)));
            if let Some(observation) = seen {
                take(observation);
            }
        }
        while let Some(mut done) = self.batches.pop_front_if(|batch| batch.waiting.is_empty()) {
            let is_usual = done.observations.capacity() <= ROUND_OBSERVATIONS;
            if is_usual && self.spares.len() < SPARES_MAX {
                done.observations.clear();
                self.spares.push(done.observations);
            }
            if self.lists.len() < SPARES_MAX {
                self.lists.push(done.waiting);
            }
        }
    }

    /// An emptied batch, if there is one.
    pub(super) fn spare(&mut self) -> Option<Observations> {
        self.spares.pop()
    }
}

impl Batch {
    /// Moves the places of what comes before `before` to `ready`.
    fn ready(&mut self, number: u32, before: Option<&Moment>, ready: &mut Vec<Place>) {
        let place = |(ts, index): (Timestamp, u32)| Place {
            ts,
            batch: number,
            index,
        };
        let Some((until, next)) = before.filter(|(until, _)| self.latest >= *until) else {
            return ready.extend(self.waiting.drain(..).map(place));
        };
        if self.earliest > *until {
            return;
        }
        let observations = &self.observations;
        let mut earliest = Timestamp::MAX;
        self.waiting.retain(|&(ts, index)| {
            let at_until = || {
                let key = || observations.get(as_index(index)).map(|o| o.flow.key());
                ts == *until && key() < *next
            };
            let is_ready = ts < *until || at_until();
            if is_ready {
                ready.push(place((ts, index)));
            } else {
                earliest = earliest.min(ts);
            }
            !is_ready
        });
        self.earliest = earliest;
    }
}

/// Puts places in order. Time tells most of them apart, and numbers are sorted fast; flows are looked at only
/// where the times are equal, and then most are of one flow.
fn sort(ready: &mut [Place], batches: &VecDeque<Batch>) {
    if !ready.is_sorted_by_key(|place| place.ts) {
        ready.sort_by_key(|place| place.ts);
    }
    let flow = |place: &Place| at(batches, place).map(|seen| &seen.flow);
    for equal in ready.chunk_by_mut(|a, b| a.ts == b.ts) {
        let (first, others) = match equal {
            [first, others @ ..] if !others.is_empty() => (flow(first), others),
            _ => continue,
        };
        if others.iter().any(|place| flow(place) != first) {
            equal.sort_by(|a, b| flow(a).map(FlowRef::key).cmp(&flow(b).map(FlowRef::key)));
        }
    }
}

fn as_index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The observation at a place.
fn at<'a>(batches: &'a VecDeque<Batch>, place: &Place) -> Option<&'a Observation> {
    let batch = batches.get(as_index(place.batch))?;
    batch.observations.get(as_index(place.index))
}

#[cfg(test)]
mod tests {
    use tapir_engine::types::{Body, Mark};

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

    #[test]
    fn a_round_that_grew_is_not_kept() {
        let mut pending = Pending::default();
        for len in [ROUND_OBSERVATIONS, ROUND_OBSERVATIONS + 1] {
            pending.add((0..len).map(|_| seen(1, 1)).collect());
        }
        assert_eq!(
            released(&mut pending, None).len(),
            2 * ROUND_OBSERVATIONS + 1
        );
        assert!(pending.spare().is_some());
        assert!(pending.spare().is_none());
    }
}
