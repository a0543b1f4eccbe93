//! What was sent on a connection not long ago, and goes out again should that connection end.
//!
//! Units:  time since the output was started, by the monotonic clock.
//! Bounds: 256 marks; beyond, two neighbours become one with the later time, so that rather too much than
//!         too little is sent again.

use std::collections::VecDeque;
use std::time::Duration;

const MARKS_MAX: usize = 256;

/// Sequence numbers by the time they were sent.
#[derive(Debug)]
pub(super) struct Window {
    keep: Duration,
    marks: VecDeque<(Duration, u64)>,
    done: u64,
}

impl Window {
    /// Nothing above `done` is known to have arrived.
    pub(super) const fn new(keep: Duration, done: u64) -> Self {
        Self {
            keep,
            marks: VecDeque::new(),
            done,
        }
    }

    /// Everything up to `seq` was sent at `now`.
    pub(super) fn sent(&mut self, now: Duration, seq: u64) {
        if self.marks.len() >= MARKS_MAX {
            let kept = self.marks.iter().skip(1).step_by(2);
            self.marks = kept.copied().collect();
        }
        self.marks.push_back((now, seq));
    }

    /// Up to where nothing goes out again. Asked only while the connection stands: a connection that
    /// has ended makes nothing older.
    pub(super) fn done(&mut self, now: Duration) -> u64 {
        while let Some((at, seq)) = self.marks.front() {
            if now.saturating_sub(*at) < self.keep {
                break;
            }
            self.done = self.done.max(*seq);
            self.marks.pop_front();
        }
        self.done
    }

    /// The connection ended: where to begin again.
    pub(super) fn restart(&mut self) -> u64 {
        self.marks.clear();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_done() {
        let at = Duration::from_secs;
        let mut window = Window::new(Duration::from_secs(60), 5);
        window.sent(at(0), 10);
        window.sent(at(30), 20);
        assert_eq!(window.done(at(59)), 5);
        assert_eq!(window.done(at(60)), 10);
        assert_eq!(window.restart(), 10);
        assert_eq!(window.done(at(600)), 10);
    }

    #[test]
    fn marks_are_bounded_and_err_to_more() {
        let at = Duration::from_millis;
        let mut window = Window::new(Duration::from_secs(60), 0);
        for n in 1..=10_000 {
            window.sent(at(n), n);
            assert!(window.marks.len() <= MARKS_MAX);
            assert!(window.done(at(n)) == 0);
        }
        let done = window.done(at(65_000));
        assert!(done <= 5_000, "{done}");
        assert_eq!(window.done(at(70_000)), 10_000);
    }
}
