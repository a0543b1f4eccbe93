//! A packet's payload on its way to a parser, if one may want it.
//!
//! A flow whose start no protocol claims costs nothing here: what is probed is the frame itself, and
//! state is made only once a protocol is found or may still be.

use super::flow::{Found, service_of};
use super::{App, Tracker};
use crate::decode::{Tcp, Udp, flag};
use crate::flow::{Dir, Flow, Room, Step, bit};
use crate::proto::Out;
use crate::proto::driver::Context;
use crate::proto::sense::{Sensed, sense};
use crate::types::{Observations, Timestamp};

/// Sensing has given up on a direction.
const GIVEN_UP: u8 = u8::MAX;
/// Datagrams of one direction that are sensed.
const DATAGRAMS_MAX: u8 = 4;

/// What a call into `proto` works with.
pub(super) fn context<'a>(
    flow: &Flow<App>,
    ts: Timestamp,
    out: &'a mut Observations,
    room: &'a mut Room,
) -> Context<'a> {
    Context {
        flow: flow.flow_ref(),
        ts,
        out,
        room,
    }
}

impl Tracker {
    /// Takes a segment's `len` payload bytes and its acknowledgement.
    #[inline]
    pub(super) fn segment(
        &mut self,
        found: Found,
        ts: Timestamp,
        tcp: &Tcp<'_>,
        step: Step,
        len: u32,
        out: &mut Observations,
    ) {
        let Some(flow) = self.table.get_mut(found.index) else {
            return;
        };
        let have = u32::try_from(tcp.payload.len()).unwrap_or(u32::MAX);
        let (dir, cut) = (found.dir, len.saturating_sub(have));
        if cut > 0 {
            flow.cut(dir, cut);
        }
        if flow.app.is_none() {
            let sensed = flow.side(dir).sensed;
            if len == 0 || sensed == GIVEN_UP || !open_stream(flow, dir, tcp, step) {
                return;
            }
        }
        let Some(mut app) = flow.app.take_if(|app| !app.is_deaf()) else {
            return;
        };
        let mut context = context(flow, ts, out, &mut self.room);
        if tcp.has(flag::ACK) {
            app.acked(dir.other(), tcp.ack, &mut context);
        }
        if len > 0 {
            let acked = flow.acked(dir);
            let data = (tcp.payload, cut);
            if app.segment(dir, step.start, data, acked, &mut context)
                && !flow.is(bit::INCONSISTENT)
            {
                flow.flags |= bit::INCONSISTENT;
                let mut weird = Out::new(&context.flow, ts, context.out);
                weird.weird("inconsistent_retransmission", None, "flow");
            }
            self.stats.reassembly_refused = self.room.refused;
            self.stats.stream_overflows = self.room.overflows;
        }
        put_back(flow, app);
    }

    /// Takes a datagram.
    #[inline]
    pub(super) fn datagram(
        &mut self,
        found: Found,
        ts: Timestamp,
        udp: &Udp<'_>,
        out: &mut Observations,
    ) {
        let Some(flow) = self.table.get_mut(found.index) else {
            return;
        };
        let dir = found.dir;
        let side = flow.side_mut(dir);
        side.payload = side.payload.wrapping_add(u64::from(udp.payload_len));
        if side.seen & bit::DATA == 0 {
            side.seen |= bit::DATA;
            flow.history.push(dir, b'D');
        }
        let have = u32::try_from(udp.payload.len()).unwrap_or(u32::MAX);
        if have < udp.payload_len {
            return flow.cut(dir, udp.payload_len.saturating_sub(have));
        }
        if udp.payload.is_empty() || (flow.app.is_none() && !open_datagrams(flow, dir, udp.payload))
        {
            return;
        }
        let Some(mut app) = flow.app.take_if(|app| !app.is_deaf()) else {
            return;
        };
        app.datagram(
            dir,
            udp.payload,
            &mut context(flow, ts, out, &mut self.room),
        );
        put_back(flow, app);
    }
}

/// Makes parsing state for a stream, if the direction's first bytes ask for it.
fn open_stream(flow: &mut Flow<App>, dir: Dir, tcp: &Tcp<'_>, step: Step) -> bool {
    let distance = step.start.wrapping_sub(step.expected);
    if distance >= 1 << 31 {
        return false;
    }
    let sensed = if distance == 0 {
        sense(tcp.payload, dir, &flow.flow_ref())
    } else {
        Sensed::Unsure
    };
    if sensed == Sensed::Unknown {
        flow.side_mut(dir).sensed = GIVEN_UP;
        return false;
    }
    let peer = flow.side(dir.other());
    let (next, given_up) = (peer.next, peer.sensed == GIVEN_UP);
    let mut app = match dir {
        Dir::Orig => App::stream(step.expected, next),
        Dir::Resp => App::stream(next, step.expected),
    };
    if given_up {
        app.set_unknown(dir.other());
    }
    if let Sensed::Found(kind) = sensed {
        app.start(kind);
    }
    flow.app = Some(Box::new(app));
    true
}

/// Makes parsing state for datagrams, if this one tells the protocol.
fn open_datagrams(flow: &mut Flow<App>, dir: Dir, data: &[u8]) -> bool {
    if flow.side(dir).sensed == GIVEN_UP {
        return false;
    }
    let Sensed::Found(kind) = sense(data, dir, &flow.flow_ref()) else {
        let side = flow.side_mut(dir);
        side.sensed = side.sensed.saturating_add(1);
        if side.sensed >= DATAGRAMS_MAX {
            side.sensed = GIVEN_UP;
        }
        return false;
    };
    let mut app = App::datagrams();
    app.start(kind);
    flow.app = Some(Box::new(app));
    true
}

/// Keeps the state for the next packet, or drops it if there is nothing left to do.
fn put_back(flow: &mut Flow<App>, app: Box<App>) {
    flow.service = service_of(&app);
    if app.is_over() {
        (flow.orig.sensed, flow.resp.sensed) = (GIVEN_UP, GIVEN_UP);
    } else {
        flow.app = Some(app);
    }
}
