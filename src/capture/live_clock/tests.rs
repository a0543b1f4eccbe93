//! Made-up clocks and stamps: what is believed, held, and when an epoch begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::epochs::Clocks;

const S: i64 = 1_000_000_000;
const LAG: i64 = S / 25;
/// Time of day less time since start, when the tests begin.
const DAY: i64 = 1_000_000 * S;

/// Clocks that stand where a test puts them.
#[derive(Clone)]
struct Made(Arc<AtomicI64>);

impl Clocks for Made {
    fn monotonic_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn realtime_ns(&self) -> i64 {
        self.monotonic_ns() + DAY
    }
}

/// A port with this many queues, 1,000 s after start.
fn port(queues: usize) -> (Made, Vec<LiveClock>) {
    let clocks = Made(Arc::new(AtomicI64::new(1_000 * S)));
    let epochs = Epochs::new(Box::new(clocks.clone()));
    let clock = || LiveClock::new(Arc::clone(&epochs), LAG);
    (clocks, std::iter::repeat_with(clock).take(queues).collect())
}

/// A frame stamped with `ts_ns` and read at `read_ns` since start.
fn frame(clocks: &Made, clock: &mut LiveClock, read_ns: i64, ts_ns: i64) -> Verdict {
    clocks.0.store(read_ns, Ordering::SeqCst);
    clock.read();
    clock.judge(ts_ns)
}

fn leap_by(step_ns: i64, count: i64) -> (Made, Vec<LiveClock>, Vec<Verdict>) {
    let (clocks, mut queues) = port(2);
    assert_eq!(
        frame(&clocks, &mut queues[0], 1_000 * S, DAY + 1_000 * S),
        Verdict::Time(DAY + 1_000 * S)
    );
    let verdicts = (1..=count).map(|at| {
        let read_ns = 1_001 * S + at;
        frame(&clocks, &mut queues[0], read_ns, DAY + read_ns + step_ns)
    });
    let verdicts = verdicts.collect();
    (clocks, queues, verdicts)
}

/// Stamps that follow the clock are left alone, also after a long silence and when they are
/// read late.
#[test]
fn stamps_that_follow_the_clock_are_left_alone() {
    let (clocks, mut queues) = port(1);
    let clock = &mut queues[0];
    // Read at once, an hour later, and 15 minutes of standing still later.
    for (read, stamp) in [
        (1_000, 1_000),
        (4_600, 4_600),
        (5_500, 4_601),
        (5_500, 5_499),
    ] {
        let ts_ns = DAY + stamp * S;
        assert_eq!(frame(&clocks, clock, read * S, ts_ns), Verdict::Time(ts_ns));
    }
    assert_eq!(clock.counts(), ClockCounts::default());
}

/// The 64th frame that agrees on a leap, ahead or back, begins an epoch; the 63 before it keep
/// the time before them.
#[test]
fn sixty_four_frames_make_an_epoch() {
    for step_ns in [3_600 * S, -3_600 * S, -4 * S, 601 * S] {
        let (clocks, mut queues, verdicts) = leap_by(step_ns, 64);
        let held = Verdict::Time(DAY + 1_000 * S);
        assert!(
            verdicts[..63].iter().all(|verdict| *verdict == held),
            "{step_ns}"
        );
        assert_eq!(verdicts[63], Verdict::Epoch);
        let at = DAY + 1_001 * S + 64 + step_ns;
        let epoch = queues[0].epoch();
        // The old epoch lasted to the decision, on its own scale.
        let old_end_ns = DAY + 1_001 * S + 64;
        assert_eq!(
            epoch,
            Epoch {
                number: 1,
                old_end_ns,
                new_start_ns: at
            }
        );
        assert_eq!(queues[0].judge(at), Verdict::Time(at));
        assert_eq!(
            queues[0].counts(),
            ClockCounts {
                clamped: 0,
                weird_time: 63
            }
        );
        // The other queue learns of it before its next frame, and goes on in the new time.
        assert_eq!(
            frame(&clocks, &mut queues[1], 1_002 * S, at + S),
            Verdict::Epoch
        );
        assert_eq!(queues[1].epoch(), epoch);
        assert_eq!(queues[1].judge(at + S / 2), Verdict::Time(at + S / 2));
    }
}

/// Less than ten minutes ahead is believed at once, and taken up by idle queues.
#[test]
fn a_small_correction_is_no_epoch() {
    let (_, mut queues, verdicts) = leap_by(599 * S, 3);
    assert_eq!(verdicts[0], Verdict::Time(DAY + 1_600 * S + 1));
    queues[1].read();
    queues[1].idle();
    let now_ns = DAY + 1_600 * S + 3;
    assert_eq!(queues[1].watermark_ns(), now_ns - LAG);
    assert_eq!(queues[1].epochs.time_now(), now_ns);
}

/// A clock put back by a second is clamped until it has caught up; idle queues stop running
/// ahead of it after 64 frames.
#[test]
fn a_small_step_back_is_clamped() {
    let (_, mut queues, verdicts) = leap_by(-2 * S, 64);
    let held = Verdict::Time(DAY + 1_000 * S);
    assert!(verdicts.iter().all(|verdict| *verdict == held));
    assert_eq!(
        queues[0].counts(),
        ClockCounts {
            clamped: 64,
            weird_time: 0
        }
    );
    assert_eq!(queues[1].epochs.time_now(), DAY + 999 * S + 64);
    queues[1].read();
    queues[1].idle();
    assert!(queues[1].watermark_ns() < DAY + 1_000 * S);
}

/// Frames of the old epoch that lay in another queue's ring do not turn time back.
#[test]
fn stragglers_are_held() {
    for step_ns in [3_600 * S, -3_600 * S, -300 * S] {
        let (clocks, mut queues, _) = leap_by(step_ns, 64);
        let epoch = queues[0].epoch();
        let other = &mut queues[1];
        assert_eq!(frame(&clocks, other, 1_002 * S, DAY), Verdict::Epoch);
        for at in 0..200 {
            let old = DAY + 1_000 * S + at;
            assert_eq!(other.judge(old), Verdict::Time(epoch.new_start_ns));
        }
        assert_eq!(
            other.counts(),
            ClockCounts {
                clamped: 0,
                weird_time: 200
            }
        );
        let new = epoch.new_start_ns + S / 2;
        assert_eq!(other.judge(new), Verdict::Time(new));
        assert_eq!(other.epoch().number, 1);
    }
}

/// A queue two epochs behind is led through both.
#[test]
fn epochs_are_followed_one_by_one() {
    let (clocks, mut queues, _) = leap_by(3_600 * S, 64);
    for at in 1..=64 {
        let read_ns = 1_010 * S + at;
        frame(&clocks, &mut queues[0], read_ns, DAY + read_ns + 90_000 * S);
    }
    assert_eq!(queues[0].epoch().number, 2);
    let other = &mut queues[1];
    other.idle();
    let numbers: Vec<u64> =
        std::iter::from_fn(|| other.follow().then(|| other.epoch().number)).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(other.watermark_ns(), other.epoch().new_start_ns);
    assert_eq!(other.epochs.epoch(1).map(|epoch| epoch.number), Some(1));
}

proptest! {
    /// Whatever is stamped and whenever it is read: times and watermarks of a queue run back
    /// only at epochs, the old end is above all of the old epoch and the new start below all
    /// of the new one.
    #[test]
    fn promises_are_kept(
        steps in proptest::collection::vec((
            0_usize..2, 0..5 * S, prop_oneof![9 => Just(0_i64), 1 => -2_000 * S..2_000 * S],
            prop_oneof![8 => -3 * S..0, 1 => -900 * S..900 * S], any::<bool>(), 1_usize..80,
        ), 0..60)
    ) {
        let (clocks, mut queues) = port(2);
        let (mut read_ns, mut set_ns) = (1_000 * S, 0);
        let mut latest = [0_i64; 2];
        let mut given: Vec<(u64, i64)> = Vec::new();
        for (queue, passed_ns, set, late_ns, empty, count) in steps {
            read_ns += passed_ns;
            set_ns += set;
            let clock = &mut queues[queue];
            clocks.0.store(read_ns, Ordering::SeqCst);
            clock.read();
            if empty {
                clock.idle();
                while clock.follow() {
                    latest[queue] = i64::MIN;
                }
                prop_assert!(clock.watermark_ns() >= latest[queue]);
            }
            for _ in 0..count {
                let before = clock.watermark_ns();
                match clock.judge(DAY + read_ns + set_ns + late_ns) {
                    Verdict::Epoch => latest[queue] = i64::MIN,
                    Verdict::Time(ts_ns) => {
                        prop_assert!(ts_ns >= latest[queue] && ts_ns >= before);
                        prop_assert_eq!(clock.watermark_ns(), ts_ns);
                        latest[queue] = ts_ns;
                        given.push((clock.epoch().number, ts_ns));
                    }
                }
            }
        }
        let epochs = &queues[0].epochs;
        for (number, ts_ns) in given {
            if let Some(epoch) = epochs.epoch(number) {
                prop_assert!(number == 0 || ts_ns >= epoch.new_start_ns);
            }
            if let Some(next) = epochs.epoch(number + 1) {
                prop_assert!(ts_ns <= next.old_end_ns);
            }
        }
    }
}
