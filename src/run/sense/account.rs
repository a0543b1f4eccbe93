//! What `sense` holds in memory, told with its health.
//!
//! Bounds: rooms are asked every [`EVERY`], as some look at every device or flow they hold.

use std::time::{Duration, Instant};

use tapir_engine::types::Held;
use tapir_message::Memory;

use super::queue::Published;
use crate::run::memory::{Resident, account};

/// Time between two looks.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Account {
    start: Resident,
    before: Vec<Held>,
    at: Option<Instant>,
}

impl Account {
    /// An account that begins now, with what is held `before` the first frame.
    pub(super) fn new(before: Vec<Held>) -> Self {
        Self {
            start: Resident::now(),
            before,
            at: None,
        }
    }

    /// The account of now, if it is time and every queue has told of its rooms; `rooms` gives the others.
    pub(super) fn due(
        &mut self,
        published: &[Published],
        rooms: impl FnOnce() -> Vec<Held>,
    ) -> Option<Memory> {
        let told = published.iter().all(|one| !one.tracker.held.is_empty());
        if !told || self.at.is_some_and(|at| at.elapsed() < EVERY) {
            return None;
        }
        self.at = Some(Instant::now());
        let mut held = rooms();
        held.extend(published.iter().flat_map(|one| &one.tracker.held));
        let before = (self.start, self.before.as_slice());
        // The kernel's ring is mapped, and counts as a file.
        Some(account(
            "program and rings",
            before,
            (Resident::now(), &held),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One queue with a room of `bytes`; nothing told yet if there are none.
    fn queue(bytes: usize) -> Published {
        let mut published = Published::default();
        if bytes > 0 {
            let room = Held::new("flow slots", bytes, 1_000);
            published.tracker.held = vec![room];
        }
        published
    }

    #[test]
    fn it_waits_for_every_queue_and_adds_up_their_rooms() {
        let devices = || vec![Held::new("devices", 50, 400)];
        let mut account = Account::new(devices());
        assert!(account.due(&[queue(7), queue(0)], devices).is_none());
        let memory = account.due(&[queue(7), queue(11)], devices);
        let memory = memory.expect("every queue has told");
        let room = |what: &str| {
            let room = memory.rooms.iter().find(|room| room.what == what);
            room.map(|room| (room.bytes, room.bound_bytes))
        };
        assert_eq!(room("flow slots"), Some((18, Some(2_000))));
        assert_eq!(room("devices"), Some((50, Some(400))));
        let sum: u64 = memory.rooms.iter().map(|room| room.bytes).sum();
        assert_eq!(memory.counted_bytes, sum);
        assert!(memory.rss_bytes > 0);
        // Not again before its time.
        assert!(account.due(&[queue(7), queue(11)], devices).is_none());
    }
}
