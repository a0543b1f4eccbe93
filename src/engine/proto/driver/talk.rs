//! A parser by itself, led as the tracker leads it: for those who give it something of their own.

use std::net::IpAddr;

use super::{Call, Mouth, Reading};
use crate::proto::{Dir, Kind, Parser, ParsersHealth, Port};
use crate::types::{Endpoint, FlowRef, Observations, Seed, Timestamp};

/// What one piece takes of time.
const STEP_NS: i64 = 1_000_000;

const READING: Reading = Reading {
    files: true,
    key: Seed(0),
};

/// A flow of one protocol, without packets around it.
#[derive(Debug)]
pub struct Talk {
    mouth: Mouth,
    datagrams: bool,
    flow: FlowRef,
    now: Timestamp,
    out: Observations,
    health: ParsersHealth,
}

impl Talk {
    /// A flow from 10.0.0.1 to 10.0.0.2, on the protocol's first port; of one without ports, which neighbours
    /// speak, from fe80::1 to fe80::2.
    #[must_use]
    pub fn new(kind: Kind, datagrams: bool) -> Self {
        let (net, port): (IpAddr, u16) = match kind.ports().first() {
            Some(Port::Tcp(port) | Port::Udp(port)) => ([10, 0, 0, 0].into(), *port),
            None => ([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 9),
        };
        let end = |number: u8, port| {
            let mut end = Endpoint::new(net, port);
            let [.., last] = &mut end.addr;
            *last = number;
            end
        };
        let mut mouth = Mouth::new();
        mouth.start(kind);
        Self {
            mouth,
            datagrams,
            flow: FlowRef {
                orig: end(1, 40_000),
                resp: end(2, port),
                proto: if datagrams { 17 } else { 6 },
                ..FlowRef::default()
            },
            now: Timestamp::from_secs(1),
            out: Observations::new(),
            health: ParsersHealth::default(),
        }
    }

    /// The next piece of one direction, `gap` bytes lost before it; or a datagram.
    pub fn hear(&mut self, dir: Dir, gap: u64, piece: &[u8]) {
        self.now = self.now.plus(STEP_NS);
        let mut call = Call {
            flow: &self.flow,
            ts: self.now,
            out: &mut self.out,
            health: &mut self.health,
            reading: READING,
        };
        if self.datagrams {
            self.mouth.datagram(dir, piece, &mut call);
        } else {
            self.mouth.take(dir, gap, piece, &mut call);
        }
    }

    /// The flow is over.
    pub fn finish(&mut self) {
        let mut call = Call {
            flow: &self.flow,
            ts: self.now,
            out: &mut self.out,
            health: &mut self.health,
            reading: READING,
        };
        self.mouth.finish(&mut call);
        self.mouth.drop_parser();
    }

    /// What was told since the last time.
    pub fn told(&mut self) -> Observations {
        std::mem::take(&mut self.out)
    }

    /// What it is called.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.mouth.kind
    }

    /// How the parsers fare.
    #[must_use]
    pub fn health(&self) -> &ParsersHealth {
        &self.health
    }

    /// Whether nobody listens any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.mouth.parser.is_none()
    }

    /// Bytes of the parser and of what it points to.
    #[must_use]
    pub fn parser_bytes(&self) -> usize {
        self.mouth.parser.as_ref().map_or(0, Parser::allocated)
    }

    /// Bytes taken for what waits for the parser, in both directions.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        let (orig, resp) = (&self.mouth.orig.buffer, &self.mouth.resp.buffer);
        orig.capacity().saturating_add(resp.capacity())
    }
}
