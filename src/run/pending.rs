//! Observations that wait for their turn: released in one order, by (time, flow key), and within equals as
//! they came.
//!
//! Only places are sorted. An observation itself moves twice: when it is released, and if it has to wait
//! for another release.

use tapir_engine::types::{Body, FlowKey, FlowRef, Observation, Observations, Timestamp};

/// A place in the order of all observations: a time, and of that time what has a smaller
/// key.
pub(super) type Moment = (Timestamp, Option<FlowKey>);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: Observations,
    /// Time and place of each, sorted.
    order: Vec<(Timestamp, u32)>,
    /// Emptied, for those that have to wait on.
    spare: Observations,
}

impl Pending {
    /// Takes in what a worker saw, and leaves it empty.
    pub(super) fn add(&mut self, observations: &mut Observations) {
        if self.waiting.is_empty() {
            std::mem::swap(&mut self.waiting, observations);
        } else {
            self.waiting.append(observations);
        }
    }

    /// Hands out what is older than `before`, or everything.
    pub(super) fn release(&mut self, before: Option<Moment>, mut take: impl FnMut(Observation)) {
        let waiting = &mut self.waiting;
        self.order.clear();
        let places = waiting.iter().zip(0_u32..);
        self.order.extend(places.map(|(o, place)| (o.ts, place)));
        let at = |place: u32| usize::try_from(place).unwrap_or(usize::MAX);
        // Time tells most of them apart; the key is worked out only for equals.
        self.order.sort_by(|a, b| {
            let key = |place: u32| waiting.get(at(place)).map(|o| o.flow.key());
            a.0.cmp(&b.0).then_with(|| key(a.1).cmp(&key(b.1)))
        });
        let ready = match before {
            Some((until, next)) => self.order.partition_point(|(ts, place)| {
                let earlier = |next| waiting.get(at(*place)).is_some_and(|o| o.flow.key() < next);
                *ts < until || (*ts == until && next.is_some_and(earlier))
            }),
            None => self.order.len(),
        };
        let (ready, later) = self.order.split_at(ready);
        let mut taken =
            |place: u32| Some(std::mem::replace(waiting.get_mut(at(place))?, nothing()));
        for (_, place) in ready {
            taken(*place).into_iter().for_each(&mut take);
        }
        let later = later.iter().filter_map(|(_, place)| taken(*place));
        self.spare.extend(later);
        waiting.clear();
        std::mem::swap(&mut self.waiting, &mut self.spare);
    }
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

    fn at(secs: i64, port: u16) -> Observation {
        let mut flow = FlowRef::default();
        flow.orig.port = port;
        Observation {
            ts: Timestamp::from_secs(secs),
            flow,
            body: Body::Mark(Mark::Epoch),
        }
    }

    fn released(pending: &mut Pending, before: Option<i64>) -> Vec<(i64, u16)> {
        let before = before.map(|secs| (Timestamp::from_secs(secs), None));
        released_before(pending, before)
    }

    fn released_before(pending: &mut Pending, before: Option<Moment>) -> Vec<(i64, u16)> {
        let mut out = Vec::new();
        pending.release(before, |o| {
            out.push((o.ts.secs(), o.flow.orig.port));
        });
        out
    }

    #[test]
    fn what_comes_later_waits_and_equals_go_by_key() {
        let mut pending = Pending::default();
        pending.add(&mut vec![at(3, 1), at(1, 9), at(2, 7), at(2, 5)]);
        assert_eq!(released(&mut pending, Some(3)), [(1, 9), (2, 5), (2, 7)]);
        pending.add(&mut vec![at(4, 0), at(3, 0)]);
        assert_eq!(released(&mut pending, Some(3)), []);
        let key = Some(at(3, 1).flow.key());
        let third = Some((Timestamp::from_secs(3), key));
        assert_eq!(released_before(&mut pending, third), [(3, 0)]);
        assert_eq!(released(&mut pending, None), [(3, 1), (4, 0)]);
        assert_eq!(released(&mut pending, None), []);
    }
}
