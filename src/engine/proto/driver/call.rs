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
        self.note_told(before, call);
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
        let before = call.out.len();
        let mut out = call.outlet();
        let is_done = guarded(|| parser.finish(&mut out)).is_some();
        self.note_told(before, call);
        if !is_done {
            self.fault("parser_panic", call);
        }
    }

    /// Notes whether there is a record among what was told since there were `before`.
    fn note_told(&mut self, before: usize, call: &Call<'_>) {
        let mut new = call.out.iter().skip(before);
        self.told = self.told || new.any(|o| matches!(o.body, Body::Record(_)));
    }

    /// The parser has a bug, and nothing it holds can be relied on: the flow goes on without it.
    #[cold]
    pub(super) fn fault(&mut self, name: &'static str, call: &mut Call<'_>) {
        call.health.count(self.kind, None);
        let source = self.kind.map_or("proto", Kind::name);
        Out::new(call.flow, call.ts, call.out).weird(name, None, source);
        self.drop_parser();
    }

    /// The parser says this is not its protocol. What it has gathered is told all the same, and nothing after it; the
    /// name stays if there is a record.
    pub(super) fn broken(&mut self, name: &'static str, call: &mut Call<'_>) {
        let source = self.kind.map_or("proto", Kind::name);
        self.finish(call);
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

#[cfg(test)]
mod tests {
    use super::super::Talk;
    use crate::proto::testing::lines;
    use crate::proto::{Dir, Kind};

    /// Both sides of SSH have said who they are, then comes what is no packet.
    #[test]
    fn what_a_broken_parser_has_gathered_is_told_once() {
        let mut talk = Talk::new(Kind::Ssh, false);
        talk.hear(Dir::Resp, 0, b"SSH-2.0-OpenSSH_9.2\r\n");
        talk.hear(Dir::Orig, 0, b"SSH-2.0-PuTTY_0.78\r\n");
        let _clues = talk.told();
        talk.hear(Dir::Orig, 0, &[0xff; 64]);
        let told = lines(&talk.told());
        let [record, weird] = &told[..] else {
            panic!("{told:?}")
        };
        assert!(record.starts_with("ssh "), "{record}");
        assert!(record.contains("PuTTY_0.78") && record.contains("OpenSSH_9.2"));
        assert!(weird.contains("ssh_packet_too_long"), "{weird}");
        // Whose record there is has a name, and nobody speaks any more.
        assert_eq!(talk.kind(), Some(Kind::Ssh));
        for dir in [Dir::Orig, Dir::Resp] {
            talk.hear(dir, 0, b"SSH-2.0-x\r\n");
        }
        talk.finish();
        assert!(talk.told().is_empty());
    }

    /// What has gathered nothing is not of the protocol, and says nothing but that.
    #[test]
    fn a_parser_that_is_none_tells_nothing() {
        let mut talk = Talk::new(Kind::Syslog, true);
        talk.hear(Dir::Orig, 0, b"nothing of the kind");
        let told = lines(&talk.told());
        assert_eq!((told.len(), talk.kind()), (1, None));
        assert!(told[0].contains("syslog_no_priority"), "{told:?}");
    }
}
