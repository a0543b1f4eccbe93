//! LDAP and CLDAP: who asks a directory for what, changes it, or signs in to it.
//!
//! Standard: RFC 4511; CLDAP \[MS-ADTS\] 6.3.3.
//! Input:    TCP, ports 389 and 3268; UDP, port 389. Who is the client is told by the operation.
//! Output:   one `ldap_search` record a search, one `ldap` record any other operation; sign-ins through
//!           `gss`; host names from CLDAP, users from simple binds, and that the server is one, as clues.
//! Bounds:   16 open operations a flow, the oldest is then told as it stands (`weird: ldap_table_full`);
//!           texts as in `message` and `filter`; of a request 16 KiB are read, of an entry its number.
//! Secrets:  passwords, SASL credentials and values are never copied.
//! Not done: what a security layer has sealed is not read: an `ldap` record `sealed` says so, once a flow.
//!           Names inside DIGEST-MD5; entries' contents; controls. After a gap the stream is taken up at
//!           the next message that begins a segment.

mod filter;
mod message;
mod names;
mod record;
mod seal;

use std::collections::VecDeque;

use self::message::{Answer, Asked, Request};
pub use self::record::{LdapRecord, LdapSearchRecord};
use self::seal::Inside;
use super::ber::{self, Begin, Head, INTEGER, SEQUENCE, Values};
use super::gss::{SignIn, Verdict, tell};
use super::{BUFFER_BYTES_MAX, Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::types::{ClueKind, Text, Timestamp, heap, heap_of};

/// Operations waiting for their result.
const PENDING_MAX: usize = 16;
/// Most of a request that is waited for: a filter, or a ticket in a bind.
const REQUEST_LEN_MAX: usize = 16 * 1024;
/// Bytes behind a message's head that tell its operation: a number of four bytes, a tag and a length.
const OPERATION_LEN: usize = 12;
/// Longest message that is believed.
const MESSAGE_LEN_MAX: usize = 1 << 28;
/// Bytes of length before each token of a security layer.
const MARK_LEN: usize = 4;
/// SASL: the bind goes on.
const IN_PROGRESS: i64 = 14;

/// An operation waiting for its result.
#[derive(Debug)]
struct Pending {
    ts: Timestamp,
    id: i64,
    asked: Asked,
    starts_tls: bool,
}

heap!(Pending: asked);

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Ldap {
    pending: VecDeque<Pending>,
    sign_in: Option<Box<SignIn>>,
    /// Whether a message was read: from then on a broken one is an oddity, not a mistake of ours.
    sure: bool,
    /// Whether a direction waits for a message's beginning, the originator's first.
    lost: (bool, bool),
    /// The server has agreed to StartTLS.
    tls_next: bool,
    full: bool,
    server_told: bool,
}

impl Protocol for Ldap {
    const NAME: &'static str = "ldap";
    const PORTS: &'static [Port] = &[Port::Tcp(389), Port::Udp(389), Port::Tcp(3268)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [SEQUENCE, ..] => probe_message(start),
            // A token of a security layer, where the bind was not seen.
            [0] | [0, 0 | 1] | [0, 0 | 1, _] => Probe::Unsure,
            [0, 0 | 1, _, _, token @ ..] => match token {
                [5, 4, _, 0xff, ..] | [1, 0, 0, 0, ..] => Probe::Unsure,
                [] | [5] | [5, 4] | [5, 4, _] | [1] | [1, 0] | [1, 0, 0] => Probe::Unsure,
                _ => Probe::NotMine,
            },
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return match self.messages(input, input.data, out) {
                None if !self.sure => Parse::Broken("ldap_no_message"),
                _ => Parse::Parsed {
                    used: input.data.len(),
                },
            };
        }
        if self.tls_next && input.data.starts_with(&[0x16]) {
            return Parse::Skip;
        }
        let lost = self.lost(input.dir);
        *lost |= input.gap > 0;
        if *lost && Self::probe(input.data, input.dir) != Probe::Certain {
            return Parse::Parsed {
                used: input.data.len(),
            };
        }
        *lost = false;
        match input.data {
            [0, ..] => self.token(input, out),
            _ => self.stream(input, out),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        for open in self.pending.drain(..) {
            tell_open(open, out);
        }
        if let Some(mut sign_in) = self.sign_in.take() {
            sign_in.finish(Dir::Orig, out);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: pending, sign_in)
    }
}

impl Ldap {
    fn lost(&mut self, dir: Dir) -> &mut bool {
        match dir {
            Dir::Orig => &mut self.lost.0,
            Dir::Resp => &mut self.lost.1,
        }
    }

    /// A message in clear.
    fn stream(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        let head = match ber::begin(data) {
            Begin::Is(head) if head.tag == SEQUENCE && head.body_len <= MESSAGE_LEN_MAX => head,
            Begin::Short if data.starts_with(&[SEQUENCE]) => {
                return Parse::NeedMore { used: 0, need: 1 };
            }
            _ => return self.nonsense(input, out),
        };
        let mut want = head
            .head_len
            .saturating_add(OPERATION_LEN)
            .min(head.whole_len());
        if let Some((_, operation)) = operation(data, head)
            && !matches!(operation, 0x64 | 0x73 | 0x79)
        {
            want = head.whole_len().min(REQUEST_LEN_MAX);
        }
        let Some(message) = data.get(..want) else {
            return Parse::NeedMore {
                used: 0,
                need: want.saturating_sub(data.len()),
            };
        };
        if self.message(input, message, out).is_none() {
            return self.nonsense(input, out);
        }
        pass(data, head.whole_len())
    }

    /// A token of a security layer.
    fn token(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let Some((mark, rest)) = input.data.split_first_chunk::<MARK_LEN>() else {
            return Parse::NeedMore { used: 0, need: 1 };
        };
        let len = usize::try_from(u32::from_be_bytes(*mark)).unwrap_or(usize::MAX);
        let want = len.min(seal::HEAD_LEN);
        let Some(start) = rest.get(..want) else {
            return Parse::NeedMore {
                used: 0,
                need: want.saturating_sub(rest.len()),
            };
        };
        let whole = len.saturating_add(MARK_LEN);
        match seal::inside(start) {
            Inside::Sealed => {
                let record = LdapRecord {
                    opcode: Some("sealed"),
                    ..LdapRecord::default()
                };
                out.record(input.ts, record);
                Parse::Skip
            }
            Inside::Clear(_) if whole <= BUFFER_BYTES_MAX => {
                let Some(token) = rest.get(..len) else {
                    return Parse::NeedMore {
                        used: 0,
                        need: len.saturating_sub(rest.len()),
                    };
                };
                if let Inside::Clear(messages) = seal::inside(token) {
                    // Behind the messages there may be a checksum, or padding.
                    let _rest = self.messages(input, messages, out);
                }
                Parse::Parsed { used: whole }
            }
            Inside::Clear(_) => pass(input.data, whole),
            Inside::None => self.nonsense(input, out),
        }
    }

    /// What should be a message is none.
    fn nonsense(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !self.sure {
            return Parse::Broken("ldap_no_message");
        }
        out.weird("ldap_no_message", None, Self::NAME);
        *self.lost(input.dir) = true;
        Parse::Parsed {
            used: input.data.len(),
        }
    }

    /// Messages one behind the other, all there.
    fn messages(&mut self, input: Input<'_>, data: &[u8], out: &mut Out<'_>) -> Option<()> {
        let mut rest = data;
        while let Begin::Is(head) = ber::begin(rest) {
            self.message(input, rest, out)?;
            rest = rest.get(head.whole_len()..).unwrap_or_default();
        }
        rest.is_empty().then_some(())
    }

    /// One message, which may be cut; `None` if it is none.
    fn message(&mut self, input: Input<'_>, message: &[u8], out: &mut Out<'_>) -> Option<()> {
        let mut values = Values::new(ber::inside(message, SEQUENCE)?);
        let id = ber::number(values.next_of(INTEGER)?)?;
        let operation = values.next()?;
        match operation.tag {
            0x64 => {
                if let Some(search) = self.search(id, input.ts, out) {
                    search.result_count = search.result_count.saturating_add(1);
                }
            }
            0x73 => {
                if let Some(search) = self.search(id, input.ts, out) {
                    let count = search.referral_count.unwrap_or(0);
                    search.referral_count = Some(count.saturating_add(1));
                }
            }
            0x65 => {
                let answer = message::answer(operation.body)?;
                let _begins_here = self.search(id, input.ts, out);
                self.answered("search", id, answer, input, out);
            }
            0x79 => {}
            tag => match message::answered(tag) {
                Some(name) => {
                    let answer = message::answer(operation.body)?;
                    self.answered(name, id, answer, input, out);
                }
                None => {
                    let request = message::request(id, tag, operation.body, out)?;
                    self.request(id, request, input, out);
                }
            },
        }
        self.sure = true;
        Some(())
    }

    fn request(&mut self, id: i64, request: Request, input: Input<'_>, out: &mut Out<'_>) {
        if let Some(token) = request.token {
            let sign_in = self.sign_in.get_or_insert_default();
            sign_in.take(token, (input.ts, input.dir), out);
        }
        if input.datagram {
            tell(
                input.dir,
                ClueKind::HostName,
                "cldap",
                request.host.as_ref(),
                out,
            );
            if self.pending.iter().any(|open| open.id == id) {
                return;
            }
        }
        let open = Pending {
            ts: input.ts,
            id,
            asked: request.asked,
            starts_tls: request.starts_tls,
        };
        if request.is_final {
            tell_open(open, out);
        } else {
            self.keep(open, out);
        }
    }

    fn keep(&mut self, open: Pending, out: &mut Out<'_>) {
        if self.pending.len() >= PENDING_MAX
            && let Some(oldest) = self.pending.pop_front()
        {
            if !std::mem::replace(&mut self.full, true) {
                out.weird("ldap_table_full", None, Self::NAME);
            }
            tell_open(oldest, out);
        }
        self.pending.push_back(open);
    }

    /// The search with this number; one whose request was not seen begins here.
    fn search(
        &mut self,
        id: i64,
        ts: Timestamp,
        out: &mut Out<'_>,
    ) -> Option<&mut LdapSearchRecord> {
        let is_it = |open: &Pending| open.id == id && matches!(open.asked, Asked::Search(_));
        if !self.pending.iter().any(is_it) {
            let record = LdapSearchRecord {
                message_id: Some(id),
                ..LdapSearchRecord::default()
            };
            let open = Pending {
                ts,
                id,
                asked: Asked::Search(Box::new(record)),
                starts_tls: false,
            };
            self.keep(open, out);
        }
        self.pending
            .iter_mut()
            .find_map(|open| match &mut open.asked {
                Asked::Search(record) if open.id == id => Some(&mut **record),
                _ => None,
            })
    }

    /// A result: joins it to its request and tells both.
    fn answered(
        &mut self,
        name: &'static str,
        id: i64,
        answer: Answer,
        input: Input<'_>,
        out: &mut Out<'_>,
    ) {
        let (client, server) = (input.dir.other(), input.dir);
        if !std::mem::replace(&mut self.server_told, true) {
            let value = Text::from("ldap");
            tell(server, ClueKind::Serves, "ldap result", Some(&value), out);
        }
        let result = names::result(answer.code);
        if let Some(token) = answer.token {
            let sign_in = self.sign_in.get_or_insert_default();
            sign_in.take(token, (input.ts, server), out);
        }
        if let Some(sign_in) = self.sign_in.as_mut().filter(|_| name == "bind")
            && answer.code != IN_PROGRESS
        {
            let success = answer.code == 0;
            let verdict = Verdict {
                success,
                status: (!success).then(|| result.clone()),
            };
            sign_in.settle(&verdict, client, out);
        }
        let found = self.pending.iter().position(|open| open.id == id);
        let open = found.and_then(|index| self.pending.remove(index));
        let mut open = open.unwrap_or_else(|| Pending {
            ts: input.ts,
            id,
            asked: Asked::Other(Box::new(LdapRecord {
                message_id: Some(id),
                opcode: Some(name),
                ..LdapRecord::default()
            })),
            starts_tls: false,
        });
        self.tls_next |= open.starts_tls && answer.code == 0;
        match &mut open.asked {
            Asked::Other(record) => {
                if record.opcode == Some("bind simple") && answer.code == 0 {
                    let user = record.object.as_ref().filter(|_| record.argument.is_some());
                    tell(client, ClueKind::User, "ldap simple bind", user, out);
                }
                record.result = Some(result);
                record.diagnostic_message = answer.diagnostic;
            }
            Asked::Search(record) => {
                record.result = Some(result);
                record.diagnostic_message = answer.diagnostic;
            }
        }
        tell_open(open, out);
    }
}

/// Tells an operation as it stands.
fn tell_open(open: Pending, out: &mut Out<'_>) {
    match open.asked {
        Asked::Other(record) => out.record(open.ts, *record),
        Asked::Search(record) => out.record(open.ts, *record),
    }
}

/// Number and operation of a message, if they are there.
fn operation(data: &[u8], head: Head) -> Option<(i64, u8)> {
    let end = head.whole_len().min(data.len());
    let mut values = Values::new(data.get(head.head_len..end)?);
    let id = ber::number(values.next_of(INTEGER)?)?;
    Some((id, *values.rest().first()?))
}

/// Done with `len` bytes, of which some may not be there yet.
fn pass(data: &[u8], len: usize) -> Parse {
    match len.checked_sub(data.len()) {
        None | Some(0) => Parse::Parsed { used: len },
        Some(left) => Parse::SkipBytes {
            bytes: u64::try_from(left).unwrap_or(u64::MAX),
        },
    }
}

/// Judges the start of a message.
fn probe_message(start: &[u8]) -> Probe {
    let head = match ber::begin(start) {
        Begin::Is(head) if (5..=MESSAGE_LEN_MAX).contains(&head.body_len) => head,
        Begin::Short => return Probe::Unsure,
        _ => return Probe::NotMine,
    };
    let inner = start.get(head.head_len..).unwrap_or_default();
    let number = match ber::begin(inner) {
        Begin::Is(number) if number.tag == INTEGER && (1..=4).contains(&number.body_len) => number,
        Begin::Short if matches!(inner, [] | [INTEGER]) => return Probe::Unsure,
        _ => return Probe::NotMine,
    };
    let behind = inner.get(number.whole_len()..).unwrap_or_default();
    let Some(&tag) = behind.first() else {
        return Probe::Unsure;
    };
    if !matches!(tag, 0x42 | 0x4a | 0x50 | 0x60..=0x61 | 0x63..=0x69 | 0x6b..=0x6f | 0x73 | 0x77..=0x79)
    {
        return Probe::NotMine;
    }
    match ber::begin(behind) {
        Begin::Short => Probe::Unsure,
        Begin::Is(operation)
            if number.whole_len().saturating_add(operation.whole_len()) <= head.body_len =>
        {
            Probe::Certain
        }
        _ => Probe::NotMine,
    }
}

#[cfg(test)]
mod tests;
