//! MySQL and MariaDB: who signs in to which server, and what is asked of it.
//!
//! Source:   the client and server protocol as its makers document it: packets, connection phase, commands.
//! Input:    both streams of a TCP flow; the server speaks first.
//! Output:   one `mysql` record per sign-in and per command, with the beginning of its answer. Clues: that a server
//!           serves it and its version; system and account of a client that names them.
//! Bounds:   1 KiB of a packet is looked at; texts of 256 bytes; 64 attributes of a client.
//! Secrets:  of a password sent by `mysql_clear_password` the `credentials` record is told; answers to challenges
//!           and the texts of statements are passed over: of a statement its first word and its size are kept, and
//!           the name of a procedure it calls.
//! Not done: compressed packets; sign-ins older than version 4.1; rows and their count; what comes behind a gap.

mod login;
mod names;
mod record;

pub use self::record::MysqlRecord;
use compact_str::CompactStringExt as _;

use super::gss::tell;
use super::lines::{TEXT_LEN_MAX, is_tls, tell_software};
use super::little_endian::{field, u16_at};
use super::sql::statement;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{ClueKind, Text, Timestamp, heap_of, text};

/// Header of a packet: length and number.
const HEAD_LEN: usize = 4;
/// Bytes of a packet that are looked at.
const LOOKED_AT_MAX: usize = 1024;
/// Commands.
const QUIT: u8 = 1;
const INIT_DB: u8 = 2;
const QUERY: u8 = 3;
const CHANGE_USER: u8 = 0x11;
const PREPARE: u8 = 0x16;
const SEND_DATA: u8 = 0x18;
const CLOSE: u8 = 0x19;
/// The way to sign in by which the password crosses as it is.
const CLEAR: &str = "mysql_clear_password";
/// First bytes of a server's answers.
const OK: u8 = 0;
const MORE: u8 = 1;
const SWITCH: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Mysql {
    /// What the client asked last.
    open: Option<(Timestamp, MysqlRecord)>,
    phase: Phase,
    /// Version the server has said.
    version: Option<Text>,
    /// What the client may do, as it said itself.
    can: u32,
    /// It has asked to encrypt.
    asks_tls: bool,
    /// The server wants the password itself.
    wants_clear: bool,
}

/// Where the talk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing was said.
    #[default]
    Silence,
    /// The server has greeted.
    Greeted,
    /// The client signs in.
    SigningIn,
    /// It is in.
    Commands,
}

/// Length of the first packet's body, and its number.
fn head(data: &[u8]) -> Option<(usize, u8)> {
    let &[l0, l1, l2, number] = data.first_chunk::<HEAD_LEN>()?;
    let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, 0])).ok()?;
    Some((len, number))
}

impl Protocol for Mysql {
    const NAME: &'static str = "mysql";
    const PORTS: &'static [Port] = &[Port::Tcp(3306)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], dir: Dir) -> Probe {
        let Some((len, number)) = head(start) else {
            // A first packet has less than 4 KiB.
            return match start {
                [] | [_] | [_, 0..=15] | [_, 0..=15, 0] => Probe::Unsure,
                _ => Probe::NotMine,
            };
        };
        let body = start.get(HEAD_LEN..).unwrap_or_default();
        match (number, dir) {
            (0, _) if login::is_greeting(body, len) || login::is_refusal(body, len) => {
                Probe::Certain
            }
            (1, Dir::Orig) if login::is_response(body, len) => Probe::Certain,
            // Not all there yet.
            (0, _) if body.len() < len.min(64) && len < 512 => match body {
                [] | [10 | ERROR, ..] => Probe::Unsure,
                _ => Probe::NotMine,
            },
            (1, Dir::Orig) if body.len() < 32 && login::may_be_response(body, len) => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("mysql_datagram");
        }
        if input.gap > 0 || (self.asks_tls && is_tls(input.data)) {
            // Where the next packet begins nobody can tell.
            self.finish(out);
            return Parse::Skip;
        }
        let data = input.data;
        let Some((len, number)) = head(data) else {
            let need = HEAD_LEN.saturating_sub(data.len()).max(1);
            return Parse::NeedMore { used: 0, need };
        };
        let looked_at = HEAD_LEN.saturating_add(len.min(LOOKED_AT_MAX));
        let Some(body) = data.get(HEAD_LEN..looked_at) else {
            let need = looked_at.saturating_sub(data.len()).max(1);
            return Parse::NeedMore { used: 0, need };
        };
        let goes_on = if server(out) == input.dir {
            self.answer(body, number, input, out)
        } else {
            self.ask((body, len), number, input, out)
        };
        if let Err(name) = goes_on {
            if self.phase == Phase::Silence {
                return Parse::Broken(name);
            }
            self.finish(out);
            return Parse::Skip;
        }
        let whole = HEAD_LEN.saturating_add(len);
        Parse::past(whole, data)
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some((ts, record)) = self.open.take() {
            out.record(ts, record);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: open, version)
    }
}

/// Who is the server: whoever has the port, else the responder.
fn server(out: &Out<'_>) -> Dir {
    const PORT: u16 = 3306;
    if out.flow.orig.port == PORT && out.flow.resp.port != PORT {
        Dir::Orig
    } else {
        Dir::Resp
    }
}

impl Mysql {
    /// A packet of the server.
    fn answer(
        &mut self,
        body: &[u8],
        number: u8,
        input: Input<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), &'static str> {
        let first = body.first().copied();
        match self.phase {
            Phase::Silence => return self.greeting(body, number, input, out),
            Phase::Greeted => {}
            Phase::SigningIn => match first {
                Some(OK) => {
                    self.settle(true, None, out);
                    self.phase = Phase::Commands;
                }
                Some(ERROR) => {
                    self.settle(false, u16_at(body, 1), out);
                    self.phase = Phase::Greeted;
                }
                Some(SWITCH) => {
                    let name = body.get(1..).unwrap_or_default();
                    let end = memchr::memchr(0, name).unwrap_or(name.len());
                    self.wants_clear = name.get(..end) == Some(CLEAR.as_bytes());
                    if let (Some((_, record)), Some(name)) = (&mut self.open, name.get(..end)) {
                        record.auth_plugin = Some(text(name, TEXT_LEN_MAX));
                    }
                }
                Some(MORE) => {}
                _ => return Err("mysql_bad_answer"),
            },
            // The first packet of an answer says how it goes; rows follow.
            Phase::Commands if number == 1 => match first {
                Some(ERROR) => self.settle(false, u16_at(body, 1), out),
                Some(_) => self.settle(true, None, out),
                None => {}
            },
            Phase::Commands => {}
        }
        Ok(())
    }

    /// The server's first packet: a greeting, or that this client is not welcome.
    fn greeting(
        &mut self,
        body: &[u8],
        number: u8,
        input: Input<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), &'static str> {
        let value = Text::from("mysql");
        if number == 0 && login::is_refusal(body, body.len()) {
            self.phase = Phase::Greeted;
            tell(
                input.dir,
                ClueKind::Serves,
                "mysql greeting",
                Some(&value),
                out,
            );
            let record = MysqlRecord {
                cmd: "greeting",
                success: Some(false),
                error_code: u16_at(body, 1),
                ..MysqlRecord::default()
            };
            out.record(input.ts, record);
            return Ok(());
        }
        let version = login::version(body).filter(|_| number == 0);
        let Some(version) = version else {
            return Err("mysql_no_greeting");
        };
        tell(
            input.dir,
            ClueKind::Serves,
            "mysql greeting",
            Some(&value),
            out,
        );
        tell_software(
            input.dir,
            "mysql greeting",
            ["MySQL ", &version].concat_compact(),
            out,
        );
        self.version = Some(version);
        self.phase = Phase::Greeted;
        Ok(())
    }

    /// A packet of the client.
    fn ask(
        &mut self,
        (body, len): (&[u8], usize),
        number: u8,
        input: Input<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), &'static str> {
        match self.phase {
            Phase::Silence | Phase::Greeted => {
                let Some(login) = login::read(body, len) else {
                    // The request to encrypt says no more than that; TLS follows.
                    self.asks_tls = login::is_tls_request(body, len);
                    let goes_on = self.asks_tls && self.phase == Phase::Greeted;
                    return goes_on.then_some(()).ok_or("mysql_no_sign_in");
                };
                self.can = login.can;
                let version = self.version.clone();
                login::clues(body, input.dir, out);
                let record = MysqlRecord {
                    version,
                    ..login.record
                };
                self.wants_clear = record.auth_plugin.as_deref() == Some(CLEAR);
                self.open = Some((input.ts, record));
                self.password(login.answer.unwrap_or_default(), out);
                self.phase = Phase::SigningIn;
            }
            // An answer to a challenge.
            Phase::SigningIn => self.password(body, out),
            Phase::Commands if number == 0 => self.command(body, len, input, out),
            // Data the server has asked for.
            Phase::Commands => {}
        }
        Ok(())
    }

    /// What a client answers: the password, up to a NUL, if that was asked for; told once each time it was.
    fn password(&mut self, answer: &[u8], out: &mut Out<'_>) {
        let end = memchr::memchr(0, answer).unwrap_or(answer.len());
        let secret = answer.get(..end).filter(|secret| !secret.is_empty());
        if std::mem::take(&mut self.wants_clear)
            && let (Some((_, record)), Some(secret)) = (&self.open, secret)
        {
            out.credential((Self::NAME, CLEAR), record.arg.clone(), Some(secret));
        }
    }

    fn command(&mut self, body: &[u8], len: usize, input: Input<'_>, out: &mut Out<'_>) {
        self.finish(out);
        let Some((&code, argument)) = body.split_first() else {
            return;
        };
        let mut record = MysqlRecord {
            cmd: names::command(code),
            length: u64::try_from(len.saturating_sub(1)).unwrap_or(u64::MAX),
            ..MysqlRecord::default()
        };
        match code {
            INIT_DB => record.database = Some(text(argument, TEXT_LEN_MAX)),
            CHANGE_USER => {
                let end = memchr::memchr(0, argument).unwrap_or(argument.len());
                record.arg = argument.get(..end).map(|name| text(name, TEXT_LEN_MAX));
            }
            QUERY | PREPARE => {
                let said = statement(self.behind_attributes(code, argument));
                (record.verb, record.procedure) = (said.verb, said.procedure);
            }
            _ => {}
        }
        self.open = Some((input.ts, record));
        if code == CHANGE_USER {
            self.phase = Phase::SigningIn;
        }
        // These have no answer.
        if matches!(code, QUIT | CLOSE | SEND_DATA) {
            self.finish(out);
        }
    }

    /// The statement behind the attributes a client may give it: their count, and how many sets of them.
    fn behind_attributes<'a>(&self, code: u8, argument: &'a [u8]) -> &'a [u8] {
        if code != QUERY || self.can & login::QUERY_ATTRIBUTES == 0 {
            return argument;
        }
        match argument {
            [0, 1, rest @ ..] => rest,
            [count @ 1..=0xfa, 1, rest @ ..] => behind_values(*count, rest),
            _ => argument,
        }
    }

    fn settle(&mut self, success: bool, error: Option<u16>, out: &mut Out<'_>) {
        if let Some((_, record)) = &mut self.open {
            record.success = Some(success);
            record.error_code = error;
        }
        self.finish(out);
    }
}

/// The statement behind `count` attributes that are texts; nothing where one is of another kind.
///
/// They are a bitmap of what is NULL, a one, kind and name of each, and the values.
fn behind_values(count: u8, rest: &[u8]) -> &[u8] {
    const STRING: u8 = 0xfe;
    let nulls = usize::from(count).div_ceil(8);
    let text = |bytes: &mut &[u8]| -> Option<()> {
        let (&len, rest) = bytes.split_first()?;
        *bytes = rest.get(usize::from(len)..).filter(|_| len < 0xfb)?;
        Some(())
    };
    let skip = || {
        let (nulls, mut rest) = rest.split_at_checked(nulls)?;
        let (1, behind) = rest.split_first().map(|(bound, behind)| (*bound, behind))? else {
            return None;
        };
        rest = behind;
        for _ in 0..count {
            let (&[STRING, _], behind) = rest.split_first_chunk::<2>()? else {
                return None;
            };
            rest = behind;
            text(&mut rest)?;
        }
        for index in 0..count {
            let is_null = field(nulls, usize::from(index / 8), 1)?.first()? >> (index % 8) & 1 == 1;
            if !is_null {
                text(&mut rest)?;
            }
        }
        Some(rest)
    };
    skip().unwrap_or_default()
}

#[cfg(test)]
mod tests;
