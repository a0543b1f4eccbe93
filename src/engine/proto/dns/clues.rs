//! What DNS messages tell about devices: names of addresses, and names devices give themselves.
//!
//! Input:  the resource records behind the questions, of all sections.
//! Output: `DnsName` for an address in a unicast answer; `HostName` when a device answers (mDNS, LLMNR)
//!         or registers (NetBIOS) its own address; `Serves` and `Software` from service announcements.
//! Bounds: 16 clues a message, 256 records looked at.

use super::wire::{self, Cursor, Header, Malformed, Rr};
use super::{Dialect, answer};
use crate::proto::{Dir, Out};
use crate::types::{Clue, ClueKind, Text, text};
use std::net::{IpAddr, Ipv4Addr};

/// Clues taken from one message.
const CLUES_MAX: usize = 16;
/// Resource records of a message that are looked at.
const RECORDS_MAX: u32 = 256;

/// Walks the resource records and emits what they tell.
pub(super) fn read(
    cursor: &mut Cursor<'_>,
    header: Header,
    dir: Dir,
    dialect: Dialect,
    query: Option<&str>,
    out: &mut Out<'_>,
) -> Result<(), Malformed> {
    let sender = match dir {
        Dir::Orig => out.flow.orig.ip(),
        Dir::Resp => out.flow.resp.ip(),
    };
    let count = match dialect {
        // Only the answer section of a resolver says what the name asked for stands for.
        Dialect::Dns | Dialect::Llmnr => u32::from(header.answers),
        Dialect::Mdns | Dialect::Netbios => header.records(),
    };
    let mut told = 0_usize;
    for _ in 0..count.min(RECORDS_MAX) {
        let rr = cursor.record()?;
        let clue = match dialect {
            Dialect::Dns => dns(&rr, query),
            Dialect::Llmnr => own(&rr, sender, "llmnr"),
            Dialect::Mdns if !header.is_response() => None,
            Dialect::Mdns => own(&rr, sender, "mdns").or_else(|| announced(&rr, sender)),
            Dialect::Netbios => registered(&rr, sender),
        };
        if let Some(clue) = clue {
            out.clue(clue);
            told = told.saturating_add(1);
            if told >= CLUES_MAX {
                break;
            }
        }
    }
    Ok(())
}

fn clue(kind: ClueKind, ip: IpAddr, evidence: &'static str, value: Text) -> Clue {
    Clue {
        mac: None,
        ip: Some(ip),
        kind,
        evidence,
        value,
    }
}

/// An address in the answer to a query: what the asker will call that address.
fn dns(rr: &Rr<'_>, query: Option<&str>) -> Option<Clue> {
    let (ip, query) = (answer::address(rr)?, query?);
    Some(clue(ClueKind::DnsName, ip, "dns answer", query.into()))
}

/// A device that answers with its own address says its name.
fn own(rr: &Rr<'_>, sender: IpAddr, evidence: &'static str) -> Option<Clue> {
    if answer::address(rr)? != sender || rr.ttl == 0 {
        return None;
    }
    let name = rr.name.to_text();
    let host = name.strip_suffix(".local").unwrap_or(&name);
    Some(clue(ClueKind::HostName, sender, evidence, host.into()))
}

/// A service in an announcement: `PTR` of `_ipp._tcp.local`, `TXT` of `_device-info._tcp.local`.
fn announced(rr: &Rr<'_>, sender: IpAddr) -> Option<Clue> {
    if rr.ttl == 0 {
        return None;
    }
    if !matches!(rr.rtype, 12 | 16) {
        return None;
    }
    let name = rr.name.presented();
    let name = name.as_bytes();
    let service = name.strip_suffix(b".local")?;
    if rr.rtype == 16 && service.ends_with(b"._device-info._tcp") {
        let (len, rest) = rr.rdata.split_first()?;
        let model = rest.get(..usize::from(*len))?;
        return Some(clue(
            ClueKind::Software,
            sender,
            "mdns device info",
            text(model, 255),
        ));
    }
    let typed = service.ends_with(b"._tcp") || service.ends_with(b"._udp");
    if rr.rtype != 12 || !typed || service == b"_services._dns-sd._udp" {
        return None;
    }
    // A subtype, `_color._sub._ipp._tcp`, is the same service (RFC 6763 §7.1).
    let at = memchr::memmem::rfind(service, b"._sub.").map_or(0, |at| at.saturating_add(6));
    let service = service.get(at..)?;
    Some(clue(
        ClueKind::Serves,
        sender,
        "mdns service",
        text(service, wire::NAME_LEN_MAX),
    ))
}

/// A NetBIOS name a device holds alone: workstation (0x00) or file server (0x20).
fn registered(rr: &Rr<'_>, sender: IpAddr) -> Option<Clue> {
    let &[flags, _, a, b, c, d] = rr.rdata else {
        return None;
    };
    let group = flags & 0x80 != 0;
    if rr.rtype != 32 || group || IpAddr::V4(Ipv4Addr::new(a, b, c, d)) != sender {
        return None;
    }
    let [host @ .., suffix] = wire::netbios(rr.name)?;
    if !matches!(suffix, 0x00 | 0x20) || host.first() == Some(&b'*') {
        return None;
    }
    let host = text(host.trim_ascii_end(), 15);
    Some(clue(ClueKind::HostName, sender, "nbns", host))
}
