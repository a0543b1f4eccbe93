//! An IP packet on its way to its flow.

use std::net::{IpAddr, Ipv6Addr};

use super::Tracker;
use super::flow::{Arrival, Found};
use super::plain::Quick;
use crate::decode::{Frame, Icmp, Ip, Transport, proto};
use crate::flow::{
    Carrier, Copied, Datagram, FragmentOutcome, Key, Weirds, bit, counterpart, digest,
};
use crate::proto::Out;
use crate::types::{
    Body, Endpoint, FlowRef, MacAddr, Observation, Observations, Sighting, Timestamp,
};

impl Tracker {
    /// Takes an IP packet, whole or in pieces. With what carries it comes its flow's key, if that is known
    /// already.
    #[inline]
    pub(super) fn ip(
        &mut self,
        ts: Timestamp,
        frame: &Frame<'_>,
        ip: &Ip<'_>,
        (carrier, quick): (&Carrier, Option<&Quick>),
        out: &mut Observations,
    ) {
        let Some(fragment) = ip.fragment else {
            let arrival = Arrival {
                ts,
                src_mac: frame.src_mac,
                dst_mac: frame.dst_mac,
                pkts: 1,
                bytes: ip.len,
                whole: true,
                joined: false,
            };
            let at = (frame.vlan, carrier, quick);
            return self.transport(&arrival, at, ip, Some(ip), out);
        };
        let v6 = ip.header.len() == 40;
        self.stats.encapsulations.fragment(v6);
        // Nobody sends a fragment of the same datagram twice within 2 ms; its datagram would not count.
        let digest = digest(ip) ^ u64::from(carrier.hash);
        if self.recent.look(ts, digest, frame.vlan, u8::MAX).copy {
            self.count_copies(carrier, 1, 0);
            return;
        }
        let key = Datagram {
            src: ip.src,
            dst: ip.dst,
            id: fragment.id,
            proto: ip.proto,
            vlan: frame.vlan,
            carrier: carrier.hash,
        };
        let len = (ip.len, ip.is_cut());
        let (outcome, odd) = self.fragments.piece(ts, key, fragment, ip.payload, len);
        self.count_fragments();
        if !odd.is_empty() {
            tell_odd(ts, &key, odd, out);
        }
        let (payload, pkts, bytes, whole) = match &outcome {
            FragmentOutcome::Held => return,
            FragmentOutcome::Begun { start, pkts, bytes } => (start, *pkts, *bytes, false),
            FragmentOutcome::Whole {
                payload,
                pkts,
                bytes,
            } => (payload, *pkts, *bytes, true),
        };
        let payload_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let (src_mac, dst_mac) = (frame.src_mac, frame.dst_mac);
        let arrival = Arrival {
            ts,
            src_mac,
            dst_mac,
            pkts,
            bytes,
            whole,
            joined: true,
        };
        let joined = Ip {
            payload,
            // A piece is shorter than the packet: its headers are taken as far as they go.
            payload_len: if whole {
                payload_len
            } else {
                payload_len.saturating_add(1)
            },
            fragment: None,
            ..*ip
        };
        self.transport(&arrival, (frame.vlan, carrier, None), &joined, None, out);
    }

    /// Brings the counters of fragments up to date.
    pub(super) fn count_fragments(&mut self) {
        self.stats.fragments_refused = self.fragments.refused;
        self.stats.fragments_incomplete = self.fragments.incomplete;
        self.stats.fragments_untold = self.fragments.untold;
    }

    /// Takes a packet's transport header; `original` is the packet as it came, for its digest.
    #[inline]
    pub(super) fn transport(
        &mut self,
        arrival: &Arrival,
        (vlan, carrier, quick): (u16, &Carrier, Option<&Quick>),
        ip: &Ip<'_>,
        original: Option<&Ip<'_>>,
        out: &mut Observations,
    ) {
        let transport = match Transport::parse(ip.proto, ip.payload, ip.payload_len) {
            Ok(transport) => transport,
            Err(malformed) => return self.stats.malformed(malformed.layer, arrival.pkts),
        };
        let (key, from_a, hash) = match quick {
            Some(quick) => (quick.key, quick.from_a, quick.hash),
            None => self.key_of((vlan, carrier), ip, &transport),
        };
        debug_assert_eq!(
            (key, from_a, hash),
            self.key_of((vlan, carrier), ip, &transport)
        );
        let found = self.find(arrival, (&key, from_a, hash), carrier, &transport, out);
        if let Some(found) = found {
            let copy = original.is_some_and(|original| {
                self.is_duplicate(found, arrival, (vlan, carrier), original)
            });
            if !copy {
                self.arrive(found, arrival, ip, &transport, out);
                if let Transport::Icmp(icmp) = &transport {
                    self.neighbour(found.index, arrival, ip, icmp, out);
                }
                self.table.touch(found.index);
            }
        }
        // The inner flow knows its copies itself, so it gets them all.
        if !matches!(transport, Transport::Tcp(_) | Transport::Icmp(_)) {
            let outer = (found.map(|found| found.index), ip);
            self.look_inside(arrival, (vlan, carrier), outer, &transport, out);
        }
    }

    /// The key of a packet's flow, whether its end `a` sent the packet, and the key's hash.
    #[inline]
    fn key_of(
        &self,
        (vlan, carrier): (u16, &Carrier),
        ip: &Ip<'_>,
        transport: &Transport<'_>,
    ) -> (Key, bool, u32) {
        let (src_port, dst_port) = match transport {
            Transport::Tcp(tcp) => (tcp.src_port, tcp.dst_port),
            Transport::Udp(udp) => (udp.src_port, udp.dst_port),
            Transport::Icmp(icmp) => icmp_ports(ip.proto, icmp),
            Transport::Sctp(sctp) => (sctp.src_port, sctp.dst_port),
            Transport::Other { src_port, dst_port } => (*src_port, *dst_port),
        };
        let src = Endpoint {
            addr: ip.src,
            port: src_port,
        };
        let dst = Endpoint {
            addr: ip.dst,
            port: dst_port,
        };
        let (key, from_a) = Key::new(src, dst, ip.proto, vlan, carrier.hash);
        (key, from_a, self.table.hash(&key))
    }

    /// Tells of the neighbour an ICMPv6 message speaks for.
    fn neighbour(
        &mut self,
        index: u32,
        arrival: &Arrival,
        ip: &Ip<'_>,
        icmp: &Icmp<'_>,
        out: &mut Observations,
    ) {
        // What a router has forwarded speaks for nobody here.
        if ip.proto != proto::ICMPV6 || ip.ttl() != super::content::NEIGHBOUR_HOPS {
            return;
        }
        let Some(neighbour) = icmp.neighbour() else {
            return;
        };
        let Some(flow) = self.table.get_mut(index) else {
            return;
        };
        let mac: MacAddr = neighbour.mac.unwrap_or(arrival.src_mac);
        let address = neighbour.target.unwrap_or_else(|| Ipv6Addr::from(ip.src));
        if mac.is_station() && !address.is_unspecified() && !address.is_multicast() {
            let body = Body::Sighting(Sighting {
                mac,
                ip: Some(IpAddr::V6(address)),
                evidence: "ndp",
                vlan: flow.key.vlan,
            });
            out.push(Observation {
                ts: arrival.ts,
                flow: flow.flow_ref(),
                body,
            });
        }
    }

    /// Looks whether the packet was just seen; true if it is a copy that does not count.
    #[inline]
    fn is_duplicate(
        &mut self,
        found: Found,
        arrival: &Arrival,
        at: (u16, &Carrier),
        original: &Ip<'_>,
    ) -> bool {
        // Past its first packets nearly every flow is known to be no copy of itself.
        match self.table.get_mut(found.index) {
            Some(flow) if !flow.is(bit::GENUINE) => self.look_back(found, arrival, at, original),
            _ => false,
        }
    }

    /// The same for a flow of which it is not known.
    pub(super) fn look_back(
        &mut self,
        found: Found,
        arrival: &Arrival,
        (vlan, carrier): (u16, &Carrier),
        original: &Ip<'_>,
    ) -> bool {
        let Some(flow) = self.table.get_mut(found.index) else {
            return false;
        };
        // What is seen inside a tunnel and outside it is no copy: its flows are two.
        let digest = digest(original) ^ u64::from(carrier.hash);
        let mut look = self
            .recent
            .look(arrival.ts, digest, vlan, flow.copies_max());
        // A copy has its original in the same flow, which therefore does not begin with it.
        look.copy &= !found.new;
        self.stats.copies_overrun = self.recent.overrun;
        let (copied, back) = flow.copied(found.dir, arrival.ts, arrival.bytes, look);
        let copy = copied == Copied::Yes;
        self.count_copies(carrier, u64::from(copy), back);
        copy
    }

    /// Counts packets left out, and takes back those counted after all.
    fn count_copies(&mut self, carrier: &Carrier, left_out: u64, back: u64) {
        // A packet is counted once: by the outermost flow.
        let (duplicate, carried) = (&mut self.stats.duplicate, &mut self.stats.carried);
        if carrier.within_flow {
            *carried = carried.saturating_sub(left_out).saturating_add(back);
        } else {
            *duplicate = duplicate.saturating_add(left_out).saturating_sub(back);
        }
    }
}

/// Tells oddities of fragments: they name the packet's ends, for there may be no flow.
#[cold]
fn tell_odd(ts: Timestamp, key: &Datagram, odd: Weirds, out: &mut Observations) {
    let end = |addr| Endpoint { addr, port: 0 };
    let flow = FlowRef {
        orig: end(key.src),
        resp: end(key.dst),
        proto: key.proto,
        vlan: key.vlan,
        carrier: key.carrier,
        ordinal: 0,
        first_ts: ts,
    };
    let mut told = Out::new(&flow, ts, out);
    for name in odd.names() {
        told.weird(name, None, "fragment");
    }
}

/// ICMP's type and code in place of ports; see `flow::key`.
fn icmp_ports(number: u8, icmp: &Icmp<'_>) -> (u16, u16) {
    let second = counterpart(number == proto::ICMPV6, icmp.icmp_type).unwrap_or(icmp.code);
    (u16::from(icmp.icmp_type), u16::from(second))
}
