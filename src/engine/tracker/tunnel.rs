//! Into tunnels and out of tags: a frame on its way to its flow, whatever it lies in.
//!
//! As Zeek has it, what carries is a flow of its own if it has addresses, and what is carried is another.
//! Bounds: four tunnels (see `flow::carrier`); deeper ones are counted as `exceeded_tunnel_max_depth`.

use super::Tracker;
use super::flow::{Arrival, service_of_tunnel};
use crate::decode::{self, Encapsulated, Frame, Ip, Kind, Network, Transport, proto};
use crate::flow::{Carrier, Index};
use crate::types::{MacAddr, Observations, Timestamp};

/// What lies around a packet that was found in another.
struct Around<'a> {
    carrier: &'a Carrier,
    vlan: u16,
    /// The ends of the tunnel, if it has addresses.
    pair: Option<[[u8; 16]; 2]>,
    macs: (MacAddr, MacAddr),
}

impl Tracker {
    /// Takes a decoded frame: tagged, tunnelled or without IP.
    pub(super) fn frame(
        &mut self,
        ts: Timestamp,
        frame: &Frame<'_>,
        carrier: &Carrier,
        out: &mut Observations,
    ) {
        if frame.vlan | frame.inner_vlan != 0 {
            self.stats.encapsulations.tagged(frame);
        }
        let tagged;
        let carrier = match frame.inner_vlan {
            0 => carrier,
            id => {
                tagged = carrier.tagged(id);
                &tagged
            }
        };
        self.untagged(ts, frame, carrier, out);
    }

    /// The same with its tags counted.
    fn untagged(
        &mut self,
        ts: Timestamp,
        frame: &Frame<'_>,
        carrier: &Carrier,
        out: &mut Observations,
    ) {
        match &frame.network {
            Network::Ip(ip) => self.ip(ts, frame, ip, (carrier, None), out),
            Network::Tunnelled(carried) => {
                let around = Around {
                    carrier,
                    vlan: frame.vlan,
                    pair: None,
                    macs: (frame.src_mac, frame.dst_mac),
                };
                self.enter(ts, &around, carried, out);
            }
            _ => {
                self.stats.non_ip = self.stats.non_ip.saturating_add(1);
                self.without_ip(ts, frame, carrier.hash, out);
            }
        }
    }

    /// Takes what a packet carries, if it carries one.
    #[inline]
    pub(super) fn look_inside(
        &mut self,
        arrival: &Arrival,
        (vlan, carrier): (u16, &Carrier),
        (index, ip): (Option<Index>, &Ip<'_>),
        transport: &Transport<'_>,
        out: &mut Observations,
    ) {
        if !arrival.whole {
            return;
        }
        if ip.proto == proto::GRE {
            self.stats.encapsulations.gre();
        }
        match decode::carried(ip, transport) {
            Ok(Some(carried)) => {
                if arrival.joined {
                    let count = &mut self.stats.fragmented_tunnel;
                    *count = count.saturating_add(1);
                }
                if let Some(flow) = index.and_then(|index| self.table.get_mut(index))
                    && flow.service == 0
                {
                    flow.service = service_of_tunnel(carried.tunnel.kind);
                }
                let around = Around {
                    carrier,
                    vlan,
                    pair: Some([ip.src, ip.dst]),
                    macs: (MacAddr::default(), MacAddr::default()),
                };
                self.enter(arrival.ts, &around, &carried, out);
            }
            Ok(None) => {
                let known = matches!(ip.proto, proto::TCP | proto::UDP | proto::SCTP);
                if !known && matches!(transport, Transport::Other { .. }) {
                    self.stats.ip_protocols.add(u32::from(ip.proto));
                }
            }
            Err(malformed) if ip.is_cut() && malformed.need > malformed.have => {}
            Err(malformed) => {
                self.stats.carried = self.stats.carried.saturating_add(1);
                self.stats.malformed(malformed.layer, 1);
            }
        }
    }

    /// Opens a tunnel.
    #[cold]
    fn enter(
        &mut self,
        ts: Timestamp,
        around: &Around<'_>,
        carried: &Encapsulated<'_>,
        out: &mut Observations,
    ) {
        self.stats.encapsulations.tunnelled(carried);
        if around.pair.is_some() {
            self.stats.carried = self.stats.carried.saturating_add(1);
        }
        let carrier = around
            .carrier
            .with(carried.tunnel, around.pair, around.vlan);
        let Some(mut carrier) = carrier else {
            self.stats.too_deep = self.stats.too_deep.saturating_add(1);
            return;
        };
        let mut frame = match decode::inner(carried) {
            Ok(frame) => frame,
            Err(malformed) => {
                // A header cut off by the capture is not the sender's mistake.
                if !carried.is_cut() || malformed.need <= malformed.have {
                    self.stats.malformed(malformed.layer, 1);
                } else {
                    self.stats.header_cut = self.stats.header_cut.saturating_add(1);
                }
                return;
            }
        };
        if carried.inner == decode::Inner::Ethernet {
            // A frame inside has tags of its own.
            carrier = carrier.untagged();
            return self.frame(ts, &frame, &carrier, out);
        }
        if frame.vlan == 0 {
            frame.vlan = around.vlan;
        }
        // A session's ends are stations; the ends of other tunnels are routers, whose hardware
        // addresses say nothing of who sent what is inside.
        if carried.tunnel.kind == Kind::Pppoe {
            (frame.src_mac, frame.dst_mac) = around.macs;
        }
        self.untagged(ts, &frame, &carrier, out);
    }
}
