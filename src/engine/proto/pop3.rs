//! POP3: who fetches mail from where, whether that succeeded, and what was attached.
//!
//! Standard: RFC 1939, RFC 2449 (CAPA), RFC 2595 (STLS), RFC 5034 (AUTH).
//! Input:    both streams of a TCP flow. Who is the client is told by content.
//! Output:   one `pop3` record per session (Zeek has no such log); the greeting is a software clue.
//! Bounds:   24 commands, 32 names of attachments a session; 64 commands open for a reply, older ones are
//!           forgotten; lines as in `lines`, mails as in `mail`.
//! Secrets:  arguments of `PASS`, `APOP` and `AUTH`: only account, mechanism and result.
//! Not done: heads of the mails; what a session without a single command says.

use std::collections::VecDeque;

use super::lines::{
    BothLines, Next, TEXT_LEN_MAX, add_distinct, begins_with_any, first_line, holds, is_binary,
    is_tls, tell_software, verb, word,
};
use super::mail::{ATTACHMENTS_MAX, Mail};
use super::sasl::Sasl;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Text, Timestamp, heap, heap_of, text};

/// Distinct commands of a session.
const COMMANDS_MAX: usize = 24;
/// Commands whose reply is awaited.
const SENT_MAX: usize = 64;
/// Lines that are no POP3 before the parser gives up.
const NONSENSE_MAX: u8 = 16;
/// What may be told as a command.
const COMMANDS: [&[u8]; 18] = [
    b"USER", b"PASS", b"APOP", b"AUTH", b"CAPA", b"STLS", b"STAT", b"LIST", b"UIDL", b"RETR",
    b"TOP", b"DELE", b"NOOP", b"RSET", b"QUIT", b"UTF8", b"LANG", b"XTND",
];

record! {
    /// One POP3 session.
    pub struct Pop3Record = "pop3" {
        /// Account the client named.
        pub user: Option<Text> = "user",
        /// How it signed in: `USER`, `APOP` or the mechanism of `AUTH`; what that carries is not kept.
        pub auth: Option<Text> = "auth",
        /// Whether the server accepted it.
        pub success: Option<bool> = "success",
        /// Distinct commands in the order of their first use.
        pub commands: Option<Vec<Text>> = "commands",
        /// Mails fetched.
        pub retrieved: u64 = "retrieved",
        /// Names of files attached to them.
        pub attachments: Option<Vec<Text>> = "attachments",
        /// Whether the session goes on in TLS.
        pub tls: bool = "tls",
    }
}

/// What a reply is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// `PASS`, `APOP`, `AUTH` with a mechanism.
    SignIn,
    Stls,
    /// A mail follows.
    Mail,
    /// Lines up to a lone dot follow.
    List,
    Other,
}

heap!(Sent:);

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Pop3 {
    lines: BothLines,
    client: Option<Dir>,
    sent: VecDeque<Sent>,
    /// What the server is in the middle of: lines, or a mail's.
    body: Option<Sent>,
    mail: Mail,
    sasl: Option<Sasl>,
    started: Option<Timestamp>,
    record: Pop3Record,
    torn: bool,
    greeted: bool,
    nonsense: u8,
}

impl Protocol for Pop3 {
    const NAME: &'static str = "pop3";
    const PORTS: &'static [Port] = &[Port::Tcp(110)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start.first() {
            Some(b'+') if begins_with_any(start, &[b"+OK"]) => {
                if holds(first_line(start), b"POP3") {
                    Probe::Certain
                } else {
                    Probe::Unsure
                }
            }
            Some(b'-') if begins_with_any(start, &[b"-ERR"]) => Probe::Unsure,
            Some(b'U' | b'u' | b'C' | b'c' | b'A' | b'a' | b'S' | b's' | b'Q') => {
                let likely: [&[u8]; 6] = [
                    b"USER ",
                    b"CAPA\r\n",
                    b"APOP ",
                    b"AUTH",
                    b"STLS\r\n",
                    b"QUIT\r\n",
                ];
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
        if is_tls(input.data) || self.record.tls && is_binary(input.data) {
            return Parse::Skip;
        }
        if input.gap > 0 {
            self.torn = true;
            if let Some(sasl) = &mut self.sasl {
                sasl.lose();
            }
        }
        match self.lines.of(input.dir).next(input.data, input.gap) {
            Next::More => Parse::NeedMore { used: 0, need: 1 },
            Next::Passed { used } => Parse::Parsed { used },
            Next::Line { line, used, .. } => {
                self.line(input, line, out);
                if self.nonsense >= NONSENSE_MAX && self.record.commands.is_none() {
                    return Parse::Broken("pop3_nonsense");
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

impl Pop3 {
    fn line(&mut self, input: Input<'_>, line: &[u8], out: &mut Out<'_>) {
        if self.client != Some(input.dir) {
            let is_reply = line.starts_with(b"+OK") || line.starts_with(b"-ERR") || line == b"+";
            if self.client.is_some() || is_reply || line.starts_with(b"+ ") {
                if is_reply && self.client.is_none() {
                    self.client = Some(input.dir.other());
                }
                self.reply(input, line, out);
                return;
            }
        }
        self.command(input, line, out);
    }

    fn command(&mut self, input: Input<'_>, line: &[u8], out: &mut Out<'_>) {
        let (name, arg) = word(line);
        if !COMMANDS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
        {
            if let Some(sasl) = &mut self.sasl {
                sasl.response(line, Self::NAME, &mut self.record.user, out);
            } else {
                self.nonsense = self.nonsense.saturating_add(1);
            }
            return;
        }
        self.client = Some(input.dir);
        self.started.get_or_insert(input.ts);
        if std::mem::take(&mut self.torn) {
            // Replies may have been lost: those to come are to what is sent from here on.
            self.mail_over();
            self.sent.clear();
        }
        self.sasl = None;
        let command = verb(name);
        let sent = match command.as_str() {
            "USER" => {
                self.record.user = Some(text(arg, TEXT_LEN_MAX));
                self.record.auth = Some(command.clone());
                self.record.success = None;
                Sent::Other
            }
            "PASS" => {
                out.credential((Self::NAME, "PASS"), self.record.user.clone(), Some(arg));
                Sent::SignIn
            }
            "APOP" => {
                self.record.user = Some(text(word(arg).0, TEXT_LEN_MAX));
                self.record.auth = Some(command.clone());
                Sent::SignIn
            }
            "AUTH" if arg.is_empty() => Sent::List,
            "AUTH" => self.auth(arg, out),
            "STLS" => Sent::Stls,
            "RETR" | "TOP" => Sent::Mail,
            "CAPA" => Sent::List,
            "LIST" | "UIDL" if arg.is_empty() => Sent::List,
            _ => Sent::Other,
        };
        let commands = self.record.commands.get_or_insert_default();
        add_distinct(commands, command, COMMANDS_MAX);
        if self.sent.len() >= SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
    }

    fn auth(&mut self, arg: &[u8], out: &mut Out<'_>) -> Sent {
        let (mechanism, initial) = word(arg);
        let mut sasl = Sasl::new(mechanism);
        self.record.auth = Some(sasl.mechanism().into());
        (self.record.user, self.record.success) = (None, None);
        if !initial.is_empty() {
            sasl.response(initial, Self::NAME, &mut self.record.user, out);
        }
        self.sasl = Some(sasl);
        Sent::SignIn
    }

    fn reply(&mut self, input: Input<'_>, line: &[u8], out: &mut Out<'_>) {
        if let Some(body) = self.body {
            if line == b"." {
                self.mail_over();
            } else if body == Sent::Mail {
                self.mail.line(line);
            }
            return;
        }
        let good = line.starts_with(b"+OK");
        if !good && !line.starts_with(b"-ERR") {
            // A challenge, or the middle of what was missed.
            return;
        }
        let said = line.get(3..).unwrap_or_default().trim_ascii();
        match self.sent.pop_front() {
            None if good && !self.greeted && self.record.commands.is_none() => {
                self.greeted = true;
                tell_software(input.dir, "pop3 greeting", text(said, TEXT_LEN_MAX), out);
            }
            Some(Sent::SignIn) => {
                self.sasl = None;
                self.record.success = Some(good);
            }
            Some(Sent::Stls) if good => self.record.tls = true,
            Some(sent @ (Sent::Mail | Sent::List)) if good => self.body = Some(sent),
            _ => {}
        }
    }

    /// The mail, or the list, is over.
    fn mail_over(&mut self) {
        if self.body.take() == Some(Sent::Mail) {
            self.record.retrieved = self.record.retrieved.saturating_add(1);
            let mut mail = std::mem::take(&mut self.mail);
            mail.end();
            for name in mail.attachments {
                let list = self.record.attachments.get_or_insert_default();
                add_distinct(list, name, ATTACHMENTS_MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{endures, stream};
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;

    /// After RFC 1939 §10.
    const TALK: [(Dir, &[u8]); 12] = [
        (S, b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n"),
        (C, b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"),
        (S, b"+OK mrose's maildrop has 2 messages (320 octets)\r\n"),
        (C, b"STAT\r\n"),
        (S, b"+OK 2 320\r\n"),
        (C, b"LIST\r\n"),
        (S, b"+OK 2 messages (320 octets)\r\n1 120\r\n2 200\r\n.\r\n"),
        (C, b"RETR 1\r\n"),
        (S, b"+OK 120 octets\r\nContent-Type: image/png; name=p.png\r\n\r\n+OK not a reply\r\n.\r\n"),
        (C, b"QUIT\r\n"),
        (S, b"+OK dewey POP3 server signing off\r\n"),
        (C, b"\r\n"),
    ];

    #[test]
    fn a_session() {
        let told = stream::<Pop3>(&TALK);
        assert_eq!(
            told.records,
            [
                r#"pop3 {"user":"mrose","auth":"APOP","success":true,"commands":["APOP","STAT","LIST","RETR","QUIT"],"retrieved":1,"attachments":["p.png"],"tls":false}"#
            ]
        );
        assert_eq!(told.clues.len(), 1);
        assert_eq!(told.clues[0].evidence, "pop3 greeting");
    }

    #[test]
    fn no_secret_is_kept() {
        // RFC 5034 §6: PLAIN is "\0test\0test"; the challenge is "+ ".
        let told = stream::<Pop3>(&[
            (S, b"+OK ready\r\n"),
            (C, b"AUTH PLAIN\r\n"),
            (S, b"+ \r\n"),
            (C, b"AHRlc3QAdGVzdA==\r\n"),
            (S, b"-ERR no\r\n"),
            (C, b"USER anna\r\nPASS geheim\r\n"),
            (S, b"+OK\r\n+OK\r\n"),
        ]);
        assert_eq!(
            told.records,
            [
                r#"pop3 {"user":"anna","auth":"USER","success":true,"commands":["AUTH","USER","PASS"],"retrieved":0,"tls":false}"#
            ]
        );
        let told = stream::<Pop3>(&[
            (S, b"+OK ready\r\n"),
            (C, b"AUTH PLAIN AHRlc3QAdGVzdA==\r\n"),
            (S, b"-ERR no\r\n"),
        ]);
        assert!(
            told.records[0].starts_with(r#"pop3 {"user":"test","auth":"PLAIN","success":false"#)
        );
    }

    #[test]
    fn behind_stls_the_rest_is_handed_over() {
        // RFC 2595 §4.
        let told = stream::<Pop3>(&[
            (C, b"STLS\r\n"),
            (S, b"+OK Begin TLS negotiation\r\n"),
            (C, b"\x16\x03\x01\x00\x05hello"),
        ]);
        assert_eq!(told.end.map(|(answer, _)| answer), Some(Parse::Skip));
        assert!(told.records[0].contains(r#""tls":true"#));
    }

    #[test]
    fn probing_and_noise() {
        let probe = |start: &[u8]| Pop3::probe(start, S);
        assert_eq!(probe(b"+OK POP3 ready\r\n"), Probe::Certain);
        // Redis says so as well.
        assert_eq!(probe(b"+OK\r\n"), Probe::Unsure);
        assert_eq!(probe(b"USERS\r\n"), Probe::NotMine);
        let noise = b"abc\r\n".repeat(20);
        let told = stream::<Pop3>(&[(C, &noise)]);
        assert_eq!(
            told.end.map(|(a, _)| a),
            Some(Parse::Broken("pop3_nonsense"))
        );
        endures::<Pop3>(&TALK, false);
    }
}
