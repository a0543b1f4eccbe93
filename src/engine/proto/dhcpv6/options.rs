//! The options of a DHCPv6 message, and the relays around it.
//!
//! Standard: RFC 8415 §8, §9, §11 and §21.
//! Bounds:   see `dhcpv6`; the first option of a code counts.

use std::net::{IpAddr, Ipv6Addr};

use compact_str::{CompactStringExt as _, format_compact};

use super::super::labels;
use crate::types::{MacAddr, Text, text};

/// Options looked at on one level; clients send about eight.
const OPTIONS_MAX: usize = 64;
/// Relays a message comes through (RFC 8415 §7.6).
const RELAYS_MAX: usize = 8;
/// Addresses, prefixes and domains kept of a message, each.
const VALUES_MAX: usize = 16;
/// Longest DUID (RFC 8415 §11.1: 128 bytes behind its type).
const DUID_LEN_MAX: usize = 130;

/// Option codes.
pub(super) mod code {
    pub(in super::super) const CLIENT_ID: u16 = 1;
    pub(in super::super) const SERVER_ID: u16 = 2;
    pub(in super::super) const IA_NA: u16 = 3;
    pub(in super::super) const IA_TA: u16 = 4;
    pub(in super::super) const IA_ADDR: u16 = 5;
    pub(in super::super) const REQUESTED: u16 = 6;
    pub(in super::super) const RELAYED: u16 = 9;
    pub(in super::super) const STATUS: u16 = 13;
    pub(in super::super) const VENDOR_CLASS: u16 = 16;
    pub(in super::super) const NAME_SERVERS: u16 = 23;
    pub(in super::super) const DOMAINS: u16 = 24;
    pub(in super::super) const IA_PD: u16 = 25;
    pub(in super::super) const IA_PREFIX: u16 = 26;
    pub(in super::super) const CLIENT_FQDN: u16 = 39;
    pub(in super::super) const CLIENT_LINK_LAYER: u16 = 79;
}

/// Message types that are asked for.
pub(super) mod kind {
    pub(in super::super) const ADVERTISE: u8 = 2;
    pub(in super::super) const REPLY: u8 = 7;
    pub(in super::super) const RECONFIGURE: u8 = 10;
    pub(in super::super) const RELAY_FORW: u8 = 12;
    pub(in super::super) const RELAY_REPL: u8 = 13;
    pub(in super::super) const LEASEQUERY_REPLY: u8 = 15;
}

/// The relay next to the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relay {
    link: Ipv6Addr,
    /// The client.
    pub(super) peer: Ipv6Addr,
}

impl Relay {
    /// Its address on the client's link, if it tells one.
    pub(super) fn link(&self) -> Option<IpAddr> {
        Some(IpAddr::V6(self.link)).filter(|ip| !ip.is_unspecified())
    }
}

/// A message out of its relays.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    /// Three bytes.
    pub(super) xid: u32,
    /// Its options, not yet read.
    pub(super) options: &'a [u8],
    /// Whether the options end where they should.
    pub(super) whole: bool,
    pub(super) relay: Option<Relay>,
    /// Code and text of its own status.
    pub(super) status: Option<(u16, &'a [u8])>,
    /// The client's hardware address as its relay has it.
    pub(super) relayed_mac: Option<MacAddr>,
}

impl<'a> Message<'a> {
    /// Reads a message; `None` if it is of no known type or cut before its options.
    pub(super) fn read(mut data: &'a [u8]) -> Option<Self> {
        let (mut relay, mut relayed_mac, mut whole) = (None, None, true);
        for _ in 0..=RELAYS_MAX {
            let (&kind, rest) = data.split_first()?;
            if !matches!(kind, kind::RELAY_FORW | kind::RELAY_REPL) {
                let known = (1..=11).contains(&kind) || matches!(kind, 14 | 15);
                let (&[a, b, c], options) = rest.split_first_chunk().filter(|_| known)?;
                let status = find(options, code::STATUS).and_then(status);
                whole &= !options.is_empty() && Options(options).ends_well();
                return Some(Self {
                    kind,
                    xid: u32::from_be_bytes([0, a, b, c]),
                    options,
                    whole,
                    relay,
                    status,
                    relayed_mac,
                });
            }
            let (_hops, rest) = rest.split_first()?;
            let (link, rest) = rest.split_first_chunk::<16>()?;
            let (peer, options) = rest.split_first_chunk::<16>()?;
            let (link, peer) = (Ipv6Addr::from(*link), Ipv6Addr::from(*peer));
            relay = Some(Relay { link, peer });
            relayed_mac = find(options, code::CLIENT_LINK_LAYER)
                .and_then(link_layer)
                .filter(|mac| mac.is_station());
            whole &= Options(options).ends_well();
            data = find(options, code::RELAYED)?;
        }
        None
    }

    /// The value of an option, if it is there.
    pub(super) fn get(&self, code: u16) -> Option<&'a [u8]> {
        let value = find(self.options, code)?;
        match code {
            code::CLIENT_ID | code::SERVER_ID => value.get(..DUID_LEN_MAX).or(Some(value)),
            _ => Some(value),
        }
    }

    /// Whether it bears a DUID of a type that there is (RFC 8415 §11.1).
    pub(super) fn has_duid(&self) -> bool {
        let ids = [code::CLIENT_ID, code::SERVER_ID];
        ids.iter()
            .filter_map(|code| self.get(*code))
            .any(|duid| duid.len() >= 4 && matches!(duid, [0, 1..=4, ..]))
    }

    /// Whether a server sent it.
    pub(super) fn is_from_server(&self) -> bool {
        matches!(
            self.kind,
            kind::ADVERTISE | kind::REPLY | kind::RECONFIGURE | kind::LEASEQUERY_REPLY
        )
    }

    /// The client's hardware address: as its relay has it, else out of its DUID (RFC 8415 §11.2 and §11.4).
    pub(super) fn mac(&self) -> Option<MacAddr> {
        let out_of_duid = || match self.get(code::CLIENT_ID)? {
            [0, 1, 0, 1 | 6, _, _, _, _, mac @ ..] | [0, 3, 0, 1 | 6, mac @ ..] => {
                Some(MacAddr(mac.try_into().ok()?))
            }
            _ => None,
        };
        self.relayed_mac
            .or_else(out_of_duid)
            .filter(|mac| mac.is_station())
    }

    /// Option 39: a byte of flags, then a name as labels (RFC 4704 §4.1).
    pub(super) fn fqdn(&self) -> Option<Text> {
        let (_flags, name) = self.get(code::CLIENT_FQDN)?.split_first()?;
        Some(labels::name(name)).filter(|name| !name.is_empty())
    }

    /// Option 16 without the vendor's number: texts with two bytes of length each.
    pub(super) fn vendor_class(&self) -> Option<Text> {
        let (_enterprise, mut rest) = self.get(code::VENDOR_CLASS)?.split_first_chunk::<4>()?;
        let mut out = Text::default();
        for _ in 0..VALUES_MAX {
            let Some((len, behind)) = rest.split_first_chunk::<2>() else {
                break;
            };
            let len = usize::from(u16::from_be_bytes(*len));
            let Some((value, behind)) = behind.split_at_checked(len) else {
                break;
            };
            rest = behind;
            let comma = if out.is_empty() { "" } else { ", " };
            out.push_str(comma);
            out.push_str(&text(value, 255usize.saturating_sub(out.len())));
        }
        Some(out).filter(|class| !class.is_empty())
    }

    /// Option 6 as `23,24,39`.
    pub(super) fn parameters(&self) -> Option<Text> {
        let codes = self.get(code::REQUESTED)?.chunks_exact(2).take(OPTIONS_MAX);
        let codes = codes.filter_map(|code| Some(u16::from_be_bytes(code.try_into().ok()?)));
        let list: Vec<_> = codes.map(|code| code.to_string()).collect();
        (!list.is_empty()).then(|| list.join_compact(","))
    }

    /// Option 23.
    pub(super) fn name_servers(&self) -> Option<Vec<IpAddr>> {
        let list = self.get(code::NAME_SERVERS)?.chunks_exact(16);
        let list = list.filter_map(address).take(VALUES_MAX);
        Some(list.collect::<Vec<_>>()).filter(|list| !list.is_empty())
    }

    /// Option 24: names one behind the other.
    pub(super) fn domains(&self) -> Option<Vec<Text>> {
        labels::names(self.get(code::DOMAINS)?, VALUES_MAX)
    }
}

/// What stands in the identity associations of a message: for addresses, for temporary ones, for prefixes.
#[derive(Debug, Default)]
pub(super) struct Association<'a> {
    pub(super) addrs: Vec<IpAddr>,
    pub(super) prefixes: Vec<Text>,
    /// Valid lifetime of the first, seconds.
    pub(super) valid_s: Option<u32>,
    /// The first status told of one.
    pub(super) status: Option<(u16, &'a [u8])>,
}

impl<'a> Association<'a> {
    /// Of a server's message, what it takes away is left out: a lifetime of zero (RFC 8415 §18.2.10.1). A client may
    /// write zeroes anyway.
    pub(super) fn read(options: &'a [u8], answers: bool) -> Self {
        let mut all = Self::default();
        for (code, value) in Options(options).take(OPTIONS_MAX) {
            // Identity and, but for temporary addresses, two times stand before the options inside.
            let inside = match code {
                code::IA_NA | code::IA_PD => value.get(12..),
                code::IA_TA => value.get(4..),
                _ => None,
            };
            for (code, value) in Options(inside.unwrap_or_default()).take(OPTIONS_MAX) {
                all.inner(code, value, answers);
            }
        }
        all
    }

    fn inner(&mut self, code: u16, value: &'a [u8], answers: bool) {
        let valid_s = match code {
            code::IA_ADDR => value.get(20..24),
            code::IA_PREFIX => value.get(4..8),
            code::STATUS => return self.status = self.status.or_else(|| status(value)),
            _ => return,
        };
        let Some(valid_s) = valid_s.and_then(number).filter(|s| !answers || *s > 0) else {
            return;
        };
        if code == code::IA_ADDR && self.addrs.len() < VALUES_MAX {
            self.addrs.extend(value.get(..16).and_then(address));
        } else if self.prefixes.len() < VALUES_MAX {
            self.prefixes.extend(prefix(value));
        }
        if answers {
            self.valid_s.get_or_insert(valid_s);
        }
    }
}

/// A prefix behind two lifetimes (RFC 8415 §21.22); all zeroes where a client only says how long it should be.
fn prefix(value: &[u8]) -> Option<Text> {
    let len = value.get(8).filter(|len| **len <= 128)?;
    let octets = <[u8; 16]>::try_from(value.get(9..25)?).ok()?;
    Some(format_compact!("{}/{len}", Ipv6Addr::from(octets)))
}

/// Options one behind the other: two bytes of code, two of length, the value.
#[derive(Clone, Copy, Debug)]
struct Options<'a>(&'a [u8]);

impl Options<'_> {
    /// Whether the last one ends with the data.
    fn ends_well(mut self) -> bool {
        for _ in 0..OPTIONS_MAX {
            if self.next().is_none() {
                break;
            }
        }
        self.0.is_empty()
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[c0, c1, l0, l1], rest) = self.0.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
        self.0 = rest;
        Some((u16::from_be_bytes([c0, c1]), value))
    }
}

fn find(options: &[u8], code: u16) -> Option<&[u8]> {
    let mut all = Options(options).take(OPTIONS_MAX);
    all.find(|(found, _)| *found == code)
        .map(|(_, value)| value)
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let octets = <[u8; 16]>::try_from(octets).ok()?;
    Some(IpAddr::from(octets)).filter(|ip| !ip.is_unspecified())
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// The hardware address in a link-local address made from it (RFC 4291 appendix A).
pub(super) fn link_mac(client: Option<IpAddr>) -> Option<MacAddr> {
    let Some(IpAddr::V6(ip)) = client else {
        return None;
    };
    let [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, 0xff, 0xfe, d, e, f] = ip.octets() else {
        return None;
    };
    Some(MacAddr([a ^ 2, b, c, d, e, f])).filter(|mac| mac.is_station())
}

/// Option 13: a code, then text.
fn status(value: &[u8]) -> Option<(u16, &[u8])> {
    let (code, said) = value.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*code), said))
}

/// Option 79: a hardware type, then the address (RFC 6939 §4).
fn link_layer(value: &[u8]) -> Option<MacAddr> {
    let [0, 1 | 6, mac @ ..] = value else {
        return None;
    };
    Some(MacAddr(mac.try_into().ok()?))
}
