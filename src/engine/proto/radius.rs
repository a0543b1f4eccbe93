//! RADIUS: who is let into the network, by which device and from which machine.
//!
//! Standard: RFC 2865 (access), RFC 2866 (accounting), RFC 2868 and 2869 (tunnels, connection), RFC 3579 (EAP).
//! Input:    UDP, ports 1812, 1813, 1645, 1646; at most 4,096 bytes.
//! Output:   one `radius` record an access or accounting request with its reply; rounds that the server
//!           challenges belong to one. The user as a clue where the machine's address is told.
//! Bounds:   32 open requests a flow, the oldest is then told as it stands (`weird: radius_table_full`);
//!           253 bytes a text, which is what an attribute holds; 256 attributes a message.
//! Secrets:  passwords, their hashes, keys, EAP and State are never copied; the authenticator only to tell
//!           a request sent again.
//! Not done: changes of authorisation (RFC 5176), RADIUS over TCP and TLS, vendors' own attributes.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Clue, ClueKind, Interval, Text, Timestamp, heap, heap_of, text};

/// Requests a client may have in flight are 256; a flow rarely has more than a few.
const PENDING_MAX: usize = 32;
/// Attributes of a message that are looked at.
const ATTRIBUTES_MAX: usize = 256;
/// Code, identifier, length, authenticator.
const HEADER_LEN: usize = 20;
/// RFC 2865 §3.
const MESSAGE_LEN_MAX: usize = 4096;

const ACCESS_REQUEST: u8 = 1;
const ACCESS_ACCEPT: u8 = 2;
const ACCESS_REJECT: u8 = 3;
const ACCOUNTING_REQUEST: u8 = 4;
const ACCOUNTING_RESPONSE: u8 = 5;
const ACCESS_CHALLENGE: u8 = 11;

record! {
    /// One request for access or accounting with its reply (Zeek's `radius.log`); no password is kept.
    pub struct RadiusRecord = "radius" {
        /// Account.
        pub username: Option<Text> = "username",
        /// Hardware address of the machine, as `Calling-Station-Id` tells it; a telephone number may stand there.
        pub mac: Option<Text> = "mac",
        /// Address given to the machine.
        pub framed_addr: Option<Ipv4Addr> = "framed_addr",
        /// Address of the other end of its tunnel.
        pub tunnel_client: Option<Text> = "tunnel_client",
        /// Kind and speed of its connection.
        pub connect_info: Option<Text> = "connect_info",
        /// What the server lets the user read.
        pub reply_msg: Option<Text> = "reply_msg",
        /// `success` or `failed`; absent if no answer decided.
        pub result: Option<&'static str> = "result",
        /// Time from the first request to the answer that decided.
        pub ttl: Option<Interval> = "ttl",
        /// `access` or `accounting`.
        pub request_type: Option<&'static str> = "request_type",
        /// Account the server names instead: who is behind an anonymous outer identity (RFC 2865 §5.1).
        pub granted_username: Option<Text> = "granted_username",
        /// `Start`, `Stop` or another state of the accounting.
        pub acct_status: Option<&'static str> = "acct_status",
        /// Address of the access point, switch or gateway that asks.
        pub nas_addr: Option<Ipv4Addr> = "nas_addr",
        /// Its name.
        pub nas_identifier: Option<Text> = "nas_identifier",
        /// What the machine connects to: the access point's address and network.
        pub called_station: Option<Text> = "called_station",
    }
}

/// A request that is not decided yet.
#[derive(Debug)]
struct Pending {
    ts: Timestamp,
    id: u8,
    authenticator: [u8; 16],
    /// Whether a reply is outstanding; else the server has challenged and the next round follows.
    waits: bool,
    record: RadiusRecord,
}

heap!(Pending: record);

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Radius {
    pending: VecDeque<Pending>,
    sure: bool,
    full: bool,
}

impl Protocol for Radius {
    const NAME: &'static str = "radius";
    const PORTS: &'static [Port] = &[
        Port::Udp(1812),
        Port::Udp(1813),
        Port::Udp(1645),
        Port::Udp(1646),
    ];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [1..=5 | 11..=13, _, high, low, ..] if start.len() >= HEADER_LEN => {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                // What is shorter than it says is to be discarded (RFC 2865 §3).
                if (HEADER_LEN..=start.len().min(MESSAGE_LEN_MAX)).contains(&len) {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                }
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("radius_stream");
        }
        if self.message(input, out).is_none() {
            if !self.sure {
                return Parse::Broken("radius_no_message");
            }
            out.weird("radius_no_message", None, Self::NAME);
        }
        Parse::Parsed {
            used: input.data.len(),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        for open in self.pending.drain(..) {
            out.record(open.ts, open.record);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: pending)
    }
}

impl Radius {
    fn message(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Option<()> {
        let [code, id, high, low, rest @ ..] = input.data else {
            return None;
        };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (authenticator, rest) = rest.split_first_chunk::<16>()?;
        let attributes = rest.get(..len.checked_sub(HEADER_LEN)?).unwrap_or(rest);
        let mut record = RadiusRecord::default();
        let is_whole = read(attributes, &mut record).is_some();
        if !is_whole && self.sure {
            out.weird("radius_bad_attributes", None, Self::NAME);
        }
        self.sure = true;
        match *code {
            ACCESS_REQUEST | ACCOUNTING_REQUEST => {
                let kind = if *code == ACCESS_REQUEST {
                    "access"
                } else {
                    "accounting"
                };
                record.request_type = Some(kind);
                let open = Pending {
                    ts: input.ts,
                    id: *id,
                    authenticator: *authenticator,
                    waits: true,
                    record,
                };
                self.request(open, out);
            }
            ACCESS_ACCEPT | ACCESS_REJECT | ACCESS_CHALLENGE | ACCOUNTING_RESPONSE => {
                self.reply(*code, *id, record, input, out);
            }
            _ => {}
        }
        Some(())
    }

    fn request(&mut self, mut open: Pending, out: &mut Out<'_>) {
        let same = |old: &Pending| {
            old.id == open.id
                && old.authenticator == open.authenticator
                && old.record == open.record
        };
        if self.pending.iter().any(|old| old.waits && same(old)) {
            return;
        }
        // The next round of one that was challenged goes on with it.
        let found = self.pending.iter().position(|old| {
            !old.waits
                && old.record.username == open.record.username
                && old.record.mac == open.record.mac
                && old.record.request_type == open.record.request_type
        });
        if let Some(old) = found.and_then(|index| self.pending.remove(index)) {
            open.ts = old.ts;
        }
        if self.pending.len() >= PENDING_MAX
            && let Some(oldest) = self.pending.pop_front()
        {
            if !std::mem::replace(&mut self.full, true) {
                out.weird("radius_table_full", None, Self::NAME);
            }
            out.record(oldest.ts, oldest.record);
        }
        self.pending.push_back(open);
    }

    fn reply(
        &mut self,
        code: u8,
        id: u8,
        reply: RadiusRecord,
        input: Input<'_>,
        out: &mut Out<'_>,
    ) {
        let accounting = code == ACCOUNTING_RESPONSE;
        let found = self.pending.iter().position(|open| {
            let kind = open.record.request_type == Some("accounting");
            open.waits && open.id == id && kind == accounting
        });
        if code == ACCESS_CHALLENGE {
            if let Some(open) = found.and_then(|index| self.pending.get_mut(index)) {
                open.waits = false;
            } else {
                // The capture begins between request and challenge.
                let open = Pending {
                    ts: input.ts,
                    id,
                    authenticator: [0; 16],
                    waits: false,
                    record: RadiusRecord {
                        request_type: Some("access"),
                        ..reply
                    },
                };
                self.request(open, out);
            }
            return;
        }
        let open = found.and_then(|index| self.pending.remove(index));
        let (ts, mut record) = match open {
            Some(open) => (open.ts, open.record),
            None => (input.ts, RadiusRecord::default()),
        };
        let kind = if accounting { "accounting" } else { "access" };
        record.request_type = Some(kind);
        record.result = Some(if code == ACCESS_REJECT {
            "failed"
        } else {
            "success"
        });
        record.ttl = Some(Interval(input.ts.since(ts)));
        if record.username.is_none() {
            record.username = reply.username;
        } else if record.username != reply.username {
            record.granted_username = reply.username;
        }
        record.framed_addr = reply.framed_addr.or(record.framed_addr);
        record.tunnel_client = record.tunnel_client.or(reply.tunnel_client);
        record.reply_msg = reply.reply_msg;
        let user = record
            .granted_username
            .as_ref()
            .or(record.username.as_ref());
        if let (Some(user), Some(addr)) = (user, record.framed_addr)
            && code != ACCESS_REJECT
        {
            out.clue(Clue {
                mac: None,
                ip: Some(addr.into()),
                kind: ClueKind::User,
                evidence: "radius",
                value: user.clone(),
            });
        }
        out.record(ts, record);
    }
}

/// Reads the attributes of interest as far as their lengths add up; `None` if that is not to the end.
fn read(attributes: &[u8], record: &mut RadiusRecord) -> Option<()> {
    let mut rest = attributes;
    for _ in 0..ATTRIBUTES_MAX {
        let [kind, len, behind @ ..] = rest else {
            return rest.is_empty().then_some(());
        };
        let (value, next) = behind.split_at_checked(usize::from(*len).checked_sub(2)?)?;
        rest = next;
        let words = || Some(text(value, 253)).filter(|words| !words.is_empty());
        let address = || {
            value
                .first_chunk::<4>()
                .map(|octets| Ipv4Addr::from(*octets))
        };
        match kind {
            // There is at most one (RFC 2865 §5.44); a second does not replace the first.
            1 if record.username.is_none() => record.username = words(),
            4 => record.nas_addr = address(),
            // 255.255.255.254 and .255 ask for one to be chosen (RFC 2865 §5.8).
            8 => {
                record.framed_addr = address().filter(|addr| addr.to_bits() < 0xffff_fffe);
            }
            18 => record.reply_msg = words(),
            30 => record.called_station = words(),
            31 => record.mac = words().map(|id| mac(&id).unwrap_or(id)),
            32 => record.nas_identifier = words(),
            40 => record.acct_status = value.get(3).copied().and_then(status),
            // A tag of the tunnel may stand before the text (RFC 2868 §3.3).
            66 => {
                let value = value.strip_prefix(&[0]).unwrap_or(value);
                record.tunnel_client = Some(text(value, 253)).filter(|words| !words.is_empty());
            }
            77 => record.connect_info = words(),
            _ => {}
        }
    }
    Some(())
}

/// Acct-Status-Type (RFC 2866 §5.1).
fn status(status: u8) -> Option<&'static str> {
    Some(match status {
        1 => "Start",
        2 => "Stop",
        3 => "Interim-Update",
        7 => "Accounting-On",
        8 => "Accounting-Off",
        15 => "Failed",
        _ => return None,
    })
}

/// `02:14:00:00:00:05` out of the forms vendors write hardware addresses in; `None` if it is none.
fn mac(id: &str) -> Option<Text> {
    let is_form = |c: char| c.is_ascii_hexdigit() || matches!(c, '-' | ':' | '.');
    if !id.chars().all(is_form) {
        return None;
    }
    let digits: Text = id.chars().filter(char::is_ascii_hexdigit).collect();
    if digits.len() != 12 {
        return None;
    }
    let mut out = Text::default();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % 2 == 0 {
            out.push(':');
        }
        out.push(digit.to_ascii_lowercase());
    }
    Some(out)
}

#[cfg(test)]
mod tests;
