//! How much of a core, and of its caches, the machine gives: the same work, timed again and again between the runs.
//!
//! A virtual core may share its hardware with others, who come and go; then the same work takes longer, by wall and by CPU time
//! alike, and no figure of the run says so.

use std::hint::black_box;
use std::time::Instant;

use crate::report::median;

/// Rounds of the loop: some 20 ms of a core that is its own.
const ROUNDS: u64 = 16_000_000;
/// Multiplications of a round that do not wait for each other: more than one core can begin at once.
const CHAINS: usize = 4;
/// Cache lines of the walk: 4 MiB, more than a core's own caches hold and less than a processor's.
const LINES: usize = 1 << 16;
/// Words of a line.
const WORDS: usize = 8;
/// Steps of the walk, each to a line that only the one before tells.
const STEPS: u32 = 200_000;

/// See the module.
pub(crate) struct Yardstick {
    lines: Vec<usize>,
    loop_ms: Vec<f64>,
    step_ns: Vec<f64>,
}

impl Yardstick {
    pub(crate) fn new() -> Self {
        let mut lines = vec![0; LINES * WORDS];
        // A generator of full period (Hull and Dobell 1962): the walk comes to every line.
        for line in 0..LINES {
            lines[line * WORDS] = (line.wrapping_mul(25_173).wrapping_add(13_849) % LINES) * WORDS;
        }
        Self {
            lines,
            loop_ms: Vec::new(),
            step_ns: Vec::new(),
        }
    }

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
        self.loop_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        let begun = Instant::now();
        let mut at = 0;
        for _ in 0..STEPS {
            at = self.lines[at];
        }
        black_box(at);
        self.step_ns
            .push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(STEPS));
    }

    /// What it took, in words.
    pub(crate) fn text(&self) -> String {
        let range = |all: &[f64], unit: &str| {
            let lowest = all.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = all.iter().copied().fold(0.0, f64::max);
            let usual = median(all.iter().copied());
            format!("{lowest:.0} to {highest:.0} {unit} ({usual:.0} in the median)")
        };
        format!(
            "Between the runs, {} times: the same loop of multiplications took {}; a step to another line of 4 MiB {}.",
            self.loop_ms.len(),
            range(&self.loop_ms, "ms"),
            range(&self.step_ns, "ns"),
        )
    }
}
