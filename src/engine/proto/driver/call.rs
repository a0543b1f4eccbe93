//! One call of a parser, and what becomes of one that fails.

use super::super::health::guarded;
use super::super::{Input, Kind, Out, Parse, ParsersHealth};
use super::{Mouth, Reading, State};
use crate::types::{Body, FlowRef, Observations, Timestamp};

/// What a parser call needs.
pub(super) struct Call<'a> {
    pub(super) flow: &'a FlowRef,
    pub(super) ts: Timestamp,
    pub(super) out: &'a mut Observations,
    pub(super) health: &'a mut ParsersHealth,
    pub(super) reading: Reading,
}

impl Call<'_> {
    /// Where a parser puts what it finds.
    fn outlet(&mut self) -> Out<'_> {
        Out::new(self.flow, self.ts, self.out).reading(self.reading)
    }
}

impl Mouth {
    /// One call of the parser.
    pub(super) fn call(&mut self, input: Input<'_>, call: &mut Call<'_>) -> Parse {
        let Some(parser) = &mut self.parser else {
            return Parse::Skip;
        };
        let before = call.out.len();
        let mut out = call.outlet();
        let answer = guarded(|| parser.parse(input, &mut out));
        let new = call.out.iter().skip(before);
        self.told = self.told || new.into_iter().any(|o| matches!(o.body, Body::Record(_)));
        let Some(answer) = answer else {
            self.fault("parser_panic", call);
            return Parse::Skip;
        };
        call.health.count(self.kind, Some(&answer));
        self.weigh(&answer, input.data.len(), call);
        answer
    }

    /// Lets the parser tell what is still open.
    pub(super) fn finish(&mut self, call: &mut Call<'_>) {
        let Some(parser) = &mut self.parser else {
            return;
        };
        let mut out = call.outlet();
        if guarded(|| parser.finish(&mut out)).is_none() {
            self.fault("parser_panic", call);
        }
    }

    /// The parser has a bug, and nothing it holds can be relied on: the flow goes on without it.
    #[cold]
    pub(super) fn fault(&mut self, name: &'static str, call: &mut Call<'_>) {
        call.health.count(self.kind, None);
        let source = self.kind.map_or("proto", Kind::name);
        Out::new(call.flow, call.ts, call.out).weird(name, None, source);
        self.drop_parser();
    }

    /// The parser says this is not its protocol. The name stays if it has told a record already.
    pub(super) fn broken(&mut self, name: &'static str, call: &mut Call<'_>) {
        let source = self.kind.map_or("proto", Kind::name);
        Out::new(call.flow, call.ts, call.out).weird(name, None, source);
        self.drop_parser();
        if !self.told {
            self.kind = None;
        }
    }

    pub(super) fn drop_parser(&mut self) {
        (self.parser, self.state) = (None, State::Done);
    }
}
