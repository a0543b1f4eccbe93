//! FTP: who signs in where, which files move, and where the data connections will be.
//!
//! Standard: RFC 959, RFC 2389 (FEAT), RFC 2428 (EPRT, EPSV), RFC 3659 (SIZE, MLSD), RFC 4217 (AUTH TLS).
//! Input:    both streams of a control connection. Who is the server is told by who sends replies.
//! Output:   one `ftp` record per command with its last reply, and one per reply nobody asked for, such as
//!           the greeting. Zeek tells the commands about files only; here all are. `data_channel` of a
//!           `PORT`, `EPRT`, `PASV` or `EPSV` is the data connection to expect, of a transfer the one it went
//!           over: `analysis` calls that flow `ftp-data`, and a file that is all of it by its name. The greeting is
//!           a software clue.
//! Bounds:   32 open commands, the oldest is then written without reply; lines as in `lines`; texts of
//!           256 bytes, folders of 1 KiB; 8 lines of nonsense before anything made sense end it.
//! Secrets:  passwords, accounts of `ACCT`, tokens of RFC 2228: only that they crossed.
//! Not done: `arg` is as sent, not Zeek's URL; `mime_type`, which needs the data connection.

mod data;
mod record;

use std::collections::VecDeque;
use std::net::IpAddr;

pub use self::record::FtpRecord;
use super::lines::{
    BothLines, NAME_LEN_MAX, Next, Reply, TEXT_LEN_MAX, begins_with_any, between, first_line,
    holds, is_binary, is_verb, tell_software, verb, word,
};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{Endpoint, Text, Timestamp, heap, heap_of, text};

/// Commands sent ahead of their replies.
const OPEN_MAX: usize = 32;
/// Lines that are neither command nor reply before the parser gives up.
const NONSENSE_MAX: u8 = 8;
/// What is written in the place of a secret, as Zeek does.
const HIDDEN: &str = "<hidden>";
/// Commands a capture may begin with.
const COMMANDS: [&[u8]; 12] = [
    b"USER ",
    b"PASS ",
    b"PASV\r\n",
    b"EPSV\r\n",
    b"PORT ",
    b"RETR ",
    b"STOR ",
    b"TYPE ",
    b"AUTH TLS",
    b"LIST",
    b"CWD ",
    b"FEAT\r\n",
];

/// A command without its last reply.
#[derive(Debug)]
struct Open {
    ts: Timestamp,
    record: FtpRecord,
}

heap!(Open: record);

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Ftp {
    lines: BothLines,
    /// Who sends replies.
    server: Option<Dir>,
    user: Option<Text>,
    password: Option<&'static str>,
    cwd: Option<Text>,
    open: VecDeque<Open>,
    /// The data connection announced last: whether the server waits for it, who opens it, to where.
    channel: Option<(bool, IpAddr, (IpAddr, u16))>,
    /// Code and first line of a reply whose last line is not there yet.
    multi: Option<(u16, Text)>,
    /// Whether TLS was agreed on.
    secure: bool,
    greeted: bool,
    long_told: bool,
    sure: bool,
    nonsense: u8,
}

impl Protocol for Ftp {
    const NAME: &'static str = "ftp";
    const PORTS: &'static [Port] = &[Port::Tcp(21)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start.first() {
            Some(b'1'..=b'6') if Reply::may_begin(start) => {
                let line = first_line(start);
                if holds(line, b"SMTP") {
                    Probe::NotMine
                } else if line.starts_with(b"220") && holds(line, b"FTP") {
                    Probe::Certain
                } else {
                    Probe::Unsure
                }
            }
            Some(_) if begins_with_any(start, &COMMANDS) => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if self.secure && is_binary(input.data) {
            return Parse::Skip;
        }
        if input.gap > 0 {
            self.multi = None;
        }
        match self.lines.of(input.dir).next(input.data, input.gap) {
            Next::More => Parse::NeedMore { used: 0, need: 1 },
            Next::Passed { used } => Parse::Parsed { used },
            Next::Line { line, used, whole } => {
                if !whole && !std::mem::replace(&mut self.long_told, true) {
                    out.weird("ftp_line_too_long", None, Self::NAME);
                }
                if self.line(input, line, out) {
                    Parse::Parsed { used }
                } else {
                    Parse::Broken("ftp_nonsense")
                }
            }
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        while let Some(open) = self.open.pop_front() {
            out.record(open.ts, open.record);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: user, cwd, open, multi)
    }
}

impl Ftp {
    /// Takes a line; false if this is not FTP.
    fn line(&mut self, input: Input<'_>, line: &[u8], out: &mut Out<'_>) -> bool {
        let may_reply = self.server.is_none_or(|server| server == input.dir);
        if may_reply {
            if let Some(reply) = Reply::read(line) {
                self.server = Some(input.dir);
                self.sure = true;
                self.reply_line(input, reply, out);
                return true;
            }
            if self.server.is_some() {
                // A middle line of a long reply, or what a server says besides.
                return true;
            }
        }
        // `ABOR` comes behind Telnet's Interrupt Process and Synch.
        let line = line.trim_ascii_start();
        let skip = line.iter().take_while(|byte| **byte >= 0xf0).count();
        let (name, arg) = word(line.get(skip..).unwrap_or_default());
        if is_verb(name) {
            self.server = Some(input.dir.other());
            self.command(input.ts, name, arg, out);
            return true;
        }
        if !line.is_empty() && !self.sure {
            self.nonsense = self.nonsense.saturating_add(1);
        }
        self.nonsense < NONSENSE_MAX
    }

    fn command(&mut self, ts: Timestamp, name: &[u8], arg: &[u8], out: &mut Out<'_>) {
        let command = verb(name);
        if command == "PASS" {
            out.credential((Self::NAME, "PASS"), self.user.clone(), Some(arg));
        }
        let mut arg = Some(text(arg, NAME_LEN_MAX)).filter(|arg| !arg.is_empty());
        match command.as_str() {
            "USER" => {
                self.user = arg
                    .as_deref()
                    .map(|user| text(user.as_bytes(), TEXT_LEN_MAX));
                self.password = None;
            }
            "PASS" | "ACCT" => {
                arg = arg.map(|_| HIDDEN.into());
                self.password = Some(HIDDEN);
            }
            // RFC 2228: tokens, and commands in them.
            "ADAT" | "ENC" | "MIC" | "CONF" => arg = arg.map(|_| HIDDEN.into()),
            "SITE"
                if arg
                    .as_deref()
                    .is_some_and(|arg| holds(arg.as_bytes(), b"PSW")) =>
            {
                arg = Some(HIDDEN.into());
            }
            _ => {}
        }
        let names_file = matches!(
            command.as_str(),
            "RETR" | "STOR" | "STOU" | "APPE" | "DELE" | "RNFR" | "RNTO"
        );
        let mut record = FtpRecord {
            user: self.user.clone(),
            password: self.password,
            cwd: self.cwd.clone().filter(|_| names_file),
            command: Some(command),
            arg,
            ..FtpRecord::default()
        };
        self.active(&mut record, out);
        if self.open.len() >= OPEN_MAX
            && let Some(oldest) = self.open.pop_front()
        {
            out.record(oldest.ts, oldest.record);
        }
        self.open.push_back(Open { ts, record });
    }

    /// Where the server will connect to, after `PORT` and `EPRT`.
    fn active(&self, record: &mut FtpRecord, out: &Out<'_>) {
        let arg = record.arg.as_deref().unwrap_or_default().as_bytes();
        let end = match record.command.as_deref() {
            Some("PORT") => data::six_numbers(arg),
            Some("EPRT") => data::extended(arg),
            _ => None,
        };
        if let Some((address, port)) = end {
            record.passive = Some(false);
            record.data_orig_h = Some(self.ends(out).1.ip());
            (record.data_resp_h, record.data_resp_p) = (Some(address), Some(port));
        }
    }

    /// Client and server.
    fn ends(&self, out: &Out<'_>) -> (Endpoint, Endpoint) {
        match self.server {
            Some(Dir::Orig) => (out.flow.resp, out.flow.orig),
            _ => (out.flow.orig, out.flow.resp),
        }
    }

    /// Takes a line of a reply; the reply counts with its last.
    fn reply_line(&mut self, input: Input<'_>, reply: Reply<'_>, out: &mut Out<'_>) {
        let said = text(reply.text.trim_ascii(), TEXT_LEN_MAX);
        match (self.multi.take(), reply.more) {
            // What is inside a long reply may look like one.
            (Some(multi), more) if more || multi.0 != reply.code => self.multi = Some(multi),
            (Some((code, first)), _) => self.reply(input, code, reply.text, first, out),
            (None, true) => self.multi = Some((reply.code, said)),
            (None, false) => self.reply(input, reply.code, reply.text, said, out),
        }
    }

    fn reply(&mut self, input: Input<'_>, code: u16, last: &[u8], said: Text, out: &mut Out<'_>) {
        if code < 200
            && let Some(Open { record, .. }) = self.open.front_mut()
        {
            record.info_code = Some(code);
            carry(&mut self.channel, record);
            let size = data::announced_size(last);
            record.file_size = record.file_size.or(size);
            return;
        }
        if code == 220 && !self.greeted && self.open.is_empty() {
            self.greeted = true;
            tell_software(input.dir, "ftp greeting", said.clone(), out);
        }
        // 421 closes the connection, whatever was asked.
        let open = if code == 421 && self.open.len() != 1 {
            None
        } else {
            self.open.pop_front()
        };
        let Open { ts, mut record } = open.unwrap_or_else(|| Open {
            ts: input.ts,
            record: FtpRecord {
                user: self.user.clone(),
                password: self.password,
                ..FtpRecord::default()
            },
        });
        record.reply_code = Some(code);
        // Tokens of RFC 2228, and replies in them.
        let is_token = said.starts_with("ADAT=") || (631..=633).contains(&code);
        let said = if is_token { HIDDEN.into() } else { said };
        record.reply_msg = Some(said).filter(|said| !said.is_empty());
        self.learn(&mut record, code, last, out);
        if record.announces() {
            let end = record.data_resp_h.zip(record.data_resp_p);
            let told = record.passive.zip(record.data_orig_h).zip(end);
            self.channel = told.map(|((passive, from), to)| (passive, from, to));
        } else if code < 300 {
            carry(&mut self.channel, &mut record);
        }
        out.record(ts, record);
    }

    /// What a reply says beyond its code.
    fn learn(&mut self, record: &mut FtpRecord, code: u16, last: &[u8], out: &Out<'_>) {
        let arg = record.arg.as_deref().unwrap_or_default().as_bytes();
        let (client, server) = self.ends(out);
        let passive = match (record.command.as_deref(), code) {
            (Some("AUTH"), 234 | 334) => {
                self.secure = true;
                None
            }
            (Some("SIZE"), 213) => {
                record.file_size = str::from_utf8(last.trim_ascii())
                    .ok()
                    .and_then(|size| size.parse().ok());
                None
            }
            (Some("CWD" | "XCWD"), 200..300) => {
                self.cwd = data::entered(self.cwd.as_deref(), arg);
                None
            }
            (Some("CDUP" | "XCUP"), 200..300) => {
                self.cwd = data::entered(self.cwd.as_deref(), b"..");
                None
            }
            (Some("PWD" | "XPWD"), 257) => {
                self.cwd = between(last, b'"', b'"').map(|cwd| text(cwd, NAME_LEN_MAX));
                None
            }
            (_, 227) => data::six_numbers(last),
            (_, 229) => data::extended_passive(last).map(|port| (server.ip(), port)),
            _ => None,
        };
        if let Some((address, port)) = passive {
            record.passive = Some(true);
            record.data_orig_h = Some(client.ip());
            (record.data_resp_h, record.data_resp_p) = (Some(address), Some(port));
        }
    }
}

/// A transfer has begun over the data connection that was announced.
fn carry(channel: &mut Option<(bool, IpAddr, (IpAddr, u16))>, record: &mut FtpRecord) {
    if !record.is_transfer() {
        return;
    }
    if let Some((passive, from, (to, port))) = channel.take() {
        record.passive = Some(passive);
        record.data_orig_h = Some(from);
        (record.data_resp_h, record.data_resp_p) = (Some(to), Some(port));
    }
}

#[cfg(test)]
mod tests;
