//! How the parsers fare: what each answered, and whether it failed.
//!
//! Output: counters by protocol for `stats.json` and `tapir show protocols`. They depend on the packets alone.
//! Panics: a parser that panics has a bug. It loses its flow and nothing else: the packet stays, the other
//!         flows and parsers go on, and the fault is counted and told as `weird: parser_panic`.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Kind, Parse};

/// Answers of one protocol's parsers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParserHealth {
    /// Pieces taken.
    pub parsed: u64,
    /// Pieces that were too short by themselves.
    pub need_more: u64,
    /// Times a parser had no use for what follows: a body, or the rest of the flow.
    pub skipped: u64,
    /// Flows that were not what they seemed, or broke.
    pub broken: u64,
    /// Flows lost to a fault of the parser.
    pub panicked: u64,
}

/// Those of all protocols.
#[derive(Clone, Debug)]
pub struct ParsersHealth([ParserHealth; Kind::ALL.len()]);

impl Default for ParsersHealth {
    fn default() -> Self {
        Self([ParserHealth::default(); Kind::ALL.len()])
    }
}

impl ParsersHealth {
    /// Counts an answer; `None` stands for a panic.
    #[inline]
    pub(super) fn count(&mut self, kind: Option<Kind>, answer: Option<&Parse>) {
        let Some(health) = kind.and_then(|kind| self.0.get_mut(usize::from(kind as u8))) else {
            return;
        };
        let count = match answer {
            Some(Parse::Parsed { .. }) => &mut health.parsed,
            Some(Parse::NeedMore { .. }) => &mut health.need_more,
            Some(Parse::SkipBytes { .. } | Parse::Skip) => &mut health.skipped,
            Some(Parse::Broken(_)) => &mut health.broken,
            None => &mut health.panicked,
        };
        *count = count.saturating_add(1);
    }

    /// All protocols in list order.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, ParserHealth)> + '_ {
        Kind::ALL.iter().copied().zip(self.0)
    }
}

thread_local! {
    /// Whether this thread is inside a call of a parser.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread now would be a parser's, which ends at the guard and is counted.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// What `call`, one call of a parser, answers; `None` if it panicked. The parser must not be used after that.
#[inline]
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    GUARDED.set(true);
    let answer = catch_unwind(AssertUnwindSafe(call)).ok();
    GUARDED.set(false);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_at_the_guard() {
        assert_eq!(guarded(is_guarded), Some(true));
        let empty: &[u8] = &[];
        assert_eq!(guarded(|| empty[std::hint::black_box(3)]), None);
        assert!(!is_guarded());
    }

    #[test]
    fn each_answer_is_counted_with_its_protocol() {
        let mut health = ParsersHealth::default();
        let answers = [
            Some(Parse::Parsed { used: 1 }),
            Some(Parse::NeedMore { used: 0, need: 1 }),
            Some(Parse::SkipBytes { bytes: 9 }),
            Some(Parse::Skip),
            Some(Parse::Broken("x")),
            None,
        ];
        for answer in &answers {
            health.count(Some(Kind::Tls), answer.as_ref());
        }
        health.count(None, None);
        let told: Vec<_> = health
            .iter()
            .filter(|(_, health)| *health != ParserHealth::default())
            .collect();
        let tls = ParserHealth {
            parsed: 1,
            need_more: 1,
            skipped: 2,
            broken: 1,
            panicked: 1,
        };
        assert_eq!(told, [(Kind::Tls, tls)]);
    }
}
