//! How much of a core the machine gives: the same work, timed again and again between the runs.
//!
//! A virtual core may share its hardware with others, who come and go; then the same work takes longer, by wall and by CPU time
//! alike, and no figure of the run says so.

use std::hint::black_box;
use std::time::Instant;

use crate::report::median;

/// Rounds of the work: some 20 ms of a core that is its own.
const ROUNDS: u64 = 16_000_000;
/// Multiplications of a round that do not wait for each other: more than one core can begin at once.
const CHAINS: usize = 4;

/// See the module.
#[derive(Default)]
pub(crate) struct Yardstick {
    millis: Vec<f64>,
}

impl Yardstick {
    /// Does the work once more.
    pub(crate) fn lay(&mut self) {
        let begun = Instant::now();
        let mut chains = black_box([1_u64; CHAINS]);
        for round in 0..ROUNDS {
            for chain in &mut chains {
                *chain = chain
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .wrapping_add(round);
            }
        }
        black_box(chains);
        self.millis.push(begun.elapsed().as_secs_f64() * 1e3);
    }

    /// What it took, in words.
    pub(crate) fn text(&self) -> String {
        let all = || self.millis.iter().copied();
        format!(
            "The same loop of multiplications, {} times between the runs, took {:.0} to {:.0} ms, {:.0} in the median: as much as \
             that the core itself swings.",
            self.millis.len(),
            all().fold(f64::INFINITY, f64::min),
            all().fold(0.0, f64::max),
            median(all()),
        )
    }
}
