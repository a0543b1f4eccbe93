//! What a parser keeps: weighed before it can have outgrown its bound.
//!
//! Bounds: [`PARSER_BYTES_MAX`] for each flow. A parser at the bound tells what is still open and begins anew
//!         with nothing in mind, which is told as `weird: parser_state_full`. Its own tables are smaller: this
//!         holds what all of them come to together.
//! Cost:   a look for each 2 KiB used, more often the nearer the bound is.

use super::super::{Out, PARSER_BYTES_MAX, Parse, Parser};
use super::{Call, Mouth};

/// Bytes that a parser keeps for each byte it uses, at the most: small messages with a record of their own.
const GROWTH_MAX: usize = 32;
/// Most bytes a parser points to.
const HEAP_BYTES_MAX: usize = PARSER_BYTES_MAX - Parser::BYTES_MAX;

impl Mouth {
    /// Counts what was used; looks at the parser when it is time to.
    pub(super) fn weigh(&mut self, answer: &Parse, len: usize, call: &mut Call<'_>) {
        let used = match *answer {
            Parse::Parsed { used } | Parse::NeedMore { used, .. } => used,
            Parse::SkipBytes { .. } => len,
            Parse::Skip | Parse::Broken(_) => return,
        };
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        self.unweighed = self.unweighed.saturating_sub(used);
        if self.unweighed == 0 {
            self.look(call);
        }
    }

    fn look(&mut self, call: &mut Call<'_>) {
        let Some(parser) = &self.parser else {
            return;
        };
        let mut heap = parser.heap();
        if heap > HEAP_BYTES_MAX {
            self.begin_anew(call);
            heap = 0;
        }
        self.heap = u32::try_from(heap).unwrap_or(u32::MAX);
        let left = HEAP_BYTES_MAX.saturating_sub(heap) / GROWTH_MAX;
        self.unweighed = u32::try_from(left).unwrap_or(u32::MAX);
    }

    /// Lets go of what the parser keeps. The stream goes on at the same byte.
    #[cold]
    fn begin_anew(&mut self, call: &mut Call<'_>) {
        self.finish(call);
        let Some((parser, kind)) = self.parser.as_mut().zip(self.kind) else {
            return;
        };
        *parser = kind.parser();
        Out::new(call.flow, call.ts, call.out).weird("parser_state_full", None, kind.name());
    }

    /// Bytes that wait for the parser, and those it points to.
    pub(super) fn held(&self) -> usize {
        let kept = self.parser.as_ref().map_or(0, |_| self.heap);
        usize::try_from(kept)
            .unwrap_or(usize::MAX)
            .saturating_add(self.orig.buffer.len())
            .saturating_add(self.resp.buffer.len())
    }
}
