//! IMAP: who reads mail where, which mailboxes, whether signing in succeeded, and what was attached.
//!
//! Standard: RFC 3501 and RFC 9051, RFC 7888 (literals), RFC 2971 (ID), RFC 4959 (initial responses),
//!           RFC 4978 (COMPRESS).
//! Input:    both streams of a TCP flow. Who is the client is told by content.
//! Output:   one `imap` record per session (Zeek has no such log); the greeting and both sides' `ID` are
//!           software clues.
//! Bounds:   32 commands, 16 mailboxes, 32 names of attachments a session; 32 commands open for a reply,
//!           older ones are forgotten; lines as in `lines`, mails as in `mail`.
//! Secrets:  arguments of `LOGIN` and what `AUTHENTICATE` carries: only account, mechanism and result.
//! Not done: what a compressed session says; heads of the mails.

mod record;
mod words;

use std::collections::VecDeque;

pub use self::record::ImapRecord;
use self::words::{file_names, first_string, identity, last_string, literal};
use super::lines::{
    BothLines, Next, TEXT_LEN_MAX, add_distinct, first_line, holds, is_binary, is_tls,
    tell_software, verb, word,
};
use super::mail::{ATTACHMENTS_MAX, Mail};
use super::sasl::Sasl;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{Text, Timestamp, heap, heap_of, text};

/// Distinct commands of a session.
const COMMANDS_MAX: usize = 32;
/// Mailboxes of a session.
const MAILBOXES_MAX: usize = 16;
/// Commands whose reply is awaited.
const SENT_MAX: usize = 32;
/// Longest tag; clients count in a few letters and digits.
const TAG_LEN_MAX: usize = 16;
/// Lines that are no IMAP before the parser gives up.
const NONSENSE_MAX: u8 = 16;
/// What may be told as a command.
const COMMANDS: [&[u8]; 40] = [
    b"CAPABILITY",
    b"NOOP",
    b"LOGOUT",
    b"STARTTLS",
    b"AUTHENTICATE",
    b"LOGIN",
    b"ENABLE",
    b"SELECT",
    b"EXAMINE",
    b"CREATE",
    b"DELETE",
    b"RENAME",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"LIST",
    b"LSUB",
    b"NAMESPACE",
    b"STATUS",
    b"APPEND",
    b"IDLE",
    b"CHECK",
    b"CLOSE",
    b"UNSELECT",
    b"EXPUNGE",
    b"SEARCH",
    b"FETCH",
    b"STORE",
    b"COPY",
    b"MOVE",
    b"UID",
    b"ID",
    b"COMPRESS",
    b"SORT",
    b"THREAD",
    b"GETQUOTA",
    b"GETQUOTAROOT",
    b"XLIST",
    b"GETACL",
    b"MYRIGHTS",
    b"UNAUTHENTICATE",
];

/// What a reply is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    SignIn,
    StartTls,
    Compress,
    Other,
}

heap!(Sent:);

/// What a literal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Mail,
    /// The account of a `LOGIN`.
    User,
    Mailbox,
    Other,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// A literal under way, with so many bytes left.
    literal: Option<(u64, Holds)>,
    /// Whether the next line is the rest of one.
    goes_on: bool,
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Imap {
    lines: BothLines,
    sides: [Side; 2],
    client: Option<Dir>,
    sent: VecDeque<(Text, Sent)>,
    mail: Mail,
    sasl: Option<Sasl>,
    started: Option<Timestamp>,
    record: ImapRecord,
    greeted: bool,
    nonsense: u8,
}

impl Protocol for Imap {
    const NAME: &'static str = "imap";
    const PORTS: &'static [Port] = &[Port::Tcp(143)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [b'*', rest @ ..] => {
                let greets = rest.starts_with(b" OK") || rest.starts_with(b" PREAUTH");
                if greets && holds(first_line(start), b"IMAP") {
                    Probe::Certain
                } else if greets || b" OK".starts_with(rest) {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                }
            }
            [first, ..] if first.is_ascii_alphanumeric() => {
                let head = start.get(..32).unwrap_or(start);
                let (tag, rest) = word(head);
                let command = word(rest).0.trim_ascii_end();
                let known = COMMANDS
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(command));
                if is_tag(tag) && tag.len() < head.len() && known {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                }
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let literal = self.side(input.dir).literal.is_some();
        if !literal && (is_tls(input.data) || self.record.tls && is_binary(input.data)) {
            return Parse::Skip;
        }
        if input.gap > 0 {
            self.lose(input);
        }
        if let Some((left, what)) = self.side(input.dir).literal {
            return self.literal(input, left, what);
        }
        match self.lines.of(input.dir).next(input.data, input.gap) {
            Next::More => Parse::NeedMore { used: 0, need: 1 },
            Next::Passed { used } => Parse::Parsed { used },
            Next::Line { line, used, .. } => {
                if self.line(input, line, out) {
                    return Parse::Skip;
                }
                if self.nonsense >= NONSENSE_MAX && self.record.commands.is_none() {
                    return Parse::Broken("imap_nonsense");
                }
                Parse::Parsed { used }
            }
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.mail_over();
        if let Some(ts) = self.started.take()
            && self.record.commands.is_some()
        {
            out.record(ts, std::mem::take(&mut self.record));
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: sent, mail, sasl, record)
    }
}

/// Tags are letters, digits and a few signs.
fn is_tag(tag: &[u8]) -> bool {
    let sign =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/');
    (1..=TAG_LEN_MAX).contains(&tag.len()) && tag.iter().all(sign)
}

impl Imap {
    fn side(&mut self, dir: Dir) -> &mut Side {
        let [orig, resp] = &mut self.sides;
        match dir {
            Dir::Orig => orig,
            Dir::Resp => resp,
        }
    }

    /// Bytes were lost: within a literal that is its own loss, else all that was under way is void.
    fn lose(&mut self, input: Input<'_>) {
        if let Some(sasl) = &mut self.sasl {
            sasl.lose();
        }
        let side = self.side(input.dir);
        side.literal = match side.literal {
            Some((left, what)) if left > input.gap => {
                // What a name loses is no name any more.
                let what = if what == Holds::Mail {
                    what
                } else {
                    Holds::Other
                };
                Some((left.saturating_sub(input.gap), what))
            }
            _ => {
                side.goes_on = false;
                None
            }
        };
    }

    /// Takes bytes of a literal.
    fn literal(&mut self, input: Input<'_>, left: u64, what: Holds) -> Parse {
        let here = usize::try_from(left).unwrap_or(usize::MAX);
        let data = input.data.get(..here).unwrap_or(input.data);
        let ends = data.len() == here;
        let used = match what {
            Holds::Other => {
                let beyond = left.saturating_sub(u64::try_from(data.len()).unwrap_or(left));
                if beyond > 0 {
                    self.side(input.dir).literal = None;
                    return Parse::SkipBytes { bytes: beyond };
                }
                data.len()
            }
            Holds::Mail => match self.lines.of(input.dir).next(data, input.gap) {
                Next::Line { line, used, .. } => {
                    self.mail.line(line);
                    used
                }
                Next::Passed { used } => used,
                Next::More if ends => {
                    // The last line of a literal needs no line end.
                    self.lines.of(input.dir).restart();
                    self.mail.line(data);
                    data.len()
                }
                Next::More => return Parse::NeedMore { used: 0, need: 1 },
            },
            Holds::User | Holds::Mailbox if !ends => {
                return Parse::NeedMore {
                    used: 0,
                    need: here.saturating_sub(data.len()),
                };
            }
            Holds::User => {
                self.record.user = Some(text(data, TEXT_LEN_MAX));
                data.len()
            }
            Holds::Mailbox => {
                self.opened(text(data, TEXT_LEN_MAX));
                data.len()
            }
        };
        let left = left.saturating_sub(u64::try_from(used).unwrap_or(left));
        self.side(input.dir).literal = Some((left, what)).filter(|_| left > 0);
        if left == 0 && what == Holds::Mail {
            self.mail_over();
        }
        if used == 0 {
            // A literal of no bytes: what follows is the rest of its line.
            return Parse::NeedMore { used: 0, need: 1 };
        }
        Parse::Parsed { used }
    }

    /// Takes a line; true if nothing more can be read.
    fn line(&mut self, input: Input<'_>, line: &[u8], out: &mut Out<'_>) -> bool {
        let goes_on = std::mem::take(&mut self.side(input.dir).goes_on);
        let is_server = match self.client {
            Some(client) => client != input.dir,
            None => line.starts_with(b"* ") || line.starts_with(b"+ "),
        };
        let (mut over, mut what) = (false, Holds::Other);
        if is_server {
            self.client = Some(input.dir.other());
            if !goes_on {
                over = self.reply(input.dir, line, out);
            }
            self.structure(line);
            if holds(line, b"BODY[") || holds(line, b"RFC822") {
                what = Holds::Mail;
            }
        } else if !goes_on {
            what = self.command(input, line, out);
        }
        if let Some(length) = literal(line) {
            let kept = match what {
                Holds::User | Holds::Mailbox if length > 256 => Holds::Other,
                what => what,
            };
            if kept == Holds::Mail {
                self.mail = Mail::default();
            }
            let side = self.side(input.dir);
            side.goes_on = true;
            side.literal = Some((length, kept)).filter(|_| length > 0);
        }
        over
    }

    fn command(&mut self, input: Input<'_>, line: &[u8], out: &mut Out<'_>) -> Holds {
        let (tag, rest) = word(line);
        let (mut name, mut arg) = word(rest);
        if name.eq_ignore_ascii_case(b"UID") {
            (name, arg) = word(arg);
        }
        let known = COMMANDS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
        if !known || !is_tag(tag) {
            if let Some(sasl) = &mut self.sasl {
                sasl.response(line, Self::NAME, &mut self.record.user, out);
            } else if !line.eq_ignore_ascii_case(b"DONE") {
                self.nonsense = self.nonsense.saturating_add(1);
            }
            return Holds::Other;
        }
        self.client = Some(input.dir);
        self.started.get_or_insert(input.ts);
        self.sasl = None;
        let command = verb(name);
        let (mut sent, mut what) = (Sent::Other, Holds::Other);
        match command.as_str() {
            "LOGIN" => {
                sent = Sent::SignIn;
                self.record.auth = Some(command.clone());
                (self.record.user, self.record.success) = (first_string(arg), None);
                // Where the account is a literal, the secret comes later.
                let secret = last_string(arg).filter(|_| self.record.user.is_some());
                out.credential((Self::NAME, "LOGIN"), self.record.user.clone(), secret);
                what = Holds::User;
            }
            "AUTHENTICATE" => {
                sent = Sent::SignIn;
                let (mechanism, initial) = word(arg);
                let mut sasl = Sasl::new(mechanism);
                self.record.auth = Some(sasl.mechanism().into());
                (self.record.user, self.record.success) = (None, None);
                if !initial.is_empty() {
                    sasl.response(initial, Self::NAME, &mut self.record.user, out);
                }
                self.sasl = Some(sasl);
            }
            "SELECT" | "EXAMINE" => match first_string(arg) {
                Some(name) => self.opened(name),
                None => what = Holds::Mailbox,
            },
            "APPEND" => what = Holds::Mail,
            "STARTTLS" => sent = Sent::StartTls,
            "COMPRESS" => sent = Sent::Compress,
            "ID" => tell_software(input.dir, "imap id", identity(arg), out),
            _ => {}
        }
        let commands = self.record.commands.get_or_insert_default();
        add_distinct(commands, command, COMMANDS_MAX);
        if self.sent.len() >= SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back((text(tag, TAG_LEN_MAX), sent));
        what
    }

    fn opened(&mut self, name: Text) {
        let mailboxes = self.record.mailboxes.get_or_insert_default();
        add_distinct(mailboxes, name, MAILBOXES_MAX);
    }

    /// Takes a line of the server; true if what follows is compressed.
    fn reply(&mut self, dir: Dir, line: &[u8], out: &mut Out<'_>) -> bool {
        let (tag, rest) = word(line);
        let (status, said) = word(rest);
        if tag == b"*" {
            if status.eq_ignore_ascii_case(b"ID") {
                tell_software(dir, "imap id", identity(said), out);
            }
            if !self.greeted && self.record.commands.is_none() && status == b"OK" {
                self.greeted = true;
                // `[CAPABILITY …] Dovecot ready.`
                let end = memchr::memchr(b']', said).map_or(0, |at| at.saturating_add(1));
                let said = said.get(end..).unwrap_or_default().trim_ascii();
                tell_software(dir, "imap greeting", text(said, TEXT_LEN_MAX), out);
            }
            return false;
        }
        let Some(at) = self
            .sent
            .iter()
            .position(|(sent, _)| sent.as_bytes() == tag)
        else {
            return false;
        };
        let Some((_, sent)) = self.sent.remove(at) else {
            return false;
        };
        let good = status.eq_ignore_ascii_case(b"OK");
        if !good {
            // A literal that was refused is not sent.
            let side = self.side(dir.other());
            (side.literal, side.goes_on) = (None, false);
        }
        match sent {
            Sent::SignIn => {
                self.sasl = None;
                self.record.success = Some(good);
            }
            Sent::StartTls if good => self.record.tls = true,
            Sent::Compress if good => return true,
            _ => {}
        }
        false
    }

    /// Names of files in a BODYSTRUCTURE.
    fn structure(&mut self, line: &[u8]) {
        for name in file_names(line) {
            let list = self.record.attachments.get_or_insert_default();
            add_distinct(list, name, ATTACHMENTS_MAX);
        }
    }

    fn mail_over(&mut self) {
        let mut mail = std::mem::take(&mut self.mail);
        mail.end();
        for name in mail.attachments {
            let list = self.record.attachments.get_or_insert_default();
            add_distinct(list, name, ATTACHMENTS_MAX);
        }
    }
}

#[cfg(test)]
mod tests;
