//! Calls over UDP: one datagram, one PDU.
//!
//! Standard: C706 12.5 (connectionless PDUs). PROFINET uses it (IEC 61158-6-10).
//! Bounds:   64 calls without an answer; the oldest is told as it stands (`weird: dce_rpc_table_full`).

use std::collections::VecDeque;

use super::DceRpcRecord;
use super::pdu::{FAULT, Order, REQUEST, RESPONSE};
use crate::proto::{Input, Out};
use crate::types::{Interval, Timestamp, heap};

/// Bytes of the header.
const HEADER_LEN: usize = 80;
/// Calls without an answer.
const CALLS_MAX: usize = 64;
/// Highest type of PDU: cancel_ack.
const KIND_MAX: u8 = 10;
/// reject: like a fault, before the call began.
const REJECT: u8 = 6;

/// Calls of one flow.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    calls: VecDeque<Call>,
    full: bool,
}

heap!(Datagrams: calls);

#[derive(Debug)]
struct Call {
    activity: u128,
    sequence: u32,
    ts: Timestamp,
    record: DceRpcRecord,
}

heap!(Call: record);

/// A header, checked.
struct Header {
    kind: u8,
    interface: u128,
    activity: u128,
    sequence: u32,
    operation: u16,
    fragment: u16,
}

/// Whether a datagram is one of ours.
pub(super) fn is_one(data: &[u8]) -> bool {
    header(data).is_some()
}

impl Datagrams {
    /// Takes one datagram; false if it is not one of ours.
    pub(super) fn take(&mut self, input: Input<'_>, out: &mut Out<'_>) -> bool {
        let Some(header) = header(input.data) else {
            return false;
        };
        match header.kind {
            REQUEST if header.fragment == 0 => self.request(&header, input.ts, out),
            RESPONSE | FAULT | REJECT => {
                let is_it = |call: &Call| {
                    (call.activity, call.sequence) == (header.activity, header.sequence)
                };
                let at = self.calls.iter().position(is_it);
                if let Some(mut call) = at.and_then(|at| self.calls.remove(at)) {
                    call.record.rtt = Some(Interval(input.ts.since(call.ts)));
                    out.record(call.ts, call.record);
                }
            }
            _ => {}
        }
        true
    }

    /// Tells what was not answered.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        for call in std::mem::take(&mut self.calls) {
            out.record(call.ts, call.record);
        }
    }

    fn request(&mut self, header: &Header, ts: Timestamp, out: &mut Out<'_>) {
        let is_repeated =
            |call: &Call| (call.activity, call.sequence) == (header.activity, header.sequence);
        if self.calls.iter().any(is_repeated) {
            return;
        }
        if self.calls.len() >= CALLS_MAX
            && let Some(oldest) = self.calls.pop_front()
        {
            if !std::mem::replace(&mut self.full, true) {
                out.weird("dce_rpc_table_full", None, "dce_rpc");
            }
            out.record(oldest.ts, oldest.record);
        }
        self.calls.push_back(Call {
            activity: header.activity,
            sequence: header.sequence,
            ts,
            record: DceRpcRecord::call(Some(header.interface), header.operation),
        });
    }
}

/// The header of a datagram whose length is what it says.
fn header(data: &[u8]) -> Option<Header> {
    let &[4, kind @ 0..=KIND_MAX, _, _, label, 0..=3, 0] = data.first_chunk()? else {
        return None;
    };
    let order = Order::new(label)?;
    let body = usize::from(order.u16_at(data, 74)?);
    (data.len() >= HEADER_LEN.checked_add(body)?).then_some(())?;
    Some(Header {
        kind,
        interface: order.uuid_at(data, 24)?,
        activity: order.uuid_at(data, 40)?,
        sequence: order.u32_at(data, 64)?,
        operation: order.u16_at(data, 68)?,
        fragment: order.u16_at(data, 76)?,
    })
}
