//! DHCPv6: what a device says of itself, and which addresses and prefixes it is given.
//!
//! Standard: RFC 8415 (messages, options), RFC 3646 (options 23 and 24), RFC 4704 (option 39), RFC 6939
//!           (option 79). Vendor class: RFC 8415 §21.16. Fingerprint: option 6.
//! Input:    UDP payload, ports 546 and 547; either direction; through relays as well.
//! Output:   one `dhcpv6` record per message: Zeek has none, so the fields that DHCP has too bear the names of its
//!           `dhcp.log`. Clues for `device`: a client is its address, or the hardware address that it or its relay tells.
//! Bounds:   64 options a level, 8 relays (§7.6), 16 addresses, prefixes and domains each; a DUID of 130 bytes (§11.1).
//! Not done: authentication, bulk leasequery over TCP, the prefix as a lease.

mod options;

use std::net::IpAddr;

use compact_str::{ToCompactString as _, format_compact};

use self::options::{Association, Message, code, link_mac};
use super::tls::hex;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Clue, ClueKind, Interval, Text, text};

record! {
    /// One DHCPv6 message.
    pub struct Dhcpv6Record = "dhcpv6" {
        /// Identifier of the transaction, chosen by the client.
        pub trans_id: u32 = "trans_id",
        /// Type of the message, such as `SOLICIT`; of a relayed one, that of the message inside.
        pub msg_type: Text = "msg_type",
        /// The client's address.
        pub client_addr: Option<IpAddr> = "client_addr",
        /// The server's address: the sender of its message.
        pub server_addr: Option<IpAddr> = "server_addr",
        /// The client's DUID as hexadecimal digits.
        pub client_duid: Option<Text> = "client_duid",
        /// The server's DUID as hexadecimal digits.
        pub server_duid: Option<Text> = "server_duid",
        /// The client's hardware address: its relay's word for it, else that in its DUID, which may be another interface's.
        pub mac: Option<Text> = "mac",
        /// The client's name, option 39.
        pub client_fqdn: Option<Text> = "client_fqdn",
        /// Addresses the client asks for or tells it has.
        pub requested_addrs: Option<Vec<IpAddr>> = "requested_addrs",
        /// Addresses the server offers or assigns.
        pub assigned_addrs: Option<Vec<IpAddr>> = "assigned_addrs",
        /// Prefixes asked for or delegated, such as `2001:db8::/56`.
        pub prefixes: Option<Vec<Text>> = "prefixes",
        /// How long the first address or prefix is valid.
        pub lease_time: Option<Interval> = "lease_time",
        /// What the client runs, option 16.
        pub vendor_class: Option<Text> = "vendor_class",
        /// Options the client asks for in its own order, a fingerprint: option 6.
        pub parameter_list: Option<Text> = "parameter_list",
        /// Name servers the server hands out, option 23.
        pub name_servers: Option<Vec<IpAddr>> = "name_servers",
        /// Domains the server hands out for searching, option 24.
        pub domains: Option<Vec<Text>> = "domains",
        /// Status, such as `NoAddrsAvail`; the first that is told.
        pub status: Option<Text> = "status",
        /// What the server says of it.
        pub server_message: Option<Text> = "server_message",
        /// Address of the relay next to the client, on the client's link.
        pub relay_addr: Option<IpAddr> = "relay_addr",
    }
}

/// Parser of one flow: messages stand for themselves, so it keeps nothing.
#[derive(Debug, Default)]
pub struct Dhcpv6;

impl Protocol for Dhcpv6 {
    const NAME: &'static str = "dhcpv6";
    const PORTS: &'static [Port] = &[Port::Udp(546), Port::Udp(547)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match Message::read(start) {
            // Options that end with the datagram, and a DUID among them: nothing else looks so.
            Some(message) if message.whole && message.has_duid() => Probe::Certain,
            Some(message) if message.whole => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("dhcpv6_over_stream");
        }
        let Some(message) = Message::read(input.data) else {
            return Parse::Broken("dhcpv6_truncated");
        };
        let (from, to) = match input.dir {
            Dir::Orig => (out.flow.orig.ip(), out.flow.resp.ip()),
            Dir::Resp => (out.flow.resp.ip(), out.flow.orig.ip()),
        };
        let record = record(&message, from, to);
        clues(&message, &record, out);
        out.record(input.ts, record);
        Parse::Parsed {
            used: input.data.len(),
        }
    }
}

/// Name of a message type (RFC 8415 §7.3, and the registry's later ones).
fn message_type(kind: u8) -> Text {
    let known = match kind {
        1 => "SOLICIT",
        2 => "ADVERTISE",
        3 => "REQUEST",
        4 => "CONFIRM",
        5 => "RENEW",
        6 => "REBIND",
        7 => "REPLY",
        8 => "RELEASE",
        9 => "DECLINE",
        10 => "RECONFIGURE",
        11 => "INFORMATION-REQUEST",
        14 => "LEASEQUERY",
        15 => "LEASEQUERY-REPLY",
        _ => return format_compact!("UNKNOWN-{kind}"),
    };
    known.into()
}

/// Name of a status code (RFC 8415 §21.13).
fn status_name(code: u16) -> Text {
    let known = match code {
        0 => "Success",
        1 => "UnspecFail",
        2 => "NoAddrsAvail",
        3 => "NoBinding",
        4 => "NotOnLink",
        5 => "UseMulticast",
        6 => "NoPrefixAvail",
        _ => return format_compact!("unknown-{code}"),
    };
    known.into()
}

/// What a message says, sent `from` one end `to` the other.
fn record(message: &Message<'_>, from: IpAddr, to: IpAddr) -> Dhcpv6Record {
    let answers = message.is_from_server();
    let association = Association::read(message.options, answers);
    let status = message.status.or(association.status);
    let addrs = Some(association.addrs).filter(|list| !list.is_empty());
    let (requested_addrs, assigned_addrs) = if answers {
        (None, addrs)
    } else {
        (addrs, None)
    };
    let peer = message.relay.map(|relay| IpAddr::V6(relay.peer));
    let client = peer.unwrap_or(if answers { to } else { from });
    Dhcpv6Record {
        trans_id: message.xid,
        msg_type: message_type(message.kind),
        client_addr: Some(client).filter(|ip| !ip.is_multicast() && !ip.is_unspecified()),
        server_addr: answers.then_some(from),
        client_duid: message.get(code::CLIENT_ID).map(|id| hex(id, false)),
        server_duid: message.get(code::SERVER_ID).map(|id| hex(id, false)),
        mac: message.mac().map(|mac| mac.to_compact_string()),
        client_fqdn: message.fqdn(),
        requested_addrs,
        assigned_addrs,
        prefixes: Some(association.prefixes).filter(|list| !list.is_empty()),
        lease_time: association
            .valid_s
            .map(|s| Interval(i64::from(s).saturating_mul(1_000_000_000))),
        vendor_class: message.vendor_class(),
        parameter_list: message.parameters(),
        name_servers: message.name_servers(),
        domains: message.domains(),
        status: status.map(|(code, _)| status_name(code)),
        server_message: status
            .map(|(_, said)| text(said, 255))
            .filter(|said| !said.is_empty()),
        relay_addr: message.relay.and_then(|relay| relay.link()),
    }
}

/// Tells `device` what the client says of itself, which addresses it is given, and who gives them.
fn clues(message: &Message<'_>, record: &Dhcpv6Record, out: &mut Out<'_>) {
    if !message.is_from_server() {
        // Behind a relay its word tells who asks, on the link the address that the frame came from.
        let said = [
            (&record.client_duid, ClueKind::Software, "dhcpv6 client id"),
            (&record.client_fqdn, ClueKind::HostName, "dhcpv6 option 39"),
            (
                &record.vendor_class,
                ClueKind::Software,
                "dhcpv6 vendor class",
            ),
            (
                &record.parameter_list,
                ClueKind::Software,
                "dhcpv6 parameter list",
            ),
        ];
        for (value, kind, evidence) in said {
            if let Some(value) = value {
                out.clue(Clue {
                    mac: message.relayed_mac,
                    ip: record.client_addr,
                    kind,
                    evidence,
                    value: value.trim_end_matches('.').into(),
                });
            }
        }
        return;
    }
    if message.kind == options::kind::REPLY {
        let (mac, evidence) = match message.relayed_mac {
            Some(mac) => (Some(mac), "dhcpv6 reply"),
            None => (
                link_mac(record.client_addr).or_else(|| message.mac()),
                GUESSED,
            ),
        };
        for ip in record.assigned_addrs.iter().flatten() {
            out.clue(Clue {
                mac,
                ip: Some(*ip),
                kind: ClueKind::Lease,
                evidence,
                value: Text::default(),
            });
        }
    }
    if matches!(
        message.kind,
        options::kind::ADVERTISE | options::kind::REPLY
    ) {
        out.clue(Clue {
            mac: None,
            ip: record.server_addr,
            kind: ClueKind::Serves,
            evidence: "dhcpv6 reply",
            value: "dhcpv6".into(),
        });
    }
}

/// Evidence of a lease whose hardware address comes from the client's address or DUID: a DUID outlives the interface it
/// was made from, and an address may look like one made so. It says nothing of a device that was never seen.
pub(crate) const GUESSED: &str = "dhcpv6 identity";

#[cfg(test)]
mod tests;
