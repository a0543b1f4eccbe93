//! What is seen of connections while responses are armed at all: which live, who uses whom, and which
//! devices show themselves to be infrastructure.
//!
//! Bounds: 65,536 live flows, 16,384 responders with 64 users each, 4,096 servers; beyond that a flow
//!         is not known to live (so it is not reset), a user is not counted, each counted.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::decode::proto;
use crate::types::{Ends, FlowEvent, FlowRef, Held, Map, Phase, Seed, Timestamp};

const FLOWS_MAX: usize = 65_536;
const RESPONDERS_MAX: usize = 16_384;
const USERS_MAX: usize = 64;
const SERVERS_MAX: usize = 4_096;
/// A responder's users are remembered this long.
const USED_NS: i64 = 30 * 24 * 3_600 * 1_000_000_000;

/// A TCP flow that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// What the tracker last said of its ends.
    pub ends: Ends,
}

/// What outlives a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedWatch {
    /// Responders, with the ids of those who used them and when last.
    used: Vec<(IpAddr, Vec<(String, Timestamp)>)>,
    /// Servers of the infrastructure, with what they serve.
    servers: Vec<(IpAddr, String)>,
}

/// See the module.
#[derive(Debug)]
pub struct Watch {
    flows: Map<FlowRef, Live>,
    used: Map<IpAddr, Vec<(String, Timestamp)>>,
    servers: Map<IpAddr, String>,
}

impl Watch {
    /// A watch with what it knew before.
    #[must_use]
    pub fn new(seed: Seed, saved: SavedWatch) -> Self {
        let mut watch = Self {
            flows: Map::new(FLOWS_MAX, seed),
            used: Map::new(RESPONDERS_MAX, seed),
            servers: Map::new(SERVERS_MAX, seed),
        };
        for (addr, users) in saved.used {
            watch.used.insert(addr, users);
        }
        for (addr, what) in saved.servers {
            watch.servers.insert(addr, what);
        }
        watch
    }

    /// What the next run should know.
    #[must_use]
    pub fn save(&self) -> SavedWatch {
        let used = self.used.sorted().into_iter();
        let servers = self.servers.sorted().into_iter();
        SavedWatch {
            used: used.map(|(addr, users)| (*addr, users.clone())).collect(),
            servers: servers.map(|(addr, what)| (*addr, what.clone())).collect(),
        }
    }

    /// Entries refused at a bound.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.flows
            .refused()
            .saturating_add(self.used.refused())
            .saturating_add(self.servers.refused())
    }

    /// Takes in a stage of a flow. `user` is the originator's device id, if it is one of ours;
    /// `at_home` whether the responder is.
    pub fn flow(
        &mut self,
        ts: Timestamp,
        flow: &FlowRef,
        event: &FlowEvent,
        user: Option<&str>,
        at_home: bool,
    ) {
        if flow.proto == proto::TCP {
            match event.phase {
                Phase::Close => {
                    self.flows.remove(flow);
                }
                _ => self.lives(flow, event.ends()),
            }
        }
        if event.phase == Phase::Answered {
            if at_home && let Some(what) = serves(flow) {
                let addr = flow.resp.ip();
                if self.servers.get(&addr).is_none() {
                    self.servers.insert(addr, format!("serves {what}"));
                }
            }
            if let Some(user) = user {
                self.uses(ts, flow.resp.ip(), user);
            }
        }
    }

    /// Takes in what a record says of its flow's ends: later than the flow's last event.
    pub fn lives(&mut self, flow: &FlowRef, ends: Ends) {
        if ends.open {
            self.flows.insert(*flow, Live { ends });
        } else if let Some(live) = self.flows.get_mut(flow) {
            live.ends = ends;
        }
    }

    /// Time leapt: the tracker has closed every flow.
    pub fn epoch(&mut self) {
        self.flows.retain(|_, _| false);
    }

    /// The flow, if it lives.
    #[must_use]
    pub fn live(&self, flow: &FlowRef) -> Option<&Live> {
        self.flows.get(flow).filter(|live| live.ends.open)
    }

    /// Live flows between the two addresses of `flow` to the same responder port.
    pub fn flows_of_pair(&mut self, flow: &FlowRef) -> u32 {
        let mut count = 0_u32;
        self.flows.retain(|other, live| {
            let same = (other.orig.addr, other.resp) == (flow.orig.addr, flow.resp);
            if same && live.ends.open {
                count = count.saturating_add(1);
            }
            true
        });
        count
    }

    /// Devices that used `responder` in the last 30 days, `but` excepted; at most 64 are known.
    #[must_use]
    pub fn others(&self, ts: Timestamp, responder: IpAddr, but: &str) -> u32 {
        let Some(users) = self.used.get(&responder) else {
            return 0;
        };
        let recent = |(id, last): &&(String, Timestamp)| id != but && ts.since(*last) < USED_NS;
        u32::try_from(users.iter().filter(recent).count()).unwrap_or(u32::MAX)
    }

    /// What `addr` was seen to serve the site with.
    #[must_use]
    pub fn serves(&self, addr: IpAddr) -> Option<&str> {
        self.servers.get(&addr).map(String::as_str)
    }

    fn uses(&mut self, ts: Timestamp, responder: IpAddr, user: &str) {
        if self.used.len() >= RESPONDERS_MAX && self.used.get(&responder).is_none() {
            let recent = |(_, last): &(String, Timestamp)| ts.since(*last) < USED_NS;
            self.used.retain(|_, users| users.iter().any(recent));
        }
        let Some(users) = self.used.entry(responder, Vec::new) else {
            return;
        };
        if let Some((_, last)) = users.iter_mut().find(|(id, _)| id == user) {
            *last = ts;
        } else if users.len() < USERS_MAX {
            users.push((user.to_owned(), ts));
        }
    }
}

/// What a responder that answered serves the site with, if it is of the kind nobody may cut off. Only
/// ports on which nothing else is found; whoever listens there to be spared is spared: the safe side.
fn serves(flow: &FlowRef) -> Option<&'static str> {
    match (flow.proto, flow.resp.port) {
        (proto::UDP | proto::TCP, 53) => Some("dns"),
        (proto::UDP, 67) => Some("dhcp"),
        (proto::UDP | proto::TCP, 88 | 464) => Some("kerberos"),
        (proto::UDP | proto::TCP, 389) | (proto::TCP, 636 | 3_268 | 3_269) => Some("ldap"),
        (proto::UDP, 123) => Some("ntp"),
        _ => None,
    }
}

impl Watch {
    /// Bytes of live flows, of who uses what, and of servers.
    #[must_use]
    pub fn held(&self) -> Held {
        let user = size_of::<(String, Timestamp)>().saturating_add(16);
        let users = self
            .used
            .sum(|_, users| users.capacity().saturating_mul(user));
        let servers = self.servers.sum(|_, what| what.capacity());
        let bytes = users
            .saturating_add(servers)
            .saturating_add(self.flows.table_bytes())
            .saturating_add(self.used.table_bytes())
            .saturating_add(self.servers.table_bytes());
        let bound = Map::<FlowRef, Live>::table_bound(FLOWS_MAX)
            .saturating_add(Map::<IpAddr, Vec<(String, Timestamp)>>::table_bound(
                RESPONDERS_MAX,
            ))
            .saturating_add(Map::<IpAddr, String>::table_bound(SERVERS_MAX))
            .saturating_add(
                RESPONDERS_MAX
                    .saturating_mul(USERS_MAX)
                    .saturating_mul(user),
            )
            .saturating_add(SERVERS_MAX.saturating_mul(32));
        Held::new("flows to act on", bytes, bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Endpoint, MacAddr};

    fn flow(orig: u8, port: u16, resp: u8, resp_port: u16) -> FlowRef {
        FlowRef {
            orig: Endpoint::new([10, 0, 0, orig].into(), port),
            resp: Endpoint::new([10, 0, 0, resp].into(), resp_port),
            proto: 6,
            ..FlowRef::default()
        }
    }

    fn event(phase: Phase) -> FlowEvent {
        FlowEvent {
            phase,
            orig_bytes: 0,
            resp_bytes: 0,
            orig_pkts: 1,
            resp_pkts: 1,
            first_of: None,
            from_start: true,
            handshake: true,
            signed: false,
            orig_mac: MacAddr([2; 6]),
            resp_mac: MacAddr([4; 6]),
        }
    }

    #[test]
    fn flows_live_until_they_close() {
        let mut watch = Watch::new(Seed(1), SavedWatch::default());
        let ts = Timestamp::from_secs(9);
        let (one, two, other) = (flow(1, 50, 9, 80), flow(1, 51, 9, 80), flow(2, 50, 9, 80));
        for flow in [&one, &two, &other] {
            watch.flow(ts, flow, &event(Phase::New), None, true);
        }
        assert!(watch.live(&one).is_some_and(|live| live.ends.handshake));
        assert_eq!(watch.flows_of_pair(&one), 2);
        watch.flow(ts, &one, &event(Phase::Close), None, true);
        assert_eq!(watch.live(&one), None);
        assert_eq!(watch.flows_of_pair(&two), 1);
    }

    #[test]
    fn users_and_servers_outlive_a_restart() {
        let mut watch = Watch::new(Seed(1), SavedWatch::default());
        let ts = Timestamp::from_secs(9);
        let answered = event(Phase::Answered);
        watch.flow(ts, &flow(1, 50, 9, 389), &answered, Some("d-1"), true);
        watch.flow(ts, &flow(2, 50, 9, 389), &answered, Some("d-2"), true);
        watch.flow(ts, &flow(2, 50, 8, 389), &answered, Some("d-2"), false);
        let watch = Watch::new(Seed(2), watch.save());
        let server = [10, 0, 0, 9].into();
        assert_eq!(watch.others(ts, server, "d-1"), 1);
        assert_eq!(watch.others(ts.plus(USED_NS), server, "d-1"), 0);
        assert_eq!(watch.serves(server), Some("serves ldap"));
        assert_eq!(watch.serves([10, 0, 0, 8].into()), None);
    }
}
