//! The daemon on a real port: namespaces, a learning switch with a true mirror port, real programs.
//!
//! Needs root; says SKIPPED by name where that is not to be had.

mod acts;
mod away;
mod cut;
mod daemon;
mod devices;
mod full;
mod killed;
mod ports;
mod quiet;
mod rates;
mod replay;
mod siem;
mod stall;
mod stopped;
mod traffic;
mod wires;
mod withheld;
mod wrong;

use std::time::Duration;

/// Asks until the answer is there; what it waits for is an event elsewhere, so there is nothing to be
/// woken by. Gives up, and fails, after half a minute.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    const ASKED_MAX: u32 = 1_500;
    for _ in 0..ASKED_MAX {
        if let Some(answer) = ask() {
            return answer;
        }
        // Yields the processor to those waited for.
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("never: {what}");
}
