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
    /// Until when asking goes on.
    until: Option<Instant>,
    /// The window that runs, and what was spent in it.
    window: Instant,
    spent: Duration,
}

impl Spin {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            until: None,
            window: now,
            spent: Duration::ZERO,
        }
    }

    /// A frame came, or is to come soon.
    pub(crate) fn hit(&mut self, now: Instant) {
        self.until = Some(now + AFTER);
    }

    /// Waits until one of `fds` is readable, or `timeout` is up; says which are.
    pub(crate) fn wait(
        &mut self,
        fds: [BorrowedFd<'_>; 2],
        timeout: Duration,
    ) -> Result<[bool; 2], Errno> {
        let since = Instant::now();
        let mut now = since;
        while self.goes_on(since, now) {
            let ready = look(fds, Duration::ZERO);
            now = Instant::now();
            if ready != Ok([false, false]) {
                self.over(since, now);
                return ready;
            }
        }
        self.over(since, now);
        look(fds, timeout)
    }

    /// Whether asking goes on at `now`, having begun at `since`.
    fn goes_on(&mut self, since: Instant, now: Instant) -> bool {
        if now.duration_since(self.window) >= WINDOW {
            (self.window, self.spent) = (now, Duration::ZERO);
        }
        let spent = self.spent + now.duration_since(since);
        self.until.is_some_and(|until| now < until) && spent < SPENT_MAX
    }

    /// Counts what was spent from `since` to `now`.
    fn over(&mut self, since: Instant, now: Instant) {
        self.spent += now.duration_since(since);
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
        let begin = Instant::now();
        let mut spin = Spin::new(begin);
        assert!(!spin.goes_on(begin, begin), "nothing came yet");
        let mut spent = Duration::ZERO;
        let step = Duration::from_micros(10);
        let mut now = begin;
        while now < begin + 3 * WINDOW {
            spin.hit(now);
            let since = now;
            let next = now + Duration::from_millis(1);
            while now < next && spin.goes_on(since, now) {
                now += step;
                spent += step;
            }
            spin.over(since, now);
            now = next;
        }
        let most = 3 * (SPENT_MAX + step);
        assert!(spent <= most && spent >= 2 * SPENT_MAX, "{spent:?}");
    }

    /// One frame: 2 ms, and then its thread sleeps.
    #[test]
    fn a_lone_frame_is_waited_after_for_two_milliseconds() {
        let begin = Instant::now();
        let mut spin = Spin::new(begin);
        spin.hit(begin);
        let at = |ms| begin + Duration::from_millis(ms);
        assert!(spin.goes_on(begin, at(0)) && spin.goes_on(begin, at(1)));
        assert!(!spin.goes_on(begin, at(2)));
    }
}
