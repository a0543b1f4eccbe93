//! NDP: which router offers to take a network's traffic, and who is sent another way.
//!
//! Standard: RFC 4861 §4.2 and §4.5 (router advertisement, redirect), §6.1.2 and §8.1 (what is valid); RFC 4191
//!           (preference, routes), RFC 8106 (name servers, domains).
//! Input:    ICMPv6 messages of types 134 and 137 that come from the link itself; the tracker starts this parser.
//! Output:   an `ndp` record for each advertisement that says something new in its flow, and for each redirect: Zeek has
//!           no log of them, and a router that nobody set up takes over a network with one. Solicitations and
//!           neighbours are what every host sends all day: of them `conn` and the sightings tell.
//! Bounds:   32 options, 16 prefixes, routes and servers each, 16 records a flow.
//! Not done: secure neighbour discovery (RFC 3971), PREF64, captive portal, home agents.

use std::net::{IpAddr, Ipv6Addr};

use compact_str::{ToCompactString as _, format_compact};

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol, labels};
use crate::record;
use crate::types::{Clue, ClueKind, Interval, MacAddr, Text, heap_of};

/// Options looked at.
const OPTIONS_MAX: usize = 32;
/// Prefixes, routes, servers and domains kept, each.
const VALUES_MAX: usize = 16;
/// Records of one flow; who says more new things within a minute floods.
const RECORDS_MAX: u8 = 16;

const ROUTER_ADVERTISEMENT: u8 = 134;
const REDIRECT: u8 = 137;
/// Options (RFC 4861 §4.6, RFC 4191 §2.3, RFC 8106 §5).
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
const PREFIX: u8 = 3;
const MTU: u8 = 5;
const ROUTE: u8 = 24;
const NAME_SERVERS: u8 = 25;
const DOMAINS: u8 = 31;

record! {
    /// One router advertisement or redirect.
    pub struct NdpRecord = "ndp" {
        /// `router advertisement` or `redirect`.
        pub msg_type: &'static str = "msg_type",
        /// Hardware address of the router, or of what is redirected to, as the message has it.
        pub mac: Option<Text> = "mac",
        /// For how long the sender is a default router; 0 if it is none.
        pub router_lifetime: Option<Interval> = "router_lifetime",
        /// `low`, `medium` or `high`: which of several routers to take.
        pub preference: Option<&'static str> = "preference",
        /// Whether addresses are to be had from DHCPv6.
        pub managed: Option<bool> = "managed",
        /// Whether other settings are to be had from DHCPv6.
        pub other_config: Option<bool> = "other_config",
        /// Hop limit that hosts are told to send with.
        pub hop_limit: Option<u8> = "hop_limit",
        /// Longest packet on the link, bytes.
        pub mtu: Option<u32> = "mtu",
        /// Prefixes on the link, such as `2001:db8::/64`.
        pub prefixes: Option<Vec<Text>> = "prefixes",
        /// Those of them that hosts make addresses from.
        pub autonomous_prefixes: Option<Vec<Text>> = "autonomous_prefixes",
        /// How long the first prefix is valid.
        pub prefix_lifetime: Option<Interval> = "prefix_lifetime",
        /// Routes that lead through the sender.
        pub routes: Option<Vec<Text>> = "routes",
        /// Name servers that hosts are told to ask.
        pub name_servers: Option<Vec<IpAddr>> = "name_servers",
        /// Domains to search names in.
        pub domains: Option<Vec<Text>> = "domains",
        /// Redirect: whose packets are to go another way.
        pub destination: Option<IpAddr> = "destination",
        /// Redirect: where to; the same as the destination if that is a neighbour.
        pub target: Option<IpAddr> = "target",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Ndp {
    last: Option<Box<NdpRecord>>,
    records: u8,
}

impl Protocol for Ndp {
    const NAME: &'static str = "ndp";
    const PORTS: &'static [Port] = &[];
    const OVER: Over = Over::Datagrams;

    /// It is no content of UDP or TCP.
    fn probe(_start: &[u8], _dir: Dir) -> Probe {
        Probe::NotMine
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let from = match input.dir {
            Dir::Orig => out.flow.orig.ip(),
            Dir::Resp => out.flow.resp.ip(),
        };
        // What hosts have to throw away says nothing (RFC 4861 §6.1.2).
        if !matches!(from, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
            return Parse::Broken("ndp_source_not_link_local");
        }
        let record = match input.data {
            [ROUTER_ADVERTISEMENT, 0, _, _, body @ ..] => advertisement(body),
            [REDIRECT, 0, _, _, body @ ..] => redirect(body),
            _ => None,
        };
        let Some(record) = record else {
            return Parse::Broken("ndp_malformed");
        };
        let used = input.data.len();
        if self.last.as_deref() == Some(&record) {
            return Parse::Parsed { used };
        }
        if self.records >= RECORDS_MAX {
            return Parse::Broken("ndp_flood");
        }
        self.records = self.records.saturating_add(1);
        self.last = Some(Box::new(record.clone()));
        if record
            .router_lifetime
            .is_some_and(|lifetime| lifetime.0 > 0)
        {
            out.clue(Clue {
                mac: None,
                ip: Some(from),
                kind: ClueKind::Serves,
                evidence: "router advertisement",
                value: "ipv6 routing".into(),
            });
        }
        out.record(input.ts, record);
        Parse::Parsed { used }
    }

    fn heap(&self) -> usize {
        heap_of!(self: last)
    }
}

/// RFC 4861 §4.2, behind the checksum.
fn advertisement(body: &[u8]) -> Option<NdpRecord> {
    let (&[hop_limit, flags, l0, l1, _, _, _, _, _, _, _, _], options) =
        body.split_first_chunk()?;
    let mut record = NdpRecord {
        msg_type: "router advertisement",
        router_lifetime: Some(seconds(u16::from_be_bytes([l0, l1]).into())),
        preference: Some(preference(flags)),
        managed: Some(flags & 0x80 != 0),
        other_config: Some(flags & 0x40 != 0),
        hop_limit: Some(hop_limit).filter(|limit| *limit > 0),
        ..NdpRecord::default()
    };
    each(options, |kind, value| option(&mut record, kind, value))?;
    Some(record)
}

/// RFC 4861 §4.5, behind the checksum.
fn redirect(body: &[u8]) -> Option<NdpRecord> {
    let (target, rest) = body.get(4..)?.split_first_chunk::<16>()?;
    let (destination, options) = rest.split_first_chunk::<16>()?;
    let mut record = NdpRecord {
        msg_type: "redirect",
        destination: Some(IpAddr::from(*destination)),
        target: Some(IpAddr::from(*target)),
        ..NdpRecord::default()
    };
    each(options, |kind, value| {
        if kind == TARGET_LINK_LAYER {
            record.mac = mac(value);
        }
    })?;
    Some(record)
}

/// Hands out type and contents of each option; `None` if one has no length, which makes the message void.
fn each<'a>(mut options: &'a [u8], mut take: impl FnMut(u8, &'a [u8])) -> Option<()> {
    for _ in 0..OPTIONS_MAX {
        let Some(&[kind, len8]) = options.first_chunk() else {
            break;
        };
        if len8 == 0 {
            return None;
        }
        let len = usize::from(len8).saturating_mul(8);
        let (option, rest) = options.split_at_checked(len)?;
        take(kind, option.get(2..).unwrap_or_default());
        options = rest;
    }
    Some(())
}

/// Takes one option of an advertisement.
fn option(record: &mut NdpRecord, kind: u8, value: &[u8]) {
    match kind {
        SOURCE_LINK_LAYER => record.mac = mac(value),
        MTU => record.mtu = number(value.get(2..6)),
        PREFIX => {
            let Some((text, &[_, flags, v0, v1, v2, v3])) =
                prefix(value.get(14..), value.first()).zip(value.first_chunk())
            else {
                return;
            };
            let valid = u32::from_be_bytes([v0, v1, v2, v3]);
            record.prefix_lifetime.get_or_insert_with(|| seconds(valid));
            if flags & 0x40 != 0 {
                add(&mut record.autonomous_prefixes, text.clone());
            }
            if flags & 0x80 != 0 {
                add(&mut record.prefixes, text);
            }
        }
        ROUTE => {
            if let Some(route) = prefix(value.get(6..), value.first()) {
                add(&mut record.routes, route);
            }
        }
        NAME_SERVERS => {
            for octets in value.get(6..).unwrap_or_default().chunks_exact(16) {
                if let Ok(octets) = <[u8; 16]>::try_from(octets) {
                    add(&mut record.name_servers, IpAddr::from(octets));
                }
            }
        }
        DOMAINS => {
            let names = labels::names(value.get(6..).unwrap_or_default(), VALUES_MAX);
            for name in names.into_iter().flatten() {
                add(&mut record.domains, name);
            }
        }
        _ => {}
    }
}

/// Adds a value to a list that may not be there yet.
fn add<T>(list: &mut Option<Vec<T>>, value: T) {
    let list = list.get_or_insert_default();
    if list.len() < VALUES_MAX {
        list.push(value);
    }
}

/// A prefix whose last bytes may be left out, with its length in bits.
fn prefix(octets: Option<&[u8]>, bits: Option<&u8>) -> Option<Text> {
    let (octets, bits) = (octets?, bits.filter(|bits| **bits <= 128)?);
    let mut whole = [0; 16];
    for (to, from) in whole.iter_mut().zip(octets) {
        *to = *from;
    }
    Some(format_compact!("{}/{bits}", Ipv6Addr::from(whole)))
}

fn mac(value: &[u8]) -> Option<Text> {
    let mac = MacAddr(*value.first_chunk()?);
    Some(mac.to_compact_string())
}

fn number(bytes: Option<&[u8]>) -> Option<u32> {
    Some(u32::from_be_bytes(bytes?.try_into().ok()?))
}

fn seconds(s: u32) -> Interval {
    Interval(i64::from(s).saturating_mul(1_000_000_000))
}

/// RFC 4191 §2.2; the fourth value counts as medium.
fn preference(flags: u8) -> &'static str {
    match flags >> 3 & 3 {
        1 => "high",
        3 => "low",
        _ => "medium",
    }
}

#[cfg(test)]
mod tests;
