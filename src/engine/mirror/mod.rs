//! Does the mirror port show what it should? Counted by the hour, graded A to F, with the likely fix.
//!
//! Input:  censuses of the trackers, flows that ended, addresses that spoke ARP, in order of time.
//! Output: a grade with at most three causes; rows `loss` and `mirror` at the end of each hour.
//! Bounds: 256 VLANs, 4,096 hosts that spoke ARP, seven slots of ten minutes, 26 hours of losses.
//! Not done: nothing is kept over a restart: the first hour after it is judged by itself. Our own resets,
//!         where the mirror shows them, are taken out by the capture's kernel filter and not counted.

mod causes;
mod grade;
mod hosts;
mod rows;
mod vlans;
mod watch;

pub use grade::{grade, with_ring};
pub use rows::{Loss, Row};
pub use watch::{Ended, MirrorWatch};

/// `part` of `whole`; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
