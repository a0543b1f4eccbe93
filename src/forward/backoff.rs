//! How long to pause after a failure: twice as long each time, never exactly as long as the others.

use std::time::Duration;

/// The pauses of one output.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) const fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            next: first,
        }
    }

    /// The next pause: between half of the step and all of it, so that many sensors do not come back to
    /// one receiver at the same moment.
    pub(super) fn pause(&mut self) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.max);
        let mut luck = [0; 2];
        // Without randomness the pause is whole; that is no reason to fail.
        if getrandom::fill(&mut luck).is_err() {
            return step;
        }
        step / 2 + (step / 2).mul_f64(f64::from(u16::from_le_bytes(luck)) / 65_536.0)
    }

    /// It went well.
    pub(super) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(60));
        for step in [1, 2, 4, 8, 16, 32, 60, 60] {
            let pause = backoff.pause();
            assert!(
                pause >= seconds(step) / 2 && pause <= seconds(step),
                "{pause:?}"
            );
        }
        backoff.reset();
        assert!(backoff.pause() <= seconds(1));
    }
}
