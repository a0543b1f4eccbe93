//! IRC: who is where under which name, and what he commands.
//!
//! Standard: RFC 1459, RFC 2812; DCC offers as clients send them.
//! Input:    both streams of a TCP flow. Who is the client is told by content.
//! Output:   one `irc` record per command of the client (Zeek tells NICK, USER, JOIN and DCC only); the
//!           server's program as a software clue.
//! Bounds:   lines as in `lines`; texts of 256 bytes; 1,000 records a flow, then `irc_many_commands`.
//! Secrets:  arguments of `PASS`, `AUTHENTICATE` and `OPER`'s second, channel keys: not kept. Nor is what
//!           people say, the topic of a channel excepted: of `PRIVMSG` and `NOTICE` only the target.
//! Not done: what the server tells about others.

use super::lines::{
    BothLines, Next, TEXT_LEN_MAX, begins_with_any, first_line, is_verb, tell_software, word,
};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Text, heap_of, text};

/// Records of one flow.
const RECORDS_MAX: u32 = 1_000;
/// Lines that are no IRC before the parser gives up.
const NONSENSE_MAX: u8 = 16;

record! {
    /// One command of a client (Zeek's `irc.log`).
    pub struct IrcRecord = "irc" {
        /// Nickname at the time.
        pub nick: Option<Text> = "nick",
        /// Account name of the client's machine, as `USER` told it.
        pub user: Option<Text> = "user",
        /// The command, in capitals.
        pub command: Text = "command",
        /// Its first argument: a nickname, a channel, whom a message is for.
        pub value: Option<Text> = "value",
        /// More about it: host and real name of `USER`, the topic, the one kicked.
        pub addl: Option<Text> = "addl",
        /// Name of a file offered by DCC.
        pub dcc_file_name: Option<Text> = "dcc_file_name",
        /// Its size in bytes.
        pub dcc_file_size: Option<u64> = "dcc_file_size",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Irc {
    lines: BothLines,
    client: Option<Dir>,
    nick: Option<Text>,
    user: Option<Text>,
    records: u32,
    sure: bool,
    nonsense: u8,
    server_told: bool,
}

impl Protocol for Irc {
    const NAME: &'static str = "irc";
    const PORTS: &'static [Port] = &[
        Port::Tcp(6667),
        Port::Tcp(6666),
        Port::Tcp(6668),
        Port::Tcp(6669),
        Port::Tcp(7000),
    ];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start.first() {
            // `:server NOTICE AUTH :…`, `:server 001 nick :…`
            Some(b':') => {
                let (_, rest) = word(first_line(start));
                let (command, rest) = word(rest);
                let numeric = command.len() == 3 && command.iter().all(u8::is_ascii_digit);
                if rest.is_empty() {
                    Probe::Unsure
                } else if numeric || command == b"NOTICE" {
                    Probe::Certain
                } else {
                    Probe::NotMine
                }
            }
            Some(b'N' | b'n' | b'C' | b'P' | b'U' | b'E') => {
                let certain: [&[u8]; 3] = [b"NOTICE AUTH :", b"NICK ", b"CAP LS"];
                let likely: [&[u8]; 4] = [b"USER ", b"PASS ", b"PING ", b"ERROR :"];
                if begins_with_any(start, &certain) {
                    if start.len() >= 6 {
                        Probe::Certain
                    } else {
                        Probe::Unsure
                    }
                } else if begins_with_any(start, &likely) {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                }
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        match self.lines.of(input.dir).next(input.data, input.gap) {
            Next::More => Parse::NeedMore { used: 0, need: 1 },
            Next::Passed { used } => Parse::Parsed { used },
            Next::Line { line, used, .. } => {
                self.line(input, line, out);
                if self.nonsense >= NONSENSE_MAX && !self.sure {
                    return Parse::Broken("irc_nonsense");
                }
                Parse::Parsed { used }
            }
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: nick, user)
    }
}

impl Irc {
    fn line(&mut self, input: Input<'_>, line: &[u8], out: &mut Out<'_>) {
        // Tags (IRCv3) and a prefix, which a client has no use for.
        let (line, tagged) = match line.first() {
            Some(b'@') => (word(line).1, true),
            _ => (line, false),
        };
        let is_prefixed = line.first() == Some(&b':');
        let (command, rest) = word(if is_prefixed { word(line).1 } else { line });
        if self.client.is_none() {
            let server = is_prefixed || begins_with_any(line, &[b"NOTICE AUTH", b"ERROR :"]);
            let introduces: [&[u8]; 5] = [b"NICK", b"USER", b"PASS", b"CAP", b"JOIN"];
            let client = introduces
                .iter()
                .any(|name| name.eq_ignore_ascii_case(command));
            if server && command.len() >= 3 {
                self.client = Some(input.dir.other());
            } else if client && !tagged {
                self.client = Some(input.dir);
            }
        }
        if self.client == Some(input.dir) {
            self.command(input, command, rest, out);
        } else if self.client.is_some() {
            self.reply(input.dir, command, rest, out);
        } else if !line.is_empty() {
            self.nonsense = self.nonsense.saturating_add(1);
        }
    }

    fn command(&mut self, input: Input<'_>, command: &[u8], rest: &[u8], out: &mut Out<'_>) {
        if command.is_empty() || command.len() > 16 || !command.iter().all(u8::is_ascii_graphic) {
            self.nonsense = self.nonsense.saturating_add(1);
            return;
        }
        self.sure |= is_verb(command);
        let command = text(&command.to_ascii_uppercase(), 16);
        let (first, behind) = argument(rest);
        let kept = |value: &[u8]| Some(text(value, TEXT_LEN_MAX)).filter(|value| !value.is_empty());
        let mut record = IrcRecord {
            nick: self.nick.clone(),
            user: self.user.clone(),
            value: kept(first),
            ..IrcRecord::default()
        };
        match command.as_str() {
            "NICK" => self.nick = record.value.clone(),
            "USER" => {
                self.user = record.value.clone();
                record.addl = kept(behind);
            }
            "PASS" | "AUTHENTICATE" | "QUIT" | "AWAY" => {
                record.value = None;
                if command == "PASS" {
                    out.credential((Self::NAME, "PASS"), self.nick.clone(), Some(first));
                }
            }
            "PRIVMSG" | "NOTICE" => Self::offer(behind, &mut record),
            "TOPIC" => record.addl = kept(behind),
            // Behind the modes may stand a channel's key, behind the one kicked the reason.
            "KICK" | "INVITE" | "MODE" => record.addl = kept(word(behind).0),
            _ => {}
        }
        record.command = command;
        self.records = self.records.saturating_add(1);
        if self.records <= RECORDS_MAX {
            out.record(input.ts, record);
        } else if self.records == RECORDS_MAX.saturating_add(1) {
            out.weird("irc_many_commands", None, Self::NAME);
        }
    }

    /// A file offered: `DCC SEND name address port size` between two control bytes 1.
    fn offer(said: &[u8], record: &mut IrcRecord) {
        let said = said.strip_prefix(b":").unwrap_or(said);
        let Some(offer) = said.strip_prefix(b"\x01DCC SEND ") else {
            return;
        };
        let offer = offer.strip_suffix(b"\x01").unwrap_or(offer);
        let (name, rest) = match offer.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = memchr::memchr(b'"', quoted).unwrap_or(quoted.len());
                let (name, rest) = quoted.split_at_checked(end).unwrap_or_default();
                (name, rest.get(1..).unwrap_or_default().trim_ascii())
            }
            None => word(offer),
        };
        let size = rest.split(|byte| *byte == b' ').nth(2);
        record.dcc_file_name = Some(text(name, TEXT_LEN_MAX));
        record.dcc_file_size = size
            .and_then(|size| str::from_utf8(size).ok())
            .and_then(|size| size.parse().ok());
    }

    fn reply(&mut self, dir: Dir, command: &[u8], rest: &[u8], out: &mut Out<'_>) {
        let (nick, behind) = word(rest);
        match command {
            b"001" => {
                self.sure = true;
                self.nick = Some(text(nick, TEXT_LEN_MAX));
            }
            // RPL_MYINFO: nick, server, version, modes.
            b"004" if !self.server_told => {
                self.server_told = true;
                let version = word(word(behind).1).0;
                tell_software(dir, "irc server", text(version, TEXT_LEN_MAX), out);
            }
            _ => {}
        }
    }
}

/// The first argument, whole if a colon comes before it, and the rest.
fn argument(rest: &[u8]) -> (&[u8], &[u8]) {
    match rest.strip_prefix(b":") {
        Some(whole) => (whole, &[]),
        None => word(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{endures, stream};
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;
    const TALK: [(Dir, &[u8]); 5] = [
        (S, b":irc.example NOTICE AUTH :*** Looking up your hostname\r\n"),
        (C, b"PASS geheim\r\nNICK wiz\r\nUSER guest 0 * :Ronnie Reagan\r\n"),
        (S, b":irc.example 001 wiz :Welcome\r\n:irc.example 004 wiz irc.example ngircd-26 ov om\r\nPING :x\r\n"),
        (C, b"PONG :x\r\nJOIN #twilight geheim\r\nPRIVMSG #twilight :geheim\r\n"),
        (C, b"PRIVMSG bob :\x01DCC SEND \"a b.zip\" 3232235777 5000 1234\x01\r\nOPER wiz geheim\r\nMODE #twilight +k geheim\r\nQUIT\r\n"),
    ];

    #[test]
    fn a_session() {
        // After RFC 1459 §4.1 and §4.2.
        let told = stream::<Irc>(&TALK);
        assert_eq!(
            told.records,
            [
                r#"irc {"command":"PASS"}"#,
                r#"irc {"command":"NICK","value":"wiz"}"#,
                r#"irc {"nick":"wiz","command":"USER","value":"guest","addl":"0 * :Ronnie Reagan"}"#,
                r#"irc {"nick":"wiz","user":"guest","command":"PONG","value":"x"}"#,
                r##"irc {"nick":"wiz","user":"guest","command":"JOIN","value":"#twilight"}"##,
                r##"irc {"nick":"wiz","user":"guest","command":"PRIVMSG","value":"#twilight"}"##,
                r#"irc {"nick":"wiz","user":"guest","command":"PRIVMSG","value":"bob","dcc_file_name":"a b.zip","dcc_file_size":1234}"#,
                r#"irc {"nick":"wiz","user":"guest","command":"OPER","value":"wiz"}"#,
                r##"irc {"nick":"wiz","user":"guest","command":"MODE","value":"#twilight","addl":"+k"}"##,
                r#"irc {"nick":"wiz","user":"guest","command":"QUIT"}"#,
            ]
        );
        assert_eq!(told.clues[0].value, "ngircd-26");
    }

    #[test]
    fn bounds_and_noise() {
        let many = b"NICK a\r\n".repeat(1_100);
        let told = stream::<Irc>(&[(C, &many)]);
        assert_eq!(told.records.len(), 1_001);
        let noise = b"\x01\r\n".repeat(30);
        let told = stream::<Irc>(&[(C, &noise)]);
        assert_eq!(
            told.end.map(|(a, _)| a),
            Some(Parse::Broken("irc_nonsense"))
        );
        endures::<Irc>(&TALK, false);
    }

    #[test]
    fn probing() {
        let probe = |start: &[u8]| Irc::probe(start, C);
        assert_eq!(probe(TALK[0].1), Probe::Certain);
        assert_eq!(probe(b"NICK wiz\r\n"), Probe::Certain);
        assert_eq!(probe(b"NICK"), Probe::Unsure);
        assert_eq!(probe(b"PUT / HTTP/1.1\r\n"), Probe::NotMine);
        assert_eq!(probe(b":)"), Probe::Unsure);
        assert_eq!(probe(b":a b c d"), Probe::NotMine);
    }
}
