//! What observations say of the mirror port, and which of them are the sensor's own doing.

use std::net::IpAddr;

use super::Analysis;
use crate::flow::Conn;
use crate::mirror::Ended;
use crate::types::{FlowEvent, FlowRef, Timestamp, ip_bits};

impl Analysis {
    /// What the mirror port showed: in the last hour, or over all of a run that is over.
    #[must_use]
    pub fn mirror(&self, over: bool) -> tapir_message::Mirror {
        if over {
            self.site.mirror.whole()
        } else {
            self.site.mirror.last_hour(self.now)
        }
    }

    /// A host that should be heard: it spoke ARP, or was given an address.
    pub(super) fn sign(&mut self, ts: Timestamp, ip: IpAddr) {
        if !self.settings.own.contains(&ip) {
            self.site.mirror.sign(ts, ip_bits(ip));
        }
    }

    /// Whether a flow is the sensor's own work: it goes to a SIEM or answers nobody.
    pub(super) fn is_own(&self, flow: &FlowRef) -> bool {
        let own = &self.settings.own;
        !own.is_empty() && own.contains(&flow.orig.ip())
    }

    /// What a flow's last word says of the mirror; returns the bytes of its content.
    pub(super) fn mirrored(&mut self, ts: Timestamp, conn: &Conn, flow: &FlowRef) -> u64 {
        let bytes = |side: Option<u64>| side.unwrap_or(0);
        let content = bytes(conn.orig_bytes).saturating_add(bytes(conn.resp_bytes));
        let ended = Ended {
            tcp: flow.proto == 6,
            missed: conn.missed_bytes,
            // The byte counts follow sequence numbers and so include what is missing.
            content: content.saturating_sub(conn.missed_bytes),
            packets: [conn.orig_pkts, conn.resp_pkts],
            copies: conn.copies.unwrap_or(0),
            other_vlan: conn.other_vlan.is_some(),
            vlan: flow.vlan,
        };
        self.site.mirrored(ts, &ended);
        content
    }

    /// What a stage of a flow says of the mirror.
    pub(super) fn seen_at_mirror(&mut self, ts: Timestamp, flow: &FlowRef, event: &FlowEvent) {
        // Only what goes to one station shows that a station's own traffic is mirrored.
        if event.orig_pkts > 0 && event.resp_mac.is_station() {
            self.site.mirror.heard(ts, flow.orig.bits());
        }
        if event.resp_pkts > 0 && event.orig_mac.is_station() {
            self.site.mirror.heard(ts, flow.resp.bits());
        }
        let own = &self.settings.own;
        if own.is_empty() {
            return;
        }
        if own.contains(&flow.orig.ip()) || own.contains(&flow.resp.ip()) {
            let packets = u64::from(event.orig_pkts).saturating_add(event.resp_pkts.into());
            self.site.mirror.own(ts, packets);
        }
    }
}
