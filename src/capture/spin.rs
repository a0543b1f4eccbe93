//! How long the fast socket is asked again and again before its thread lets go of its core.
//!
//! Packets that follow the one just answered come within a round trip, and waking a thread takes longer
//! than answering it.
//!
//! Bounds: [`AFTER`] after a frame, and never more than [`SPENT_MAX`] within one [`WINDOW`]: 10 % of a core.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Longer than a round trip on a local network, shorter than a time slice.
const AFTER: Duration = Duration::from_millis(2);
const WINDOW: Duration = Duration::from_secs(1);
const SPENT_MAX: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(crate) struct Spin {
    begin: Instant,
    budget: Budget,
}

impl Spin {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            budget: Budget::default(),
        }
    }

    /// A frame came, or is to come soon.
    pub(crate) fn hit(&mut self) {
        self.budget.hit(self.begin.elapsed());
    }

    /// Waits until one of `fds` is readable, or `timeout` is up; says which are.
    pub(crate) fn wait(
        &mut self,
        fds: [BorrowedFd<'_>; 2],
        timeout: Duration,
    ) -> Result<[bool; 2], Errno> {
        let since = self.begin.elapsed();
        let mut now = since;
        while self.budget.goes_on(since, now) {
            let ready = look(fds, Duration::ZERO);
            now = self.begin.elapsed();
            if ready != Ok([false, false]) {
                self.budget.over(since, now);
                return ready;
            }
        }
        self.budget.over(since, now);
        look(fds, timeout)
    }
}

/// When asking goes on, and what was spent on it; times count from one beginning.
#[derive(Debug, Default)]
struct Budget {
    /// Until when asking goes on.
    until: Duration,
    /// Since when the window runs, and what was spent in it.
    window: Duration,
    spent: Duration,
}

impl Budget {
    fn hit(&mut self, now: Duration) {
        self.until = now + AFTER;
    }

    /// Whether asking goes on at `now`, having begun at `since`.
    fn goes_on(&mut self, since: Duration, now: Duration) -> bool {
        if now.saturating_sub(self.window) >= WINDOW {
            (self.window, self.spent) = (now, Duration::ZERO);
        }
        now < self.until && self.spent + now.saturating_sub(since) < SPENT_MAX
    }

    /// Counts what was spent from `since` to `now`.
    fn over(&mut self, since: Duration, now: Duration) {
        self.spent += now.saturating_sub(since);
    }
}

/// Which are readable, after at most `timeout`.
fn look(fds: [BorrowedFd<'_>; 2], timeout: Duration) -> Result<[bool; 2], Errno> {
    let mut fds = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(fds.map(|fd| fd.any().unwrap_or(false))),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames that come every millisecond would keep a core busy: it is, for 100 ms of each second.
    #[test]
    fn a_tenth_of_the_time_is_the_most() {
        let mut budget = Budget::default();
        assert!(
            !budget.goes_on(Duration::ZERO, Duration::ZERO),
            "nothing came yet"
        );
        let (mut spent, mut at) = (Duration::ZERO, Duration::ZERO);
        let step = Duration::from_micros(10);
        while at < 3 * WINDOW {
            budget.hit(at);
            let since = at;
            let next = at + Duration::from_millis(1);
            while at < next && budget.goes_on(since, at) {
                at += step;
                spent += step;
            }
            budget.over(since, at);
            at = next;
        }
        let most = 3 * (SPENT_MAX + step);
        assert!(spent <= most && spent >= 2 * SPENT_MAX, "{spent:?}");
    }

    /// One frame: 2 ms, and then its thread sleeps.
    #[test]
    fn a_lone_frame_is_waited_after_for_two_milliseconds() {
        let at = Duration::from_millis;
        let mut budget = Budget::default();
        budget.hit(at(40));
        assert!(budget.goes_on(at(40), at(40)) && budget.goes_on(at(40), at(41)));
        assert!(!budget.goes_on(at(40), at(42)));
    }
}
