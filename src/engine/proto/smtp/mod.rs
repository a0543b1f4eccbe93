//! SMTP: who sends mail to whom, from which program, with what attached.
//!
//! Standard: RFC 5321, RFC 2920 (pipelining), RFC 3030 (BDAT), RFC 3207 (STARTTLS), RFC 4954 (AUTH).
//! Input:    both streams of a TCP flow; one suffices. Who is the client is told by the commands.
//! Output:   one `smtp` record per mail, written when the next begins or the session ends; one for a
//!           session without mail; `files` of what is attached. The greeting and the mail program are software
//!           clues.
//! Bounds:   100 recipients (`smtp_many_recipients`), 24 commands of a record; 64 commands open for a
//!           reply, older ones are forgotten; lines as in `lines`, mail as in `mail`.
//! Secrets:  what `AUTH` carries: only mechanism, account and result.
//! Not done: a line that two BDAT chunks share counts as two; the text of the mail.

mod record;
mod tell;

use std::collections::VecDeque;

pub use self::record::SmtpRecord;
use super::lines::{
    BothLines, Next, Reply, TEXT_LEN_MAX, add_distinct, begins_with_any, between, first_line,
    holds, is_binary, is_tls, tell_software, verb, word,
};
use super::mail::part::{Line, Parts};
use super::mail::{Mail, Step};
use super::sasl::Sasl;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{Text, Timestamp, heap, heap_of, text};

/// Recipients kept; RFC 5321 §4.5.3.1.8 wants servers to take as many.
const RECIPIENTS_MAX: usize = 100;
/// Distinct commands of one record.
const COMMANDS_MAX: usize = 24;
/// Commands whose reply is awaited.
const SENT_MAX: usize = 64;
/// Lines that are no SMTP before the parser gives up.
const NONSENSE_MAX: u8 = 16;
/// What may be told as a command: words of others may stand in a mail whose beginning was missed.
const COMMANDS: [&[u8]; 21] = [
    b"EHLO",
    b"HELO",
    b"LHLO",
    b"MAIL",
    b"RCPT",
    b"DATA",
    b"BDAT",
    b"RSET",
    b"NOOP",
    b"QUIT",
    b"AUTH",
    b"STARTTLS",
    b"VRFY",
    b"EXPN",
    b"HELP",
    b"ETRN",
    b"ATRN",
    b"TURN",
    b"BURL",
    b"XCLIENT",
    b"XFORWARD",
];

/// What a reply is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Auth,
    StartTls,
    Data,
    /// The end of a mail.
    Mail,
    Other,
}

heap!(Sent:);

/// What the client is in the middle of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Talk {
    #[default]
    Commands,
    /// `DATA` was sent: its reply decides what the next line is.
    Asked,
    /// In a mail that ends with a lone dot.
    Data,
    /// In a chunk with so many bytes left.
    Chunk { left: u64, last: bool },
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Smtp {
    lines: BothLines,
    client: Option<Dir>,
    talk: Talk,
    /// Reply to `DATA`, if it came before the next line.
    accepted: Option<bool>,
    sent: VecDeque<Sent>,
    sasl: Option<Sasl>,
    started: Option<Timestamp>,
    record: SmtpRecord,
    mail: Mail,
    parts: Parts,
    /// Whether the mail was answered: what is replied later is not about it.
    settled: bool,
    /// Bytes of the mail were lost: a reply ends it, for its end may lie in the gap.
    torn: bool,
    depth: u64,
    greeted: bool,
    agent_told: bool,
    /// Oddities told, a bit each.
    weirds: u8,
    sure: bool,
    nonsense: u8,
}

impl Protocol for Smtp {
    const NAME: &'static str = "smtp";
    const PORTS: &'static [Port] = &[
        Port::Tcp(25),
        Port::Tcp(587),
        Port::Tcp(465),
        Port::Tcp(2525),
    ];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start.first() {
            Some(b'2'..=b'5') if Reply::may_begin(start) => {
                let line = first_line(start);
                if line.starts_with(b"220") && holds(line, b"SMTP") {
                    Probe::Certain
                } else {
                    Probe::Unsure
                }
            }
            Some(b'E' | b'e' | b'H' | b'h' | b'L' | b'l' | b'M' | b'm') => {
                let certain: [&[u8]; 4] = [b"EHLO ", b"HELO ", b"LHLO ", b"MAIL FROM:"];
                if !begins_with_any(start, &certain) {
                    Probe::NotMine
                } else if start.len() < 5 {
                    Probe::Unsure
                } else {
                    Probe::Certain
                }
            }
            Some(b'R' | b'D' | b'A' | b'Q' | b'S') => {
                let likely: [&[u8]; 5] =
                    [b"RCPT TO:", b"DATA\r\n", b"AUTH ", b"QUIT\r\n", b"STARTTLS"];
                if begins_with_any(start, &likely) {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                }
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let chunk = matches!(self.talk, Talk::Chunk { .. });
        if !chunk && (is_tls(input.data) || self.record.tls && is_binary(input.data)) {
            return Parse::Skip;
        }
        if input.gap > 0 {
            self.lose(input);
        }
        let mut data = input.data;
        let mut in_chunk = false;
        if let Talk::Chunk { left, last } = self.talk
            && self.client == Some(input.dir)
        {
            in_chunk = true;
            let here = usize::try_from(left).unwrap_or(usize::MAX);
            if here <= data.len() {
                data = data.get(..here).unwrap_or_default();
                if memchr::memchr(b'\n', data).is_none() {
                    // The chunk ends within a line.
                    let line = Line {
                        text: data,
                        end: b"",
                        is_whole: true,
                    };
                    self.mail_line(line, input.dir, out);
                    self.chunk_over(last, out);
                    return match here {
                        0 => self.parse(input, out),
                        used => Parse::Parsed { used },
                    };
                }
            }
        }
        let used = match self.lines.of(input.dir).next(data, input.gap) {
            Next::More => return Parse::NeedMore { used: 0, need: 1 },
            Next::Passed { used } => used,
            Next::Line { line, used, whole } => {
                if !whole && self.talk == Talk::Commands && !self.told(1) {
                    out.weird("smtp_line_too_long", None, Self::NAME);
                }
                let end: &[u8] = match used.saturating_sub(line.len()) {
                    0 => b"",
                    1 => b"\n",
                    _ => b"\r\n",
                };
                let line = Line {
                    text: line,
                    end,
                    is_whole: whole,
                };
                self.line(input, line, out);
                used
            }
        };
        if in_chunk {
            self.count(used, out);
        }
        if self.nonsense >= NONSENSE_MAX && !self.sure {
            return Parse::Broken("smtp_nonsense");
        }
        Parse::Parsed { used }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.emit(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: sent, sasl, record, mail, parts)
    }
}

impl Smtp {
    /// Bytes were lost.
    fn lose(&mut self, input: Input<'_>) {
        if self.client == Some(input.dir.other()) {
            self.sent.clear();
            return;
        }
        if let Some(sasl) = &mut self.sasl {
            sasl.lose();
        }
        self.torn = true;
        self.parts.lose(input.gap);
        if let Talk::Chunk { left, last } = self.talk {
            match left.checked_sub(input.gap) {
                Some(left) => self.talk = Talk::Chunk { left, last },
                None => self.talk = Talk::Commands,
            }
        }
    }

    /// Whether an oddity was told before; it is from here on.
    fn told(&mut self, bit: u8) -> bool {
        let told = self.weirds & bit != 0;
        self.weirds |= bit;
        told
    }

    /// Counts bytes of a chunk.
    fn count(&mut self, used: usize, out: &mut Out<'_>) {
        if let Talk::Chunk { left, last } = self.talk {
            let left = left.saturating_sub(u64::try_from(used).unwrap_or(u64::MAX));
            self.talk = Talk::Chunk { left, last };
            if left == 0 {
                self.chunk_over(last, out);
            }
        }
    }

    fn chunk_over(&mut self, last: bool, out: &mut Out<'_>) {
        self.talk = Talk::Commands;
        if last {
            self.mail_over(out);
        }
    }

    /// A line of the mail, dots unstuffed.
    fn mail_line(&mut self, line: Line<'_>, dir: Dir, out: &mut Out<'_>) {
        match self.mail.line(line.text) {
            Step::Head => {}
            Step::Begins => {
                if let Some(part) = self.mail.begins() {
                    self.parts.begin(part);
                }
            }
            Step::Within => self.parts.line(line, dir, out),
            Step::Boundary => self.parts.boundary(out),
        }
    }

    /// The mail was sent.
    fn mail_over(&mut self, out: &mut Out<'_>) {
        self.mail.end();
        self.parts.over(self.mail.is_one(), out);
    }

    fn line(&mut self, input: Input<'_>, whole: Line<'_>, out: &mut Out<'_>) {
        let line = whole.text;
        let is_client = self.client == Some(input.dir);
        if !is_client {
            if let Some(reply) = Reply::read(line) {
                self.client = Some(input.dir.other());
                if !reply.more {
                    self.reply(input, reply, out);
                } else if !self.greeted && self.sent.is_empty() && reply.code == 220 {
                    self.greet(input.dir, reply, out);
                }
                return;
            }
            if self.client.is_some() {
                return;
            }
        }
        match self.talk {
            Talk::Asked if self.accepted == Some(false) => self.talk = Talk::Commands,
            Talk::Asked => self.talk = Talk::Data,
            _ => {}
        }
        match self.talk {
            Talk::Data if line == b"." => {
                self.mail_over(out);
                self.talk = Talk::Commands;
                self.push(Sent::Mail);
            }
            Talk::Data => {
                // A dot was put before it if it begins with one (RFC 5321 §4.5.2).
                let text = line.strip_prefix(b".").unwrap_or(line);
                self.mail_line(Line { text, ..whole }, input.dir, out);
            }
            // `count` takes the bytes off.
            Talk::Chunk { .. } if is_client => self.mail_line(whole, input.dir, out),
            _ => self.command(input, line, out),
        }
    }

    /// Remembers what a reply will be to.
    fn push(&mut self, sent: Sent) {
        if self.sent.len() >= SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
    }

    fn command(&mut self, input: Input<'_>, line: &[u8], out: &mut Out<'_>) {
        let (name, arg) = word(line);
        if !COMMANDS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
        {
            if let Some(sasl) = &mut self.sasl {
                sasl.response(line, Self::NAME, &mut self.record.user, out);
            } else if !line.is_empty() {
                self.nonsense = self.nonsense.saturating_add(1);
            }
            return;
        }
        (self.client, self.sure) = (Some(input.dir), true);
        let command = verb(name);
        let mut sent = Sent::Other;
        match command.as_str() {
            "EHLO" | "HELO" | "LHLO" => self.record.helo = some_text(arg),
            "MAIL" => self.mail_from(arg, out),
            "RCPT" => self.recipient(arg, out),
            "RSET" if self.settled => self.emit(out),
            "DATA" => {
                (self.talk, self.accepted, self.torn) = (Talk::Asked, None, false);
                sent = Sent::Data;
            }
            "BDAT" => sent = self.chunk(arg, out),
            "AUTH" => sent = self.auth(arg, out),
            "STARTTLS" => sent = Sent::StartTls,
            _ => {}
        }
        if command != "AUTH" {
            self.sasl = None;
        }
        self.started.get_or_insert(input.ts);
        let commands = self.record.commands.get_or_insert_default();
        add_distinct(commands, command, COMMANDS_MAX);
        self.push(sent);
    }

    fn mail_from(&mut self, arg: &[u8], out: &mut Out<'_>) {
        if self.settled || self.record.mailfrom.is_some() {
            self.emit(out);
        }
        self.mail = Mail::default();
        self.record.mailfrom = some_text(path(arg));
    }

    fn recipient(&mut self, arg: &[u8], out: &mut Out<'_>) {
        let Some(recipient) = some_text(path(arg)) else {
            return;
        };
        let list = self.record.rcptto.get_or_insert_default();
        let full = list.len() >= RECIPIENTS_MAX;
        add_distinct(list, recipient, RECIPIENTS_MAX);
        if full && !self.told(2) {
            out.weird("smtp_many_recipients", None, Self::NAME);
        }
    }

    /// `BDAT size [LAST]` (RFC 3030 §2).
    fn chunk(&mut self, arg: &[u8], out: &mut Out<'_>) -> Sent {
        let (size, rest) = word(arg);
        let size = str::from_utf8(size).ok().and_then(|size| size.parse().ok());
        let last = rest.eq_ignore_ascii_case(b"LAST");
        // With anything else behind the size there is no chunk: the server refuses the command.
        let Some(left) = size.filter(|_| last || rest.is_empty()) else {
            return Sent::Other;
        };
        self.talk = Talk::Chunk { left, last };
        if left == 0 {
            self.chunk_over(last, out);
        }
        if last { Sent::Mail } else { Sent::Other }
    }

    fn auth(&mut self, arg: &[u8], out: &mut Out<'_>) -> Sent {
        let (mechanism, initial) = word(arg);
        let mut sasl = Sasl::new(mechanism);
        self.record.auth = Some(sasl.mechanism().into());
        (self.record.user, self.record.auth_success) = (None, None);
        if !initial.is_empty() {
            sasl.response(initial, Self::NAME, &mut self.record.user, out);
        }
        self.sasl = Some(sasl);
        Sent::Auth
    }

    fn greet(&mut self, dir: Dir, reply: Reply<'_>, out: &mut Out<'_>) {
        self.greeted = true;
        let said = text(reply.text.trim_ascii(), TEXT_LEN_MAX);
        tell_software(dir, "smtp greeting", said, out);
    }

    fn reply(&mut self, input: Input<'_>, reply: Reply<'_>, out: &mut Out<'_>) {
        let Reply { code, .. } = reply;
        let sent = match self.sent.front() {
            // A challenge: the answer to it is still to come.
            Some(Sent::Auth) if code == 334 => return,
            _ => self.sent.pop_front(),
        };
        if sent.is_none() && code == 220 && !self.greeted {
            self.greet(input.dir, reply, out);
        }
        if !self.settled {
            let said = [code.to_string().as_bytes(), b" ", reply.text].concat();
            self.record.last_reply = Some(text(said.trim_ascii(), TEXT_LEN_MAX));
        }
        match sent {
            Some(Sent::Auth) => {
                self.sasl = None;
                self.record.auth_success = Some(code == 235);
            }
            Some(Sent::StartTls) if code == 220 => {
                self.record.tls = true;
            }
            Some(Sent::Data) => self.accepted = Some(code == 354),
            Some(Sent::Mail) => self.settled = true,
            // The end of the mail lies in the gap.
            None if self.torn && self.talk == Talk::Data => {
                self.mail.end();
                (self.talk, self.settled) = (Talk::Commands, true);
            }
            _ => {}
        }
    }
}

fn some_text(value: &[u8]) -> Option<Text> {
    Some(text(value, TEXT_LEN_MAX)).filter(|value| !value.is_empty())
}

/// The address of `FROM:<a@b> SIZE=1`, brackets or not.
fn path(arg: &[u8]) -> &[u8] {
    let rest = memchr::memchr(b':', arg).and_then(|at| arg.get(at.saturating_add(1)..));
    let rest = rest.unwrap_or(arg).trim_ascii();
    between(rest, b'<', b'>').unwrap_or_else(|| word(rest).0)
}

#[cfg(test)]
mod tests;
