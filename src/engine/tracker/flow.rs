//! From a packet to its flow: found or begun, counted, told of, closed.

use super::encapsulations::place;
use super::{App, Tracker};
use crate::decode::{Ip, Kind as Tunnel, Transport, chunk, flag, proto};
use crate::flow::{
    Carrier, Dir, Flow, Index, Key, Step, TcpState, Weirds, bit, conn, ends, event,
    is_likely_server,
};
use crate::proto::{Kind, Out};
use crate::types::{
    Body, Heard, MacAddr, Observation, Observations, Ordinal, Phase, Record, Timestamp,
};

/// A packet as the flow sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) ts: Timestamp,
    pub(super) src_mac: MacAddr,
    pub(super) dst_mac: MacAddr,
    /// Packets it stands for: fragments may have been held before.
    pub(super) pkts: u32,
    /// Their bytes from the IP header on.
    pub(super) bytes: u32,
    /// Whether the payload is complete; false for a fragment.
    pub(super) whole: bool,
    /// Whether it was put together from fragments.
    pub(super) joined: bool,
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) index: Index,
    pub(super) dir: Dir,
    pub(super) new: bool,
}

impl Tracker {
    /// The flow of a packet, begun if there is none or the old one is over.
    #[inline]
    pub(super) fn find(
        &mut self,
        arrival: &Arrival,
        (key, from_a, hash): (&Key, bool, u32),
        carrier: &Carrier,
        transport: &Transport<'_>,
        out: &mut Observations,
    ) -> Option<Found> {
        let mut ordinal = 0;
        if let Some(index) = self.table.find(hash, key) {
            let flow = self.table.get_mut(index)?;
            let deadline = flow.deadline();
            if deadline > arrival.ts && !is_reused(flow, transport) {
                let dir = flow.dir(from_a);
                return Some(Found {
                    index,
                    dir,
                    new: false,
                });
            }
            if flow.first_ts == arrival.ts {
                ordinal = flow.ordinal.saturating_add(1);
            }
            let expired = deadline <= arrival.ts;
            self.close(index, deadline.min(arrival.ts), expired, out);
        }
        if self.table.is_full() {
            self.make_room(arrival.ts, out);
        }
        let found = self.begin(arrival, hash, (key, from_a), transport, ordinal)?;
        if key.carrier != 0 {
            self.carried(found.index, carrier);
        }
        Some(found)
    }

    /// Closes the flow that is the least loss. One that began this very moment stays: were it to begin
    /// again now, both would have one name.
    #[cold]
    fn make_room(&mut self, ts: Timestamp, out: &mut Observations) {
        let Some((index, rank)) = self.table.victim() else {
            return;
        };
        let Some(flow) = self.table.get_mut(index) else {
            return;
        };
        let deadline = flow.deadline();
        let expired = deadline <= ts;
        if flow.first_ts == ts {
            return;
        }
        if !expired {
            self.stats.evicted(rank);
        }
        self.close(index, deadline.min(ts), expired, out);
    }

    /// Notes what carries a flow.
    #[cold]
    fn carried(&mut self, index: Index, carrier: &Carrier) {
        self.carriers.begin(index, carrier);
        self.stats.carriers_refused = self.carriers.refused();
        if let Some(flow) = self.table.get_mut(index).filter(|_| carrier.within_flow) {
            flow.flags |= bit::WITHIN_FLOW;
        }
    }

    /// Begins a flow.
    fn begin(
        &mut self,
        arrival: &Arrival,
        hash: u32,
        (key, from_a): (&Key, bool),
        transport: &Transport<'_>,
        ordinal: Ordinal,
    ) -> Option<Found> {
        let (src_port, dst_port) = if from_a {
            (key.a_port, key.b_port)
        } else {
            (key.b_port, key.a_port)
        };
        let (syn, ack) = match transport {
            Transport::Tcp(tcp) => (tcp.has(flag::SYN), tcp.has(flag::ACK)),
            Transport::Sctp(sctp) => {
                let answer = sctp.has(chunk::INIT_ACK);
                (answer || sctp.has(chunk::INIT), answer)
            }
            _ => (false, false),
        };
        let answers = match (syn, ack) {
            (true, ack) => ack,
            _ => is_likely_server(key.proto, src_port) && !is_likely_server(key.proto, dst_port),
        };
        let mut flow = Flow::new(*key, from_a != answers, arrival.ts, ordinal);
        if answers {
            flow.history.push(Dir::Orig, b'^');
        }
        if key.proto != proto::TCP || (syn && !ack) {
            flow.flags |= bit::FROM_START;
        }
        let Some(index) = self.table.insert(hash, flow) else {
            let refused = &mut self.stats.flows_refused;
            *refused = refused.saturating_add(u64::from(arrival.pkts));
            return None;
        };
        self.stats.flows = self.stats.flows.saturating_add(1);
        let dir = if answers { Dir::Resp } else { Dir::Orig };
        Some(Found {
            index,
            dir,
            new: true,
        })
    }

    /// Takes a packet into its flow.
    #[inline]
    pub(super) fn arrive(
        &mut self,
        found: Found,
        arrival: &Arrival,
        ip: &Ip<'_>,
        transport: &Transport<'_>,
        out: &mut Observations,
    ) {
        let (dir, ts) = (found.dir, arrival.ts);
        let Some(flow) = self.table.get_mut(found.index) else {
            return;
        };
        flow.last_ts = ts;
        let first = flow.side(dir).pkts == 0;
        let odd = flow.weirds();
        flow.count(dir, arrival.pkts, arrival.bytes);
        flow.side_mut(dir).mac = arrival.src_mac;
        let mut heard = first.then(|| greet(flow, dir, arrival));
        let mut told = found.new;
        let step = match transport {
            Transport::Tcp(tcp) if arrival.whole => {
                let len = ip.payload_len.saturating_sub(tcp.header_len);
                let looked = tcp.has(flag::SYN | flag::FIN | flag::RST);
                if looked && self.counted.checksum(flow.judge(dir, ip, tcp)) {
                    self.stats.bad_checksums = self.stats.bad_checksums.saturating_add(1);
                    // What its receiver throws away must not hide the same segment done right.
                    self.recent.forget_last();
                    None
                } else {
                    if !tcp.has(flag::FIN | flag::RST) {
                        flow.note_ttl(dir, ip);
                    }
                    Some(flow.step(dir, tcp, len))
                }
            }
            _ => None,
        };
        if found.new {
            tell(flow, Phase::New, heard.take(), ts, out);
        }
        let (answered, failed) = verdict(flow, dir, first, transport, step);
        if answered && !flow.is(bit::ANSWERED) {
            flow.flags |= bit::ANSWERED;
            (told, _) = (true, tell(flow, Phase::Answered, heard.take(), ts, out));
        }
        if failed && !flow.is(bit::FAILED) {
            flow.flags |= bit::FAILED;
            (told, _) = (true, tell(flow, Phase::Failed, heard.take(), ts, out));
        }
        if let Some(heard) = heard {
            sighted(flow, heard, ts, out);
        }
        match (transport, step) {
            (Transport::Tcp(tcp), Some(step)) => self.segment(found, ts, tcp, step, out),
            (Transport::Tcp(_), None) => {}
            _ if !arrival.whole => {}
            (Transport::Udp(udp), _) => self.datagram(found, ts, udp, out),
            (Transport::Icmp(icmp), _) => {
                self.payload(found, ip.payload_len.saturating_sub(8));
                if ip.proto == proto::ICMPV6 && icmp.is_from_router() {
                    self.router_message(found, ts, ip, out);
                }
            }
            (Transport::Sctp(_), _) => self.payload(found, ip.payload_len.saturating_sub(12)),
            (Transport::Other { .. }, _) => self.payload(found, ip.payload_len),
        }
        let Some(flow) = self.table.get_mut(found.index) else {
            return;
        };
        if flow.weirds() != odd {
            tell_weirds(flow, flow.weirds().without(odd), ts, out);
        }
        if !told && flow.wants_update(ts, arrival.bytes) {
            tell(flow, Phase::Update, None, ts, out);
        }
    }

    /// Counts payload that nobody parses.
    fn payload(&mut self, found: Found, len: u32) {
        if let Some(flow) = self.table.get_mut(found.index) {
            let side = flow.side_mut(found.dir);
            side.payload = side.payload.wrapping_add(u64::from(len));
        }
    }

    /// Closes a flow at `ts`; `expired` says whether it was silent until its timer.
    pub(super) fn close(
        &mut self,
        index: Index,
        ts: Timestamp,
        expired: bool,
        out: &mut Observations,
    ) {
        let Some(flow) = self.table.get_mut(index) else {
            return;
        };
        if flow.key.proto == proto::TCP {
            flow.settle();
        }
        let back = flow.settle_copies();
        if let Some(mut app) = flow.app.take() {
            let before = out.len();
            let mut context = super::content::context(
                flow,
                ts,
                out,
                (&mut self.room, self.reading),
                &mut self.stats.parsers,
            );
            app.finish(&mut context);
            match service_of(&app) {
                0 => {}
                service => flow.service = service,
            }
            super::content::stamp(out, before, flow, false);
        }
        let silent = flow.resp.pkts == 0 && flow.is(bit::FROM_START);
        if expired && silent && !flow.is(bit::ANSWERED) && !flow.is(bit::FAILED) {
            flow.flags |= bit::FAILED;
            tell(flow, Phase::Failed, None, ts, out);
        }
        let carrier = match flow.key.carrier {
            0 => None,
            _ => self.carriers.end(index),
        };
        if flow.is(bit::WITHIN_FLOW) {
            self.stats.carried = self.stats.carried.saturating_add(back);
        } else {
            self.stats.duplicate = self.stats.duplicate.saturating_sub(back);
        }
        let flow_ref = flow.flow_ref();
        let said = conn(flow, service_name(flow.service), carrier.as_ref());
        let record = Record::new(flow.first_ts, flow_ref, ends(flow, false), said);
        let event = event(flow, Phase::Close, None, ts);
        out.push(Observation {
            ts,
            flow: flow_ref,
            body: Body::Close(event, record),
        });
        let payload = flow.orig.payload.saturating_add(flow.resp.payload);
        self.stats.serviced(flow.service, payload);
        self.table.remove(index);
    }
}

/// Whether a SYN begins a new flow on the ports of one that is finished.
fn is_reused(flow: &Flow<App>, transport: &Transport<'_>) -> bool {
    let Transport::Tcp(tcp) = transport else {
        return false;
    };
    tcp.has(flag::SYN)
        && !tcp.has(flag::ACK | flag::RST | flag::FIN)
        && flow.is_finished()
        && tcp.seq != flow.first_seq(Dir::Orig).wrapping_sub(1)
}

/// Whether a packet says that the responder accepted, or that it refused.
fn verdict(
    flow: &Flow<App>,
    dir: Dir,
    first: bool,
    transport: &Transport<'_>,
    step: Option<Step>,
) -> (bool, bool) {
    match (transport, step) {
        (Transport::Tcp(tcp), Some(step)) => {
            let midstream = !flow.is(bit::FROM_START)
                && dir == Dir::Resp
                && first
                && !tcp.has(flag::RST)
                && flow.resp.state == TcpState::Partial;
            (step.answered || midstream, step.refused)
        }
        (Transport::Tcp(_), None) => (false, false),
        (Transport::Other { .. }, _) if flow.key.proto == proto::TCP => (false, false),
        // An abort is SCTP's refusal; it may also come later, which is no refusal.
        (Transport::Sctp(sctp), _) if dir == Dir::Resp && first => {
            let refused = sctp.has(chunk::ABORT) && flow.is(bit::FROM_START);
            (!refused, refused)
        }
        _ => (dir == Dir::Resp && first, false),
    }
}

/// Notes the hardware addresses of a direction's first packet.
fn greet(flow: &mut Flow<App>, dir: Dir, arrival: &Arrival) -> Heard {
    let peer = flow.side_mut(dir.other());
    if peer.pkts == 0 {
        peer.mac = arrival.dst_mac;
    }
    match dir {
        Dir::Orig => Heard::Orig,
        Dir::Resp => Heard::Resp,
    }
}

/// Tells that a side is there, where no event of the flow says so.
fn sighted(flow: &Flow<App>, heard: Heard, ts: Timestamp, out: &mut Observations) {
    let (macs, flow) = ((flow.orig.mac, flow.resp.mac), flow.flow_ref());
    if let Some(sighting) = heard.sighting(&flow, macs.0, macs.1) {
        let body = Body::Sighting(sighting);
        out.push(Observation { ts, flow, body });
    }
}

/// Tells oddities of a flow.
#[cold]
pub(super) fn tell_weirds(flow: &Flow<App>, weirds: Weirds, ts: Timestamp, out: &mut Observations) {
    let before = out.len();
    let flow_ref = flow.flow_ref();
    let mut told = Out::new(&flow_ref, ts, out);
    for name in weirds.names() {
        told.weird(name, None, "flow");
    }
    super::content::stamp(out, before, flow, true);
}

/// Tells an event of a flow.
pub(super) fn tell(
    flow: &mut Flow<App>,
    phase: Phase,
    first_of: Option<Heard>,
    ts: Timestamp,
    out: &mut Observations,
) {
    let body = Body::Flow(event(flow, phase, first_of, ts));
    out.push(Observation {
        ts,
        flow: flow.flow_ref(),
        body,
    });
}

/// Name of a protocol as kept in a flow.
fn service_name(service: u8) -> Option<&'static str> {
    let at = usize::from(service).checked_sub(1)?;
    let tunnel = || Tunnel::ALL.get(at.checked_sub(Kind::ALL.len())?);
    let name = Kind::ALL.get(at).map(|kind| kind.name());
    name.or_else(|| tunnel().map(|kind| kind.name()))
}

/// What a flow that carries packets keeps in place of a protocol: tunnels are counted on behind them.
pub(super) fn service_of_tunnel(tunnel: Tunnel) -> u8 {
    let before = Kind::ALL.len().saturating_add(1);
    u8::try_from(before.saturating_add(place(tunnel))).unwrap_or(0)
}

/// What a flow keeps of the protocol sensed.
pub(super) fn service_of(app: &App) -> u8 {
    let at = app
        .kind()
        .and_then(|kind| Kind::ALL.iter().position(|k| *k == kind));
    at.and_then(|at| u8::try_from(at.saturating_add(1)).ok())
        .unwrap_or(0)
}
