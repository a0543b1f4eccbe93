//! DCE/RPC: which operation of which interface is called, and on what endpoint.
//!
//! Standard: C706 (DCE 1.1: RPC) 12 and 14; \[MS-RPCE\] 2.2 and 3.
//! Input:    TCP, port 135 and any other, recognised by content; UDP; and through `Pipe` the named pipes of
//!           SMB. Fragments are not joined: only a call's first is read, bodies are skipped unseen.
//! Output:   `dce_rpc` (one record per call; one per interface that was bound and never called); `ntlm`
//!           and clues from the sign-ins carried in security trailers.
//! Bounds:   64 interfaces and 64 open calls an association, 8 and 8 on a pipe; 16 contexts a bind; 16 KiB
//!           of a bind, 1 KiB on a pipe. Beyond that the oldest is told as it stands and dropped.
//! Not done: bodies, so no arguments; RPC over HTTP; connections whose ports `ept_map` gave are found
//!           by content alone.

mod association;
mod datagram;
mod pdu;
mod pipe;
mod table;

pub(in crate::proto) use pipe::Pipe;

use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Interval, Text, heap_of};
use compact_str::format_compact;
use datagram::Datagrams;
use pdu::{HEADER_LEN, Header};

/// Bytes of a flow searched for a PDU before it is given up.
const SEARCH_LEN_MAX: u64 = 64 * 1024;

record! {
    /// One call, or one interface bound and not called (Zeek's `dce_rpc.log`).
    pub struct DceRpcRecord = "dce_rpc" {
        /// Time from request to answer; absent if one of them was not seen.
        pub rtt: Option<Interval> = "rtt",
        /// Pipe or port that the server says it is reached at; else the pipe that was opened.
        pub named_pipe: Option<Text> = "named_pipe",
        /// Name of the interface, or its UUID; absent if its bind was not seen.
        pub endpoint: Option<Text> = "endpoint",
        /// Name of the operation, or `unknown-` and its number; absent if nothing was called.
        pub operation: Option<Text> = "operation",
        /// UUID of the interface.
        pub interface: Option<Text> = "interface",
        /// Number of the operation.
        pub opnum: Option<u16> = "opnum",
        /// Status of a fault, such as `ERROR_ACCESS_DENIED`; absent if the call was answered well.
        pub fault: Option<Text> = "fault",
    }
}

impl DceRpcRecord {
    /// What an interface is called.
    fn interface(interface: Option<u128>) -> Self {
        Self::of(interface, interface.and_then(table::find))
    }

    /// The same of one that was looked up.
    fn of(interface: Option<u128>, known: Option<table::Known>) -> Self {
        let uuid = interface.map(table::text);
        Self {
            endpoint: match known {
                Some(known) => Some(Text::const_new(known.name)),
                None => uuid.clone(),
            },
            interface: uuid,
            ..Self::default()
        }
    }

    /// What an operation of it is called.
    fn call(interface: Option<u128>, number: u16) -> Self {
        let known = interface.and_then(table::find);
        let name = known.and_then(|known| known.operation(number));
        Self {
            operation: Some(
                name.map_or_else(|| format_compact!("unknown-{number}"), Text::const_new),
            ),
            opnum: Some(number),
            ..Self::of(interface, known)
        }
    }
}

/// Whether a PDU begins here.
pub(in crate::proto) fn is_pdu(data: &[u8]) -> bool {
    Header::new(data).is_some()
}

/// Parser of one flow.
#[derive(Debug)]
pub struct DceRpc {
    stream: Pipe,
    datagrams: Datagrams,
    /// Bytes that came before any PDU was recognised.
    unknown: u64,
}

impl Default for DceRpc {
    fn default() -> Self {
        Self {
            stream: Pipe::connection(),
            datagrams: Datagrams::default(),
            unknown: 0,
        }
    }
}

impl Protocol for DceRpc {
    const NAME: &'static str = "dce_rpc";
    const PORTS: &'static [Port] = &[Port::Tcp(135)];

    #[inline]
    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [] | [5] | [5, 0 | 1, ..] if start.len() < HEADER_LEN => {
                if Header::may_be(start) {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                }
            }
            [5, 0 | 1, ..] if Header::new(start).is_some() => Probe::Certain,
            [4, ..] if datagram::is_one(start) => Probe::Certain,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return if self.datagrams.take(input, out) {
                Parse::Parsed {
                    used: input.data.len(),
                }
            } else {
                Parse::NeedMore { used: 0, need: 1 }
            };
        }
        if input.gap > 0 {
            self.stream.gap(input.dir, input.gap);
        }
        self.stream.bytes(input.dir, input.data, input.ts, out);
        if !self.stream.is_recognised() {
            let len = u64::try_from(input.data.len()).unwrap_or(u64::MAX);
            self.unknown = self.unknown.saturating_add(len);
            if self.unknown > SEARCH_LEN_MAX {
                return Parse::Broken("dce_rpc_no_pdu");
            }
        }
        match self.stream.skip(input.dir) {
            0 => Parse::Parsed {
                used: input.data.len(),
            },
            bytes => {
                self.stream.skipped(input.dir);
                Parse::SkipBytes { bytes }
            }
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.stream.finish(out);
        self.datagrams.finish(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: stream, datagrams)
    }
}

#[cfg(test)]
mod tests;
