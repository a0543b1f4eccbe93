//! Interfaces bound and calls open between one client and one server.
//!
//! Standard: C706 12.6.4; \[MS-RPCE\] 3.3.1.5.
//! Bounds:   see [`Limits`]; the oldest call or context is told as it stands (`weird: dce_rpc_table_full`).

use std::collections::VecDeque;

use compact_str::format_compact;

use super::pdu::{
    ALTER_CONTEXT, ALTER_CONTEXT_RESP, AUTH3, BIND, BIND_ACK, BIND_NAK, FAULT, Header, REQUEST,
    RESPONSE,
};
use super::{DceRpcRecord, table};
use crate::proto::gss::{self, SignIn, Verdict};
use crate::proto::{Dir, Out};
use crate::types::{Interval, Text, Timestamp, heap, text};

/// Longest address of an endpoint kept.
const ADDRESS_LEN_MAX: usize = 256;
/// ERROR_ACCESS_DENIED as a fault's status.
const ACCESS_DENIED: u32 = 5;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Interfaces bound.
    pub(super) contexts: usize,
    /// Calls without an answer.
    pub(super) calls: usize,
    /// Bytes of a PDU that are waited for.
    pub(super) head_len: usize,
}

/// State of one association.
#[derive(Debug)]
pub(super) struct Association {
    limits: Limits,
    contexts: VecDeque<Context>,
    calls: VecDeque<Call>,
    /// Where the server says it listens, or the pipe that was opened.
    address: Option<Text>,
    /// Whether `address` is the server's word.
    told: bool,
    signing: SignIn,
    full: bool,
}

heap!(Association: contexts, calls, address, signing);

#[derive(Debug)]
struct Context {
    id: u16,
    interface: u128,
    /// Time of the bind.
    ts: Timestamp,
    /// Whether anything was called through it.
    used: bool,
}

heap!(Context:);

/// A call that waits for its answer.
#[derive(Debug)]
struct Call {
    id: u32,
    ts: Timestamp,
    interface: Option<u128>,
    operation: u16,
}

heap!(Call:);

impl Association {
    /// Nothing bound yet; `pipe` is what was opened to get here.
    pub(super) fn new(limits: Limits, pipe: Option<Text>) -> Self {
        Self {
            limits,
            contexts: VecDeque::new(),
            calls: VecDeque::new(),
            address: pipe,
            told: false,
            signing: SignIn::default(),
            full: false,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Bytes of memory it takes, about.
    pub(super) fn weight(&self) -> usize {
        let contexts = self.contexts.len().saturating_mul(size_of::<Context>());
        let calls = self.calls.len().saturating_mul(size_of::<Call>());
        size_of::<Self>()
            .saturating_add(contexts)
            .saturating_add(calls)
    }

    /// One PDU; of its body as much is there as the limits allow.
    pub(super) fn pdu(
        &mut self,
        header: &Header,
        pdu: &[u8],
        dir: Dir,
        ts: Timestamp,
        out: &mut Out<'_>,
    ) {
        match header.kind {
            BIND | ALTER_CONTEXT => self.bind(header, pdu, ts, out),
            REQUEST if header.first => self.request(header, pdu, ts, out),
            RESPONSE => {
                self.judged(true, dir, out);
                self.answered(header, None, ts, out);
            }
            FAULT => {
                let fault = header.fault(pdu).unwrap_or_default();
                if fault == ACCESS_DENIED {
                    self.judged(false, dir, out);
                }
                self.answered(header, Some(fault), ts, out);
            }
            BIND_ACK => {
                if let Some(address) = header.address(pdu) {
                    self.address = Some(text(address, ADDRESS_LEN_MAX));
                    self.told = true;
                }
            }
            BIND_NAK => self.judged(false, dir, out),
            _ => {}
        }
        if matches!(
            header.kind,
            BIND | BIND_ACK | ALTER_CONTEXT | ALTER_CONTEXT_RESP | AUTH3
        ) && let Some(token) = header.token(pdu).and_then(gss::read)
        {
            self.signing.take(token, (ts, dir), out);
        }
    }

    /// What follows a sign-in shows whether `server` accepted it.
    fn judged(&mut self, success: bool, server: Dir, out: &mut Out<'_>) {
        if self.signing.is_open() {
            let status = None;
            let verdict = Verdict { success, status };
            self.signing.settle(&verdict, server.other(), out);
        }
    }

    /// Tells what is still open, and what was bound and never used.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        while let Some(call) = self.calls.pop_front() {
            self.tell(&call, None, None, out);
        }
        let contexts = std::mem::take(&mut self.contexts);
        for (index, context) in contexts.iter().enumerate() {
            let same = |other: &&Context| other.interface == context.interface;
            let told = contexts.iter().take(index).any(|other| same(&other));
            let called = contexts.iter().filter(same).any(|other| other.used);
            if !told && !called {
                self.unused(context, out);
            }
        }
        self.signing.finish(Dir::Orig, out);
    }

    fn bind(&mut self, header: &Header, pdu: &[u8], ts: Timestamp, out: &mut Out<'_>) {
        for (id, interface) in header.contexts(pdu) {
            if let Some(known) = self.contexts.iter_mut().find(|context| context.id == id) {
                if known.interface == interface {
                    continue;
                }
                let context = Context {
                    id,
                    interface,
                    ts,
                    used: false,
                };
                let replaced = std::mem::replace(known, context);
                self.unused(&replaced, out);
                continue;
            }
            if self.contexts.len() >= self.limits.contexts
                && let Some(oldest) = self.contexts.pop_front()
            {
                self.table_full(out);
                self.unused(&oldest, out);
            }
            self.contexts.push_back(Context {
                id,
                interface,
                ts,
                used: false,
            });
        }
    }

    fn request(&mut self, header: &Header, pdu: &[u8], ts: Timestamp, out: &mut Out<'_>) {
        let Some((context, operation)) = header.request(pdu) else {
            return;
        };
        let bound = self.contexts.iter_mut().find(|bound| bound.id == context);
        let interface = match bound {
            Some(bound) => {
                bound.used = true;
                Some(bound.interface)
            }
            // The bind was not seen: many pipes are called after the one interface they carry.
            None => self.address.as_deref().and_then(table::named),
        };
        if self.calls.len() >= self.limits.calls
            && let Some(oldest) = self.calls.pop_front()
        {
            self.table_full(out);
            self.tell(&oldest, None, None, out);
        }
        self.calls.push_back(Call {
            id: header.call,
            ts,
            interface,
            operation,
        });
    }

    fn answered(&mut self, header: &Header, fault: Option<u32>, ts: Timestamp, out: &mut Out<'_>) {
        let at = self.calls.iter().position(|call| call.id == header.call);
        if let Some(call) = at.and_then(|at| self.calls.remove(at)) {
            self.tell(&call, Some(ts), fault, out);
        }
    }

    /// Emits the record of a call.
    fn tell(&self, call: &Call, at: Option<Timestamp>, fault: Option<u32>, out: &mut Out<'_>) {
        let mut record = DceRpcRecord::call(call.interface, call.operation);
        record.rtt = at.map(|at| Interval(at.since(call.ts)));
        record.named_pipe = self.address.clone();
        record.fault = fault.map(fault_name);
        out.record(call.ts, record);
    }

    /// Emits the record of an interface that was bound and not called.
    fn unused(&self, context: &Context, out: &mut Out<'_>) {
        let mut others = self.contexts.iter();
        let is_bound = others.any(|other| other.interface == context.interface);
        if !context.used && !is_bound {
            let mut record = DceRpcRecord::interface(Some(context.interface));
            record.named_pipe = self.address.clone();
            out.record(context.ts, record);
        }
    }

    /// Says once that a table was at its bound.
    fn table_full(&mut self, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.full, true) {
            out.weird("dce_rpc_table_full", None, "dce_rpc");
        }
    }
}

/// Name of a fault's status (C706 E; \[MS-ERREF\] 2.2), or its number.
fn fault_name(status: u32) -> Text {
    let name = match status {
        0x0000_0005 => "ERROR_ACCESS_DENIED",
        0x0000_06d1 => "RPC_S_PROCNUM_OUT_OF_RANGE",
        0x0000_06f7 => "RPC_X_BAD_STUB_DATA",
        0x1c01_0002 => "nca_s_op_rng_error",
        0x1c01_0003 => "nca_s_unk_if",
        0x1c01_000b => "nca_s_proto_error",
        0x1c00_001a => "nca_s_fault_context_mismatch",
        0x0000_0721 => "RPC_S_SEC_PKG_ERROR",
        _ => return format_compact!("0x{status:08x}"),
    };
    Text::from(name)
}
