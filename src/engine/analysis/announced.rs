//! Flows that another one has announced, as FTP does its data connections and SIP its media: what they are called.
//!
//! Input:  from which address, if that is known, to which address and port, told before the flow begins. The first flow to go
//!         that way within [`WAIT_NS`] of packet time is the one.
//! Output: the name of its service for its `conn` record, where its content has none, or is a file and nothing else;
//!         for the `files` record of such a one what FTP says of it, see `carried`.
//! Bounds: [`ANNOUNCED_MAX`] announced, the oldest makes room; as many begun and not over, a new one is
//!         refused. Both are counted.

use std::collections::VecDeque;

use super::carried::Carried;
use crate::proto::Kind;
use crate::proto::files::FileRecord;
use crate::proto::ftp::FtpRecord;
use crate::types::{Clue, Endpoint, FlowKey, FlowRef, Held, Map, Seed, Timestamp, ip_bits};

/// Flows announced, and flows begun.
const ANNOUNCED_MAX: usize = 4_096;
/// How long one is waited for, as Zeek does.
const WAIT_NS: i64 = 5 * 60 * 1_000_000_000;
/// TCP's number (RFC 9293 §3.1), and UDP's (RFC 768).
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Media come from wherever the other side likes.
const ANYONE: u128 = 0;

/// Which way a flow goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Way {
    /// Address of the originator; of datagrams anyone's.
    from: u128,
    to: Endpoint,
    /// IP protocol.
    proto: u8,
}

/// Until when a flow is waited for, and what it will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    until: Timestamp,
    service: &'static str,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Announced {
    waiting: Map<Way, Waiting>,
    /// How many of them go to a port with this low byte: nearly every flow goes to none.
    ports: [u16; 256],
    /// Every announcement of the last minutes, those in `waiting` among them, in order.
    order: VecDeque<(Timestamp, Way)>,
    begun: Map<FlowKey, &'static str>,
    carried: Carried,
    forgotten: u64,
}

impl Announced {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            waiting: Map::new(ANNOUNCED_MAX, seed),
            ports: [0; 256],
            order: VecDeque::new(),
            begun: Map::new(ANNOUNCED_MAX, seed),
            carried: Carried::new(ANNOUNCED_MAX, seed),
            forgotten: 0,
        }
    }

    /// Announcements forgotten and flows refused at the bounds.
    pub(super) fn refused(&self) -> u64 {
        self.forgotten.saturating_add(self.begun.refused())
    }

    /// Takes in a command of FTP with its reply, if that announces a data connection on `flow` or tells what crosses
    /// one.
    pub(super) fn ftp(&mut self, ts: Timestamp, flow: &FlowRef, ftp: &FtpRecord) {
        let (Some(from), Some(told), Some(port)) =
            (ftp.data_orig_h, ftp.data_resp_h, ftp.data_resp_p)
        else {
            return;
        };
        // A server behind a translator tells an address of its own; its client knows better.
        let seen = if flow.orig.ip() == from {
            flow.resp
        } else {
            flow.orig
        };
        let places = [Some(told), Some(seen.ip()).filter(|ip| *ip != told)];
        for to in places.into_iter().flatten() {
            let way = Way {
                from: ip_bits(from),
                to: Endpoint::new(to, port),
                proto: TCP,
            };
            if ftp.announces() {
                self.expect(ts, way, "ftp-data");
            } else if ftp.is_transfer() {
                self.carried.transferred((way.from, way.to), ftp);
            }
        }
    }

    /// Takes in where media are awaited.
    pub(super) fn media(&mut self, ts: Timestamp, clue: &Clue) {
        if let (Some(to), Ok(port)) = (clue.ip, clue.value.parse()) {
            let way = Way {
                from: ANYONE,
                to: Endpoint::new(to, port),
                proto: UDP,
            };
            self.expect(ts, way, clue.evidence);
        }
    }

    /// A flow will begin, if all goes well.
    fn expect(&mut self, ts: Timestamp, way: Way, service: &'static str) {
        let until = ts.plus(WAIT_NS);
        let waiting = Waiting { until, service };
        if self.waiting.get(&way) == Some(&waiting) {
            return;
        }
        while let Some(old) = self.order.pop_front_if(|(until, _)| *until < ts) {
            self.forget(old);
        }
        if self.order.len() >= ANNOUNCED_MAX
            && let Some(oldest) = self.order.pop_front()
            && self.forget(oldest)
        {
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.order.push_back((until, way));
        let known = self.waiting.len();
        self.waiting.insert(way, waiting);
        if self.waiting.len() > known {
            let count = self.at_port(way.to.port);
            *count = count.saturating_add(1);
        }
    }

    /// How many are waited for at ports like this one.
    fn at_port(&mut self, port: u16) -> &mut u16 {
        let [_, low] = port.to_be_bytes();
        &mut self.ports[usize::from(low)]
    }

    /// Takes out what is waited for.
    fn take(&mut self, way: &Way) -> Option<Waiting> {
        let waiting = self.waiting.remove(way)?;
        let count = self.at_port(way.to.port);
        *count = count.saturating_sub(1);
        Some(waiting)
    }

    /// An announcement is over; false if the flow has begun since, or was announced again.
    fn forget(&mut self, (until, way): (Timestamp, Way)) -> bool {
        let waits = self
            .waiting
            .get(&way)
            .is_some_and(|waiting| waiting.until == until);
        waits && self.take(&way).is_some()
    }

    /// A flow begins.
    pub(super) fn began(&mut self, ts: Timestamp, flow: &FlowRef) {
        if self.waiting.is_empty() {
            return;
        }
        // Behind a handshake that was not captured who speaks first counts as who opened it.
        let ends = [(flow.orig, flow.resp), (flow.resp, flow.orig)];
        let mut waited = None;
        for (from, to) in ends {
            if *self.at_port(to.port) == 0 {
                continue;
            }
            let way = Way {
                from: if flow.proto == UDP {
                    ANYONE
                } else {
                    from.bits()
                },
                to,
                proto: flow.proto,
            };
            // Media go both ways over the same ports, which both sides have announced.
            let taken = self.take(&way).map(|waiting| (way, waiting));
            waited = waited.or(taken);
        }
        if let Some((way, Waiting { until, service })) = waited
            && ts <= until
        {
            self.begun.insert(flow.key(), service);
            if way.proto == TCP {
                self.carried.began((way.from, way.to), flow.key());
            }
        }
    }

    /// Completes what is told of a file that is all of `flow`.
    pub(super) fn file(&self, flow: &FlowRef, file: &mut FileRecord) {
        if file.source == "TCP" && !self.begun.is_empty() {
            self.carried.complete(&flow.key(), file);
        }
    }

    /// A flow is over: what it is, `content` being what it says itself.
    pub(super) fn over(
        &mut self,
        flow: &FlowRef,
        content: Option<&'static str>,
    ) -> Option<&'static str> {
        if self.begun.is_empty() {
            return content;
        }
        let key = flow.key();
        self.carried.over(&key);
        let announced = self.begun.remove(&key);
        // That it is a file and nothing else says less than whose.
        let known = content.filter(|service| *service != Kind::FileCarrier.name());
        known.or(announced).or(content)
    }

    /// Time starts anew: nothing told before comes any more.
    pub(super) fn epoch(&mut self) {
        self.order.clear();
        self.waiting.retain(|_, _| false);
        self.ports = [0; 256];
    }

    /// Bytes of the tables.
    pub(super) fn held(&self) -> Held {
        let order = size_of::<(Timestamp, Way)>();
        let tables = self
            .waiting
            .table_bytes()
            .saturating_add(self.begun.table_bytes());
        let (carried, carried_bound) = self.carried.held();
        let bound = Map::<Way, Waiting>::table_bound(ANNOUNCED_MAX)
            .saturating_add(carried_bound)
            .saturating_add(Map::<FlowKey, &str>::table_bound(ANNOUNCED_MAX))
            .saturating_add(ANNOUNCED_MAX.saturating_mul(order));
        Held::new(
            "flows announced",
            tables
                .saturating_add(carried)
                .saturating_add(self.order.capacity().saturating_mul(order)),
            bound,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control() -> FlowRef {
        FlowRef {
            orig: Endpoint::new([10, 0, 0, 1].into(), 40_000),
            resp: Endpoint::new([10, 0, 0, 2].into(), 21),
            proto: TCP,
            ..FlowRef::default()
        }
    }

    /// Server 10.0.0.2 waits for 10.0.0.1 at `told`, port 1025.
    fn passive(told: [u8; 4]) -> FtpRecord {
        FtpRecord {
            command: Some("PASV".into()),
            reply_code: Some(227),
            passive: Some(true),
            data_orig_h: Some([10, 0, 0, 1].into()),
            data_resp_h: Some(told.into()),
            data_resp_p: Some(1025),
            ..FtpRecord::default()
        }
    }

    fn data(to: [u8; 4], port: u16) -> FlowRef {
        FlowRef {
            orig: Endpoint::new([10, 0, 0, 1].into(), 40_001),
            resp: Endpoint::new(to.into(), port),
            ..control()
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn the_first_flow_that_goes_the_way_is_the_one() {
        let mut announced = Announced::new(Seed(1));
        announced.ftp(at(1), &control(), &passive([10, 0, 0, 2]));
        let (other, mine) = (data([10, 0, 0, 2], 1026), data([10, 0, 0, 2], 1025));
        for flow in [other, mine] {
            announced.began(at(2), &flow);
        }
        assert_eq!(announced.over(&other, None), None);
        assert_eq!(announced.over(&mine, Some("file")), Some("ftp-data"));
        assert_eq!(announced.over(&mine, Some("file")), Some("file"));
        announced.began(at(3), &mine);
        assert_eq!(announced.over(&mine, None), None);
    }

    #[test]
    fn a_translated_server_is_found_where_it_is_seen() {
        let mut announced = Announced::new(Seed(1));
        announced.ftp(at(1), &control(), &passive([192, 168, 7, 7]));
        let mine = data([10, 0, 0, 2], 1025);
        announced.began(at(2), &mine);
        assert_eq!(announced.over(&mine, None), Some("ftp-data"));
    }

    #[test]
    fn a_flow_without_its_handshake_is_found_whoever_speaks_first() {
        let mut announced = Announced::new(Seed(1));
        announced.ftp(at(1), &control(), &passive([10, 0, 0, 2]));
        let FlowRef { orig, resp, .. } = data([10, 0, 0, 2], 1025);
        let turned = FlowRef {
            orig: resp,
            resp: orig,
            ..control()
        };
        announced.began(at(2), &turned);
        assert_eq!(announced.over(&turned, None), Some("ftp-data"));
    }

    #[test]
    fn a_refused_command_and_a_transfer_announce_nothing() {
        let mut announced = Announced::new(Seed(1));
        let port = |code| FtpRecord {
            command: Some("PORT".into()),
            reply_code: Some(code),
            ..passive([10, 0, 0, 2])
        };
        let transfer = FtpRecord {
            command: Some("RETR".into()),
            reply_code: Some(226),
            ..passive([10, 0, 0, 2])
        };
        for (record, told) in [
            (port(500), None),
            (transfer, None),
            (port(200), Some("ftp-data")),
        ] {
            announced.ftp(at(1), &control(), &record);
            let mine = data([10, 0, 0, 2], 1025);
            announced.began(at(2), &mine);
            assert_eq!(announced.over(&mine, None), told);
        }
    }

    #[test]
    fn media_are_found_from_anywhere_and_either_side() {
        let mut announced = Announced::new(Seed(1));
        let await_at = |announced: &mut Announced, to: [u8; 4], port: &str, service| {
            let clue = Clue {
                mac: None,
                ip: Some(to.into()),
                kind: crate::types::ClueKind::Announced,
                evidence: service,
                value: port.into(),
            };
            announced.media(at(1), &clue);
        };
        let flow = |orig: ([u8; 4], u16), resp: ([u8; 4], u16)| FlowRef {
            orig: Endpoint::new(orig.0.into(), orig.1),
            resp: Endpoint::new(resp.0.into(), resp.1),
            proto: UDP,
            ..FlowRef::default()
        };
        let (caller, called, relay) = ([10, 0, 0, 1], [10, 0, 0, 2], [192, 0, 2, 9]);
        for (to, port, service) in [
            (caller, "4000", "rtp"),
            (caller, "4001", "rtcp"),
            (called, "5000", "rtp"),
            (called, "no port", "rtp"),
        ] {
            await_at(&mut announced, to, port, service);
        }
        let media = flow((caller, 4_000), (called, 5_000));
        let control = flow((relay, 7), (caller, 4_001));
        let stream = FlowRef {
            proto: TCP,
            ..media
        };
        for flow in [stream, media, control] {
            announced.began(at(2), &flow);
        }
        assert_eq!(announced.over(&stream, None), None);
        assert_eq!(announced.over(&media, None), Some("rtp"));
        assert_eq!(announced.over(&control, None), Some("rtcp"));
        // Neither end waits any more.
        let next = flow((relay, 7), (caller, 4_000));
        announced.began(at(3), &next);
        assert_eq!(announced.over(&next, None), None);
    }

    #[test]
    fn what_comes_too_late_is_another() {
        let mut announced = Announced::new(Seed(1));
        let mine = data([10, 0, 0, 2], 1025);
        for (late, told) in [(301, Some("ftp-data")), (302, None)] {
            announced.ftp(at(1), &control(), &passive([10, 0, 0, 2]));
            announced.began(at(late), &mine);
            assert_eq!(announced.over(&mine, None), told);
        }
        announced.ftp(at(400), &control(), &passive([10, 0, 0, 2]));
        announced.epoch();
        announced.began(at(401), &mine);
        assert_eq!(announced.over(&mine, None), None);
    }

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let mut announced = Announced::new(Seed(1));
        let ports = 1..=u16::try_from(ANNOUNCED_MAX).unwrap() + 2;
        for port in ports {
            let record = FtpRecord {
                data_resp_p: Some(port),
                ..passive([10, 0, 0, 2])
            };
            announced.ftp(at(1), &control(), &record);
        }
        assert_eq!(announced.refused(), 2);
        let told = |port, announced: &mut Announced| {
            announced.began(at(2), &data([10, 0, 0, 2], port));
            announced.over(&data([10, 0, 0, 2], port), None)
        };
        assert_eq!(told(2, &mut announced), None);
        assert_eq!(told(3, &mut announced), Some("ftp-data"));
        // Announced again and again, and over in time: nothing grows, nothing is counted.
        for _ in 0..2 * ANNOUNCED_MAX {
            announced.ftp(at(400), &control(), &passive([10, 0, 0, 2]));
        }
        for second in 0..300 {
            announced.ftp(at(401 + second), &control(), &passive([10, 0, 0, 2]));
        }
        assert_eq!(announced.refused(), 2);
        assert!(announced.held().bytes <= announced.held().bound);
    }
}
