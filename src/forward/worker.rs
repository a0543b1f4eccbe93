//! The loop of one output: connect, send what is missing, watch, and begin again when it breaks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tapir_message::{Decision, Notice, Numbered};

use super::backoff::Backoff;
use super::cursor::{Cursor, CursorFile, Found};
use super::format::cef;
use super::window::Window;
use super::{Feed, LineOf, Output, OutputState, Shared, Timing};

/// Notices of one batch: one flush of the cursor each.
const BATCH: usize = 64;
/// How often an idle connection is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A receiver that takes nothing for this long is called slow.
const SLOW: Duration = Duration::from_secs(2);
/// Decisions remembered for the responses that follow them.
const DECISIONS: usize = 256;

/// What stops a batch.
enum Trouble {
    /// The receiver or the way to it.
    Connection(String),
    /// The feed or the cursor.
    Disk(String),
}

/// One output with all that belongs to it.
pub(super) struct Worker {
    output: Box<dyn Output>,
    feed: Arc<dyn Feed>,
    cursor: CursorFile,
    shared: Arc<Shared>,
    timing: Timing,
    started: Instant,
    window: Window,
    /// Everything up to here was sent on this connection, or goes out no more.
    at: u64,
    decisions: VecDeque<Decision>,
}

impl Worker {
    pub(super) fn new(
        output: Box<dyn Output>,
        feed: Arc<dyn Feed>,
        cursor: CursorFile,
        shared: Arc<Shared>,
        timing: Timing,
    ) -> Self {
        let now = cursor.position();
        shared.update(|health| {
            health.target = output.target();
            health.lost = now.lost;
            health.done = now.done;
        });
        Self {
            output,
            feed,
            cursor,
            shared,
            timing,
            started: Instant::now(),
            window: Window::new(timing.resend, now.done),
            at: now.done,
            decisions: VecDeque::new(),
        }
    }

    /// Runs until it is stopped.
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::new(self.timing.retry_first, self.timing.retry_max);
        while let Err(reason) = self.begin() {
            if self.shared.is_stopped() {
                return;
            }
            self.degraded(&reason);
            self.wait(backoff.pause());
        }
        while !self.shared.is_stopped() {
            let ended = self.connection(&mut backoff);
            self.output.close(ended.is_ok());
            self.at = self.window.restart();
            let Err(reason) = ended else { continue };
            if !self.shared.is_stopped() {
                self.degraded(&reason);
                self.wait(backoff.pause());
            }
        }
    }

    /// A new output begins with the oldest notice there is: nothing before it is lost to it. One whose
    /// cursor was damaged may have sent everything.
    fn begin(&mut self) -> Result<(), String> {
        let mut next = self.cursor.position();
        match self.cursor.found() {
            Found::Whole => return Ok(()),
            Found::Nothing => {
                let oldest = self.feed.after(0, 1)?;
                let before = oldest
                    .first()
                    .map_or_else(|| self.feed.last(), |(seq, _)| seq.saturating_sub(1));
                next.done = before;
                next.high = before;
            }
            Found::Damaged => next.high = self.feed.last(),
        }
        self.cursor.store(next).map_err(|error| error.to_string())?;
        self.window = Window::new(self.timing.resend, next.done);
        self.at = next.done;
        self.shared.update(|health| health.done = next.done);
        Ok(())
    }

    /// Pauses, and keeps the figures true meanwhile.
    fn wait(&self, pause: Duration) {
        let mut rest = pause;
        while !self.shared.is_stopped() {
            self.queue();
            let step = rest.min(Duration::from_secs(1));
            if step.is_zero() {
                return;
            }
            self.shared.pause(step);
            rest -= step;
        }
    }

    /// One connection, from its beginning to its end.
    fn connection(&mut self, backoff: &mut Backoff) -> Result<(), String> {
        self.output.connect()?;
        self.shared.update(|health| health.connections += 1);
        let since = Instant::now();
        while !self.shared.is_stopped() {
            self.output.check()?;
            // A connection that is made and broken at once must not bring the pauses back to the first.
            if since.elapsed() >= self.timing.stall / 2 {
                backoff.reset();
            }
            match self.step() {
                Ok(()) => {}
                Err(Trouble::Connection(reason)) => return Err(reason),
                // The connection is good: ending it would only send its last lines again.
                Err(Trouble::Disk(reason)) => {
                    self.degraded(&reason);
                    self.wait(self.timing.retry_first);
                }
            }
        }
        Ok(())
    }

    /// Sends one batch, or waits for one.
    fn step(&mut self) -> Result<(), Trouble> {
        let batch = self.feed.after(self.at, BATCH).map_err(Trouble::Disk)?;
        if batch.is_empty() {
            self.settle()?;
            self.up();
            self.feed.wait(self.at, LOOK);
            return Ok(());
        }
        self.send(&batch)
    }

    /// Sends a batch, after what may be sent is on disk.
    fn send(&mut self, batch: &[(u64, Numbered)]) -> Result<(), Trouble> {
        let before = self.cursor.position();
        let mut next = before;
        let mut bytes = Vec::new();
        let (mut repeated, mut at) = (0, self.at);
        for (seq, notice) in batch {
            // A hole was lost unless it lies where everything was sent before.
            let expected = (at + 1).max(next.high + 1);
            next.lost += seq.saturating_sub(expected);
            let repeat = *seq <= before.high;
            repeated += u64::from(repeat);
            self.remember(notice);
            self.encode(notice, *seq, repeat, &mut bytes);
            at = *seq;
            next.high = next.high.max(at);
        }
        next.done = self.window.done(self.started.elapsed()).max(before.done);
        self.store(next)?;
        self.shared.update(|health| {
            health.lost = next.lost;
            health.done = next.done;
        });
        self.write(&bytes).map_err(Trouble::Connection)?;
        self.window.sent(self.started.elapsed(), at);
        self.at = at;
        self.shared.update(|health| {
            health.sent += batch.len() as u64;
            health.repeated += repeated;
        });
        self.up();
        Ok(())
    }

    /// Writes all bytes; gives up when nothing is taken for too long.
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        let mut progress = Instant::now();
        while !bytes.is_empty() {
            if self.shared.is_stopped() {
                return Err("stopped in the middle of a line".to_owned());
            }
            let count = self.output.write(bytes)?;
            if count > 0 {
                bytes = bytes.get(count..).unwrap_or_default();
                progress = Instant::now();
                continue;
            }
            self.output.check()?;
            let still = progress.elapsed();
            if still >= self.timing.stall {
                let seconds = still.as_secs();
                return Err(format!(
                    "the receiver has taken nothing for {seconds} s; it is connected to anew"
                ));
            }
            if still >= SLOW.min(self.timing.stall / 2) {
                self.degraded("the receiver takes nothing at the moment; lines wait on disk");
                self.queue();
            }
        }
        Ok(())
    }

    fn encode(&self, notice: &Numbered, seq: u64, repeat: bool, out: &mut Vec<u8>) {
        let wanted = match &notice.notice {
            Notice::Response(response) => response.decision.as_str(),
            _ => "",
        };
        let kept = self.decisions.iter().find(|it| it.id == wanted);
        let asked = match kept {
            None if !wanted.is_empty() => self.feed.decision(wanted),
            _ => None,
        };
        let line = LineOf {
            seq,
            repeat,
            decision: kept.or(asked.as_ref()),
        };
        self.output.encode(notice, &line, out);
    }

    fn remember(&mut self, notice: &Numbered) {
        if let Notice::Decision(decision) = &notice.notice {
            if self.decisions.len() >= DECISIONS {
                self.decisions.pop_front();
            }
            self.decisions.push_back((**decision).clone());
        }
    }

    /// Lines that are old enough on a connection that stands will not be sent again, over a restart too.
    fn settle(&mut self) -> Result<(), Trouble> {
        let mut next = self.cursor.position();
        next.done = self.window.done(self.started.elapsed()).max(next.done);
        self.store(next)?;
        self.shared.update(|health| health.done = next.done);
        Ok(())
    }

    fn store(&mut self, next: Cursor) -> Result<(), Trouble> {
        let stored = self.cursor.store(next);
        stored.map_err(|error| Trouble::Disk(error.to_string()))
    }

    fn up(&self) {
        let depth = self.feed.last().saturating_sub(self.at);
        self.shared.update(|health| {
            health.state = OutputState::Up;
            health.reason.clear();
            health.depth = depth;
            if depth == 0 {
                health.oldest_unsent = None;
            }
        });
    }

    fn degraded(&self, reason: &str) {
        let mut changed = false;
        self.shared.update(|health| {
            changed = health.reason != reason;
            health.state = OutputState::Degraded;
            health.reason = reason.to_owned();
        });
        if changed {
            let name = self.shared.health().name;
            tracing::warn!(output = name, reason, "Forwarding is degraded.");
        }
    }

    /// What waits, for the operator.
    fn queue(&self) {
        let from = self.cursor.position().high.max(self.at);
        let depth = self.feed.last().saturating_sub(from);
        let oldest = self.feed.after(from, 1).unwrap_or_default();
        let oldest = oldest.first().map(|(_, notice)| cef::time(&notice.notice));
        self.shared.update(|health| {
            health.depth = depth;
            health.oldest_unsent = oldest;
        });
    }
}
