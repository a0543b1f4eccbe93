//! A packet's payload on its way to a parser, if one may want it.
//!
//! A flow whose start no protocol claims costs nothing here: what is probed is the frame itself, and
//! state is made only once a protocol is found or may still be.

use super::flow::{Found, service_of};
use super::{App, Tracker};
use crate::decode::{Ip, Tcp, Udp, flag, proto};
use crate::flow::{Dir, Flow, Room, Step, Weirds, bit, ends};
use crate::proto::driver::{Context, Reading};
use crate::proto::sense::{LATER_PIECES_MAX, Sensed, begins, may_begin, sense};
use crate::proto::{Kind, ParsersHealth};
use crate::types::{Body, Observations, Timestamp};

/// Sensing has given up on a direction for good.
const GIVEN_UP: u8 = u8::MAX;
/// From here on the start of a stream is over; what is counted are the pieces in which a protocol may
/// still begin.
const LATER: u8 = GIVEN_UP - LATER_PIECES_MAX;
/// Hop limit of what no router has forwarded (RFC 4861 §6.1.2).
pub(super) const NEIGHBOUR_HOPS: u8 = u8::MAX;
/// Datagrams of one direction that are sensed.
const DATAGRAMS_MAX: u8 = 4;

/// What a call into `proto` works with.
pub(super) fn context<'a>(
    flow: &Flow<App>,
    ts: Timestamp,
    out: &'a mut Observations,
    (room, reading): (&'a mut Room, Reading),
    health: &'a mut ParsersHealth,
) -> Context<'a> {
    Context {
        flow: flow.flow_ref(),
        ts,
        reading,
        out,
        room,
        health,
    }
}

/// Whether payload of a flow that no parser reads may still tell a protocol.
#[inline]
pub(super) fn wants_more(flow: &Flow<App>, dir: Dir, len: u32) -> bool {
    len > 0 && flow.side(dir).sensed != GIVEN_UP
}

/// Writes the flow's ends into the records told since `before`.
pub(super) fn stamp(out: &mut Observations, before: usize, flow: &Flow<App>, open: bool) {
    for observation in out.get_mut(before..).unwrap_or_default() {
        if let Body::Record(record) = &mut observation.body {
            record.ends = ends(flow, open);
        }
    }
}

impl Tracker {
    /// Takes a segment's payload bytes and its acknowledgement.
    #[inline]
    pub(super) fn segment(
        &mut self,
        found: Found,
        ts: Timestamp,
        tcp: &Tcp<'_>,
        step: Step,
        out: &mut Observations,
    ) {
        let Some(flow) = self.table.get_mut(found.index) else {
            return;
        };
        let len = step.len;
        let have = u32::try_from(tcp.payload.len()).unwrap_or(u32::MAX);
        let (dir, cut) = (found.dir, len.saturating_sub(have));
        if cut > 0 {
            flow.cut(dir, cut);
        }
        if flow.app.is_none() {
            let sensed = flow.side(dir).sensed;
            if len == 0
                || sensed == GIVEN_UP
                || !self.protocols
                || !open_stream(flow, dir, tcp, step)
            {
                return;
            }
        }
        let Some(mut app) = flow.app.take_if(|app| !app.is_deaf()) else {
            return;
        };
        let before = out.len();
        let mut context = context(
            flow,
            ts,
            out,
            (&mut self.room, self.reading),
            &mut self.stats.parsers,
        );
        if tcp.has(flag::ACK) {
            app.acked(dir.other(), tcp.ack, &mut context);
        }
        if len > 0 {
            let acked = flow.acked(dir);
            let data = (tcp.payload, cut);
            if app.segment(dir, step.start, data, acked, &mut context) {
                flow.note(Weirds::INCONSISTENT);
            }
            self.stats.reassembly_refused = self.room.refused;
            self.stats.stream_overflows = self.room.overflows;
        }
        stamp(out, before, flow, true);
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
        if udp.payload.is_empty() || !self.protocols {
            return;
        }
        if flow.app.is_none() && !open_datagrams(flow, dir, udp.payload) {
            return;
        }
        let room = (&mut self.room, self.reading);
        hear(
            flow,
            (dir, ts),
            udp.payload,
            out,
            room,
            &mut self.stats.parsers,
        );
    }

    /// Takes a router's ICMPv6 message.
    #[cold]
    pub(super) fn router_message(
        &mut self,
        found: Found,
        ts: Timestamp,
        ip: &Ip<'_>,
        out: &mut Observations,
    ) {
        let Some(flow) = self.table.get_mut(found.index) else {
            return;
        };
        if ip.ttl() != NEIGHBOUR_HOPS {
            return flow.note(Weirds::NDP_NOT_FROM_LINK);
        }
        if ip.is_cut() || !self.protocols || flow.orig.sensed == GIVEN_UP {
            return;
        }
        if flow.app.is_none() {
            let mut app = App::datagrams();
            app.start(Kind::Ndp);
            flow.app = Some(Box::new(app));
        }
        let (at, room) = ((found.dir, ts), (&mut self.room, self.reading));
        hear(flow, at, ip.payload, out, room, &mut self.stats.parsers);
    }
}

/// Gives a datagram to the flow's parser, if that still listens.
#[inline]
fn hear(
    flow: &mut Flow<App>,
    (dir, ts): (Dir, Timestamp),
    data: &[u8],
    out: &mut Observations,
    room: (&mut Room, Reading),
    health: &mut ParsersHealth,
) {
    if let Some(mut app) = flow.app.take_if(|app| !app.is_deaf()) {
        app.datagram(dir, data, &mut context(flow, ts, out, room, health));
        put_back(flow, app);
    }
}

/// Makes parsing state for a stream, if the direction's first bytes ask for it.
fn open_stream(flow: &mut Flow<App>, dir: Dir, tcp: &Tcp<'_>, step: Step) -> bool {
    let mut distance = step.start.wrapping_sub(step.expected);
    let mut payload = tcp.payload;
    if distance >= 1 << 31 {
        // What reaches behind what is known counts from there on, as for its receiver.
        let known = usize::try_from(step.expected.wrapping_sub(step.start)).unwrap_or(usize::MAX);
        (distance, payload) = (0, payload.get(known..).unwrap_or_default());
        if payload.is_empty() {
            if is_another_start(flow, dir, tcp, step) {
                flow.note(Weirds::INCONSISTENT);
            }
            return false;
        }
    }
    let side = flow.side_mut(dir);
    let later = side.sensed >= LATER;
    let sensed = if later {
        side.sensed = side.sensed.saturating_add(1);
        Sensed::Unknown
    } else if distance == 0 {
        sense(payload, dir, &flow.flow_ref())
    } else {
        Sensed::Unsure
    };
    let begun = match sensed {
        Sensed::Unknown if distance == 0 => begins(payload, dir),
        Sensed::Found(kind) => Some((kind, 0)),
        _ => None,
    };
    let may_begin = later && distance == 0 && may_begin(payload, dir);
    if sensed == Sensed::Unknown && begun.is_none() && !may_begin {
        let side = flow.side_mut(dir);
        side.sensed = side.sensed.max(LATER);
        return false;
    }
    let peer = flow.side(dir.other());
    let given_up = peer.sensed >= LATER;
    // A peer not heard yet (the flow began before us) goes on where this side has acknowledged it.
    let next = match (peer.seen & bit::SEQ == 0, flow.is(bit::FROM_START)) {
        (false, _) => Some(peer.next),
        (true, false) => flow.acked(dir.other()),
        // It has not answered the SYN: an acknowledgement now is made up.
        (true, true) => None,
    };
    let mut app = match dir {
        Dir::Orig => App::stream(Some(step.expected), next),
        Dir::Resp => App::stream(next, Some(step.expected)),
    };
    if given_up {
        app.set_unknown(dir.other());
    }
    if let Some((kind, skip)) = begun {
        app.start_behind(kind, dir, skip);
    }
    flow.app = Some(Box::new(app));
    true
}

/// Whether the start of a stream came again and is one that a protocol claims: the first copy was not.
fn is_another_start(flow: &Flow<App>, dir: Dir, tcp: &Tcp<'_>, step: Step) -> bool {
    flow.side(dir).sensed >= LATER
        && flow.service == 0
        && step.start == flow.first_seq(dir)
        && matches!(sense(tcp.payload, dir, &flow.flow_ref()), Sensed::Found(_))
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
        // A TLS session that broke does not begin again.
        let is_last = app.kind() == Some(Kind::Tls) || flow.key.proto != proto::TCP;
        let sensed = if is_last { GIVEN_UP } else { LATER };
        for side in [&mut flow.orig, &mut flow.resp] {
            side.sensed = side.sensed.max(sensed);
        }
    } else {
        flow.app = Some(app);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Tracker, TrackerConfig};
    use crate::types::{Body, Observations, Seed, Timestamp, Value};

    /// A raw IPv4 packet with a TCP segment (RFC 791, RFC 9293), ACK and PSH set.
    fn packet(src: (u8, u16), dst: (u8, u16), seq: u32, ack: u32, data: &[u8]) -> Vec<u8> {
        let len = u16::try_from(40 + data.len()).unwrap();
        let mut out = vec![0x45, 0];
        out.extend(len.to_be_bytes());
        out.extend([0, 1, 0x40, 0, 64, 6, 0, 0]); // id, DF, TTL, TCP, no checksum
        out.extend([10, 0, 0, src.0, 10, 0, 0, dst.0]);
        out.extend(src.1.to_be_bytes());
        out.extend(dst.1.to_be_bytes());
        out.extend(seq.to_be_bytes());
        out.extend(ack.to_be_bytes());
        out.extend([0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]); // 20 bytes of header, window, no checksum
        out.extend(data);
        out
    }

    #[test]
    fn a_flow_met_in_the_middle_of_an_answer_shows_the_next_request() {
        const RAW: u32 = 101;
        let (client, server) = ((1, 50_000), (2, 80));
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let packets = [
            packet(server, client, 0x9000_0000, 0xc000_0000, answer),
            packet(
                client,
                server,
                0xc000_0000,
                0x9000_0026,
                b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
            ),
        ];
        let mut tracker = Tracker::new(TrackerConfig {
            flows_max: 16,
            reassembly_bytes_max: 1 << 20,
            seed: Seed(1),
            ..TrackerConfig::default()
        });
        let mut seen = Observations::new();
        for packet in &packets {
            let wire_len = u32::try_from(packet.len()).unwrap();
            tracker.packet(Timestamp::from_secs(1), RAW, wire_len, packet, &mut seen);
        }
        tracker.finish(Timestamp::from_secs(2), &mut seen);
        let asked = seen.iter().any(|observation| match &observation.body {
            Body::Record(record) if record.body.kind() == "http" => {
                (0..record.body.fields().len()).any(|i| record.body.value(i) == Value::Str("/x"))
            }
            _ => false,
        });
        assert!(asked);
    }
}
