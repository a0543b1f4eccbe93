//! Kerberos 5: who asks for which ticket, with what encryption, and how the KDC answers.
//!
//! Standard: RFC 4120 (messages; §7.2 transports), RFC 3244 (change of password).
//! Input:    TCP and UDP, ports 88 and 464; over TCP each message behind four bytes of length.
//! Output:   one `kerberos` record a request with its reply; host names of machine accounts, users, and
//!           that the KDC is one, as clues. Tickets shown to services are `AP` records, see `gss`.
//! Bounds:   16 open requests a flow, the oldest is then told as unanswered (`weird: kerberos_table_full`);
//!           texts and lists as in `message`; of messages over 64 KiB the beginning is read.
//! Secrets:  no ticket, key or checksum is copied.
//! Not done: Kerberos 4; KDC proxies over HTTPS; what is inside FAST's armour. After a gap the stream is
//!           taken up at the next message that begins a segment.

mod message;
mod names;
mod record;

use std::collections::VecDeque;

use compact_str::format_compact;

pub(crate) use self::message::{AP_REP, AP_REQ, ERROR, Message, TGT_REP, TGT_REQ, read};
use self::message::{AS_REP, AS_REQ, TGS_REP, TGS_REQ, full};
pub use self::record::KerberosRecord;
use super::ber::{self, Begin};
use super::gss::tell;
use super::{BUFFER_BYTES_MAX, Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::types::{ClueKind, Text, Timestamp, heap, heap_of};

/// Requests waiting for their replies. Clients wait for one before they ask again.
const PENDING_MAX: usize = 16;
/// Bytes of length before each message over TCP.
const MARK_LEN: usize = 4;
/// Longest message that is believed; tickets have 64 KiB at most.
const MESSAGE_LEN_MAX: usize = 1 << 20;

/// A request waiting for its reply.
#[derive(Debug)]
struct Pending {
    ts: Timestamp,
    request: Message,
}

heap!(Pending: request);

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Kerberos {
    pending: VecDeque<Pending>,
    /// Whether a message was read: from then on a broken one is an oddity, not a mistake of ours.
    sure: bool,
    /// Whether a direction waits for a message's beginning, the originator's first.
    lost: (bool, bool),
    full: bool,
    server_told: bool,
}

impl Protocol for Kerberos {
    const NAME: &'static str = "krb";
    const PORTS: &'static [Port] = &[Port::Tcp(88), Port::Udp(88), Port::Tcp(464), Port::Udp(464)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [0x6a..=0x6d | 0x7e, ..] => probe_message(start),
            [0, 0..=0x0f, _, _, message @ ..] => match message {
                [] => Probe::Unsure,
                [0x6a..=0x6d | 0x7e, ..] => probe_message(message),
                _ => probe_password(message),
            },
            [0] | [0, 0..=0x0f] | [0, 0..=0x0f, _] => Probe::Unsure,
            _ => probe_password(start),
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return match self.message(input, input.data, out) {
                None if !self.sure => Parse::Broken("kerberos_no_message"),
                _ => Parse::Parsed {
                    used: input.data.len(),
                },
            };
        }
        let lost = self.lost(input.dir);
        *lost |= input.gap > 0;
        if *lost && Self::probe(input.data, input.dir) != Probe::Certain {
            return Parse::Parsed {
                used: input.data.len(),
            };
        }
        *lost = false;
        self.stream(input, out)
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        for Pending { ts, request } in self.pending.drain(..) {
            out.record(ts, asked(&request));
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: pending)
    }
}

impl Kerberos {
    fn lost(&mut self, dir: Dir) -> &mut bool {
        match dir {
            Dir::Orig => &mut self.lost.0,
            Dir::Resp => &mut self.lost.1,
        }
    }

    /// A message behind its length (RFC 4120 §7.2.2).
    fn stream(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let Some((mark, rest)) = input.data.split_first_chunk::<MARK_LEN>() else {
            return Parse::NeedMore {
                used: 0,
                need: MARK_LEN.saturating_sub(input.data.len()),
            };
        };
        let len = usize::try_from(u32::from_be_bytes(*mark)).unwrap_or(usize::MAX);
        if len == 0 || len > MESSAGE_LEN_MAX {
            return self.nonsense(input, out);
        }
        let want = len.min(BUFFER_BYTES_MAX.saturating_sub(MARK_LEN));
        let Some(message) = rest.get(..want) else {
            return Parse::NeedMore {
                used: 0,
                need: want.saturating_sub(rest.len()),
            };
        };
        if self.message(input, message, out).is_none() {
            return self.nonsense(input, out);
        }
        match len.checked_sub(rest.len()) {
            Some(left) if left > 0 => Parse::SkipBytes {
                bytes: u64::try_from(left).unwrap_or(u64::MAX),
            },
            _ => Parse::Parsed {
                used: len.saturating_add(MARK_LEN),
            },
        }
    }

    /// What should be a message is none.
    fn nonsense(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !self.sure {
            return Parse::Broken("kerberos_no_message");
        }
        out.weird("kerberos_no_message", None, Self::NAME);
        *self.lost(input.dir) = true;
        Parse::Parsed {
            used: input.data.len(),
        }
    }

    fn message(&mut self, input: Input<'_>, data: &[u8], out: &mut Out<'_>) -> Option<()> {
        let message = read(data).or_else(|| password(data))?;
        self.sure = true;
        match message.kind {
            AS_REQ | TGS_REQ | AP_REQ => self.request(input.ts, message, out),
            AS_REP | TGS_REP | AP_REP | ERROR => self.reply(input, &message, out),
            _ => {}
        }
        Some(())
    }

    fn request(&mut self, ts: Timestamp, request: Message, out: &mut Out<'_>) {
        // Over UDP a request that is not answered at once is sent again.
        if self.pending.iter().any(|open| open.request == request) {
            return;
        }
        if self.pending.len() >= PENDING_MAX
            && let Some(oldest) = self.pending.pop_front()
        {
            if !std::mem::replace(&mut self.full, true) {
                out.weird("kerberos_table_full", None, Self::NAME);
            }
            out.record(oldest.ts, asked(&oldest.request));
        }
        if self.pending.capacity() == 0 {
            // Most flows ask once or twice.
            self.pending.reserve_exact(1);
        }
        self.pending.push_back(Pending { ts, request });
    }

    fn reply(&mut self, input: Input<'_>, reply: &Message, out: &mut Out<'_>) {
        let answers = |request: &Message| match reply.kind {
            ERROR => {
                reply.service.is_none() || request.service.is_none() || {
                    request.service == reply.service
                }
            }
            kind => request.kind.checked_add(1) == Some(kind),
        };
        let found = self.pending.iter().position(|open| answers(&open.request));
        // An error may name the service in another way than the request did.
        let found = found.or_else(|| (reply.kind == ERROR).then_some(0));
        let open = found.and_then(|index| self.pending.remove(index));
        let (ts, mut record) = match &open {
            Some(open) => (open.ts, asked(&open.request)),
            None => (input.ts, KerberosRecord::default()),
        };
        record.answered(reply);
        if reply.kind != ERROR {
            let (client, server) = (input.dir.other(), input.dir);
            if !std::mem::replace(&mut self.server_told, true) {
                let value = Text::from("kerberos");
                tell(
                    server,
                    ClueKind::Serves,
                    "kerberos reply",
                    Some(&value),
                    out,
                );
            }
            let request = open.as_ref().map(|open| &open.request);
            told_client(client, request, reply, out);
        }
        out.record(ts, record);
    }
}

/// What a request says, as a record still without its reply.
pub(super) fn asked(request: &Message) -> KerberosRecord {
    /// KDCOptions, RFC 4120 §5.4.1.
    const FORWARDABLE: u32 = 0x4000_0000;
    const RENEWABLE: u32 = 0x0080_0000;
    let is_kdc = matches!(request.kind, AS_REQ | TGS_REQ);
    let option = |flag| is_kdc.then_some(request.options & flag != 0);
    let client = request.client.as_deref();
    let (ticket_service, ticket_etype) = request.ticket.clone().unwrap_or_default();
    let ticket_cipher = ticket_etype.map(names::cipher);
    let mut record = KerberosRecord {
        request_type: kind(request.kind),
        client: client.map(|name| full(name, request.realm.as_deref())),
        service: request.service.clone(),
        from: request.from,
        till: request.till,
        forwardable: option(FORWARDABLE),
        renewable: option(RENEWABLE),
        ciphers_offered: ciphers(&request.etypes),
        preauth: request.preauth.map(|(how, _)| how),
        preauth_cipher: request
            .etype
            .or_else(|| request.preauth.and_then(|(_, etype)| etype))
            .map(names::cipher),
        for_user: request.for_user.clone(),
        mutual: (request.kind == AP_REQ).then_some(false),
        ..KerberosRecord::default()
    };
    if request.kind == TGS_REQ {
        (record.tgt_service, record.tgt_cipher) = (ticket_service, ticket_cipher);
    } else {
        record.cipher = ticket_cipher;
    }
    record
}

impl KerberosRecord {
    /// Adds what the reply says.
    pub(super) fn answered(&mut self, reply: &Message) {
        if self.request_type.is_none() {
            self.request_type = kind(reply.kind.saturating_sub(1)).filter(|_| reply.kind != ERROR);
        }
        self.success = Some(reply.kind != ERROR);
        if reply.kind == AP_REP {
            self.mutual = Some(true);
        } else if reply.kind == ERROR {
            self.error_code = reply.error;
            self.error_msg = reply.error.map(names::error);
        }
        if !reply.etypes.is_empty() {
            self.ciphers_known = ciphers(&reply.etypes);
        }
        if let Some((service, etype)) = &reply.ticket {
            let cipher = etype.map(names::cipher);
            if reply.kind == TGT_REP {
                (self.tgt_service, self.tgt_cipher) = (service.clone(), cipher);
            } else {
                self.cipher = cipher;
            }
        }
        self.reply_cipher = reply.etype.map(names::cipher);
        let client = reply.client.as_deref();
        let client = client.map(|name| full(name, reply.realm.as_deref()));
        replace(&mut self.client, client, &mut self.asked_client);
        let service = reply.service.clone();
        replace(&mut self.service, service, &mut self.asked_service);
    }
}

/// Puts the reply's form of a name in place of the request's, which is kept if it differs.
fn replace(slot: &mut Option<Text>, told: Option<Text>, asked: &mut Option<Text>) {
    if told.is_some() && *slot != told {
        *asked = std::mem::replace(slot, told);
    }
}

fn kind(kind: u8) -> Option<&'static str> {
    match kind {
        AS_REQ => Some("AS"),
        TGS_REQ => Some("TGS"),
        AP_REQ => Some("AP"),
        TGT_REQ => Some("TGT"),
        _ => None,
    }
}

fn ciphers(etypes: &[i64]) -> Option<Vec<Text>> {
    (!etypes.is_empty()).then(|| etypes.iter().copied().map(names::cipher).collect())
}

/// A ticket was given: whose, and what the client calls itself.
fn told_client(client: Dir, request: Option<&Message>, reply: &Message, out: &mut Out<'_>) {
    /// CNAME-IN-ADDL-TKT (\[MS-SFU\] 2.2.3): a ticket in somebody else's name.
    const DELEGATED: u32 = 0x0002_0000;
    let delegated = request.is_some_and(|r| r.for_user.is_some() || r.options & DELEGATED != 0);
    let netbios = request.and_then(|request| request.netbios.as_ref());
    tell(
        client,
        ClueKind::HostName,
        "kerberos host address",
        netbios,
        out,
    );
    let Some(name) = reply.client.as_ref().filter(|_| !delegated) else {
        return;
    };
    if let Some(host) = name.strip_suffix('$') {
        let host = Text::from(host);
        tell(
            client,
            ClueKind::HostName,
            "kerberos machine account",
            Some(&host),
            out,
        );
    } else {
        let user = match &reply.realm {
            Some(realm) => format_compact!("{name}@{realm}"),
            None => name.clone(),
        };
        tell(client, ClueKind::User, "kerberos", Some(&user), out);
    }
}

/// The message of a change of password (RFC 3244 §2): behind three numbers of two bytes.
fn password(data: &[u8]) -> Option<Message> {
    let [_, _, _, _, high, low, rest @ ..] = data else {
        return None;
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    let message = if len == 0 { rest } else { rest.get(..len)? };
    read(message).filter(|message| matches!(message.kind, AP_REQ | AP_REP | ERROR))
}

/// Judges a message without its stream length.
fn probe_message(start: &[u8]) -> Probe {
    let Begin::Is(head) = ber::begin(start) else {
        return Probe::Unsure;
    };
    let inner = start.get(head.head_len..).unwrap_or_default();
    let sequence = match ber::begin(inner) {
        Begin::Is(sequence) if sequence.tag == ber::SEQUENCE => sequence,
        Begin::Short => return Probe::Unsure,
        _ => return Probe::NotMine,
    };
    if sequence.whole_len() != head.body_len {
        return Probe::NotMine;
    }
    // pvno: `[1]` in requests, `[0]` elsewhere.
    let number = if head.tag & 0x1f == AS_REQ || head.tag & 0x1f == TGS_REQ {
        0xa1
    } else {
        0xa0
    };
    let version = [number, 3, 2, 1, 5];
    match inner.get(sequence.head_len..).unwrap_or_default() {
        start if start.starts_with(&version) => Probe::Certain,
        start if version.starts_with(start) => Probe::Unsure,
        _ => Probe::NotMine,
    }
}

/// Judges the start of a change of password.
fn probe_password(start: &[u8]) -> Probe {
    match start {
        [_, _, 0, 1, _, _, 0x6e | 0x6f | 0x7e, ..] | [_, _, 0xff, 0x80, _, _, 0x6e, ..] => {
            Probe::Unsure
        }
        _ => Probe::NotMine,
    }
}

#[cfg(test)]
mod tests;
