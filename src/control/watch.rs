//! Those who watch: each has a queue of its own, and a slow one misses lines instead of holding others.
//!
//! Bounds: [`LINES_MAX`] events a watcher; beyond that the newest is left out and counted, and the
//!         watcher is told how many.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::Event;

/// Events that wait for one watcher.
const LINES_MAX: usize = 1_024;

/// All watchers.
#[derive(Debug, Default)]
pub struct Watchers {
    all: Mutex<Vec<Weak<Shared>>>,
}

/// What the publisher and one watcher share.
#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Arc<Event>>,
    missed: u64,
    closed: bool,
}

impl Watchers {
    /// Nobody watches yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives an event to everybody who watches; never waits for one of them.
    pub fn publish(&self, event: Event) {
        let event = Arc::new(event);
        held(&self.all).retain(|watcher| {
            let Some(shared) = watcher.upgrade() else {
                return false;
            };
            let mut queue = held(&shared.queue);
            if queue.events.len() < LINES_MAX && queue.missed == 0 {
                queue.events.push_back(Arc::clone(&event));
            } else {
                queue.missed = queue.missed.saturating_add(1);
            }
            drop(queue);
            shared.filled.notify_one();
            true
        });
    }

    /// Begins to watch: what happens from here on.
    #[must_use]
    pub fn subscribe(&self) -> Watch {
        let shared = Arc::new(Shared::default());
        let mut all = held(&self.all);
        all.retain(|watcher| watcher.strong_count() > 0);
        all.push(Arc::downgrade(&shared));
        Watch(shared)
    }

    /// Ends every watch.
    pub fn close(&self) {
        for shared in held(&self.all).drain(..).filter_map(|w| w.upgrade()) {
            held(&shared.queue).closed = true;
            shared.filled.notify_all();
        }
    }
}

/// One who watches.
#[derive(Debug)]
pub struct Watch(Arc<Shared>);

/// What a watcher hears next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Something happened.
    Event(Arc<Event>),
    /// So many lines were left out here.
    Missed(u64),
    /// Nothing happened in that time.
    Quiet,
    /// The daemon ends.
    Closed,
}

impl Watch {
    /// Waits for the next event, at most so long.
    #[must_use]
    pub fn next(&self, at_most: Duration) -> Next {
        let empty =
            |queue: &mut Queue| queue.events.is_empty() && queue.missed == 0 && !queue.closed;
        let waited = self
            .0
            .filled
            .wait_timeout_while(held(&self.0.queue), at_most, empty);
        let (mut queue, _timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(event) = queue.events.pop_front() {
            return Next::Event(event);
        }
        match std::mem::take(&mut queue.missed) {
            0 if queue.closed => Next::Closed,
            0 => Next::Quiet,
            missed => Next::Missed(missed),
        }
    }
}

/// A lock; what it guards is whole after every statement, so a panic elsewhere does not spoil it.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: usize) -> Event {
        Event::Command {
            who: "root".to_owned(),
            text: n.to_string(),
        }
    }

    #[test]
    fn a_slow_watcher_is_told_what_it_missed_and_where() {
        let watchers = Watchers::new();
        let slow = watchers.subscribe();
        let gone = watchers.subscribe();
        drop(gone);
        for n in 0..LINES_MAX + 5 {
            watchers.publish(event(n));
        }
        assert_eq!(watchers.all.lock().unwrap().len(), 1);
        for n in 0..LINES_MAX {
            assert_eq!(slow.next(Duration::ZERO), Next::Event(Arc::new(event(n))));
        }
        assert_eq!(slow.next(Duration::ZERO), Next::Missed(5));
        assert_eq!(slow.next(Duration::ZERO), Next::Quiet);
        watchers.publish(event(9));
        watchers.close();
        assert_eq!(slow.next(Duration::ZERO), Next::Event(Arc::new(event(9))));
        assert_eq!(slow.next(Duration::ZERO), Next::Closed);
    }
}
