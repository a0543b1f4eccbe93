//! DNS: who asks for which name, and what they are told. Also mDNS, LLMNR and NetBIOS names.
//!
//! Standard: RFC 1035; RFC 6762 (mDNS), RFC 4795 (LLMNR), RFC 1002 §4.2 (NetBIOS name service).
//! Input:    datagrams, or a stream of messages with two bytes of length before each (RFC 1035 §4.2.2).
//! Output:   one `dns` record per transaction; names of addresses and of devices for `device`; sign-ins for
//!           changes of names (`tkey`).
//! Bounds:   64 open queries a flow, the oldest is then written as unanswered, as it is after 60 s;
//!           32 questions, 64 answers and 256 resource records are looked at in a message.
//! Not done: a stream with a gap is given up, as nothing marks where a message begins.

mod answer;
mod clues;
mod names;
mod record;
mod tkey;
mod wire;

use std::collections::VecDeque;

pub use self::record::DnsRecord;
use self::wire::{Cursor, Header, Malformed, Question};
use super::gss::SignIn;
use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::types::{Interval, Text, Timestamp, heap, heap_of, text};

/// Open queries of a flow: a stub resolver has one or two, a forwarder with a fixed port dozens.
const PENDING_MAX: usize = 64;
/// A query not answered by then is written as unanswered; resolvers give up long before.
const PENDING_NS_MAX: i64 = 60_000_000_000;
/// Questions of a message that are looked at. Only mDNS sends more than one.
const QUESTIONS_MAX: u16 = 32;
/// Answers of a message that are written out.
const ANSWERS_MAX: usize = 64;

/// Which dialect the ports say is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// Unicast DNS.
    Dns,
    /// Port 5353.
    Mdns,
    /// Port 5355.
    Llmnr,
    /// Port 137.
    Netbios,
}

/// A query waiting for its response.
#[derive(Debug)]
struct Pending {
    ts: Timestamp,
    record: DnsRecord,
}

heap!(Pending: record);

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Dns {
    pending: VecDeque<Pending>,
    sign_in: Option<Box<SignIn>>,
    /// Whether a whole message was read: from then on a broken one is an oddity, not a mistake of ours.
    sure: bool,
}

impl Protocol for Dns {
    const NAME: &'static str = "dns";
    const PORTS: &'static [Port] = &[
        Port::Udp(53),
        Port::Tcp(53),
        Port::Udp(5353),
        Port::Udp(5355),
        Port::Udp(137),
    ];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match (probe_message(start), start.split_first_chunk::<2>()) {
            (Probe::Certain, _) => Probe::Certain,
            (Probe::Unsure, None) | (_, None) => Probe::Unsure,
            (Probe::Unsure, Some((len, rest))) if !fits(*len, rest) => Probe::Unsure,
            (seen, Some((len, rest))) => match probe_message(rest) {
                Probe::Certain if fits(*len, rest) => Probe::Certain,
                Probe::NotMine => seen,
                _ => Probe::Unsure,
            },
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return match self.message(input, input.data, out) {
                Err(why) if !self.sure => Parse::Broken(why),
                _ => Parse::Parsed {
                    used: input.data.len(),
                },
            };
        }
        if input.gap > 0 {
            return Parse::Skip;
        }
        let Some((len, rest)) = input.data.split_first_chunk::<2>() else {
            return Parse::NeedMore {
                used: 0,
                need: 2_usize.saturating_sub(input.data.len()),
            };
        };
        let len = usize::from(u16::from_be_bytes(*len));
        // The length bytes and the longest message are one byte beyond what may be waited for.
        let want = len.min(super::BUFFER_BYTES_MAX.saturating_sub(2));
        let Some(message) = rest.get(..want) else {
            return Parse::NeedMore {
                used: 0,
                need: want.saturating_sub(rest.len()),
            };
        };
        match self.message(input, message, out) {
            Err(why) if !self.sure => Parse::Broken(why),
            _ if rest.len() < len => Parse::SkipBytes {
                bytes: u64::try_from(len.saturating_sub(rest.len())).unwrap_or(0),
            },
            _ => Parse::Parsed {
                used: len.saturating_add(2),
            },
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        for Pending { ts, record } in self.pending.drain(..) {
            out.record(ts, record);
        }
        if let Some(mut sign_in) = self.sign_in.take() {
            sign_in.finish(Dir::Orig, out);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: pending, sign_in)
    }
}

impl Dns {
    /// Takes one message. An error was already told as an oddity, unless it may not be DNS at all.
    fn message(
        &mut self,
        input: Input<'_>,
        message: &[u8],
        out: &mut Out<'_>,
    ) -> Result<(), Malformed> {
        self.expire(input.ts, out);
        let dialect = dialect(out);
        let taken = self.sections(input, message, dialect, out);
        match taken {
            Ok(()) => self.sure = true,
            Err(why) if self.sure => out.weird(why, None, Self::NAME),
            Err(_) => {}
        }
        taken
    }

    fn sections(
        &mut self,
        input: Input<'_>,
        message: &[u8],
        dialect: Dialect,
        out: &mut Out<'_>,
    ) -> Result<(), Malformed> {
        let header = Header::read(message)?;
        let mut cursor = Cursor {
            message,
            at: wire::HEADER_LEN,
        };
        let base = blank(header, input.datagram, dialect);
        if !header.is_response() {
            if header.questions == 0 && header.opcode() != 0 {
                // An inverse query asks with an answer, a status request with nothing at all.
                self.query(input.ts, base.clone(), dialect, out);
            }
            let mut signs_in = false;
            for _ in 0..header.questions.min(QUESTIONS_MAX) {
                let question = cursor.question()?;
                if is_foreign(&question, out) {
                    return Ok(());
                }
                signs_in |= question.qtype == tkey::TKEY;
                let record = asked(&base, &question, dialect);
                self.sure = true;
                self.query(input.ts, record, dialect, out);
            }
            if signs_in {
                tkey::take(&mut self.sign_in, (cursor, header), input, out);
            }
            if header.questions <= QUESTIONS_MAX && dialect != Dialect::Dns {
                clues::read(&mut cursor, header, input.dir, dialect, None, out)?;
            }
            return Ok(());
        }
        // A response to several questions at once is answered as its first.
        let mut first = None;
        for index in 0..header.questions.min(QUESTIONS_MAX) {
            let question = cursor.question()?;
            if is_foreign(&question, out) {
                return Ok(());
            }
            let record = asked(&base, &question, dialect);
            if index == 0 {
                first = Some(record);
            }
        }
        self.sure = true;
        if first
            .as_ref()
            .is_some_and(|record| record.qtype == Some(tkey::TKEY))
        {
            tkey::take(&mut self.sign_in, (cursor, header), input, out);
        }
        let mut after = cursor;
        let (said, whole) = answers(&mut cursor, header, dialect);
        let query = first.as_ref().and_then(|record| record.query.clone());
        self.response(input.ts, header, first.unwrap_or(base), said, dialect, out);
        clues::read(
            &mut after,
            header,
            input.dir,
            dialect,
            query.as_deref(),
            out,
        )?;
        whole
    }

    /// Keeps a question until its response; mDNS has no transactions to wait for.
    fn query(&mut self, ts: Timestamp, record: DnsRecord, dialect: Dialect, out: &mut Out<'_>) {
        if dialect == Dialect::Mdns {
            out.record(ts, record);
            return;
        }
        if self.pending.len() >= PENDING_MAX
            && let Some(oldest) = self.pending.pop_front()
        {
            out.record(oldest.ts, oldest.record);
        }
        if self.pending.capacity() == 0 {
            // Most flows ask once: room for more would be kept by every one of them.
            self.pending.reserve_exact(1);
        }
        self.pending.push_back(Pending { ts, record });
    }

    /// Joins a response to its query and emits both as one.
    fn response(
        &mut self,
        ts: Timestamp,
        header: Header,
        mut record: DnsRecord,
        said: Said<'_>,
        dialect: Dialect,
        out: &mut Out<'_>,
    ) {
        let found = self
            .pending
            .iter()
            .position(|open| answers_to(&open.record, &record));
        let asked = found.and_then(|index| self.pending.remove(index));
        if self.pending.is_empty() {
            // The flow stays for a minute, and may well be over.
            self.pending = VecDeque::new();
        }
        if record.query.is_none() {
            if let Some(open) = &asked {
                record.query.clone_from(&open.record.query);
                record.nb_suffix = open.record.nb_suffix;
                kind(&mut record, open.record.qtype, open.record.qclass, dialect);
            } else if let Some((name, rtype, class)) = said.first {
                (record.query, record.nb_suffix) = presented(name, dialect);
                kind(&mut record, Some(rtype), Some(class), dialect);
            }
        }
        let rcode = header.rcode();
        record.rcode = Some(rcode);
        record.rcode_name = names::rcode(rcode);
        record.rejected = header.questions > 0 && header.records() == 0;
        record.answers = Some(said.lines).filter(|lines| !lines.is_empty());
        record.ttls = Some(said.ttls).filter(|ttls| !ttls.is_empty());
        if let Some(open) = &asked {
            record.rtt = Some(Interval(ts.since(open.ts)));
            record.rd |= open.record.rd;
        }
        out.record(asked.map_or(ts, |open| open.ts), record);
    }

    /// Emits the queries nobody will answer any more.
    fn expire(&mut self, now: Timestamp, out: &mut Out<'_>) {
        while let Some(oldest) = self.pending.front()
            && now.since(oldest.ts) > PENDING_NS_MAX
            && let Some(Pending { ts, record }) = self.pending.pop_front()
        {
            out.record(ts, record);
        }
    }
}

/// The answer section in words.
#[derive(Debug, Default)]
struct Said<'a> {
    lines: Vec<Text>,
    ttls: Vec<Interval>,
    /// Name, type and class of the first answer: what an announcement is about.
    first: Option<(wire::Name<'a>, u16, u16)>,
}

/// Reads the answer section as far as it can be read.
fn answers<'a>(
    cursor: &mut Cursor<'a>,
    header: Header,
    dialect: Dialect,
) -> (Said<'a>, Result<(), Malformed>) {
    let mut said = Said::default();
    let count = usize::from(header.answers).min(ANSWERS_MAX);
    for _ in 0..count {
        let rr = match cursor.record() {
            Ok(rr) => rr,
            Err(why) => return (said, Err(why)),
        };
        said.lines.push(answer::line(
            cursor.message,
            &rr,
            dialect == Dialect::Netbios,
        ));
        said.ttls
            .push(Interval(i64::from(rr.ttl).saturating_mul(1_000_000_000)));
        if said.first.is_none() {
            said.first = Some((rr.name, rr.rtype, rr.class));
        }
    }
    (said, Ok(()))
}

/// Whether a response belongs to an open query: same id and, if it repeats the question, the same.
fn answers_to(query: &DnsRecord, response: &DnsRecord) -> bool {
    let same_name = match (&query.query, &response.query) {
        (Some(asked), Some(told)) => {
            asked.eq_ignore_ascii_case(told)
                && query.qtype == response.qtype
                && query.nb_suffix == response.nb_suffix
        }
        (_, None) => true,
        (None, Some(_)) => false,
    };
    query.trans_id == response.trans_id && same_name
}

/// Which dialect the flow's ports belong to.
fn dialect(out: &Out<'_>) -> Dialect {
    let on = |port| out.flow.resp.port == port || out.flow.orig.port == port;
    match () {
        () if on(5353) => Dialect::Mdns,
        () if on(5355) => Dialect::Llmnr,
        () if on(137) => Dialect::Netbios,
        () => Dialect::Dns,
    }
}

/// A record with what the header says.
fn blank(header: Header, datagram: bool, dialect: Dialect) -> DnsRecord {
    let (flags, opcode) = (header.flags, header.opcode());
    let named = if dialect == Dialect::Netbios {
        names::netbios_opcode
    } else {
        names::opcode
    };
    DnsRecord {
        proto: if datagram { "udp" } else { "tcp" },
        trans_id: header.id,
        opcode,
        opcode_name: named(opcode),
        aa: flags & 0x0400 != 0,
        tc: flags & 0x0200 != 0,
        rd: flags & 0x0100 != 0,
        ra: flags & 0x0080 != 0,
        z: u8::try_from(flags >> 4 & 7).unwrap_or(0),
        ..DnsRecord::default()
    }
}

/// A record with a question.
fn asked(base: &DnsRecord, question: &Question<'_>, dialect: Dialect) -> DnsRecord {
    let mut record = base.clone();
    (record.query, record.nb_suffix) = presented(question.name, dialect);
    kind(
        &mut record,
        Some(question.qtype),
        Some(question.qclass),
        dialect,
    );
    record
}

/// Sets type and class with their names.
fn kind(record: &mut DnsRecord, qtype: Option<u16>, qclass: Option<u16>, dialect: Dialect) {
    // mDNS asks for unicast answers, and marks unique records, with the top bit (RFC 6762 §5.4, §10.2).
    let qclass = if dialect == Dialect::Mdns {
        qclass.map(|class| class & 0x7fff)
    } else {
        qclass
    };
    let named = if dialect == Dialect::Netbios {
        names::netbios_qtype
    } else {
        names::qtype
    };
    record.qtype = qtype;
    record.qtype_name = qtype.and_then(named);
    record.qclass = qclass;
    record.qclass_name = qclass.and_then(names::qclass);
}

/// A name as it is written out, and its NetBIOS suffix.
fn presented(name: wire::Name<'_>, dialect: Dialect) -> (Option<Text>, Option<u8>) {
    if dialect == Dialect::Netbios
        && let Some([host @ .., suffix]) = wire::netbios(name)
    {
        let end = host.iter().rposition(|byte| !matches!(byte, 0 | b' '));
        let host = host.get(..=end.unwrap_or(0)).unwrap_or_default();
        return (Some(text(host, 15)), Some(suffix));
    }
    (Some(name.to_text()), None)
}

/// Whether the two bytes before a message are its length, or may be with more bytes to come.
fn fits(len: [u8; 2], rest: &[u8]) -> bool {
    let len = usize::from(u16::from_be_bytes(len));
    len >= wire::HEADER_LEN && rest.len() <= len
}

/// Whether a datagram on another port is none of ours, though one before it was: scanners try many
/// protocols from one port, and no one asks for the reserved type 0.
fn is_foreign(question: &Question<'_>, out: &Out<'_>) -> bool {
    let ports = [out.flow.orig.port, out.flow.resp.port];
    (question.qtype == 0 || question.qclass & 0x7fff == 0)
        && !Dns::PORTS.iter().any(|port| match port {
            Port::Tcp(port) | Port::Udp(port) => ports.contains(port),
        })
}

/// Judges a message without its stream length.
fn probe_message(message: &[u8]) -> Probe {
    let Ok(header) = Header::read(message) else {
        return Probe::NotMine;
    };
    let room = message.len().saturating_sub(wire::HEADER_LEN);
    let least = usize::from(header.questions).saturating_mul(5);
    let things = header.records().saturating_add(u32::from(header.questions));
    if !(header.opcode() <= 9 || header.opcode() == 15)
        || header.questions > 64
        || least > room
        || things > 4096
        || (things == 0 && header.rcode() == 0 && header.opcode() == 0)
    {
        return Probe::NotMine;
    }
    let mut cursor = Cursor {
        message,
        at: wire::HEADER_LEN,
    };
    let mut plain = header.flags & 0x7840 == 0 && header.questions == 1 && header.rcode() <= 10;
    for _ in 0..header.questions.min(QUESTIONS_MAX) {
        let Ok(question) = cursor.question() else {
            return Probe::NotMine;
        };
        plain &= names::qtype(question.qtype).is_some()
            && names::qclass(question.qclass & 0x7fff).is_some()
            && question.name.len() > 1
            && question
                .name
                .presented()
                .as_bytes()
                .iter()
                .all(|byte| matches!(byte, b'!'..=b'~'));
    }
    let mut left = header.records().min(256);
    while plain && left > 0 && cursor.record().is_ok() {
        left = left.saturating_sub(1);
    }
    if plain && left == 0 && cursor.at == message.len() {
        Probe::Certain
    } else {
        Probe::Unsure
    }
}

#[cfg(test)]
mod tests;
