//! Flows that another one has announced, as FTP does its data connections: what they are called.
//!
//! Input:  from which address to which address and port, told before the flow begins. The first flow to go
//!         that way within [`WAIT_NS`] of packet time is the one.
//! Output: the name of its service for its `conn` record, where its content has none; name and length of the file
//!         it carries for its `files` record, if the transfer was answered before that.
//! Bounds: [`ANNOUNCED_MAX`] announced, the oldest makes room; as many begun and not over, a new one is
//!         refused. Both are counted. Names of [`NAME_LEN_MAX`] bytes.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::proto::Kind;
use crate::proto::files::FileRecord;
use crate::proto::ftp::FtpRecord;
use crate::types::{Endpoint, FlowKey, FlowRef, Held, Map, Seed, Timestamp, ip_bits, text};

/// Flows announced, and flows begun.
const ANNOUNCED_MAX: usize = 4_096;
/// How long one is waited for, as Zeek does.
const WAIT_NS: i64 = 5 * 60 * 1_000_000_000;
/// Longest name kept of a file, in bytes; a longer one is cut.
const NAME_LEN_MAX: usize = 256;
/// TCP's number (RFC 9293 §3.1).
const TCP: u8 = 6;

/// Which way a flow goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Way {
    /// Address of the originator.
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

/// A flow that was waited for.
#[derive(Debug)]
struct Begun {
    flow: FlowKey,
    service: &'static str,
    /// What the file is called that it carries, and how long it is.
    name: Option<Box<str>>,
    size: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Announced {
    waiting: Map<Way, Waiting>,
    /// Every announcement of the last minutes, those in `waiting` among them, in order.
    order: VecDeque<(Timestamp, Way)>,
    begun: Map<Way, Begun>,
    /// Bytes of the names in `begun`.
    names: usize,
    forgotten: u64,
}

impl Announced {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            waiting: Map::new(ANNOUNCED_MAX, seed),
            order: VecDeque::new(),
            begun: Map::new(ANNOUNCED_MAX, seed),
            names: 0,
            forgotten: 0,
        }
    }

    /// Announcements forgotten and flows refused at the bounds.
    pub(super) fn refused(&self) -> u64 {
        self.forgotten.saturating_add(self.begun.refused())
    }

    /// Takes in a command of FTP with its reply, if that announces a data connection on `flow` or tells what
    /// crosses one.
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
            let to = Endpoint::new(to, port);
            if ftp.announces() {
                self.expect(ts, (from, to), TCP, "ftp-data");
            } else if ftp.is_transfer() {
                self.carries((from, to), ftp);
            }
        }
    }

    /// What the flow carries that began this way.
    fn carries(&mut self, (from, to): (IpAddr, Endpoint), ftp: &FtpRecord) {
        let from = ip_bits(from);
        let proto = TCP;
        let way = Way { from, to, proto };
        let Some(begun) = self.begun.get_mut(&way) else {
            return;
        };
        let name = ftp.arg.as_deref().unwrap_or_default();
        let name = text(name.as_bytes(), NAME_LEN_MAX).into_boxed_str();
        let old = begun.name.as_ref().map_or(0, |name| name.len());
        self.names = self.names.saturating_sub(old).saturating_add(name.len());
        begun.name = Some(name).filter(|name| !name.is_empty());
        begun.size = ftp.file_size;
    }

    /// Completes what is told of a file that is all of `flow`.
    pub(super) fn file(&self, flow: &FlowRef, file: &mut FileRecord) {
        if self.begun.is_empty() || file.source != "TCP" {
            return;
        }
        let begun = ways(flow).into_iter().find_map(|way| self.begun.get(&way));
        let Some(begun) = begun.filter(|begun| begun.flow == flow.key()) else {
            return;
        };
        file.source = "FTP_DATA";
        file.filename = begun.name.as_deref().map(|name| name.to_owned());
        file.total_bytes = begun.size;
        // A transfer that was cut short, or began in the middle.
        if begun.size.is_some_and(|size| size != file.seen_bytes) {
            file.sha256 = None;
        }
    }

    /// A flow will begin, if all goes well.
    fn expect(
        &mut self,
        ts: Timestamp,
        (from, to): (IpAddr, Endpoint),
        proto: u8,
        service: &'static str,
    ) {
        let from = ip_bits(from);
        let (way, until) = (Way { from, to, proto }, ts.plus(WAIT_NS));
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
        self.waiting.insert(way, waiting);
    }

    /// An announcement is over; false if the flow has begun since, or was announced again.
    fn forget(&mut self, (until, way): (Timestamp, Way)) -> bool {
        let waits = self
            .waiting
            .get(&way)
            .is_some_and(|waiting| waiting.until == until);
        waits && self.waiting.remove(&way).is_some()
    }

    /// A flow begins.
    pub(super) fn began(&mut self, ts: Timestamp, flow: &FlowRef) {
        if self.waiting.is_empty() {
            return;
        }
        let mut found = ways(flow).into_iter();
        let found = found.find_map(|way| Some((way, self.waiting.remove(&way)?)));
        if let Some((way, Waiting { until, service })) = found
            && ts <= until
        {
            let begun = Begun {
                flow: flow.key(),
                service,
                name: None,
                size: None,
            };
            self.forget_begun(&way);
            self.begun.insert(way, begun);
        }
    }

    /// A flow is over: what it is, `service` being what its content says.
    pub(super) fn over(
        &mut self,
        flow: &FlowRef,
        service: Option<&'static str>,
    ) -> Option<&'static str> {
        if self.begun.is_empty() {
            return service;
        }
        let is_it = |way: &Way| {
            let begun = self.begun.get(way);
            begun.is_some_and(|begun| begun.flow == flow.key())
        };
        let way = ways(flow).into_iter().find(is_it);
        let announced = way.and_then(|way| self.forget_begun(&way));
        // That it is a file and nothing else says less than whose.
        let content = service.filter(|service| *service != Kind::FileCarrier.name());
        content.or(announced).or(service)
    }

    /// Forgets a flow that has begun; returns what it is.
    fn forget_begun(&mut self, way: &Way) -> Option<&'static str> {
        let begun = self.begun.remove(way)?;
        let name = begun.name.map_or(0, |name| name.len());
        self.names = self.names.saturating_sub(name);
        Some(begun.service)
    }

    /// Time starts anew: nothing told before comes any more.
    pub(super) fn epoch(&mut self) {
        self.order.clear();
        self.waiting.retain(|_, _| false);
    }

    /// Bytes of the tables.
    pub(super) fn held(&self) -> Held {
        let order = size_of::<(Timestamp, Way)>();
        let tables = self
            .waiting
            .table_bytes()
            .saturating_add(self.begun.table_bytes())
            .saturating_add(self.names);
        let bound = Map::<Way, Waiting>::table_bound(ANNOUNCED_MAX)
            .saturating_add(Map::<Way, Begun>::table_bound(ANNOUNCED_MAX))
            .saturating_add(ANNOUNCED_MAX.saturating_mul(NAME_LEN_MAX))
            .saturating_add(ANNOUNCED_MAX.saturating_mul(order));
        Held::new(
            "flows announced",
            tables.saturating_add(self.order.capacity().saturating_mul(order)),
            bound,
        )
    }
}

/// The ways a flow may have been announced to go: behind a handshake that was not captured who speaks first counts as
/// who opened it.
fn ways(flow: &FlowRef) -> [Way; 2] {
    [(flow.orig, flow.resp), (flow.resp, flow.orig)].map(|(from, to)| Way {
        from: from.bits(),
        to,
        proto: flow.proto,
    })
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
        assert_eq!(announced.over(&mine, None), Some("ftp-data"));
        assert_eq!(announced.over(&mine, None), None);
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
    fn a_transfer_tells_the_file_its_flow_carries() {
        let mut announced = Announced::new(Seed(1));
        announced.ftp(at(1), &control(), &passive([10, 0, 0, 2]));
        let mine = data([10, 0, 0, 2], 1025);
        announced.began(at(2), &mine);
        let transfer = FtpRecord {
            command: Some("RETR".into()),
            arg: Some("a.pdf".into()),
            file_size: Some(9),
            reply_code: Some(226),
            ..passive([10, 0, 0, 2])
        };
        announced.ftp(at(3), &control(), &transfer);
        let seen = |seen_bytes| FileRecord {
            source: "TCP",
            seen_bytes,
            sha256: Some("00".into()),
            ..FileRecord::default()
        };
        for (len, has_hash) in [(9, true), (8, false)] {
            let mut file = seen(len);
            announced.file(&mine, &mut file);
            assert_eq!((file.source, file.total_bytes), ("FTP_DATA", Some(9)));
            assert_eq!(file.filename.as_deref(), Some("a.pdf"));
            assert_eq!(file.sha256.is_some(), has_hash);
        }
        let mut other = seen(9);
        announced.file(&data([10, 0, 0, 2], 1026), &mut other);
        assert_eq!((other.source, other.filename), ("TCP", None));
        assert_eq!(announced.names, 5);
        assert_eq!(announced.over(&mine, Some("file")), Some("ftp-data"));
        assert_eq!(announced.names, 0);
        assert_eq!(announced.over(&mine, Some("file")), Some("file"));
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
