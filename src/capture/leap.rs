//! Time out of files, judged once: steps back are held, and believed when they last.
//!
//! Input:    the time each frame carries, in the order of reading.
//! Output:   the time it is given, and whether an epoch begins with it.
//! Units:    nanoseconds since the Unix epoch.
//! Bounds:   a step back of at most [`CLAMP_NS`] is held at the time before it; a longer one is
//!           held until [`AGREE_COUNT`] consecutive frames agree on it.
//! Not done: the judgement for a live port, which compares with the monotonic clock.
//!
//! Any step forward is time passing. Frames *agree* on a step back when each of them lies more
//! than [`CLAMP_NS`] before the time held, and none lies more than [`CLAMP_NS`] before the latest
//! of the frames that agreed so far; one that does begins the count anew, and one that does not
//! lie before the time held at all ends it. One pass, nothing kept back: frames that come before
//! the decision have already gone out with the time held.

/// Steps back up to this are reordering (several queues, several taps), not a clock that was set.
/// Larger hides real changes, smaller turns reordering into epochs.
pub const CLAMP_NS: i64 = 2_000_000_000;

/// So many frames in a row must agree before a step back is believed. More leaves more frames
/// with a wrong time, fewer lets a burst of bad stamps flush every flow.
pub const AGREE_COUNT: u32 = 64;

/// The judge of one input's times.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    now_ns: Option<i64>,
    /// Consecutive frames that agree on an earlier epoch, and the latest time among them.
    agreed: u32,
    agreed_ns: i64,
    clamped: u64,
    weird_time: u64,
    epochs: u64,
}

/// What [`Clock::judge`] says of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The time to use.
    pub ts_ns: i64,
    /// An epoch begins with this frame; only here may `ts_ns` be less than the one before.
    pub epoch: bool,
}

impl Clock {
    /// A clock that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Judges the next frame's time. A frame without one (a pcapng simple packet) takes the time
    /// held, 0 at the very start.
    #[inline]
    pub fn judge(&mut self, ts_ns: Option<i64>) -> Judged {
        match (ts_ns, self.now_ns) {
            (Some(ts_ns), Some(now_ns)) if ts_ns < now_ns => self.step_back(ts_ns, now_ns),
            (Some(ts_ns), _) => {
                self.now_ns = Some(ts_ns);
                self.agreed = 0;
                Judged {
                    ts_ns,
                    epoch: false,
                }
            }
            (None, now_ns) => Judged {
                ts_ns: now_ns.unwrap_or(0),
                epoch: false,
            },
        }
    }

    /// The time from which on a frame needs no judgement: that held, if no step back is being weighed.
    #[inline]
    pub fn plain(&self) -> Option<i64> {
        self.now_ns.filter(|_| self.agreed == 0)
    }

    /// Takes a time that has been judged before, when it was recorded. One that runs back where no
    /// epoch begins, as only a file changed since can hold, is kept at the time held and counted.
    #[inline]
    pub fn trust(&mut self, ts_ns: i64, epoch: bool) -> Judged {
        let held_ns = self.now_ns.filter(|_| !epoch).unwrap_or(i64::MIN);
        self.clamped += u64::from(ts_ns < held_ns);
        self.epochs += u64::from(epoch);
        self.agreed = 0;
        let ts_ns = ts_ns.max(held_ns);
        self.now_ns = Some(ts_ns);
        Judged { ts_ns, epoch }
    }

    #[cold]
    fn step_back(&mut self, ts_ns: i64, now_ns: i64) -> Judged {
        if now_ns.saturating_sub(ts_ns) <= CLAMP_NS {
            self.agreed = 0;
            self.clamped += 1;
            return Judged {
                ts_ns: now_ns,
                epoch: false,
            };
        }
        if self.agreed > 0 && self.agreed_ns.saturating_sub(ts_ns) <= CLAMP_NS {
            self.agreed += 1;
            self.agreed_ns = self.agreed_ns.max(ts_ns);
        } else {
            self.agreed = 1;
            self.agreed_ns = ts_ns;
        }
        if self.agreed < AGREE_COUNT {
            self.weird_time += 1;
            return Judged {
                ts_ns: now_ns,
                epoch: false,
            };
        }
        self.agreed = 0;
        self.epochs += 1;
        self.clamped += u64::from(ts_ns < self.agreed_ns);
        self.now_ns = Some(self.agreed_ns);
        Judged {
            ts_ns: self.agreed_ns,
            epoch: true,
        }
    }

    /// The time held: that of the last frame.
    pub fn now(&self) -> Option<i64> {
        self.now_ns
    }

    /// Frames clamped: at most [`CLAMP_NS`] before the time held.
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// Frames held at the time before them while a longer step back was not yet believed.
    pub fn weird_time(&self) -> u64 {
        self.weird_time
    }

    /// Epoch changes believed.
    pub fn epochs(&self) -> u64 {
        self.epochs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: i64 = 1_000_000_000;

    fn judge_all(times: impl IntoIterator<Item = i64>) -> (Vec<Judged>, Clock) {
        let mut clock = Clock::new();
        let judged = times.into_iter().map(|ts| clock.judge(Some(ts))).collect();
        (judged, clock)
    }

    /// Forward gaps pass however long; steps back up to and including 2 s are clamped.
    #[test]
    fn forward_passes_and_small_steps_clamp() {
        let year = 31_557_600 * S;
        let (judged, clock) = judge_all([10 * S, year, year - 2 * S, year - 1, year + 1]);
        let times: Vec<_> = judged.iter().map(|j| j.ts_ns).collect();
        assert_eq!(times, [10 * S, year, year, year, year + 1]);
        assert_eq!(
            (clock.clamped(), clock.weird_time(), clock.epochs()),
            (2, 0, 0)
        );
    }

    /// The 64th frame that agrees begins the epoch; the 63 before it keep the old time.
    #[test]
    fn sixty_four_frames_make_an_epoch() {
        let old = 1_000 * S;
        let (judged, clock) = judge_all([old].into_iter().chain((0..66).map(|i| 500 * S + i)));
        assert!(judged[..64].iter().all(|j| *j
            == Judged {
                ts_ns: old,
                epoch: false
            }));
        assert_eq!(
            judged[64],
            Judged {
                ts_ns: 500 * S + 63,
                epoch: true
            }
        );
        assert_eq!(
            judged[65],
            Judged {
                ts_ns: 500 * S + 64,
                epoch: false
            }
        );
        assert_eq!(
            (clock.clamped(), clock.weird_time(), clock.epochs()),
            (0, 63, 1)
        );
    }

    /// One frame of the old epoch among them ends the count, and so does one clamped.
    #[test]
    fn disagreement_starts_over() {
        for odd in [1_000 * S, 999 * S] {
            let early = |n| std::iter::repeat_n(500 * S, n);
            let times = [1_000 * S]
                .into_iter()
                .chain(early(63))
                .chain([odd])
                .chain(early(63));
            let (judged, clock) = judge_all(times);
            assert!(judged.iter().all(|j| j.ts_ns == 1_000 * S && !j.epoch));
            assert_eq!((clock.weird_time(), clock.epochs()), (126, 0));
        }
    }

    /// Frames scattered over the past do not agree with each other.
    #[test]
    fn scattered_frames_do_not_agree() {
        let times = [100_000 * S]
            .into_iter()
            .chain((0..500).map(|i| (50_000 - i * 10) * S));
        let (_, clock) = judge_all(times);
        assert_eq!((clock.weird_time(), clock.epochs()), (500, 0));
    }

    /// A single stamp far in the future costs 63 frames, not the rest of the file.
    #[test]
    fn recovers_from_a_stamp_in_the_future() {
        let times = [10 * S, i64::MAX]
            .into_iter()
            .chain((0..100).map(|i| 10 * S + i));
        let (judged, clock) = judge_all(times);
        assert_eq!(judged.last().map(|j| j.ts_ns), Some(10 * S + 99));
        assert_eq!((clock.weird_time(), clock.epochs()), (63, 1));
    }

    /// Extremes do not overflow, and a frame without a time takes the time held.
    #[test]
    fn extremes_and_absent_times() {
        let (judged, _) = judge_all([i64::MAX, i64::MIN, i64::MAX]);
        assert!(judged.iter().all(|j| j.ts_ns == i64::MAX));
        let mut clock = Clock::new();
        assert_eq!(clock.judge(None).ts_ns, 0);
        assert_eq!(clock.judge(Some(5)).ts_ns, 5);
        assert_eq!(clock.judge(None).ts_ns, 5);
    }

    proptest! {
        /// Times run back only at epochs; every frame that was moved is counted; times in order
        /// are left alone.
        #[test]
        fn monotone_but_for_epochs(
            steps in proptest::collection::vec(
                prop_oneof![8 => -3 * S..5 * S, 1 => -500 * S..500 * S], 0..600)
        ) {
            let mut at = 10_000 * S;
            let times: Vec<i64> = steps.iter().map(|step| { at += step; at }).collect();
            let (judged, clock) = judge_all(times.iter().copied());
            for pair in judged.windows(2) {
                prop_assert!(pair[1].ts_ns >= pair[0].ts_ns || pair[1].epoch);
            }
            let moved = judged.iter().zip(&times).filter(|(j, ts)| j.ts_ns != **ts).count() as u64;
            prop_assert_eq!(moved, clock.clamped() + clock.weird_time());
            prop_assert_eq!(judged.iter().filter(|j| j.epoch).count() as u64, clock.epochs());
            if times.is_sorted() {
                prop_assert_eq!(moved, 0);
            }
        }
    }
}
