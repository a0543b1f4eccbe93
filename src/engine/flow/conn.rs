//! The `conn` record: what Zeek says of a flow when it is over.

use std::sync::Arc;

use super::history::Letters;
use crate::record;
use crate::types::{Interval, Text};

record! {
    /// One flow, written when it is over (Zeek's `conn.log`).
    pub struct Conn = "conn" {
        /// Transport protocol: `tcp`, `udp`, `icmp`, `sctp`, or `unknown_transport`.
        pub proto: &'static str = "proto",
        /// Application protocols sensed.
        pub service: Option<&'static str> = "service",
        /// From first to last packet.
        pub duration: Option<Interval> = "duration",
        /// Payload bytes of the originator.
        pub orig_bytes: Option<u64> = "orig_bytes",
        /// Payload bytes of the responder.
        pub resp_bytes: Option<u64> = "resp_bytes",
        /// Zeek's connection state, such as `SF`, `S0`, `REJ`.
        pub conn_state: &'static str = "conn_state",
        /// Bytes of content missing.
        pub missed_bytes: u64 = "missed_bytes",
        /// Zeek's history letters, originator in capitals.
        pub history: Option<Letters> = "history",
        /// Packets from the originator.
        pub orig_pkts: u64 = "orig_pkts",
        /// Their bytes from the IP header on.
        pub orig_ip_bytes: u64 = "orig_ip_bytes",
        /// Packets from the responder.
        pub resp_pkts: u64 = "resp_pkts",
        /// Their bytes from the IP header on.
        pub resp_ip_bytes: u64 = "resp_ip_bytes",
        /// True if every packet came twice, as from a mirror of both directions of a port; the second
        /// copies are not counted.
        pub duplicated: Option<bool> = "duplicated",
        /// Copies that were not counted.
        pub copies: Option<u64> = "copies",
        /// Another VLAN in which the same packets were seen at the same time.
        pub other_vlan: Option<u16> = "other_vlan",
        /// VLAN id of the second tag, behind that in `vlan`.
        pub inner_vlan: Option<u16> = "inner_vlan",
        /// Tunnels it lies in, outermost first, such as `vxlan:100` or `mpls:16/17>gre`.
        pub tunnel: Option<Text> = "tunnel",
        /// Service on the internet that it went to, by its id in the catalogue, such as `dropbox`.
        pub cloud_service: Option<Arc<str>> = "cloud_service",
        /// What that service is for, such as `storage`.
        pub cloud_category: Option<&'static str> = "cloud_category",
        /// Whether the site allows that service; absent where it has not said.
        pub cloud_sanctioned: Option<bool> = "cloud_sanctioned",
    }
}
