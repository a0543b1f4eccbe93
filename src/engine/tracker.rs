//! The hot half of the engine: frames in, observations out.
//!
//! Input:  frames of one worker, times never running backwards (who reads them sees to that; a step
//!         back is taken as standing still). One address pair is always dealt to the same worker, frames
//!         without IP to worker 0.
//! Output: observations; a stable sort by (`ts`, flow key) over all workers gives one order, whatever
//!         their number, the hash key, or how often `advance` was called.
//! Bounds: flows (at the bound the least loss goes for a new one, see `flow::Rank`; it is closed there and
//!         then, and as nobody waited for its answer, it is not called failed), bytes held for reassembly
//!         (what is missing is given up), fragments, hardware addresses told; each counted.
//! Direction: the originator sent the first packet, unless that is a SYN-ACK, or has no SYN and comes
//!         from a server's port to one that is none (history `^`, as in Zeek).
//! Duplicates: a packet seen within the last 2 ms is left out, on probation for as long as it may be its
//!         sender who repeats himself (see `flow::duplicate`); what was left out wrongly is counted later.
//!         A fragment is identified by its datagram, and left out at once.

mod announcements;
mod batch;
mod content;
mod counted;
mod encapsulations;
mod flow;
mod held;
mod news;
mod packet;
mod plain;
mod sightings;
mod stats;
#[cfg(test)]
mod tests;
mod tunnel;

pub use batch::Packet;
pub use encapsulations::Encapsulations;
pub use stats::{Numbers, TrackerStats};

use crate::decode::{self, Network, Refused};
use crate::flow::{Carrier, Carriers, Fragments, Index, NonIp, Recent, Room, Table};
use crate::proto::driver::{App, Reading};
use crate::proto::link_discovery::LinkProtocol;
use crate::types::{
    Body, FlowKey, FlowRef, MacAddr, Observation, Observations, Seed, Sighting, Timestamp,
};

use announcements::Announcements;
use counted::Counted;
use plain::Quick;
use sightings::Sightings;

/// How many flows ahead of the one that is closed memory is asked for.
const ASKED: usize = 8;

/// Bounds and key of a tracker.
#[derive(Clone, Copy, Debug)]
pub struct TrackerConfig {
    /// Most flows at a time.
    pub flows_max: usize,
    /// Most bytes held for all streams together.
    pub reassembly_bytes_max: usize,
    /// Key of the hash tables; influences no output.
    pub seed: Seed,
    /// Whether payload is parsed; without, there are flows only.
    pub protocols: bool,
    /// Whether programs, archives and documents are followed and hashed.
    pub files: bool,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            flows_max: 1_000_000,
            reassembly_bytes_max: 256 * 1024 * 1024,
            seed: Seed(0),
            protocols: true,
            files: true,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Tracker {
    now: Timestamp,
    /// Every timer up to here has fired; see [`Tracker::settle`].
    settled: Timestamp,
    /// Flows still to be closed; see [`Tracker::close_some`].
    closing: Option<std::vec::IntoIter<Index>>,
    table: Table<App>,
    fragments: Fragments,
    recent: Recent,
    carriers: Carriers,
    non_ip: NonIp,
    sightings: Sightings,
    announcements: Announcements,
    counted: Counted,
    room: Room,
    stats: TrackerStats,
    protocols: bool,
    reading: Reading,
}

impl Tracker {
    /// A tracker that has seen nothing.
    #[must_use]
    pub fn new(config: TrackerConfig) -> Self {
        Self {
            now: Timestamp::MIN,
            settled: Timestamp::MIN,
            closing: None,
            table: Table::new(config.flows_max, config.seed),
            fragments: Fragments::new(config.seed),
            recent: Recent::new(config.seed),
            carriers: Carriers::new(config.seed),
            non_ip: NonIp::default(),
            sightings: sightings::new(config.seed),
            announcements: announcements::new(config.seed),
            counted: Counted::default(),
            room: Room {
                used: 0,
                max: config.reassembly_bytes_max,
                refused: 0,
                overflows: 0,
            },
            stats: TrackerStats::default(),
            protocols: config.protocols,
            reading: Reading {
                files: config.files,
                key: config.seed,
            },
        }
    }

    /// Takes a frame; `quick` is what was read of it ahead.
    #[inline]
    fn take(&mut self, packet: &Packet<'_>, quick: Option<&Quick>, out: &mut Observations) {
        let ts = packet.ts.max(self.now);
        self.now = ts;
        if self.table.is_due(ts) {
            self.fire(ts, out);
        }
        if self.counted.is_due(ts) {
            self.counted.turn(ts, out);
        }
        let wire_len = packet.wire_len();
        let truncated = packet.captured() < wire_len;
        let stats = &mut self.stats;
        stats.packets = stats.packets.saturating_add(1);
        stats.bytes = stats.bytes.saturating_add(u64::from(wire_len));
        stats.truncated = stats.truncated.saturating_add(u64::from(truncated));
        self.counted.frame(wire_len, truncated);
        stats.first_ts.get_or_insert(ts);
        stats.last_ts = Some(ts);
        if quick.is_none_or(|quick| !self.plain(ts, packet, quick, out)) {
            self.decode(ts, packet, quick, out);
        }
    }

    /// Takes a frame, counted as such, the long way. `quick` is what is known of its flow, if nothing
    /// carries that.
    fn decode(
        &mut self,
        ts: Timestamp,
        packet: &Packet<'_>,
        quick: Option<&Quick>,
        out: &mut Observations,
    ) {
        let wire_len = packet.wire_len();
        let truncated = packet.captured() < wire_len;
        let stats = &mut self.stats;
        let decoded = match decode::decode(packet.link, wire_len, packet.frame) {
            Ok(decoded) => decoded,
            Err(Refused::LinkType) => return stats.not_decoded.add(packet.link),
            Err(Refused::Malformed(malformed)) => {
                // A header cut off by the capture is not the sender's mistake.
                if !truncated || malformed.need <= malformed.have {
                    stats.malformed(malformed.layer, 1);
                } else {
                    stats.header_cut = stats.header_cut.saturating_add(1);
                }
                return;
            }
        };
        self.counted.decoded(decoded.dst_mac, decoded.vlan);
        match &decoded.network {
            Network::Ip(ip) if decoded.vlan | decoded.inner_vlan == 0 => {
                return self.ip(ts, &decoded, ip, (Carrier::NONE, quick), out);
            }
            Network::Ip(_) | Network::Tunnelled(_) => {
                return self.frame(ts, &decoded, Carrier::NONE, out);
            }
            _ => {}
        }
        if self.non_ip.is_copy(ts, packet.frame) {
            self.stats.duplicate = self.stats.duplicate.saturating_add(1);
            return;
        }
        self.frame(ts, &decoded, Carrier::NONE, out);
    }

    /// Fires the timers due by `ts`, each with its deadline as its time. Those of the last 134 ms may
    /// stay for later: see [`Self::watermark`].
    pub fn advance(&mut self, ts: Timestamp, out: &mut Observations) {
        self.now = self.now.max(ts);
        if self.table.is_due(self.now) {
            self.fire(self.now, out);
        }
        if self.counted.is_due(self.now) {
            self.counted.turn(self.now, out);
        }
    }

    /// As `advance`, but to the nanosecond: the watermark then is the tracker's time. Looks at every
    /// flow whose timer may fire within the next 134 ms.
    pub fn settle(&mut self, ts: Timestamp, out: &mut Observations) {
        self.advance(ts, out);
        for index in self.table.due_by(self.now) {
            let Some(flow) = self.table.get_mut(index) else {
                continue;
            };
            let deadline = flow.deadline();
            self.close(index, deadline, true, out);
        }
        self.settled = self.now;
    }

    /// The input's time leaps to `ts`: fires what is due by the old time, closes every flow at the old
    /// time, in the order of their keys, and goes on from `ts`. All workers must have been advanced to
    /// the same old time before. Whoever judges leaps emits the mark.
    pub fn epoch(&mut self, ts: Timestamp, out: &mut Observations) {
        self.flush(out);
        self.sightings.clear();
        self.announcements.clear();
        self.non_ip = NonIp::default();
        self.recent.clear();
        self.table.restart(ts);
        (self.now, self.settled) = (ts, ts);
    }

    /// The input is over, at `ts` for all workers alike: fires what is due by then and closes every
    /// other flow at `ts`, in the order of their keys.
    pub fn finish(&mut self, ts: Timestamp, out: &mut Observations) {
        self.now = self.now.max(ts);
        self.flush(out);
    }

    /// No later observation carries a time below this.
    #[must_use]
    pub fn watermark(&self) -> Timestamp {
        self.table.horizon().max(self.settled).min(self.now)
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> &TrackerStats {
        &self.stats
    }

    /// Number of flows alive.
    #[must_use]
    pub fn flows(&self) -> usize {
        self.table.len()
    }

    /// Closes flows whose wheel tick has passed.
    fn fire(&mut self, ts: Timestamp, out: &mut Observations) {
        while let Some(index) = self.table.due(ts) {
            let Some(flow) = self.table.get_mut(index) else {
                return;
            };
            let deadline = flow.deadline();
            self.table.ask_next(index);
            self.close(index, deadline, true, out);
        }
    }

    /// Closes at most `flows_max` flows, as the end of everything approaches: first those whose deadline
    /// has come, at their deadlines, then the others now, in the order of their keys. Returns the key of
    /// the next one, `None` once no flow is left. Nothing else may be asked of the tracker in between.
    pub fn close_some(&mut self, flows_max: usize, out: &mut Observations) -> Option<FlowKey> {
        let mut closing = match self.closing.take() {
            Some(closing) => closing,
            None => {
                self.settle(self.now, out);
                self.counted.flush(self.now, out);
                self.stats.held = self.held();
                let sorted = self.table.sorted();
                self.table.ending();
                sorted.into_iter()
            }
        };
        for _ in 0..flows_max {
            let ahead = closing.as_slice();
            self.table.ask(ahead.get(ASKED));
            self.table.ask_app(ahead.get(ASKED / 2));
            let Some(index) = closing.next() else { break };
            self.close(index, self.now, false, out);
        }
        let next = closing.as_slice().first();
        let key = next.and_then(|index| Some(self.table.get_mut(*index)?.flow_ref().key()));
        if key.is_some() {
            self.closing = Some(closing);
        }
        key
    }

    /// Closes every flow.
    fn flush(&mut self, out: &mut Observations) {
        while self.close_some(usize::MAX, out).is_some() {}
        self.fragments.clear();
        self.count_fragments();
    }

    /// ARP and everything else that is not IP.
    fn without_ip(
        &mut self,
        ts: Timestamp,
        frame: &decode::Frame<'_>,
        carrier: u32,
        out: &mut Observations,
    ) {
        let (mac, ip, evidence) = match frame.network {
            Network::Arp(arp) => {
                let ip = Some(arp.sender_ip).filter(|ip| !ip.is_unspecified());
                (arp.sender_mac, ip.map(std::net::IpAddr::V4), "arp")
            }
            Network::Lldp(body) => {
                self.announced(ts, frame, (LinkProtocol::Lldp, body), carrier, out);
                (frame.src_mac, None, "lldp")
            }
            Network::Cdp(body) => {
                self.announced(ts, frame, (LinkProtocol::Cdp, body), carrier, out);
                (frame.src_mac, None, "cdp")
            }
            Network::EtherType(number) => {
                self.stats.ether_types.add(u32::from(number));
                (frame.src_mac, None, "frame")
            }
            Network::Llc(sap) => {
                self.stats.llc.add(u32::from(sap));
                (frame.src_mac, None, "frame")
            }
            Network::Ppp(number) => {
                self.stats.ppp.add(u32::from(number));
                (frame.src_mac, None, "frame")
            }
            Network::Ip(_) | Network::Tunnelled(_) => return,
        };
        let at = (frame.vlan, carrier);
        self.sighting(ts, mac, ip, evidence, at, out);
        // A sender that speaks for another hardware address is there as well.
        if frame.src_mac != mac {
            self.sighting(ts, frame.src_mac, None, "frame", at, out);
        }
    }

    fn sighting(
        &mut self,
        ts: Timestamp,
        mac: MacAddr,
        ip: Option<std::net::IpAddr>,
        evidence: &'static str,
        (vlan, carrier): (u16, u32),
        out: &mut Observations,
    ) {
        let refused = &mut self.stats.sightings_refused;
        if mac.is_station()
            && self
                .sightings
                .is_news(ts, (mac, ip, vlan, carrier), refused)
        {
            let body = Body::Sighting(Sighting {
                mac,
                ip,
                evidence,
                vlan,
            });
            out.push(Observation {
                ts,
                // Workers that see one station at one time must differ in what they say, to be sorted.
                flow: FlowRef {
                    carrier,
                    ..FlowRef::default()
                },
                body,
            });
        }
    }
}
