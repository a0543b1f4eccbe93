//! The journal as the forwarding room reads it: what comes after, and a way to wait for it.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tapir_message::{Decision, Numbered};

use super::board::Board;
use super::held;
use crate::forward;
use crate::store::journal::Journal;

/// See the module.
#[derive(Debug)]
pub(super) struct Feed {
    journal: Arc<Mutex<Journal>>,
    board: Arc<Mutex<Board>>,
    last: Mutex<u64>,
    grown: Condvar,
}

impl Feed {
    pub(super) fn new(journal: Arc<Mutex<Journal>>, board: Arc<Mutex<Board>>) -> Self {
        let last = held(&journal).last_seq();
        Self {
            journal,
            board,
            last: Mutex::new(last),
            grown: Condvar::new(),
        }
    }

    /// Wakes those who wait; called after something was journalled.
    pub(super) fn appended(&self) {
        let seq = held(&self.journal).last_seq();
        *held(&self.last) = seq;
        self.grown.notify_all();
    }
}

impl forward::Feed for Feed {
    fn last(&self) -> u64 {
        *held(&self.last)
    }

    fn after(&self, seq: u64, max: usize) -> Result<Vec<(u64, Numbered)>, String> {
        held(&self.journal)
            .read_after(seq, max)
            .map_err(|error| error.to_string())
    }

    fn decision(&self, id: &str) -> Option<Decision> {
        held(&self.board).decision(id).cloned()
    }

    fn wait(&self, seq: u64, timeout: Duration) {
        let last = held(&self.last);
        let _either_way = self
            .grown
            .wait_timeout_while(last, timeout, |last| *last <= seq);
    }
}
