//! An IP packet on its way to its flow.

use std::net::{IpAddr, Ipv6Addr};

use super::Tracker;
use super::flow::{Arrival, Found};
use crate::decode::{Frame, Icmp, Ip, Transport, proto};
use crate::flow::{Copied, Datagram, FragmentOutcome, Key, bit, counterpart, digest};
use crate::types::{Body, Endpoint, MacAddr, Observation, Observations, Sighting, Timestamp};

impl Tracker {
    /// Takes an IP packet, whole or in pieces.
    #[inline]
    pub(super) fn ip(
        &mut self,
        ts: Timestamp,
        frame: &Frame<'_>,
        ip: &Ip<'_>,
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
            };
            return self.transport(&arrival, frame.vlan, ip, Some(ip), out);
        };
        // Nobody sends a fragment of the same datagram twice within 2 ms; its datagram would not count.
        if self.recent.look(ts, digest(ip), frame.vlan, u8::MAX).copy {
            self.stats.duplicate = self.stats.duplicate.saturating_add(1);
            return;
        }
        let key = Datagram {
            src: ip.src,
            dst: ip.dst,
            id: fragment.id,
            proto: ip.proto,
            vlan: frame.vlan,
        };
        let outcome = self.fragments.piece(ts, key, fragment, ip.payload, ip.len);
        self.stats.fragments_refused = self.fragments.refused;
        self.stats.fragments_incomplete = self.fragments.incomplete;
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
        self.transport(&arrival, frame.vlan, &joined, None, out);
    }

    /// Takes a packet's transport header; `original` is the packet as it came, for its digest.
    #[inline]
    fn transport(
        &mut self,
        arrival: &Arrival,
        vlan: u16,
        ip: &Ip<'_>,
        original: Option<&Ip<'_>>,
        out: &mut Observations,
    ) {
        let transport = match Transport::parse(ip.proto, ip.payload, ip.payload_len) {
            Ok(transport) => transport,
            Err(malformed) => return self.stats.malformed(malformed.layer),
        };
        let (src_port, dst_port) = match &transport {
            Transport::Tcp(tcp) => (tcp.src_port, tcp.dst_port),
            Transport::Udp(udp) => (udp.src_port, udp.dst_port),
            Transport::Icmp(icmp) => icmp_ports(ip.proto, icmp),
            Transport::Other { src_port, dst_port } => {
                if !matches!(ip.proto, proto::TCP | proto::UDP | proto::SCTP) {
                    self.stats.ip_protocols.add(u32::from(ip.proto));
                }
                (*src_port, *dst_port)
            }
        };
        let src = Endpoint {
            addr: ip.src,
            port: src_port,
        };
        let dst = Endpoint {
            addr: ip.dst,
            port: dst_port,
        };
        let (key, from_a) = Key::new(src, dst, ip.proto, vlan);
        let Some(found) = self.find(arrival, (&key, from_a), &transport, out) else {
            return;
        };
        if let Some(original) = original
            && self.is_duplicate(found, arrival, vlan, || digest(original))
        {
            return;
        }
        self.arrive(found, arrival, ip, &transport, out);
        if let Transport::Icmp(icmp) = &transport {
            self.neighbour(found.index, arrival, ip, icmp, out);
        }
        self.table.touch(found.index);
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
        if ip.proto != proto::ICMPV6 {
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
        vlan: u16,
        digest: impl FnOnce() -> u32,
    ) -> bool {
        let Some(flow) = self.table.get_mut(found.index) else {
            return false;
        };
        if flow.is(bit::GENUINE) {
            return false;
        }
        let look = self
            .recent
            .look(arrival.ts, digest(), vlan, flow.copies_max());
        self.stats.copies_overrun = self.recent.overrun;
        let (copied, back) = flow.copied(found.dir, arrival.ts, arrival.bytes, look);
        let left_out = u64::from(copied == Copied::Yes);
        let duplicate = &mut self.stats.duplicate;
        *duplicate = duplicate.saturating_add(left_out).saturating_sub(back);
        left_out > 0
    }
}

/// ICMP's type and code in place of ports; see `flow::key`.
fn icmp_ports(number: u8, icmp: &Icmp<'_>) -> (u16, u16) {
    let second = counterpart(number == proto::ICMPV6, icmp.icmp_type).unwrap_or(icmp.code);
    (u16::from(icmp.icmp_type), u16::from(second))
}
