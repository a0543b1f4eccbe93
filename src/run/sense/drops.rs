//! What the kernel dropped within the last hour, from counters that only grow.
//!
//! Bounds: one entry a minute with drops in it, so 61.

use std::collections::VecDeque;

use tapir_engine::types::Timestamp;

const HOUR_NS: i64 = 3_600 * 1_000_000_000;
const MINUTE_NS: i64 = HOUR_NS / 60;

/// The counter as it stood, with the time at which it was read.
#[derive(Debug, Default)]
pub(super) struct Drops {
    read: VecDeque<(Timestamp, u64)>,
    /// The counter an hour ago.
    before: u64,
}

impl Drops {
    /// Drops within the hour before `now`, at which the counter stands at `dropped`.
    pub(super) fn last_hour(&mut self, now: Timestamp, dropped: u64) -> u64 {
        while let Some((_, then)) = self.read.pop_front_if(|(ts, _)| now.since(*ts) > HOUR_NS) {
            self.before = then;
        }
        let last = self.read.back().copied();
        if last.map_or(self.before, |(_, then)| then) != dropped {
            match self
                .read
                .back_mut()
                .filter(|(ts, _)| now.since(*ts) < MINUTE_NS)
            {
                Some((_, then)) => *then = dropped,
                None => self.read.push_back((now, dropped)),
            }
        }
        dropped.saturating_sub(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_forgotten_after_an_hour() {
        let minute = |n: i64| Timestamp::from_nanos(n * MINUTE_NS);
        let mut drops = Drops::default();
        assert_eq!(drops.last_hour(minute(0), 0), 0);
        assert_eq!(drops.last_hour(minute(1), 10), 10);
        assert_eq!(drops.last_hour(minute(40), 15), 15);
        assert_eq!(drops.last_hour(minute(62), 15), 5);
        assert_eq!(drops.last_hour(minute(200), 15), 0);
    }
}
